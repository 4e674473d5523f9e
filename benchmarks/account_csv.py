"""Claim: `regnet-ds account` reads, counts and writes 100,000 RegNet configurations in under 3 s.

The peer is the plain scalar fold over the same rows (measured on 2,000 of them and scaled).
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from regnet_ds.designspace import SPACES, complexity, sample
from regnet_ds.designspace.tables.columns import write_columns
from side_by_side import spread, wall_seconds

N, N_SCALAR, RUNS = 100_000, 2_000, 5

if __name__ == "__main__":
    population = sample(SPACES["regnetx"], N, rng=np.random.default_rng(0)).population
    columns = population.columns()
    names = ("depth", "w0", "wa", "wm", "group_width")
    with tempfile.TemporaryDirectory() as folder:
        nets, counted = Path(folder, "nets.csv"), Path(folder, "counted.csv")
        write_columns({name: columns[name] for name in names}, nets)
        command = [sys.executable, "-m", "regnet_ds", "account", str(nets), "--out", str(counted)]
        seconds = [wall_seconds(command) for _ in range(RUNS)]
    parameters = [population.row(i).parameters for i in range(N_SCALAR)]
    start = time.perf_counter()
    for params in filter(None, parameters):
        complexity(params.to_spec())
    scalar = (time.perf_counter() - start) * N / N_SCALAR
    print(f"regnet-ds account, {N:,} rows of CSV to CSV   (target: under 3 s)")
    print(f"  whole command  {spread(seconds)} s, {RUNS} runs")
    print(f"  scalar fold alone, scaled from {N_SCALAR:,} rows: {scalar:.1f} s")
