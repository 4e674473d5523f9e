"""Architectures as Keras 3 models. Importing this package registers its layers with Keras."""

from ..designspace import canonical
from . import accounting
from .applications import (
    APPLICATIONS,
    RegNetX002,
    RegNetX004,
    RegNetX006,
    RegNetX008,
    RegNetX016,
    RegNetX032,
    RegNetX040,
    RegNetX064,
    RegNetX080,
    RegNetX120,
    RegNetX160,
    RegNetX320,
    RegNetY002,
    RegNetY004,
    RegNetY006,
    RegNetY008,
    RegNetY016,
    RegNetY032,
    RegNetY040,
    RegNetY064,
    RegNetY080,
    RegNetY120,
    RegNetY160,
    RegNetY320,
    RegNetY640,
    RegNetY1280,
    RegNetY2560,
    RegNetZ005,
    RegNetZ040,
)
from .networks.layers import BatchNorm, GroupedConv2D
from .networks.model import build
from .networks.plain import to_plain
from .networks.stage_maps import stage_features
from .preprocessing import decode_predictions, preprocess_input
from .serving.fusing import fuse
from .serving.inference import compile_inference
from .weights.conventions import CONVENTIONS, Convention
from .weights.weight_files import load_weights, save_timm

__all__ = [
    "APPLICATIONS",
    "CONVENTIONS",
    "BatchNorm",
    "Convention",
    "GroupedConv2D",
    "RegNetX002",
    "RegNetX004",
    "RegNetX006",
    "RegNetX008",
    "RegNetX016",
    "RegNetX032",
    "RegNetX040",
    "RegNetX064",
    "RegNetX080",
    "RegNetX120",
    "RegNetX160",
    "RegNetX320",
    "RegNetY002",
    "RegNetY004",
    "RegNetY006",
    "RegNetY008",
    "RegNetY016",
    "RegNetY032",
    "RegNetY040",
    "RegNetY064",
    "RegNetY080",
    "RegNetY120",
    "RegNetY160",
    "RegNetY320",
    "RegNetY640",
    "RegNetY1280",
    "RegNetY2560",
    "RegNetZ005",
    "RegNetZ040",
    "accounting",
    "build",
    "canonical",
    "compile_inference",
    "decode_predictions",
    "fuse",
    "load_weights",
    "preprocess_input",
    "save_timm",
    "stage_features",
    "to_plain",
]
