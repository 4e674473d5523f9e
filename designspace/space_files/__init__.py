"""Design spaces of one's own: reading, checking and writing YAML files."""
