"""How many models does a comparison need? The KS curve of nds, as a planner.

Source: NDS figure 7: the mean KS distance between samples of m models and a large reference
sample; between 100 and 1,000 models it is small enough to compare spaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..designspace.arrays import Floats, Ints
from .bands import CONFIDENCE, half_width
from .distribution import finite_column

TRIALS = 50  # as nds
LARGEST = 2**14  # the largest sample of nds
_MOST = 2**20
_EXACT = 500


@dataclass(frozen=True, eq=False)
class KSCurve:
    """The mean KS distance of samples of m models from a population, for several m.

    ``expected`` is what it is for any continuous distribution and an unlimited population:
    about 0.87 / sqrt(m).
    """

    sizes: Ints
    mean: Floats
    expected: Floats
    n: int
    trials: int


def ks_curve(
    errors: ArrayLike,
    sizes: Sequence[int] | None = None,
    *,
    rng: np.random.Generator | int = 0,
    trials: int = TRIALS,
) -> KSCurve:
    """Return the KS distance of samples, drawn without replacement, from all the errors.

    Parameters
    ----------
    errors
        (n,) finite errors.
    sizes
        Sizes of the samples, 1 to n; None takes 1, 2, 4, ... up to n, at most 2^14 as nds.
    trials
        Samples a size; nds takes 50.
    """
    values = np.sort(finite_column(errors, "errors"))
    n = values.size
    if sizes is None:
        sizes = [2**p for p in range(int(np.log2(min(n, LARGEST))) + 1)]
    bad = [m for m in sizes if not 1 <= m <= n]
    if bad or not sizes or trials < 1:
        raise ValueError(f"a sample has 1 to {n} models, got {bad[0] if bad else 'none'}")
    generator = np.random.default_rng(rng)
    # Shares of the population below the error of each model, and up to it: ties are one step.
    below = np.searchsorted(values, values, side="left") / n
    upto = np.searchsorted(values, values, side="right") / n
    means = [
        float(np.mean([_distance(generator, m, below, upto) for _ in range(trials)])) for m in sizes
    ]
    expected = np.array([_expected_distance(m) for m in sizes])
    return KSCurve(np.asarray(sizes, np.int64), np.array(means), expected, n, trials)


def models_for_band(width: float, confidence: float = CONFIDENCE) -> int:
    """Return the fewest models whose EDF is known within ``width`` everywhere.

    Parameters
    ----------
    width
        Half-width of the simultaneous band; in (0, 1).
    """
    if not 0 < width < 1:
        raise ValueError(f"the half-width of a band is in (0, 1), got {width}")
    low, high = 0, 1
    while half_width(high, confidence) > width:
        low, high = high, 2 * high
        if high > _MOST:
            raise ValueError(f"a half-width of {width:g} needs more than {_MOST:,} models")
    while high - low > 1:
        middle = (low + high) // 2
        if half_width(middle, confidence) > width:
            low = middle
        else:
            high = middle
    return high


def models_to_tell_apart(
    a: ArrayLike,
    b: ArrayLike,
    *,
    power: float = 0.8,
    alpha: float = 0.05,
    rng: np.random.Generator | int = 0,
    trials: int = 400,
    most: int = 4096,
) -> int | None:
    """Return how many models of each space let a KS test tell them apart, by simulation.

    The two populations at hand stand for their spaces: m models of each are drawn with
    replacement. The answer is the least m among 2^(i/2) at which a share ``power`` of the tests
    has p < ``alpha``, or None if it is above ``most``.
    """
    x, y = finite_column(a, "a"), finite_column(b, "b")
    if not (0 < power < 1 and 0 < alpha < 1):
        raise ValueError(f"power and alpha must be in (0, 1), got {power} and {alpha}")
    generator = np.random.default_rng(rng)
    _, ranks = np.unique(np.concatenate([x, y]), return_inverse=True)
    in_a, in_b = ranks[: x.size], ranks[x.size :]
    for m in dict.fromkeys(round(2 ** (i / 2)) for i in range(4, 2 * most.bit_length())):
        if m > most:
            return None
        critical = _critical(m, alpha)
        distances = np.array(
            [
                _two_sample(generator.choice(in_a, m), generator.choice(in_b, m))
                for _ in range(trials)
            ]
        )
        if np.mean(distances >= critical - 1e-12) >= power:
            return m
    return None


@lru_cache(maxsize=64)  # populations ask for the same sizes
def _expected_distance(m: int) -> float:
    """Return the mean Kolmogorov distance of m draws from their law: the integral of its tail."""
    if m > _EXACT:  # P(sqrt(m) D <= x) is K(x + 1 / (6 sqrt(m))) up to O(1 / m) (Vrbik 2018)
        return float((np.sqrt(np.pi / 2) * np.log(2) - 1 / (6 * np.sqrt(m))) / np.sqrt(m))
    from scipy.stats import kstwo

    law: Any = kstwo
    grid = np.linspace(0, min(1.0, 4 / np.sqrt(m)), 513)
    tail = law.sf(grid, m)
    return float(np.sum((tail[1:] + tail[:-1]) / 2) * (grid[1] - grid[0]))


def _critical(m: int, alpha: float) -> float:
    """Return the least distance of two samples of m whose two-sided p-value is below alpha."""
    from scipy.stats import kstwo

    steps = np.arange(1, m + 1)
    if m > 1000:
        return float(kstwo.ppf(1 - alpha, m / 2))
    # Exact (Gnedenko and Korolyuk 1951): P(D >= h / m) = 2 sum_j (-1)^(j+1) C(2m, m-jh) / C(2m, m)
    from scipy.special import gammaln

    def tail(h: int) -> float:
        j = np.arange(1, m // h + 1)
        logs = 2 * gammaln(m + 1) - gammaln(m - j * h + 1) - gammaln(m + j * h + 1)
        return float(2 * np.sum((-1.0) ** (j + 1) * np.exp(logs)))

    small = [h for h in steps if tail(int(h)) < alpha]
    return float(small[0] / m) if small else 2.0


def _two_sample(a: Ints, b: Ints) -> float:
    both = np.concatenate([a, b])
    order = np.argsort(both, kind="stable")
    last = np.append(np.diff(both[order]) > 0, True)  # of ties
    return float(np.abs(np.cumsum(np.where(order < a.size, 1, -1))[last]).max() / a.size)


def _distance(rng: np.random.Generator, m: int, below: Floats, upto: Floats) -> float:
    """Return the KS distance of m models, drawn without replacement, from the population.

    Between two errors of the sample its EDF stays and the population's rises, so that the largest
    distance is at one of them, or just before it.
    """
    chosen = np.sort(rng.choice(below.size, m, replace=False))
    steps = np.arange(m + 1) / m
    high = upto[chosen]
    last = np.append(high[1:] != high[:-1], True)  # of tied errors
    first = np.insert(last[:-1], 0, True)
    over = np.abs(steps[1:] - high)[last].max()
    under = np.abs(steps[:-1] - below[chosen])[first].max()
    return float(max(over, under))
