"""Every network of a space: chunk by chunk, with bounded memory, and the Pareto fronts."""
