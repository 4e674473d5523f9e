"""Architectures as Keras 3 models. Importing this package registers its layers with Keras."""

from ..designspace import canonical
from . import accounting
from .conventions import CONVENTIONS, Convention
from .fusing import fuse
from .layers import BatchNorm, GroupedConv2D
from .model import build
from .weight_files import load_weights, save_timm

__all__ = [
    "CONVENTIONS",
    "BatchNorm",
    "Convention",
    "GroupedConv2D",
    "accounting",
    "build",
    "canonical",
    "fuse",
    "load_weights",
    "save_timm",
]
