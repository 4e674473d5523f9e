"""Tables of results in, numbers and pictures out. Never imports keras, regnet or search."""
