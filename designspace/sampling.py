"""Exact rejection sampling from a design space, within a budget.

Candidates come in blocks of 65,536; block k draws from the k-th child that the generator
spawns, by inverse CDF from ``random()`` alone. So ``sample(n)`` is a prefix of
``sample(n + m)``, and nothing but the seed decides which networks there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from .arrays import Floats, Ints
from .budget import Budget, within
from .linear import last_level_batch, quantise_batch
from .population import Population, concatenate, regnets
from .spaces import DesignSpace
from .spec import require_resolution

BLOCK = 65_536
IDLE_BLOCKS = 64  # give up after this many blocks without a new network
UNIQUE = ("params", "networks", "none")
REASONS = ("stages", "flops", "params", "acts", "duplicate")
ACCEPTED = len(REASONS)


@dataclass(frozen=True)
class Drawn:
    """A sampled population and what it took.

    ``n_drawn`` candidates were tried; ``rejected`` counts them by the first test that each
    failed, in the order stages, flops, params, acts, duplicate. Both count up to the
    candidate that completed the population.
    """

    population: Population
    n_drawn: int
    rejected: dict[str, int]

    def describe_rejections(self) -> str:
        """Return the rejections in words, most frequent first."""
        return describe_rejections(self.rejected)


def describe_rejections(rejected: dict[str, int]) -> str:
    """Return counted rejections in words, most frequent first."""
    ordered = sorted(rejected.items(), key=lambda item: -item[1])
    parts = [f"{name} {count:,}" for name, count in ordered if count]
    return ", ".join(parts) or "none"


def sample(
    space: DesignSpace,
    n: int,
    *,
    budget: Budget | None = None,
    rng: np.random.Generator,
    resolution: int = 224,
    classes: int = 1000,
    unique: str = "params",
    progress: Callable[[int, int], None] | None = None,
) -> Drawn:
    """Draw ``n`` networks of a space within a budget, by rejection.

    Parameters
    ----------
    space
        The design space.
    n
        How many networks, at least 1.
    budget
        Closed ranges of complexity, counted at ``resolution`` and ``classes``.
    rng
        Only its spawned children are drawn from.
    unique
        ``params`` drops equal parameter tuples (as pycls does), ``networks`` equal
        architectures, ``none`` nothing.
    progress
        Called after each block with the networks found and the candidates tried.

    Raises
    ------
    ValueError
        If too few networks are found (the message counts candidates and rejections), or the
        resolution is below the total stride of the networks.
    """
    if n < 1:
        raise ValueError(f"the number of networks must be positive, got {n}")
    if unique not in UNIQUE:
        raise ValueError(f"unique must be one of {', '.join(UNIQUE)}, got {unique!r}")
    require_resolution(2 ** (space.stages + 1), resolution)
    budget = budget or Budget()
    parts: list[Population] = []
    seen: set[bytes | int] = set()
    rejected: dict[str, int] = dict.fromkeys(REASONS, 0)
    found = n_drawn = idle = 0
    for block in _blocks(space, budget, rng, resolution, classes):
        keep = _drop_duplicates(block, unique, seen)[: n - found]
        used = int(block.position[keep[-1]]) + 1 if found + len(keep) == n else BLOCK
        _count(rejected, block, keep, used)
        n_drawn += used
        found += len(keep)
        idle = 0 if len(keep) else idle + 1
        if len(keep):
            parts.append(block.population.take(keep))
        if progress is not None:
            progress(found, n_drawn)
        if found == n:
            break
        if idle == IDLE_BLOCKS:
            raise ValueError(_too_few(space, budget, n, found, n_drawn, rejected))
    return Drawn(concatenate(parts), n_drawn, rejected)


@dataclass(frozen=True)
class _Block:
    """The accepted candidates of a block: where they stood, their codes and networks."""

    reason: Ints
    position: Ints
    code: Ints
    population: Population


def _blocks(
    space: DesignSpace, budget: Budget, rng: np.random.Generator, resolution: int, classes: int
) -> Iterator[_Block]:
    while True:
        (child,) = rng.spawn(1)
        yield _draw_block(space, budget, child, resolution, classes)


def _draw_block(
    space: DesignSpace, budget: Budget, rng: np.random.Generator, resolution: int, classes: int
) -> _Block:
    values, code = _candidates(space, rng.random((_uniforms(space), BLOCK)))
    reason = np.zeros(BLOCK, dtype=np.int64)
    last = last_level_batch(values["depth"], values["w0"], values["wa"], values["wm"])
    position = np.flatnonzero(last == space.stages - 1)
    depth, w0, group_width = (
        values[name][position].astype(np.int64) for name in ("depth", "w0", "group_width")
    )
    wa, wm, b = (values[name][position] for name in ("wa", "wm", "bottleneck_ratio"))
    stages = quantise_batch(depth, w0, wa, wm)
    population = regnets(
        depth=depth,
        w0=w0,
        wa=wa,
        wm=wm,
        group_width=group_width,
        bottleneck_ratio=b,
        block=space.block,
        resolution=resolution,
        classes=classes,
        stages=stages,
    )
    verdict = np.full(len(position), ACCEPTED)
    for name, limits in reversed(budget.limits().items()):
        outside = ~within(getattr(population, name), limits)
        verdict[outside] = REASONS.index(name)
    verdict[(stages[1] > 0).sum(axis=1) != space.stages] = REASONS.index("stages")
    reason[position] = verdict
    accepted = verdict == ACCEPTED
    return _Block(reason, position[accepted], code[position[accepted]], population.take(accepted))


def _uniforms(space: DesignSpace) -> int:
    return sum(law.n_uniforms for law in space.laws.values())


def _candidates(space: DesignSpace, u: Floats) -> tuple[dict[str, Floats], Ints]:
    """Return the values of every parameter, and each tuple as one number (mixed radix)."""
    values: dict[str, Floats] = {}
    code = np.zeros(u.shape[1], dtype=np.int64)
    first = 0
    for name, law in space.laws.items():
        index = law.index(u[first : first + law.n_uniforms])
        first += law.n_uniforms
        values[name] = law.values[index]
        code = code * len(law.values) + index
    return values, code


def _drop_duplicates(block: _Block, unique: str, seen: set[bytes | int]) -> Ints:
    """Return which accepted candidates are new, and remember them."""
    if unique == "none":
        return np.arange(len(block.code))
    keys: list[bytes | int]
    if unique == "params":
        keys = block.code.tolist()
    else:
        p = block.population
        stages = (p.stage_widths, p.stage_depths, p.stage_group_widths)
        rows = np.concatenate(stages, axis=1)
        keys = [row.tobytes() for row in rows]
    keep: list[int] = []
    for i, key in enumerate(keys):
        if key not in seen:
            seen.add(key)
            keep.append(i)
    return np.array(keep, dtype=np.int64)


def _count(rejected: dict[str, int], block: _Block, keep: Ints, used: int) -> None:
    counts = np.bincount(block.reason[:used], minlength=ACCEPTED + 1)
    for name, count in zip(REASONS, counts, strict=False):
        rejected[name] += int(count)
    rejected["duplicate"] += int(counts[ACCEPTED]) - len(keep)


def _too_few(
    space: DesignSpace,
    budget: Budget,
    n: int,
    found: int,
    n_drawn: int,
    rejected: dict[str, int],
) -> str:
    what = "no network" if found == 0 else f"only {found} distinct networks of {n}"
    return (
        f"found {what} of {space.name} with {budget.describe()} among {n_drawn:,} candidates "
        f"(rejected by {describe_rejections(rejected)})"
    )
