"""Step-Audio 2 on a server: the requests in the dialect of each kind of server, and its answers as deltas."""
