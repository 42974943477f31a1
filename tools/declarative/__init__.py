"""Tools that are written down in a YAML or TOML file, with no Python."""
