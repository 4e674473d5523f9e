"""What a study is made with, and opening one: the same settings, or a refusal that names why."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.storages import BaseStorage

from ...analysis.records import SCHEMA
from ...analysis.storages.storage import batch, exclusive, load_study
from ...designspace.atomic import as_file_name
from ..learning.fingerprint import environment
from ..learning.hardware import require_multiple
from ..queue.tasks import EVERY, FOLDER

if TYPE_CHECKING:
    from ..data.datasets import Dataset
    from ..data.sources.streams import StreamedDataset
    from ..recipes.recipe import Recipe

_log = logging.getLogger("regnet_ds")


@dataclass(frozen=True)
class Settings:
    """What the trials of a study share.

    Attributes
    ----------
    recipe
        The fields of the recipe (``Recipe.to_dict()``).
    data
        The data set's name; ``data_fingerprint`` tells another version of it.
    resolution, classes
        Of the data set: the units in which complexity is counted.
    seed
        Decides the architectures' training seeds.
    threads
        Of one training.
    hardware
        Fields of `Hardware` that are not the usual ones; none: one device of the best kind.
    """

    recipe: Mapping[str, Any]
    data: str
    resolution: int
    classes: int
    data_fingerprint: str = ""
    seed: int = 0
    threads: int = 1
    hardware: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("resolution", "classes", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.seed < 0:
            raise ValueError(f"seed must be at least 0, got {self.seed}")

    @classmethod
    def of(
        cls,
        data: Dataset | StreamedDataset,
        recipe: Recipe,
        *,
        seed: int = 0,
        threads: int = 1,
        hardware: Mapping[str, Any] | None = None,
    ) -> Settings:
        """Return the settings for a data set, with the recipe narrowed to what it allows."""
        height, width = data.image_size
        if height != width:
            raise ValueError(f"images of a study must be square, got {height} x {width}")
        require_multiple(recipe.batch_size, (hardware or {}).get("devices") or 1)
        return cls(
            recipe=recipe.narrowed(data.augmentations).to_dict(),
            data=data.name,
            resolution=height,
            classes=data.classes,
            data_fingerprint=data.fingerprint,
            seed=seed,
            threads=threads,
            hardware=hardware or {},
        )

    def attributes(self) -> dict[str, Any]:
        """Return the settings as they read back from a storage."""
        values = plain(asdict(self))
        if not values["hardware"]:  # as studies were before there was a choice
            del values["hardware"]
        return values


def keep_checkpoints(study: optuna.Study, place: str = "", seconds: float | None = None) -> None:
    """Say where and how often the trainings of a study are kept, for those that begin from now on.

    ``place`` is a folder or ``gs://...``, within which the study has one of its own; without it
    each is beside the storage's file, or in the folder in which the worker was started.
    """
    if place:
        study.set_user_attr(FOLDER, f"{place.rstrip('/')}/{as_file_name(study.study_name)}")
    if seconds is not None:
        study.set_user_attr(EVERY, seconds)


def trial_seed(seed: int, index: int, replicate: int = 0) -> int:
    """Return the training seed of a study's architecture, in [0, 2^31)."""
    key = (index, replicate) if replicate else (index,)
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1)[0] >> 1)


def open_study(
    storage: BaseStorage,
    name: str,
    attributes: Mapping[str, Any],
    *,
    force: bool | None = None,
    free: Sequence[str] = (),
) -> optuna.Study:
    """Create a study with these attributes, or return the one that has them.

    Those of ``free`` (``recipe.epochs``) may differ. ``force`` is None where it is no choice.

    Raises
    ------
    ValueError
        If there is one with other attributes, which are named, and not ``force``; or one of
        another kind.
    """
    if not name or name != name.strip():
        raise ValueError(f"a study needs a name without blanks at its ends, got {name!r}")
    with exclusive(storage):
        if all(study.study_name != name for study in storage.get_all_studies()):
            study = optuna.create_study(storage=storage, study_name=name, direction="minimize")
            values = {"schema": SCHEMA, **attributes}
            values["fingerprint"] = environment(attributes.get("threads", 1))
            with batch(storage):
                for key, value in values.items():
                    study.set_user_attr(key, value)
            return study
    study = load_study(storage, name)
    kind = study.user_attrs.get("kind")
    if kind != attributes["kind"]:
        raise ValueError(
            f"study {name!r} is of the kind {kind}, not {attributes['kind']}: choose another --name"
        )
    found = differences(study.user_attrs, attributes)
    differing = [words for words in found if words.partition(" is ")[0] not in free]
    if differing and not force:
        ways = "choose another --name"
        ways += "" if force is None else ", or --force to continue with these"
        raise ValueError(
            f"study {name!r} was made with other settings: {', '.join(differing)}; {ways}"
        )
    if differing:
        _log.warning("study %s continues with other settings: %s", name, ", ".join(differing))
    _warn_of_environment(study)
    return study


def differences(there: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Return in words which attributes differ, those of nested mappings as ``recipe.epochs``."""
    found: list[str] = []
    for key, value in wanted.items():
        old = there.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            missing = {k: None for k in old if k not in value}
            found += differences(old, {**value, **missing}, f"{prefix}{key}.")
        elif old != value:
            found.append(f"{prefix}{key} is {old!r}, not {value!r}")
    return found


def _warn_of_environment(study: optuna.Study) -> None:
    made = study.user_attrs.get("fingerprint", {})
    here = environment(study.user_attrs.get("threads", 1))
    changed = [f"{k} {made.get(k)} -> {here[k]}" for k in here if made.get(k) != here[k]]
    changed = [text for text in changed if not text.startswith("convolution")]
    if changed:
        _log.warning(
            "study %s was begun elsewhere (%s): weights need not be bit-identical",
            study.study_name,
            ", ".join(changed),
        )


def plain(value: Any) -> Any:
    """Return a value as it reads back from a storage: tuples as lists."""
    return json.loads(json.dumps(value))
