"""The training of one network, from its first step to its result."""
