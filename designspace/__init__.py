"""Architectures as data: parameters, spaces, complexity, sampling. Needs numpy alone."""

from .budget import Budget, parse_range, parse_size
from .catalogue import CANONICAL, canonical, canonical_name
from .cost import Complexity, complexity
from .counting import count_settings
from .enumeration_folder import enumerate_space
from .explaining import Explanation, explain
from .fitting import (
    Fit,
    Fits,
    block_widths,
    fit_line,
    fit_line_batch,
    fit_quantised,
    fit_quantised_batch,
)
from .linear import RegNetParams
from .pareto import pareto_mask
from .population import Population, from_specs
from .record import RECORD_KEYS, from_record, to_record
from .sampling import Drawn, sample
from .scaling import ScalingFactors, family_factors, scale, scaling_factors
from .space_catalogue import SPACES, find_space
from .spaces import DesignSpace
from .spec import NetSpec, Stage

__all__ = [
    "CANONICAL",
    "RECORD_KEYS",
    "SPACES",
    "Budget",
    "Complexity",
    "DesignSpace",
    "Drawn",
    "Explanation",
    "Fit",
    "Fits",
    "NetSpec",
    "Population",
    "RegNetParams",
    "ScalingFactors",
    "Stage",
    "block_widths",
    "canonical",
    "canonical_name",
    "complexity",
    "count_settings",
    "enumerate_space",
    "explain",
    "family_factors",
    "find_space",
    "fit_line",
    "fit_line_batch",
    "fit_quantised",
    "fit_quantised_batch",
    "from_record",
    "from_specs",
    "pareto_mask",
    "parse_range",
    "parse_size",
    "sample",
    "scale",
    "scaling_factors",
    "to_record",
]
