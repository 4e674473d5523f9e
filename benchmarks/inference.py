"""Claim: inference at 224 px is as fast as timm's on this CPU, fused and unfused, batch 1 and 32.

Each library runs in processes of its own, one for each number of threads, which wait on a pipe to
be told to run. A pilot picks each library's better setting (1 or 2 threads; for timm also the
memory format); these two then run in turn, 8 times. ``fused``: ``compile_inference`` against
torch.fx's ``fuse`` of batch norm into convolutions; ``plain``: both without folding, ours with
constant weights, timm in eager mode. REGNET_DS_PEER_PYTHON is a Python with torch and timm.

    REGNET_DS_PEER_PYTHON=... python benchmarks/inference.py RegNetX-200MF RegNetY-400MF
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROUNDS = 8
SECONDS = 0.7  # of calls a round, at least 2
TIMM = {
    "RegNetX-200MF": "regnetx_002",
    "RegNetY-400MF": "regnety_004",
    "RegNetX-1.6GF": "regnetx_016",
}
Run = Callable[[], object]


def ours(threads: int) -> Callable[..., Run]:
    """Return what makes a run of our network."""
    import keras
    import numpy as np
    import tensorflow as tf
    from regnet_ds.regnet import build, canonical, compile_inference

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)

    def make(model: str, batch: int, fused: bool, setting: str) -> Run:
        keras.utils.clear_session()
        run = compile_inference(build(canonical(model)), batch, fused=fused)
        x = tf.constant(np.random.default_rng(0).normal(size=(batch, 224, 224, 3)), tf.float32)
        return lambda: run(x).numpy()

    return make


def timm(threads: int) -> Callable[..., Run]:
    """Return what makes a run of timm's network."""
    import timm as library  # pyright: ignore[reportMissingImports]
    import torch  # pyright: ignore[reportMissingImports]
    from torch.fx.experimental.optimization import fuse  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(threads)

    def make(model: str, batch: int, fused: bool, setting: str) -> Run:
        network = library.create_model(TIMM[model]).eval()
        network = fuse(network).eval() if fused else network
        layout = getattr(torch, setting)
        network = network.to(memory_format=layout)
        x = torch.randn(batch, 3, 224, 224).to(memory_format=layout)

        def run() -> object:
            with torch.inference_mode():
                return network(x).numpy()

        return run

    return make


def work(library: str, threads: int) -> None:
    """Obey lines of JSON: make and warm up a run the first time, then time calls of it."""
    make = {"ours": ours, "timm": timm}[library](threads)
    runs: dict[str, Run] = {}
    for line in sys.stdin:
        if line not in runs:
            runs.clear()  # one network at a time
            runs[line] = make(*json.loads(line))
            runs[line](), runs[line]()
        taken: list[float] = []
        end = time.perf_counter() + SECONDS
        while len(taken) < 2 or time.perf_counter() < end:
            began = time.perf_counter()
            runs[line]()
            taken.append(time.perf_counter() - began)
        print(statistics.median(taken), flush=True)


class Worker:
    """A process of a library with a number of threads."""

    def __init__(self, python: str, library: str, threads: int) -> None:
        command = [python, __file__, "--work", library, "--threads", str(threads)]
        pipe = subprocess.PIPE
        self.process: Any = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True
        )

    def time(self, *task: Any) -> float:
        """Return the seconds of a call."""
        print(json.dumps(task), file=self.process.stdin, flush=True)
        return float(self.process.stdout.readline())


def compare(model: str, batch: int, fused: bool, workers: dict[tuple[str, int], Worker]) -> str:
    """Return a row of the table: both libraries in milliseconds, and the ratio of their rates."""
    best: dict[str, tuple[float, Worker, str, int]] = {}
    for (library, threads), worker in workers.items():
        for setting in ("contiguous_format", "channels_last") if library == "timm" else ("",):
            seconds = min(worker.time(model, batch, fused, setting) for _ in range(2))
            if library not in best or seconds < best[library][0]:
                best[library] = seconds, worker, setting, threads
    pairs = []
    for _ in range(ROUNDS):
        pairs.append([best[x][1].time(model, batch, fused, best[x][2]) for x in ("ours", "timm")])
    kind = "fused" if fused else "plain"
    cells = [f"{model:13} {batch:5} {kind}"]
    for i, library in enumerate(("ours", "timm")):
        cells.append(f"{spread([p[i] * 1e3 for p in pairs], '.1f')} ({best[library][3]})")
    cells.append(f"{spread([b / a for a, b in pairs], '.2f')}")
    return "  |  ".join(cells)


def spread(values: list[float], form: str) -> str:
    """Return ``median [lowest, highest]``."""
    return " ".join(
        [f"{statistics.median(values):{form}}", f"[{min(values):{form}}, {max(values):{form}}]"]
    )


def main() -> None:
    """Compare the models that are named, or obey a pipe."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=list(TIMM))
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--kind", nargs="+", choices=("fused", "plain"), default=["fused", "plain"])
    parser.add_argument("--work")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if arguments.work:
        work(arguments.work, arguments.threads)
        return
    peer = os.environ.get("REGNET_DS_PEER_PYTHON")
    if not peer:
        sys.exit("set REGNET_DS_PEER_PYTHON to a Python with torch and timm")
    workers = {
        (library, threads): Worker(python, library, threads)
        for library, python in (("ours", sys.executable), ("timm", peer))
        for threads in (1, 2)
    }
    print("model, batch, kind | ours, ms (threads) | timm, ms (threads) | timm's time / ours")
    for model in arguments.models:
        for batch in arguments.batch:
            for kind in arguments.kind:
                print(compare(model, batch, kind == "fused", workers), flush=True)
    for worker in workers.values():
        worker.process.stdin.close()
        worker.process.wait()


if __name__ == "__main__":
    main()
