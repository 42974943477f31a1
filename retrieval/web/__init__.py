"""Text from the web: search providers behind one protocol."""
