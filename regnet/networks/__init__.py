"""Architectures as Keras models, layer by layer."""
