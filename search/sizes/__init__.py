"""Hyperparameters for every model size."""
