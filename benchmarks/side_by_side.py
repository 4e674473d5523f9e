"""Time commands in turn (A B A B ...) in fresh processes and print medians and ratios."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Sequence


def wall_seconds(command: Sequence[str]) -> float:
    """Return how long a command takes, from start to exit."""
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def compare(ours: Sequence[str], peer: Sequence[str], runs: int = 7) -> list[tuple[float, float]]:
    """Return the seconds of each pair of runs, after one warm-up of both."""
    wall_seconds(ours), wall_seconds(peer)
    return [(wall_seconds(ours), wall_seconds(peer)) for _ in range(runs)]


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return ``median (lowest to highest)``."""
    numbers = statistics.median(values), min(values), max(values)
    return "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(*numbers, d=digits)


def report(claim: str, pairs: list[tuple[float, float]]) -> None:
    """Print the seconds of both and the ratio pair by pair."""
    print(claim)
    print(f"  ours   {spread([a for a, _ in pairs])} s")
    print(f"  peer   {spread([b for _, b in pairs])} s")
    print(f"  ratio  {spread([a / b for a, b in pairs])}, {len(pairs)} pairs")
