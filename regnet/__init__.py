"""Architectures as Keras 3 models. Importing this package registers its layers with Keras."""

from ..designspace import canonical
from . import accounting
from .fusing import fuse
from .layers import BatchNorm, GroupedConv2D
from .model import build

__all__ = ["BatchNorm", "GroupedConv2D", "accounting", "build", "canonical", "fuse"]
