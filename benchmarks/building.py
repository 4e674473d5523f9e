"""Claim: each of the 24 canonical RegNets up to 8 GF is built in under 2 seconds, weights included.

Measured in one process after imports and after the first model, which warms TensorFlow up; its
own time is printed too. The smaller networks are built several times, those above 8 GF once.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import time

import keras
from regnet_ds.designspace import CANONICAL, canonical, complexity
from regnet_ds.regnet import build
from side_by_side import spread

RUNS, LIMIT, CLAIMED = 3, 2.0, 8.1e9


def seconds(name: str) -> float:
    """Return the seconds that one network takes to build."""
    start = time.perf_counter()
    model = build(canonical(name))
    taken = time.perf_counter() - start
    del model
    keras.backend.clear_session()
    return taken


def main() -> None:
    """Build every network and say which miss the claim."""
    print(f"the first model: {seconds('RegNetX-200MF'):.2f} s")
    print(f"{'network':<16}{'GF':>8}{'seconds':>24}")
    missed = []
    for name in CANONICAL:
        flops = complexity(canonical(name)).flops
        claimed = flops <= CLAIMED
        times = [seconds(name) for _ in range(RUNS if claimed else 1)]
        print(f"{name:<16}{flops / 1e9:>8.2f}{spread(times):>24}", flush=True)
        if claimed and sorted(times)[len(times) // 2] >= LIMIT:
            missed.append(name)
    print("claim holds" if not missed else f"claim missed by {', '.join(missed)}")


if __name__ == "__main__":
    main()
