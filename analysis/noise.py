"""Noise over seeds against the spread over models.

It says whether a population is worth comparing.

Errors of one architecture trained with several seeds differ by noise. A population tells
architectures apart only where its errors spread well beyond that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .distribution import finite_column


@dataclass(frozen=True)
class Noise:
    """Standard deviations of errors, in percentage points.

    ``over_models`` is that of the models (one seed each), ``over_seeds`` the pooled one of the
    models that were trained with several seeds.
    """

    over_models: float
    over_seeds: float
    n_models: int
    n_repeated: int

    @property
    def ratio(self) -> float:
        """The spread over models in units of the spread over seeds."""
        return self.over_models / self.over_seeds if self.over_seeds else math.inf


def noise(errors: Sequence[float], repeats: Mapping[int, Sequence[float]]) -> Noise:
    """Return the spread over models and over seeds.

    Parameters
    ----------
    errors
        One error a model, in percent; at least 2.
    repeats
        For some models the errors of all their seeds, at least 2 each. Their variances (with
        Bessel's correction) are pooled in proportion to their degrees of freedom.

    Raises
    ------
    ValueError
        If there are too few errors, or one is not finite.
    """
    if len(errors) < 2:
        raise ValueError(f"the spread over models needs at least 2 models, got {len(errors)}")
    groups = [finite_column(group, "error") for group in repeats.values()]
    if not groups or any(len(group) < 2 for group in groups):
        raise ValueError("the spread over seeds needs models with at least 2 seeds each")
    freedom = sum(len(group) - 1 for group in groups)
    pooled = sum(float(group.var(ddof=1)) * (len(group) - 1) for group in groups) / freedom
    over_models = float(finite_column(errors, "error").std(ddof=1))
    return Noise(over_models, math.sqrt(pooled), len(errors), len(groups))
