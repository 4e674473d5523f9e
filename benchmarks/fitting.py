"""Claim: 10,000 networks are fitted in seconds, as well as by a plain search or better.

The peer fits network by network: a grid of wm, for each every interval of wa / w0 in which the
levels differ, for each the median as w0. It is measured on a part of the networks and scaled.
RegNets are drawn from ``regnetx``, AnyNets have four stages of up to ten blocks, sorted widths.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from plain_fit import plain_search
from regnet_ds.designspace import (
    SPACES,
    Fits,
    block_widths,
    fit_line_batch,
    fit_quantised_batch,
    sample,
)

N, N_PLAIN, STEPS = 10_000, 100, 150


def anynets(n: int) -> np.ndarray:
    """Return the block widths of n random AnyNets whose widths do not fall, (n, 40)."""
    rng = np.random.default_rng(0)
    stages = np.sort(8 * rng.integers(1, 129, (n, 4)), axis=1)
    ends = np.cumsum(rng.integers(1, 11, (n, 4)), axis=1)
    stage = (np.arange(40) >= ends[:, :, None]).sum(axis=1)
    padded = np.concatenate([stages, np.zeros((n, 1), dtype=np.int64)], axis=1)
    return np.take_along_axis(padded, stage, axis=1)


def timed(fit: Callable[[], Fits]) -> tuple[float, np.ndarray]:
    """Return how long a fit takes, and its errors."""
    start = time.perf_counter()
    errors = fit().error
    return time.perf_counter() - start, errors


def measure(name: str, widths: np.ndarray) -> None:
    """Print the times of all fits of some networks, and our errors against the plain search."""
    start = time.perf_counter()
    plain = np.array([plain_search(row[row > 0], STEPS) for row in widths[:N_PLAIN]])
    plain_seconds = (time.perf_counter() - start) * len(widths) / N_PLAIN
    seconds, errors = timed(lambda: fit_quantised_batch(widths))
    print(f"{name}: {len(widths):,} networks, {widths.shape[1]} blocks at most")
    print(f"  quantised     {seconds:6.1f} s, mean error {errors.mean():.4f}")
    for label, fit in (
        ("rounded to 8", lambda: fit_quantised_batch(widths, rounded=True)),
        ("line", lambda: fit_line_batch(widths)),
    ):
        other, other_errors = timed(fit)
        print(f"  {label:<13} {other:6.1f} s, mean error {other_errors.mean():.4f}")
    print(f"  plain search  {plain_seconds:6.1f} s, scaled from {N_PLAIN} networks")
    print(f"  ratio of times, plain / quantised: {plain_seconds / seconds:.0f}")
    ratio = errors[:N_PLAIN] / np.maximum(plain, 1e-12)
    print(
        f"  error, ours / plain: of the means {errors[:N_PLAIN].mean() / plain.mean():.4f}, "
        f"median {np.median(ratio):.4f}, greatest {ratio.max():.3f}"
    )


if __name__ == "__main__":
    drawn = sample(SPACES["regnetx"], N, rng=np.random.default_rng(0))
    measure("RegNets", block_widths(drawn.population))
    measure("AnyNets", anynets(N))
