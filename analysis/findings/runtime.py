"""Run time against complexity: a fit, its error, and whether activations predict it better.

Networks are weighted so that relative errors count. Errors are of networks that were left out of
the fit that predicts them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...designspace.arrays import Floats
from ...designspace.latency import TERMS, UNITS, LatencyModel
from ..intervals import Interval, resampled
from .answers import Answer, above, ends

REPEATS = 2000
SETS = {"flops": ("flops",), "activations": ("acts",), "all": TERMS}


@dataclass(frozen=True, eq=False)
class Times:
    """Measured milliseconds of n networks, with what they are predicted from, all (n,)."""

    flops: Floats
    acts: Floats
    blocks: Floats
    ms: Floats

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Any]]) -> Times:
        """Return the times of a table with the columns flops, acts, depth and ms."""
        flops, acts, blocks, ms = (
            np.array([float(cell) for cell in columns[key]])
            for key in ("flops", "acts", "depth", "ms")
        )
        if len(ms) < 8:
            raise ValueError(f"a fit of run time needs at least 8 networks, got {len(ms)}")
        return cls(flops, acts, blocks, ms)

    def design(self, terms: Sequence[str]) -> Floats:
        """Return the matrix of a constant and the terms, (n, 1 + terms)."""
        columns = [np.ones_like(self.ms)]
        return np.stack([*columns, *(getattr(self, t) / UNITS[t] for t in terms)], axis=1)


def coefficients(design: Floats, ms: Floats) -> Floats:
    """Return the coefficients, at least 0, of least relative squared error."""
    from scipy.optimize import nnls

    return np.asarray(nnls(design / ms[:, None], np.ones_like(ms))[0])


def left_out_errors(times: Times, terms: Sequence[str]) -> Floats:
    """Return log(measured / predicted) of each network, left out of the fit that predicts it."""
    design, n = times.design(terms), len(times.ms)
    found = np.empty(n)
    for i in range(n):
        rest = np.arange(n) != i
        predicted = float(design[i] @ coefficients(design[rest], times.ms[rest]))
        found[i] = np.log(times.ms[i] / max(predicted, 1e-9))
    return found


def fit_latency(times: Times, **facts: Any) -> LatencyModel:
    """Return the fit of run time to flops, activations and blocks, with its error.

    ``facts`` are resolution, classes, batch, device and threads of the measurement.
    """
    found = coefficients(times.design(TERMS), times.ms)
    spread = float(np.sqrt(np.mean(left_out_errors(times, TERMS) ** 2)))
    values = dict(zip(("fixed", *TERMS), found.tolist(), strict=True))
    return LatencyModel(**values, spread=spread, n=len(times.ms), **facts)


def mean_error(errors: Floats, *, rng: int = 0) -> Interval:
    """Return the mean of errors with its interval by resampling networks."""
    drawn = np.random.default_rng(rng).integers(errors.size, size=(REPEATS, errors.size))
    return resampled(float(errors.mean()), errors[drawn].mean(axis=1))


def runtime_answers(times: Times) -> list[Answer]:
    """Return whether activations predict run time better than flops, and how good the fit is."""
    errors = {name: np.abs(left_out_errors(times, terms)) for name, terms in SETS.items()}
    means = {name: mean_error(found) for name, found in errors.items()}
    gain = mean_error(errors["flops"] - errors["activations"])
    single = min(("flops", "activations"), key=lambda name: means[name].value)
    both = mean_error(errors[single] - errors["all"])
    return [
        Answer(
            "Activations predict run time better than flops",
            above(gain),
            f"The mean relative error of a prediction from activations is "
            f"{_percent(means['activations'])}, from flops {_percent(means['flops'])}: larger by "
            f"{100 * gain.value:.1f} points ({ends(gain, 1, 100)}).",
        ),
        Answer(
            "Run time needs flops, activations and blocks together",
            above(both),
            f"The mean relative error from all three is {_percent(means['all'])}, less than "
            f"from {single} alone by {100 * both.value:.1f} points ({ends(both, 1, 100)}).",
        ),
    ]


def _percent(one: Interval) -> str:
    return f"{100 * one.value:.1f}% ({ends(one, 1, 100)})"
