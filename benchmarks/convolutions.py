"""Claim: the rule of ``regnet.convolutions.grouped`` picks the fastest way, or one near it.

Forward and both gradients of one 3x3 grouped convolution, float32, traced by TensorFlow, each way
in turn: one oneDNN operation; groups packed to block-diagonal convolutions of 24 channels; one
convolution a group; where the map is small, one matrix a group. ``*`` marks what the rule picks
here. On a GPU or TPU the rule is the backend's own operation, which this also times.
"""

from __future__ import annotations

import argparse
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import statistics
import time
from collections.abc import Callable
from typing import Any
from unittest import mock

import tensorflow as tf
from regnet_ds.regnet.convolutions import grouped, packing

# group width, groups, side of the map, batch: layers of the 24 and of samples, at 32 and 224 px
CASES = [
    (8, 8, 16, 64), (8, 8, 8, 64), (8, 19, 4, 64), (8, 46, 2, 64), (8, 46, 1, 64),
    (24, 5, 16, 64), (24, 10, 4, 64), (24, 20, 2, 64), (24, 20, 1, 64),
    (64, 4, 8, 64), (64, 8, 2, 64), (64, 8, 1, 64), (120, 4, 4, 64), (120, 4, 2, 64),
    (8, 7, 56, 32), (8, 19, 28, 32), (8, 46, 14, 32), (8, 46, 7, 32),
    (24, 7, 28, 32), (24, 17, 14, 32), (24, 38, 7, 32), (120, 6, 14, 32),
]  # fmt: skip
MOST_PIXELS = 16  # of a map on which one matrix a group is tried
Way = Callable[[Any, Any, int, int, str], Any]


def ways(side: int, group_width: int, groups: int) -> dict[str, Way]:
    """Return the functions to be compared, by name."""
    found: dict[str, Way] = {}
    if grouped.native_is_fast() or grouped.grouped_gradients("float32"):
        found["one operation"] = lambda x, k, stride, _, padding: grouped.convolve_natively(
            x, k, stride, padding
        )
    if packing.groups_per_pack(groups, group_width) > 1:
        found["packed"] = packing.packed
    found["a group each"] = _alone
    if side * side <= MOST_PIXELS:
        found["matrix"] = packing.dense_in_space
    return found


def _alone(x: Any, kernel: Any, stride: int, groups: int, padding: str) -> Any:
    with mock.patch.object(packing, "PACK_CHANNELS", 1):
        return packing.packed(x, kernel, stride, groups, padding)


def chosen(side: int, group_width: int, groups: int) -> str:
    """Return which way the rule takes."""
    if not grouped.native_is_fast():
        if side * side <= grouped.DENSE_PIXELS:
            return "matrix"
        if not grouped.grouped_gradients("float32"):
            pack = packing.groups_per_pack(groups, group_width)
            return "packed" if pack > 1 else "a group each"
    return "one operation"


def step(way: Way, group_width: int, groups: int, side: int, batch: int) -> Callable[[], Any]:
    """Return the traced value and gradients, as a function that waits for them."""
    channels = group_width * groups
    x = tf.random.normal((batch, side, side, channels))
    kernel = tf.random.normal((3, 3, group_width, channels))

    @tf.function(autograph=False)
    def both(x: Any, kernel: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch((x, kernel))
            y = way(x, kernel, 1, groups, "symmetric")
        dx, dk = tape.gradient(y, (x, kernel), output_gradients=y)
        return tf.reduce_sum(dx[0]) + tf.reduce_sum(dk[0])

    def run() -> float:
        return float(both(x, kernel))

    run()
    return run


def milliseconds(runs: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Return the times of all, in turn; short ones are repeated within a round."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            start, calls = time.perf_counter(), 0
            while time.perf_counter() - start < 0.02:
                run()
                calls += 1
            times[name].append((time.perf_counter() - start) / calls * 1e3)
    return times


def main() -> None:
    """Print a row a layer, and how far the rule is from the best."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    names = ("one operation", "packed", "a group each", "matrix")
    print("| width, groups, side, batch | " + " | ".join(f"{n}, ms" for n in names) + " |")
    print("|---" * (len(names) + 1) + "|")
    losses = []
    for width, groups, side, batch in CASES:
        functions = ways(side, width, groups)
        runs = {name: step(f, width, groups, side, batch) for name, f in functions.items()}
        times = milliseconds(runs, args.rounds)
        medians = {name: statistics.median(values) for name, values in times.items()}
        rule = chosen(side, width, groups)
        cells = [
            f"{medians[n]:.2f}{'*' * (n == rule)} [{min(times[n]):.2f}, {max(times[n]):.2f}]"
            if n in medians
            else ""
            for n in names
        ]
        print(f"| {width}, {groups}, {side}, {batch} | " + " | ".join(cells) + " |", flush=True)
        losses.append(medians[rule] / min(medians.values()))
    print(f"the rule's time / the best's: median {statistics.median(losses):.2f}, ", end="")
    print(f"at most {max(losses):.2f}, {args.threads} threads, {len(CASES)} layers")


if __name__ == "__main__":
    main()
