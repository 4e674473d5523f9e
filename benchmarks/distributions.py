"""Claim: EDFs and KS of 10^7 rows of Parquet in 5 s and 2 GiB; a cold ``edf`` in 3 s, drawn in 6.

The rows are two populations of 5 million each, read and split as the command does it: in a fresh
process, interpreter and imports included. The cold command reads 500 rows of CSV.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from side_by_side import spread, wall_seconds

ROWS, RUNS = 10_000_000, 5


def main() -> None:
    """Write the tables, and print the seconds and the peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        many, few = Path(folder, "many.parquet"), Path(folder, "few.csv")
        write_tables(many, few)
        print(f"EDFs and KS of {ROWS:,} rows of Parquet  (target: 5 s, 2 GiB)")
        seconds, peaks = [], []
        for _ in range(RUNS):
            start = time.perf_counter()
            done = subprocess.run(
                [sys.executable, __file__, str(many)], check=True, capture_output=True, text=True
            )
            seconds.append(time.perf_counter() - start)
            peaks.append(float(done.stdout.split()[-1]))
        print(f"  {spread(seconds)} s, peak {spread(peaks)} GiB")
        command = [sys.executable, "-m", "regnet_ds", "edf", str(few)]
        for claim, more in (
            ("numbers  (target: 3 s)", []),
            ("with a picture  (target: 6 s)", ["--out", str(Path(folder, "edf.png"))]),
        ):
            wall_seconds([*command, *more])
            print(f"regnet-ds edf, 500 rows, cold: {claim}")
            print(f"  {spread([wall_seconds([*command, *more]) for _ in range(RUNS)])} s")


def write_tables(many: Path, few: Path) -> None:
    """Write 10^7 rows of two spaces as Parquet, and 500 as CSV."""
    rng = np.random.default_rng(0)
    spaces = pa.DictionaryArray.from_arrays(
        rng.integers(0, 2, ROWS, dtype=np.int32), ["regnetx", "regnety"]
    )
    table = pa.table(
        {
            "space": spaces,
            "status": pa.array(["complete"]).dictionary_encode().take(np.zeros(ROWS, np.int64)),
            "error": np.clip(rng.normal(40, 8, ROWS), 0, 100),
            "flops": rng.integers(10**8, 10**9, ROWS),
            "depth": rng.integers(12, 29, ROWS),
        }
    )
    pq.write_table(table, many)
    rows = zip(rng.normal(40, 8, 500), rng.integers(12, 29, 500), strict=True)
    few.write_text("error,depth\n" + "".join(f"{e:.3f},{d}\n" for e, d in rows))


def work(source: str) -> None:
    """Compute the EDFs of both spaces and their KS test, and print the peak of memory in GiB."""
    from regnet_ds.analysis import ks, load_table, make_groups

    table = load_table(source, columns=("error", "status", "space"))
    groups = make_groups([("table", table)], by="space")
    del table
    one, two = (group.edf for group in groups)
    found = ks(one.errors, two.errors)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"{one.mean:.4f} {two.mean:.4f} {found.statistic:.6f} {found.p_value:.4f} {peak:.3f}")


if __name__ == "__main__":
    work(sys.argv[1]) if sys.argv[1:] else main()
