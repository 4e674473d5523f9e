"""RegNet parameters and the quantised linear rule (DDS section 3.3, equations 2 to 4).

``u_j = w0 + wa j``, ``s_j = round(log_wm(u_j / w0))``, ``w_j = round(w0 wm^s_j / 8) * 8``, in
float64 with ties to even. Blocks of equal width form a stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints, Reals
from .compat import make_compatible
from .spec import DEFAULT_SE_RATIO, DEFAULT_STEM_WIDTH, NetSpec, Stage, require_int

WIDTH_STEP = 8
MAX_DEPTH = 1024
CHUNK = 4096  # networks quantised at a time: their blocks fit into the cache


@dataclass(frozen=True, slots=True)
class RegNetParams:
    """The parameters of one RegNet.

    Attributes
    ----------
    depth
        Blocks in the body, d, 1 to 1024.
    w0
        Initial width, a positive multiple of 8.
    wa
        Slope of the line, channels a block, at least 0.
    wm
        Width multiplier of the quantisation, above 1.
    group_width
        Channels of a group, g, at least 1.
    bottleneck_ratio
        DDS's b: the inner width is width / b.
    """

    depth: int
    w0: int
    wa: float
    wm: float
    group_width: int
    bottleneck_ratio: float = 1.0

    def __post_init__(self) -> None:
        require_int("depth", self.depth, high=MAX_DEPTH)
        require_int("w0", self.w0)
        if self.w0 % WIDTH_STEP:
            nearest = max(WIDTH_STEP, round(self.w0 / WIDTH_STEP) * WIDTH_STEP)
            raise ValueError(f"w0 must be a multiple of 8, got {self.w0} (nearest: {nearest})")
        if not (math.isfinite(self.wa) and self.wa >= 0):
            raise ValueError(f"wa must be a number of at least 0, got {self.wa!r}")
        if not (math.isfinite(self.wm) and self.wm > 1):
            raise ValueError(f"wm must be a number above 1, got {self.wm!r}")
        require_int("group_width", self.group_width)

    def to_spec(
        self,
        *,
        block: str = "x",
        se_ratio: float | None = None,
        stem_type: str = "simple",
        stem_width: int = DEFAULT_STEM_WIDTH,
        head_width: int = 0,
        activation: str = "relu",
        stage_strides: tuple[int, ...] | None = None,
    ) -> NetSpec:
        """Return the architecture: quantised widths, made compatible with the groups.

        ``se_ratio`` None means the block's own default (0 for x, 1/4 for y);
        ``stage_strides`` None means 2 in every stage.
        """
        widths, depths = stages_of(quantise(self))
        strides = stage_strides if stage_strides is not None else (2,) * len(widths)
        if len(strides) != len(widths):
            raise ValueError(f"stage_strides must name {len(widths)} stages, got {len(strides)}")
        stages: list[Stage] = []
        for width, depth, stride in zip(widths, depths, strides, strict=True):
            w, g = make_compatible(width, self.group_width, self.bottleneck_ratio)
            stages.append(Stage(depth, w, stride, g, self.bottleneck_ratio))
        return NetSpec(
            stages=tuple(stages),
            block=block,
            se_ratio=DEFAULT_SE_RATIO.get(block, 0.0) if se_ratio is None else se_ratio,
            stem_type=stem_type,
            stem_width=stem_width,
            head_width=head_width,
            activation=activation,
            parameters=self,
        )


def levels(depth: int, w0: float, wa: float, wm: float) -> Ints:
    """Return s_j, the quantised level of each of the ``depth`` blocks."""
    u = w0 + wa * np.arange(depth)
    return np.rint(np.log(u / w0) / np.log(wm)).astype(np.int64)


def quantise(params: RegNetParams) -> tuple[int, ...]:
    """Return the width of every block, before group compatibility."""
    s = levels(params.depth, params.w0, params.wa, params.wm)
    widths = np.rint(params.w0 * np.power(params.wm, s) / WIDTH_STEP) * WIDTH_STEP
    return tuple(int(w) for w in widths)


def stages_of(widths: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the distinct widths in order and how many blocks have each."""
    counts: dict[int, int] = {}
    for width in widths:
        counts[width] = counts.get(width, 0) + 1
    return tuple(counts), tuple(counts.values())


def last_level_batch(depth: Reals, w0: Reals, wa: Floats, wm: Floats) -> Ints:
    """Return s_{d-1}, the highest level of each network, shape (n,)."""
    u = w0 + wa * (depth - 1)
    return np.rint(np.log(u / w0) / np.log(wm)).astype(np.int64)


def quantise_batch(depth: Ints, w0: Ints, wa: Floats, wm: Floats) -> tuple[Ints, Ints]:
    """Return stage widths and stage depths of many networks, each of shape (n, s).

    s is the largest number of stages among them; rows with fewer end in zeros.
    All arguments have shape (n,).
    """
    parts = [
        _quantise_chunk(depth[rows], w0[rows], wa[rows], wm[rows])
        for rows in (slice(i, i + CHUNK) for i in range(0, len(depth), CHUNK))
    ]
    n_stages = max((widths.shape[1] for widths, _ in parts), default=1)
    widths = np.zeros((len(depth), n_stages), dtype=np.int64)
    depths = np.zeros((len(depth), n_stages), dtype=np.int64)
    for i, (part_widths, part_depths) in enumerate(parts):
        rows = slice(i * CHUNK, i * CHUNK + len(part_widths))
        widths[rows, : part_widths.shape[1]] = part_widths
        depths[rows, : part_depths.shape[1]] = part_depths
    return widths, depths


def _quantise_chunk(depth: Ints, w0: Ints, wa: Floats, wm: Floats) -> tuple[Ints, Ints]:
    n = len(depth)
    blocks = np.arange(int(depth.max()))
    u = w0[:, None] + wa[:, None] * blocks
    s = np.rint(np.log(u / w0[:, None]) / np.log(wm)[:, None]).astype(np.int64)
    by_level = np.power(wm[:, None], np.arange(int(s.max()) + 1))
    by_level = np.rint(w0[:, None] * by_level / WIDTH_STEP) * WIDTH_STEP
    w = np.take_along_axis(by_level, s, axis=1)
    starts = np.ones(w.shape, dtype=np.bool_)
    np.not_equal(w[:, 1:], w[:, :-1], out=starts[:, 1:])
    starts &= blocks < depth[:, None]
    rows, columns = np.nonzero(starts)
    n_stages = starts.sum(axis=1)
    first = np.cumsum(n_stages) - n_stages
    stage = np.arange(len(rows)) - first[rows]
    ends = np.append(columns[1:], 0)
    ends[first + n_stages - 1] = depth
    shape = (n, int(n_stages.max()))
    widths, depths = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    widths[rows, stage] = w[rows, columns].astype(np.int64)
    depths[rows, stage] = ends - columns
    return widths, depths
