"""Claim: good ranges of 8 parameters on 500 models cost 1/100 of pycls's sampling loop or less.

The peer is the loop of pycls ``get_filters`` with the 10,000 repeats of DDS, parameter by
parameter: `good_range_sampled`, which the tests use as the oracle of the closed form.
"""

from __future__ import annotations

import time

import numpy as np
from regnet_ds.analysis import good_range, good_range_sampled
from side_by_side import spread

N, PARAMETERS, RUNS, REPEATS = 500, 8, 5, 10_000


def main() -> None:
    """Print the seconds of both in turn, and the ratios."""
    rng = np.random.default_rng(0)
    errors, values = rng.normal(40, 5, N), rng.random((PARAMETERS, N))
    ours: list[float] = []
    peer: list[float] = []
    for run in range(RUNS):
        start = time.perf_counter()
        exact = [good_range(x, errors) for x in values]
        ours.append(time.perf_counter() - start)
        start = time.perf_counter()
        drawn = [
            good_range_sampled(x, errors, rng=np.random.default_rng(run), repeats=REPEATS)
            for x in values
        ]
        peer.append(time.perf_counter() - start)
    far = max(abs(a.best - b.best) for a, b in zip(exact, drawn, strict=True))
    print(f"good ranges of {PARAMETERS} parameters, {N} models  (target: at least 100 times)")
    print(f"  closed form  {spread([1000 * t for t in ours])} ms")
    print(f"  loop         {spread(peer)} s, {REPEATS:,} repeats")
    print(f"  ratio        {spread([b / a for a, b in zip(ours, peer, strict=True)])}")
    print(f"  the best values differ by at most {far:.4f} of a range of 1")


if __name__ == "__main__":
    main()
