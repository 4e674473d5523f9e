"""Claims of the sampler, on one core: `regnetx` at 4 GF within 5%.

At least 8 million candidates and 40,000 accepted networks a second, and at least 250 times the
plain scalar transcription of the published sampler, measured in turn in this process. pycls's
own functions do about 10,700 candidates and 40 accepted a second on such a core.
"""

from __future__ import annotations

import random
import resource
import time
from itertools import islice

import numpy as np
from regnet_ds.designspace import SPACES, Budget
from regnet_ds.designspace.sampling import Regime, stream
from scalar_sampler import candidates
from side_by_side import spread

LOW, HIGH = 3.8e9, 4.2e9
RUNS, N, N_SCALAR = 7, 30_000, 20_000


def batched(seed: int, workers: int = 1) -> tuple[float, float]:
    """Return the candidates and the accepted networks of our sampler a second."""
    regime = Regime(SPACES["regnetx"], N, Budget(flops=(LOW, HIGH)))
    start = time.perf_counter()
    for _ in stream(regime.space, [regime], rng=np.random.default_rng(seed), workers=workers):
        pass
    seconds = time.perf_counter() - start
    return regime.n_drawn / seconds, regime.found / seconds


def scalar(seed: int) -> float:
    """Return the candidates of the plain transcription a second."""
    uniform = random.Random(seed).random
    start = time.perf_counter()
    sum(found is not None for found in islice(candidates(uniform, LOW, HIGH), N_SCALAR))
    return N_SCALAR / (time.perf_counter() - start)


if __name__ == "__main__":
    batched(0)
    pairs = [(batched(seed), scalar(seed)) for seed in range(RUNS)]
    drawn, accepted = [a / 1e6 for (a, _), _ in pairs], [b / 1e3 for (_, b), _ in pairs]
    ratios = [a / b for (a, _), b in pairs]
    print(f"sampling regnetx at 4 GF within 5%, one core, {RUNS} runs")
    print(f"  candidates  {spread(drawn)} million a second   (target: at least 8)")
    print(f"  accepted    {spread(accepted)} thousand a second   (target: at least 40)")
    print(f"  scalar      {spread([b / 1e3 for _, b in pairs])} thousand candidates a second")
    print(f"  ratio       {spread(ratios)}   (target: at least 250)")
    print(f"  two threads {spread([batched(seed, 2)[0] / 1e6 for seed in range(3)])} million")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"  peak memory of this process {peak:.2f} GiB")
