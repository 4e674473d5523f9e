"""Candidates of a space, drawn block by block and held against budgets."""
