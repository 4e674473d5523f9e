"""Architectures as data: parameters, spaces, complexity, sampling. Needs numpy alone."""

from .budget import Budget, parse_range, parse_size
from .catalogue import CANONICAL, canonical, canonical_name
from .cost import Complexity, complexity
from .linear import RegNetParams
from .population import Population, from_specs
from .record import RECORD_KEYS, from_record, to_record
from .sampling import Drawn, sample
from .spaces import SPACES, DesignSpace, find_space
from .spec import NetSpec, Stage

__all__ = [
    "CANONICAL",
    "RECORD_KEYS",
    "SPACES",
    "Budget",
    "Complexity",
    "DesignSpace",
    "Drawn",
    "NetSpec",
    "Population",
    "RegNetParams",
    "Stage",
    "canonical",
    "canonical_name",
    "complexity",
    "find_space",
    "from_record",
    "from_specs",
    "parse_range",
    "parse_size",
    "sample",
    "to_record",
]
