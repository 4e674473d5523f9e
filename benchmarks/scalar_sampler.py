"""A plain transcription of the published sampler: one candidate at a time, Python's own numbers.

It is the peer of the batched sampler: the laws of pycls ``sweep/random.py``, the quantisation of
``models/regnet.py``, the adjustment and the complexity of ``models/blocks.py``, with the cheap
test first. It takes its uniforms from an iterator, so that both can be given the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Uniform = Callable[[], float]
LAST = 4  # stages


def log_uniform(u: float, low: float, high: float, q: float) -> float:
    """Return a number of [low, high], log-uniform and rounded up to a multiple of q."""
    start, end = math.log(low - min(q, low / 2)), math.log(high)
    return math.ceil(math.exp(end - u * (end - start)) / q) * q


def group_width(u: Uniform) -> int:
    """Return a group width: a power of two below 8, else log-uniform in steps of 8."""
    power = 2 ** (3 + int(u() * 5))
    return int(log_uniform(u(), 8, 128, 8)) if power >= 8 else power


def parameters(u: Uniform) -> tuple[int, int, float, float, int]:
    """Return depth, w0, wa, wm and group width of the next candidate of ``regnetx``."""
    depth = 12 + int(u() * 17)
    w0 = int(log_uniform(u(), 8, 256, 8))
    wa, wm = log_uniform(u(), 8.0, 256.0, 0.1), log_uniform(u(), 2.0, 3.0, 0.001)
    return depth, w0, wa, wm, group_width(u)


def quantise(depth: int, w0: int, wa: float, wm: float) -> tuple[list[int], list[int], int]:
    """Return stage widths, stage depths and the highest level."""
    log_wm = math.log(wm)
    widths: list[int] = []
    depths: list[int] = []
    level = 0
    for j in range(depth):
        level = round(math.log((w0 + wa * j) / w0) / log_wm)
        width = round(w0 * wm**level / 8) * 8
        if widths and widths[-1] == width:
            depths[-1] += 1
        else:
            widths.append(width)
            depths.append(1)
    return widths, depths, level


def flops(widths: list[int], depths: list[int], group: int, resolution: int, classes: int) -> int:
    """Return the multiply-adds of a RegNetX with bottleneck ratio 1."""
    side = -(-resolution // 2)
    channels, total = 32, 9 * 3 * 32 * side * side
    for width, depth in zip(widths, depths, strict=True):
        g = min(group, width)
        w = max(g, round(width / g) * g)
        after = -(-side // 2)
        total += channels * w * side * side + (9 * w * g + w * w + channels * w) * after * after
        total += (depth - 1) * (2 * w * w + 9 * w * g) * after * after
        channels, side = w, after
    return total + channels * classes + classes


def candidates(u: Uniform, low: float, high: float) -> Iterator[tuple[float, ...] | None]:
    """Yield each candidate of ``regnetx`` that has four stages and flops in range, else None."""
    while True:
        depth, w0, wa, wm, group = parameters(u)
        widths, depths, level = quantise(depth, w0, wa, wm)
        if len(widths) != LAST or level != LAST - 1:
            yield None
            continue
        fits = low <= flops(widths, depths, group, 224, 1000) <= high
        yield (depth, w0, wa, wm, group) if fits else None
