"""Architectures as data: parameters, spaces, complexity, sampling. Needs numpy alone."""

from .cost import Complexity, complexity
from .linear import RegNetParams
from .record import RECORD_KEYS, from_record, to_record
from .spec import NetSpec, Stage

__all__ = [
    "RECORD_KEYS",
    "Complexity",
    "NetSpec",
    "RegNetParams",
    "Stage",
    "complexity",
    "from_record",
    "to_record",
]
