"""Architectures as waiting trials: parameters with ranges and steps, records as attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...analysis.records import PARAMETER_KEYS
from ...designspace import DesignSpace

REPLICATE = "replicate"  # 0 for the population's own training of an architecture
INTEGERS = ("depth", "w0", "group_width")


def parameter_ranges(
    records: Sequence[Mapping[str, Any]], space: DesignSpace | str = ""
) -> dict[str, BaseDistribution]:
    """Return the range and step of every parameter: the space's, widened where need be."""
    ranges: dict[str, BaseDistribution] = {}
    for key in PARAMETER_KEYS:
        values = np.array([r[key] for r in records if r.get(key) is not None], dtype=np.float64)
        if not len(values):
            continue
        law = None if isinstance(space, str) else space.laws.get(key)
        if law is not None and np.isin(values, law.values).all():
            ranges[key] = _range(key, law.values, getattr(law, "quantum", None))
        else:
            ranges[key] = _range(key, values, None)
    return ranges


def _range(key: str, values: np.ndarray, quantum: float | None) -> BaseDistribution:
    low, high = float(values.min()), float(values.max())
    if key in INTEGERS:
        steps = np.abs(values - low).astype(np.int64)
        return IntDistribution(int(low), int(high), step=math.gcd(*steps.tolist()) or 1)
    return FloatDistribution(low, high, step=quantum if high > low else None)


def waiting_trial(
    record: Mapping[str, Any],
    ranges: Mapping[str, BaseDistribution],
    index: int,
    seed: int,
    shared: Mapping[str, Any],
    extra: Mapping[str, Any],
) -> FrozenTrial:
    """Return a waiting trial of an architecture; ``shared`` has the settings, ``extra`` wins."""
    params = {key: record[key] for key in ranges if record.get(key) is not None}
    return create_trial(
        state=TrialState.WAITING,
        params=params,
        distributions={key: ranges[key] for key in params},
        user_attrs={
            **record,
            "index": index,
            "space": shared["space"],
            "seed": seed,
            "threads": shared["threads"],
            "epochs": shared["recipe"].get("epochs"),
            REPLICATE: 0,
            **extra,
        },
    )
