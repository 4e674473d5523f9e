"""RegNet parameters and the quantised linear rule (DDS section 3.3, equations 2 to 4).

``u_j = w0 + wa j``, ``s_j = round(log_wm(u_j / w0))``, ``w_j = round(w0 wm^s_j / 8) * 8``, in
float64 with ties to even. Blocks of equal width form a stage.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints, Reals
from .blocks import DEFAULT_ACTIVATION
from .compat import as_block_has, make_compatible
from .spec import DEFAULT_SE_RATIO, DEFAULT_STEM_WIDTH, NetSpec, Stage, require_int

WIDTH_STEP = 8
MAX_DEPTH = 1024
CHUNK = 8192  # networks quantised at a time: their arrays fit into the cache
MAX_LEVELS = 64  # beyond this many levels (wm near 1) the blocks themselves are fewer
NEAR = 1e-12  # relative distance to a tie below which the reference formula decides


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
        activation: str | None = None,
        stage_strides: tuple[int, ...] | None = None,
    ) -> NetSpec:
        """Return the architecture: quantised widths, made compatible with the groups.

        ``se_ratio`` and ``activation`` None mean the block's own default (``blocks``);
        ``stage_strides`` None means 2 in every stage. Blocks without groups or bottleneck
        ignore these parameters.
        """
        widths, depths = stages_of(quantise(self))
        strides = stage_strides if stage_strides is not None else (2,) * len(widths)
        if len(strides) != len(widths):
            raise ValueError(f"stage_strides must name {len(widths)} stages, got {len(strides)}")
        stages: list[Stage] = []
        for width, depth, stride in zip(widths, depths, strides, strict=True):
            group, ratio = as_block_has(block, self.group_width, self.bottleneck_ratio)
            w, g = make_compatible(width, group, ratio)
            stages.append(Stage(depth, w, stride, g, ratio))
        return NetSpec(
            stages=tuple(stages),
            block=block,
            se_ratio=DEFAULT_SE_RATIO.get(block, 0.0) if se_ratio is None else se_ratio,
            stem_type=stem_type,
            stem_width=stem_width,
            head_width=head_width,
            activation=activation or DEFAULT_ACTIVATION.get(block, "relu"),
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


def quantise_batch(depth: Ints, w0: Ints, wa: Floats, wm: Floats) -> tuple[Ints, Ints]:
    """Return stage widths and stage depths of many networks, each of shape (n, s).

    s is the largest number of stages among them; rows with fewer end in zeros.
    All arguments have shape (n,). Stages are found by where they start (``stage_starts``), so
    that the time does not grow with the depth; a row with a skipped or merged level, or a start
    too near to a tie to be told from it in float64, is quantised block by block.
    """
    parts = [
        _quantise_chunk(depth[rows], w0[rows], wa[rows], wm[rows])
        for rows in (slice(i, i + CHUNK) for i in range(0, len(depth), CHUNK))
    ]
    return stack_stages(parts)


def stack_stages(parts: list[tuple[Ints, Ints]]) -> tuple[Ints, Ints]:
    """Return pairs of stage widths and depths one below the other, padded with zeros."""
    n_stages = max((widths.shape[1] for widths, _ in parts), default=1)
    n = sum(len(widths) for widths, _ in parts)
    widths, depths = np.zeros((n, n_stages), dtype=np.int64), np.zeros((n, n_stages), np.int64)
    first = 0
    for part_widths, part_depths in parts:
        rows = slice(first, first + len(part_widths))
        widths[rows, : part_widths.shape[1]] = part_widths
        depths[rows, : part_depths.shape[1]] = part_depths
        first += len(part_widths)
    return widths, depths


def thresholds(wm: Floats, levels: int) -> Floats:
    """Return t_s = wm^(s - 1/2) - 1 for s = 1 .. levels, shape (levels, n).

    Block j is at level s or above from (wa / w0) j = t_s on, or just after it: equation 3 of
    DDS with s_j rounded, solved for j.
    """
    s = np.arange(1, levels + 1)[:, None]
    return np.expm1((s - 0.5) * np.log(wm))


def stage_starts(slope: Floats, t: Floats) -> tuple[Floats, Ints]:
    """Return the first block of each level, shape (levels, n), and the rows too near a tie.

    ``slope`` is wa / w0, shape (n,); ``t`` comes from ``thresholds``. The blocks are counted
    from 0 and may lie beyond the network's depth. Near means within the error of the reference
    formula in float64, with a wide margin, of the row where that error is largest.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        x = t / slope
        flattest = np.min(slope, initial=np.inf)
        if flattest == 0:
            flattest = np.min(slope, where=slope > 0, initial=np.inf)
        distance = np.rint(x)
        distance -= x
        limit = NEAR * (1 + len(t)) * (MAX_DEPTH + 1 / flattest)  # no later start matters
    np.abs(distance, out=distance)
    np.ceil(x, out=x)
    if np.fmin.reduce(distance, axis=None, initial=np.inf) > limit:
        return x, np.zeros(0, dtype=np.int64)
    return x, np.flatnonzero((distance <= limit).any(axis=0))


def _quantise_chunk(depth: Ints, w0: Ints, wa: Floats, wm: Floats) -> tuple[Ints, Ints]:
    last = _last_levels(depth, w0, wa, wm)
    n_levels = int(last.max()) + 2  # one more than any row needs
    if n_levels > MAX_LEVELS:
        return quantise_blocks(depth, w0, wa, wm)
    starts, near = stage_starts(wa / w0, thresholds(wm, n_levels - 1))
    ends = np.minimum(np.vstack([starts, np.full(len(depth), np.inf)]), depth)
    depths = np.diff(ends, axis=0, prepend=0).astype(np.int64).T
    powers = np.power(wm, np.minimum(np.arange(n_levels)[:, None], last + 1))
    widths = level_widths(w0, powers).astype(np.int64).T
    present = depths > 0
    whole = (present[:, 1:] <= present[:, :-1]).all(axis=1)  # no level is skipped
    whole &= (~present[:, 1:] | (widths[:, 1:] > widths[:, :-1])).all(axis=1)
    irregular = np.union1d(np.flatnonzero(~whole), near)
    widths[~present] = 0
    if not len(irregular):
        return widths[:, : _used(depths)], depths[:, : _used(depths)]
    depths[irregular] = widths[irregular] = 0
    w, d = quantise_blocks(depth[irregular], w0[irregular], wa[irregular], wm[irregular])
    widths[irregular, : w.shape[1]] = w
    depths[irregular, : d.shape[1]] = d
    return widths[:, : _used(depths)], depths[:, : _used(depths)]


def _used(depths: Ints) -> int:
    return int(np.flatnonzero(depths.any(axis=0))[-1]) + 1


def level_widths(w0: Reals, powers: Floats) -> Floats:
    """Return w0 wm^s rounded to multiples of 8, from ``powers`` of wm, shape (levels, n)."""
    widths = powers * w0
    widths /= WIDTH_STEP
    np.rint(widths, out=widths)
    widths *= WIDTH_STEP
    return widths


def _last_levels(depth: Ints, w0: Ints, wa: Floats, wm: Floats) -> Ints:
    u = w0 + wa * (depth - 1)
    return np.rint(np.log(u / w0) / np.log(wm)).astype(np.int64)


def quantise_blocks(depth: Ints, w0: Ints, wa: Floats, wm: Floats) -> tuple[Ints, Ints]:
    """Return what ``quantise_batch`` returns, from the width of every block: the reference."""
    n = len(depth)
    blocks = np.arange(int(depth.max()))
    u = w0[:, None] + wa[:, None] * blocks
    s = np.rint(np.log(u / w0[:, None]) / np.log(wm)[:, None]).astype(np.int64)
    levels = np.minimum(np.arange(int(s.max()) + 1), s.max(axis=1)[:, None])
    by_level = np.power(wm[:, None], levels)
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
