"""Claims of the sampler, on one core: `regnetx` at 4 GF within 5%.

At least 8 million candidates and 40,000 accepted networks a second, and at least 250 times the
plain scalar oracle, measured in turn in this process: the package's own functions of one
network, which the tests hold the sampler against. Beside it stands a transcription of the
published sampler that is as fast as we could make plain Python. pycls's own functions did
11,100 candidates and 43 accepted a second on the machine of the documented figures.
"""

from __future__ import annotations

import random
import resource
import time
from itertools import islice

import numpy as np
from regnet_ds.designspace import SPACES, Budget, RegNetParams, complexity
from regnet_ds.designspace.sampling import Regime, stream
from scalar_sampler import Uniform, candidates, parameters
from side_by_side import spread

LOW, HIGH = 3.8e9, 4.2e9
RUNS, N, N_SCALAR = 7, 30_000, 20_000
N_LONG = 300_000  # networks that several processes draw


def batched(seed: int, n: int = N, workers: int = 1) -> tuple[float, float]:
    """Return the candidates and the accepted networks of our sampler a second."""
    regime = Regime(SPACES["regnetx"], n, Budget(flops=(LOW, HIGH)))
    start = time.perf_counter()
    for _ in stream(regime.space, [regime], rng=np.random.default_rng(seed), workers=workers):
        pass
    seconds = time.perf_counter() - start
    return regime.n_drawn / seconds, regime.found / seconds


def fits(u: Uniform) -> bool:
    """Whether the next candidate is accepted, by the functions of one network."""
    depth, w0, wa, wm, group = parameters(u)
    params = RegNetParams(depth=depth, w0=w0, wa=wa, wm=wm, group_width=group)
    spec = params.to_spec()
    return len(spec.stages) == 4 and LOW <= complexity(spec).flops <= HIGH


def scalar(seed: int, plain: bool) -> float:
    """Return the candidates of the oracle, or of the fast transcription, a second."""
    u = random.Random(seed).random
    start = time.perf_counter()
    if plain:
        n = N_SCALAR // 8
        sum(fits(u) for _ in range(n))
    else:
        n = N_SCALAR
        sum(found is not None for found in islice(candidates(u, LOW, HIGH), n))
    return n / (time.perf_counter() - start)


def main() -> None:
    """Sample side by side and print rates and ratios."""
    batched(0)
    rows = [(*batched(seed), scalar(seed, True), scalar(seed, False)) for seed in range(RUNS)]
    print(f"sampling regnetx at 4 GF within 5%, one core, {RUNS} runs")
    print(f"  candidates    {spread([r[0] / 1e6 for r in rows])} million a second   (at least 8)")
    print(f"  accepted      {spread([r[1] / 1e3 for r in rows])} thousand a second   (at least 40)")
    print(f"  scalar oracle {spread([r[2] / 1e3 for r in rows])} thousand candidates a second")
    print(f"  ratio         {spread([r[0] / r[2] for r in rows])}   (at least 250)")
    print(f"  transcription {spread([r[3] / 1e3 for r in rows])} thousand candidates a second")
    print(f"  ratio         {spread([r[0] / r[3] for r in rows])}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  peak memory of this process {peak:.2f} GiB")
    pairs = [[batched(seed, N_LONG, w)[0] / 1e6 for w in (1, 2)] for seed in range(3)]
    print(f"{N_LONG:,} networks, their columns included")
    print(f"  one process   {spread([one for one, _ in pairs])} million candidates a second")
    print(f"  two           {spread([two for _, two in pairs])}")


if __name__ == "__main__":
    main()
