"""The ladder of DDS section 3: AnyNetX A to E and RegNetX, sampled and trained alike.

Each space is a study of its own, ``ladder/SPACE``. Networks are added in rounds, some of every
space, so that whatever is finished at an interruption is balanced. All spaces are the papers'
with at most 16 blocks a network, so that a training takes seconds; every RegNetX of at most 16
blocks is then still an AnyNetX of at most 16 blocks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage

from ...analysis.records import Status
from ...analysis.storages.storage import load_study
from ...designspace import Budget, DesignSpace, Population, sample
from ...designspace.constraints import limited
from ...designspace.space_catalogue import find_space
from ..data.datasets import load_dataset
from ..populations.settings import Settings
from ..populations.studies import add_architectures, add_seed_runs, create_population_study
from ..queue.counts import status
from ..queue.executors import Step, run_workers
from ..queue.guards import Limits
from ..queue.tasks import DEFAULT_TRAINER, run_folder
from ..recipes.recipe import Recipe

NAME = "ladder"
SPACES = ("anynetx-a", "anynetx-b", "anynetx-c", "anynetx-d", "anynetx-e", "regnetx-dds")
MOST_BLOCKS = 16
FLOPS, TOLERANCE = 2e6, 0.05
DATA = "mnist5k"
# How it was chosen: docs/findings.md.
REGIME: dict[str, Any] = {
    "optimizer": "sgd",
    "epochs": 2,
    "batch_size": 32,
    "lr": 0.02,
    "precise_bn_images": 1024,
    "area_factor": 1.0,
}
ROUND = 2  # networks of each space that are added at a time
AHEAD = 2  # trials that wait before a round is added; more would let the last space lag
REPEATED, REPLICATES = 2, 2  # networks of each space that are trained with as many more seeds
OnProgress = Callable[[str, dict[str, int]], None]


@dataclass(frozen=True)
class Ladder:
    """What is trained: n networks of each space within the budget, with one recipe.

    ``flops`` is the closed range of multiply-adds at the data set's resolution and classes.
    ``strides`` are those of the stages; None means 2 everywhere, as in the papers. The studies are
    called ``name/SPACE``.
    """

    n: int
    seed: int = 0
    name: str = NAME
    spaces: tuple[str, ...] = SPACES
    strides: tuple[int, ...] | None = None
    data: str = DATA
    flops: tuple[float, float] = ((1 - TOLERANCE) * FLOPS, (1 + TOLERANCE) * FLOPS)
    recipe: dict[str, Any] = field(default_factory=lambda: dict(REGIME))

    def __post_init__(self) -> None:
        if self.n < REPEATED:
            raise ValueError(f"the ladder needs at least {REPEATED} models a space, got {self.n}")

    @property
    def budget(self) -> Budget:
        """The budget of every space."""
        return Budget(flops=self.flops)

    @property
    def trials(self) -> int:
        """How many trainings it takes: of all networks, and of some with other seeds."""
        return len(self.spaces) * (self.n + REPEATED * REPLICATES)

    @property
    def studies(self) -> list[str]:
        """The names of the studies."""
        return [self.study(space) for space in self.spaces]

    def study(self, space: str) -> str:
        """Return the name of a space's study."""
        return f"{self.name}/{space}"

    def space(self, name: str) -> DesignSpace:
        """Return a space of the papers, its depths cut to what a network may have in all."""
        found = find_space(name) & limited("depth", high=MOST_BLOCKS)
        return found if self.strides is None else replace(found, stage_strides=self.strides)

    def settings(self) -> Settings:
        """Return what the trials of all spaces share."""
        data = load_dataset(self.data)
        return Settings.of(data, Recipe.from_dict(self.recipe), seed=self.seed)


def draw(ladder: Ladder, name: str, settings: Settings) -> Population:
    """Return n networks of a space: those of its sample with few enough blocks, in order.

    The sample is a prefix of any larger one, and so is what is returned.
    """
    wanted, space = 3 * ladder.n, ladder.space(name)
    while True:
        population = sample(
            space,
            wanted,
            budget=ladder.budget,
            rng=np.random.default_rng(ladder.seed),
            resolution=settings.resolution,
            classes=settings.classes,
        ).population
        shallow = np.flatnonzero(population.depth <= MOST_BLOCKS)
        if len(shallow) >= ladder.n:
            return population.take(shallow[: ladder.n])
        wanted *= 2


def train_ladder(
    url: str,
    ladder: Ladder,
    workers: int = 2,
    *,
    trainer: str = DEFAULT_TRAINER,
    on_progress: OnProgress | None = None,
    limits: Limits | None = None,
) -> bool:
    """Train what is missing of the ladder in a storage; False if not all is trained.

    Raises
    ------
    ValueError
        If the storage holds a ladder with other settings, or does not take that many workers.
    WorkerError
        If workers die before they train anything.
    """
    return run_workers(
        url,
        ladder.studies,
        workers,
        step=begin_ladder(url, ladder, on_progress),
        folder=run_folder(url, ladder.name),
        trainer=trainer,
        threads=ladder.settings().threads,
        limits=limits,
    )


def begin_ladder(url: str, ladder: Ladder, on_progress: OnProgress | None = None) -> Step:
    """Create the studies of a ladder, or check them; return the step of `run_workers` for it."""
    settings = ladder.settings()
    drawn = {name: draw(ladder, name, settings) for name in ladder.spaces}
    budget = f"{ladder.budget.describe()}, at most {MOST_BLOCKS} blocks"
    for name, population in drawn.items():
        create_population_study(
            url,
            ladder.study(name),
            population.take(np.arange(REPEATED)),
            settings,
            space=ladder.space(name),
            budget=budget,
        )
    return _rounds(ladder, drawn, settings, on_progress)


def _rounds(
    ladder: Ladder,
    drawn: dict[str, Population],
    settings: Settings,
    on_progress: OnProgress | None,
) -> Step:
    """Return the step of `run_workers` that adds a round whenever little waits."""
    n, reached = ladder.n, 0
    found: dict[str, optuna.Study] = {}

    def add_round() -> None:
        for name, population in drawn.items():
            networks = population.take(np.arange(reached))
            add_architectures(found[name], networks, settings, space=ladder.space(name))
            add_seed_runs(found[name], range(REPEATED), REPLICATES)

    def step(storage: BaseStorage) -> bool:
        nonlocal reached
        if not found:
            found.update((name, load_study(storage, ladder.study(name))) for name in drawn)
        counts = Counter[str]()
        for study in found.values():
            counts.update(status(study))
        if on_progress is not None:
            on_progress(ladder.name, counts)
        if counts[Status.WAITING] < AHEAD and reached < n:
            reached = min(n, reached + ROUND)
            add_round()
            return False
        return reached == n and not counts[Status.WAITING] and not counts[Status.RUNNING]

    return step
