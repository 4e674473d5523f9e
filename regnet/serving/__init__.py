"""Trained networks for inference, here and in other runtimes."""
