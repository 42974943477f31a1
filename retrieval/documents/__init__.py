"""Documents: read from a folder, kept as passages, searched by meaning and by words."""
