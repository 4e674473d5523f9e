"""Studies of many architectures with one recipe."""
