"""Tools defined in YAML or TOML files, without Python."""
