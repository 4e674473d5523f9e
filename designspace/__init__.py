"""Architectures as data: parameters, spaces, complexity, sampling. Needs numpy alone.

What few programs use (sizes, fits, scaling, files of spaces) is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import lazily
from .budget import Budget, parse_range, parse_size
from .catalogue import CANONICAL, canonical, canonical_name
from .constraints import (
    bounds,
    fixed,
    limited,
    nondecreasing,
    nonincreasing,
    shared,
    stages,
    with_law,
)
from .cost import Complexity, complexity, stage_complexity
from .drawing.judging import Units
from .linear import RegNetParams
from .population import Population, from_specs
from .record import RECORD_KEYS, from_record, to_record
from .sampling import Drawn, sample, sample_regimes
from .space_catalogue import SPACES, find_space
from .spaces import DesignSpace, Parameter
from .spec import NetSpec, Stage

if TYPE_CHECKING:
    from .breakdown import layer_columns, part_columns
    from .counting import count_settings
    from .enumeration.folder import enumerate_space
    from .enumeration.pareto import pareto_mask
    from .foreign.formats import canonical_as, to_classyvision, to_keras, to_timm, to_torchvision
    from .foreign.pycls_format import to_pycls
    from .memory import activation_memory
    from .scaling import ScalingFactors, family_factors, scale, scaling_factors
    from .space_files.reader import read_space
    from .space_files.writer import to_yaml
    from .widths.explaining import Explanation, explain
    from .widths.fitting import (
        Fit,
        Fits,
        block_widths,
        fit_line,
        fit_line_batch,
        fit_quantised,
        fit_quantised_batch,
    )

_HOMES = {
    "breakdown": ("layer_columns", "part_columns"),
    "counting": ("count_settings",),
    "enumeration.folder": ("enumerate_space",),
    "widths.explaining": ("Explanation", "explain"),
    "widths.fitting": (
        "Fit",
        "Fits",
        "block_widths",
        "fit_line",
        "fit_line_batch",
        "fit_quantised",
        "fit_quantised_batch",
    ),
    "foreign.pycls_format": ("to_pycls",),
    "foreign.formats": ("canonical_as", "to_classyvision", "to_keras", "to_timm", "to_torchvision"),
    "memory": ("activation_memory",),
    "enumeration.pareto": ("pareto_mask",),
    "scaling": ("ScalingFactors", "family_factors", "scale", "scaling_factors"),
    "space_files.reader": ("read_space",),
    "space_files.writer": ("to_yaml",),
}

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
    "Parameter",
    "Population",
    "RegNetParams",
    "ScalingFactors",
    "Stage",
    "Units",
    "activation_memory",
    "block_widths",
    "bounds",
    "canonical",
    "canonical_as",
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
    "fixed",
    "from_record",
    "from_specs",
    "layer_columns",
    "limited",
    "nondecreasing",
    "nonincreasing",
    "pareto_mask",
    "parse_range",
    "parse_size",
    "part_columns",
    "read_space",
    "sample",
    "sample_regimes",
    "scale",
    "scaling_factors",
    "shared",
    "stage_complexity",
    "stages",
    "to_classyvision",
    "to_keras",
    "to_pycls",
    "to_record",
    "to_timm",
    "to_torchvision",
    "to_yaml",
    "with_law",
]

__getattr__ = lazily(__name__, _HOMES)
