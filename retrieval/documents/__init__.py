"""Documents: read from files, split into passages, searched by meaning and by words."""
