"""Exact rejection sampling from a design space, within one budget or several.

Candidates come in blocks of 65,536; block k draws from the k-th child that the generator
spawns, by inverse CDF from ``random()`` alone. So ``sample(n)`` is a prefix of
``sample(n + m)``, and nothing but the seed decides which networks there are: neither how many
processes draw, nor which other budgets are sampled beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from .blocks import STEM_FACTS
from .budget import Budget
from .drawing.block_work import Block, BlockWork
from .drawing.candidates import BLOCK, Candidates, join
from .drawing.feasibility import require_feasible
from .drawing.judging import REASONS, Units, strides_of, to_population
from .drawing.seen import Seen
from .population import Population, concatenate
from .processes import in_order
from .spaces import DesignSpace
from .spec import require_resolution

PART = 4096  # networks that make up a population; smaller ones are slow to count
ALONE = 128  # blocks drawn in this process, half a second, before others are started
IDLE_BLOCKS = 256  # give up after this many blocks without a new network
UNIQUE = ("params", "networks", "none")
DEFAULT_UNITS = Units()
MOST_REMEMBERED = 10**8  # networks above which duplicates are not looked for


@dataclass(frozen=True)
class Drawn:
    """A sampled population and what it took.

    ``n_drawn`` candidates were tried; ``rejected`` counts them by the first test that each
    failed, in the order of ``REASONS``. Both count up to the candidate that completed the
    population.
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
    workers: int = 1,
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
        architectures, ``none`` nothing; above 10^8 networks it must be ``none``.
    workers
        Processes that draw blocks; they decide nothing but the time. They are started only
        for draws that take longer than their start; a script that asks for several needs
        ``if __name__ == "__main__":`` (``multiprocessing``, start method spawn).
    progress
        Called after each block with the networks found and the candidates tried.

    Raises
    ------
    ValueError
        If the budget is out of the space's reach, too few networks are found (the message
        counts candidates and rejections), or the resolution is below the total stride.
    """
    (drawn,) = sample_regimes(
        space,
        n,
        budgets=[budget or Budget()],
        rng=rng,
        units=Units(resolution, classes),
        unique=unique,
        workers=workers,
        progress=progress,
    )
    return drawn


def sample_regimes(
    space: DesignSpace,
    n: int,
    *,
    budgets: Sequence[Budget],
    rng: np.random.Generator,
    units: Units = DEFAULT_UNITS,
    unique: str = "params",
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[Drawn]:
    """Draw ``n`` networks within each of several budgets, from the same candidates.

    Each population is what ``sample`` draws with this budget and a generator of the same seed;
    the parameters and errors are those of ``sample``.
    """
    regimes = [Regime(space, n, budget, unique) for budget in budgets]
    parts: list[list[Population]] = [[] for _ in regimes]
    for i, part in stream(space, regimes, rng=rng, units=units, workers=workers):
        parts[i].append(part)
        if progress is not None:
            progress(sum(r.found for r in regimes), max(r.n_drawn for r in regimes))
    return [
        Drawn(concatenate(part), regime.n_drawn, regime.rejected)
        for part, regime in zip(parts, regimes, strict=True)
    ]


@dataclass
class Regime:
    """One budget on its way to ``n`` networks: what was found, tried and rejected so far."""

    space: DesignSpace
    n: int
    budget: Budget
    unique: str = "params"
    found: int = 0
    n_drawn: int = 0
    rejected: dict[str, int] = field(default_factory=lambda: dict.fromkeys(REASONS, 0))
    idle: int = 0
    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        if self.n < 1:
            raise ValueError(f"the number of networks must be positive, got {self.n}")
        if self.unique not in UNIQUE:
            raise ValueError(f"unique must be one of {', '.join(UNIQUE)}, got {self.unique!r}")
        if self.n > MOST_REMEMBERED and self.unique != "none":
            raise ValueError(
                f"{self.n:,} networks are too many to look for duplicates among: take unique none "
                f"(possible up to {MOST_REMEMBERED:,})"
            )

    @property
    def done(self) -> bool:
        """Whether all networks are found."""
        return self.found == self.n

    def take(self, block: Block) -> Candidates:
        """Count a block and return its new networks; ValueError after too many without any."""
        position = block.accepted.position
        new = np.ones(len(position), dtype=np.bool_)
        if self.unique != "none":
            new = self.seen.add(block.keys)
        keep = np.flatnonzero(new)[: self.n - self.found]
        self.found += len(keep)
        used = int(position[keep[-1]]) + 1 if self.done else BLOCK
        for name, count in block.rejections(used).items():
            self.rejected[name] += count
        self.rejected["duplicate"] += int(np.searchsorted(position, used)) - len(keep)
        self.n_drawn += used
        self.idle = 0 if len(keep) else self.idle + 1
        if self.idle == IDLE_BLOCKS:
            raise ValueError(self._too_few())
        return block.accepted if len(keep) == len(position) else block.accepted.take(keep)

    def _too_few(self) -> str:
        what = f"only {self.found} distinct networks of {self.n}" if self.found else "no network"
        return (
            f"found {what} of {self.space.name} with {self.budget.describe()} among "
            f"{self.n_drawn:,} candidates (rejected by {describe_rejections(self.rejected)})"
        )


def stream(
    space: DesignSpace,
    regimes: Sequence[Regime],
    *,
    rng: np.random.Generator,
    units: Units = DEFAULT_UNITS,
    workers: int = 1,
) -> Iterator[tuple[int, Population]]:
    """Yield the networks of each regime as they are found: its index and some of its rows.

    Memory does not grow with the number of networks, but for what ``unique`` remembers. The
    regimes count what was tried. Errors are those of ``sample``.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1, got {workers}")
    least = int(np.prod(strides_of(space)[: space.stages[1]]))
    require_resolution(STEM_FACTS[space.stem_type].total_stride * least, units.resolution)
    for regime in regimes:
        require_feasible(space, regime.budget, units)
    work = BlockWork(space, units, tuple((regime.budget, regime.unique) for regime in regimes))
    jobs = (
        (child, [i for i, regime in enumerate(regimes) if not regime.done])
        for child in _children(rng)
    )
    waiting: list[list[Candidates]] = [[] for _ in regimes]
    used = 0
    try:
        for found in in_order(work, jobs, workers, alone=ALONE):
            used += 1
            for i, block in found.items():
                if regimes[i].done:
                    continue
                waiting[i].append(regimes[i].take(block))
                if regimes[i].done or sum(map(len, waiting[i])) >= PART:
                    yield i, to_population(join(waiting[i], step=0), units)
                    waiting[i].clear()
            if all(regime.done for regime in regimes):
                return
    finally:
        rng.spawn(used)  # so that the next population of this generator has other candidates


def _children(rng: np.random.Generator) -> Iterator[np.random.Generator]:
    """Yield what ``rng.spawn(1)`` would, one after the other, without waiting for their use."""
    kind = type(rng.bit_generator)
    seed = cast(np.random.SeedSequence, rng.bit_generator.seed_seq)
    first = seed.n_children_spawned
    k = 0
    while True:
        child = np.random.SeedSequence(
            seed.entropy, spawn_key=(*seed.spawn_key, first + k), pool_size=seed.pool_size
        )
        yield np.random.Generator(kind(child))
        k += 1
