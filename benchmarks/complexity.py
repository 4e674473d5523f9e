"""Claim: the complexity of 1,000,000 RegNets is counted in under 1 s on one core.

The peer is the scalar walk over the layers of the same networks (measured on 2,000 of them and
scaled), which is also what the counts are compared with. Memory is what the batch needs at its
peak beside its arguments and results.
"""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
from regnet_ds.designspace import Population, complexity
from regnet_ds.designspace.cost import METRICS, complexity_batch
from regnet_ds.designspace.linear import quantise_batch
from regnet_ds.designspace.population import regnets
from side_by_side import spread

N, N_SCALAR, RUNS = 1_000_000, 2_000, 5
COLUMNS = (
    "stage_widths",
    "stage_depths",
    "stage_strides",
    "stage_group_widths",
    "stage_bottleneck_ratios",
    "se_ratio",
    "stem_width",
    "head_width",
    "resolution",
    "classes",
)


def parameters(n: int) -> dict[str, Any]:
    """Return the parameters of n RegNets of four stages."""
    rng = np.random.default_rng(0)
    m = 4 * n
    drawn: dict[str, Any] = {
        "depth": rng.integers(12, 29, m),
        "w0": 8 * rng.integers(1, 33, m),
        "wa": rng.uniform(8, 256, m),
        "wm": rng.uniform(2, 3, m),
        "group_width": 8 * rng.integers(1, 17, m),
    }
    names = ("depth", "w0", "wa", "wm")
    _, depths = quantise_batch(*(drawn[name] for name in names))
    four = np.flatnonzero((depths > 0).sum(axis=1) == 4)[:n]
    return {name: values[four] for name, values in drawn.items()} | {
        "bottleneck_ratio": np.broadcast_to(1.0, (len(four),))
    }


def seconds(call: Callable[[], object]) -> list[float]:
    """Return how long each of a few calls takes, after one to warm up."""
    call()
    taken: list[float] = []
    for _ in range(RUNS):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return taken


def scalar_seconds(population: Population) -> float:
    """Return how long the scalar takes for all rows, and check the batch against it."""
    specs = [population.row(i) for i in range(N_SCALAR)]
    start = time.perf_counter()
    costs = [complexity(spec) for spec in specs]
    taken = time.perf_counter() - start
    counted = zip(population.flops, population.params, population.acts, strict=True)
    for cost, batch in zip(costs, counted, strict=False):
        if (cost.flops, cost.params, cost.acts) != batch:
            raise SystemExit(f"the batch disagrees: {cost} and {batch}")
    return taken * len(population) / N_SCALAR


def beside_results(columns: dict[str, Any]) -> float:
    """Return the peak memory of the batch beside its results, in MiB."""
    tracemalloc.start()
    results = complexity_batch(**columns)
    peak = tracemalloc.get_traced_memory()[1] - sum(values.nbytes for values in results)
    tracemalloc.stop()
    return peak / 2**20


if __name__ == "__main__":
    drawn = parameters(N)
    population = regnets(**drawn)
    columns = {name: getattr(population, name) for name in COLUMNS}
    n = len(population)
    scalar = scalar_seconds(population)
    print(f"complexity of {n:,} RegNets of four stages   (target: under 1 s)")
    for metrics in (METRICS, ("flops",)):
        taken = seconds(lambda metrics=metrics: complexity_batch(**columns, metrics=metrics))
        ratios = spread([scalar / each for each in taken])
        print(f"  {' '.join(metrics):17} {spread(taken)} s, {RUNS} runs; ratio {ratios}")
    print(f"  from parameters   {spread(seconds(lambda: regnets(**drawn)))} s, stages included")
    print(f"  scalar walk, scaled from {N_SCALAR:,} networks: {scalar:.0f} s")
    print(f"  memory beside arguments and results: {beside_results(columns):.1f} MiB")
