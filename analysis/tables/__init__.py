"""Studies and files of results as tables."""
