"""Architectures as Keras 3 models. Importing this package registers its layers with Keras."""

from .layers import GroupedConv2D
from .model import build

__all__ = ["GroupedConv2D", "build"]
