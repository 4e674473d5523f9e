"""Architectures as Keras 3 models."""
