"""The smaller studies beside the ladder: larger maps, scaling, rates, augmentation.

All have the ladder's data and recipe, but for what they vary; augmentation takes more epochs.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import optuna
from optuna.storages import BaseStorage

from ...analysis.records import Status
from ...analysis.storages.storage import load_study
from ...designspace import Budget, NetSpec, complexity, sample
from ...designspace.constraints import fixed, limited
from ...designspace.scaling import scale, scaling_factors
from ...designspace.space_catalogue import find_space
from ..populations.settings import Settings
from ..populations.studies import add_architectures, add_seed_runs, create_population_study
from ..queue.counts import status
from ..queue.executors import Step, in_turn, run_workers
from ..queue.guards import Limits
from ..queue.tasks import DEFAULT_TRAINER, run_folder
from .ladder import FLOPS, Ladder, OnProgress, begin_ladder, draw

MAPS = "maps"
MAPS_SPACES = ("anynetx-c", "anynetx-d", "anynetx-e", "regnetx-dds")
MAPS_STRIDES = (1, 2, 2, 2)  # maps of 16, 8, 4, 2 pixels: the last stage sees more than one
# FMS: the fast compound scaling (without resolution, which the data fix), depth or width alone.
FORMS = ("d1_w8_g8", "d", "w")
FACTORS = np.geomspace(2, 16, 400)
BASES, SEEDS = 3, 5
BASE_FLOPS, BASE_DEPTH = (7.6e5, 8.4e5), (4, 6)
RATES = "rates"
LR, WEIGHT_DECAY = (2e-3, 0.5), (1e-5, 0.1)  # log-uniform
AUGMENTATION = "augmentation"
AUGMENTED_EPOCHS, AUGMENTED_SEEDS = 5, 3
LEVELS: tuple[dict[str, float], ...] = (
    {"area_factor": 1.0, "mixup_alpha": 0.0},
    {"area_factor": 0.8, "mixup_alpha": 0.1},
    {"area_factor": 0.6, "mixup_alpha": 0.3},
)
SIZES = {"small": (7.6e5, 8.4e5), "large": (5.7e6, 6.3e6)}  # multiply-adds of a RegNetX


def maps(n: int, seed: int = 0) -> Ladder:
    """Return the upper rungs of the ladder on maps of twice the side."""
    return Ladder(n, seed, name=MAPS, spaces=MAPS_SPACES, strides=MAPS_STRIDES)


def scaling_study(form: str) -> str:
    """Return the name of the study of a scaling."""
    return f"scaling/{form}"


def scaled(form: str, settings: Settings, seed: int = 0) -> list[NetSpec]:
    """Return small RegNetX scaled by a form to the ladder's multiply-adds, as near as it comes.

    The stem does not scale, and depths and widths are rounded: the factor is searched for.
    """
    low, high = BASE_DEPTH
    bases = sample(
        find_space("regnetx-dds")
        & fixed("bottleneck_ratio", 1)
        & limited("depth", low=low, high=high),
        BASES,
        budget=Budget(flops=BASE_FLOPS),
        rng=np.random.default_rng(seed),
        resolution=settings.resolution,
        classes=settings.classes,
    ).population
    return [_to_budget(bases.row(i), form, settings) for i in range(BASES)]


def _to_budget(spec: NetSpec, form: str, settings: Settings) -> NetSpec:
    found = [scale(spec, scaling_factors(form, float(factor))) for factor in FACTORS]
    units = {"resolution": settings.resolution, "channels": 3, "classes": settings.classes}
    return min(found, key=lambda one: abs(complexity(one, **units).flops - FLOPS))


def rates(n: int, seed: int = 0) -> list[tuple[float, float]]:
    """Return n pairs of learning rate and weight decay; a prefix of any larger number of them."""
    draws = np.random.default_rng(seed).random((n, 2))
    ranges = np.log([LR, WEIGHT_DECAY])
    pairs = np.exp(ranges[:, 0] + draws * (ranges[:, 1] - ranges[:, 0]))
    return [(float(f"{lr:.4g}"), float(f"{wd:.4g}")) for lr, wd in pairs]


def add_scaling(url: str, settings: Settings, seed: int = 0) -> list[str]:
    """Create the studies of the scalings, each network with all seeds; return their names."""
    names: list[str] = []
    for form in FORMS:
        study = create_population_study(
            url,
            scaling_study(form),
            scaled(form, settings, seed),
            settings,
            space=f"RegNetX scaled by {form}",
        )
        add_seed_runs(study, range(BASES), SEEDS - 1)
        names.append(study.study_name)
    return names


def add_rates(url: str, ladder: Ladder, settings: Settings, n: int) -> list[str]:
    """Create the study of one network at n rates and decays; return its name in a list."""
    network = draw(ladder, "regnetx-dds", settings).row(0)
    recipes = [
        {**settings.recipe, "lr": lr, "weight_decay": wd} for lr, wd in rates(n, ladder.seed)
    ]
    space = "RegNetX"
    study = create_population_study(
        url, RATES, [network], replace(settings, recipe=recipes[0]), space=space
    )
    for recipe in recipes[1:]:
        add_architectures(study, [network], replace(settings, recipe=recipe), space=space)
    return [RATES]


def add_augmentation(url: str, settings: Settings, seed: int = 0) -> list[str]:
    """Create a study of a small and a large RegNetX at levels of augmentation; their names."""
    names: list[str] = []
    for size, flops in SIZES.items():
        network = sample(
            find_space("regnetx-dds") & fixed("bottleneck_ratio", 1) & limited("depth", high=8),
            1,
            budget=Budget(flops=flops),
            rng=np.random.default_rng(seed),
            resolution=settings.resolution,
            classes=settings.classes,
        ).population.row(0)
        recipes = [{**settings.recipe, "epochs": AUGMENTED_EPOCHS, **level} for level in LEVELS]
        first = replace(settings, recipe=recipes[0])
        name, space = f"{AUGMENTATION}/{size}", f"RegNetX, {size}"
        study = create_population_study(url, name, [network], first, space=space)
        for recipe in recipes[1:]:
            add_architectures(study, [network], replace(settings, recipe=recipe), space=space)
        add_seed_runs(study, range(len(LEVELS)), AUGMENTED_SEEDS - 1)
        names.append(name)
    return names


def train_studies(
    url: str,
    names: list[str],
    ladder: Ladder,
    workers: int = 2,
    *,
    trainer: str = DEFAULT_TRAINER,
    on_progress: OnProgress | None = None,
    limits: Limits | None = None,
) -> bool:
    """Train what waits in studies, in order, then a ladder; False if not all is trained."""
    return run_workers(
        url,
        [*names, *ladder.studies],
        workers,
        step=in_turn([_nothing_waits(names, on_progress), begin_ladder(url, ladder, on_progress)]),
        folder=run_folder(url, "small-studies"),
        trainer=trainer,
        threads=ladder.settings().threads,
        limits=limits,
    )


def _nothing_waits(names: list[str], on_progress: OnProgress | None) -> Step:
    """Return the step of `run_workers` that is done when nothing of the studies waits or runs."""
    found: list[optuna.Study] = []

    def step(storage: BaseStorage) -> bool:
        if not found:
            found.extend(load_study(storage, name) for name in names)
        counts = Counter[str]()
        for study in found:
            counts.update(status(study))
        if on_progress is not None:
            on_progress("small studies", counts)
        return not counts[Status.WAITING] and not counts[Status.RUNNING]

    return step
