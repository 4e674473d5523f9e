"""Studies from one storage to another, results of two studies in one, and tables as studies."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState, create_trial

from ...analysis.records import PRIVATE, RECORD_KEYS, SCHEMA, Status
from ...analysis.storages.storage import add_trials, batch, exclusive
from ..queue.claims import trials_in
from ..queue.leases import OWNER
from ..queue.tasks import SETTINGS
from .architectures import REPLICATE, parameter_ranges
from .settings import differences, plain

if TYPE_CHECKING:
    import pandas as pd

IMPORTED = "imported"  # the kind of a study whose trials were trained elsewhere
PART = 500  # trials that are written at a time
_OWN = ("fingerprint", PRIVATE + "environments", PRIVATE + "lease")
_RESULTS = ("seed", "epochs", "test_error", "best_epoch", "seconds", "images_per_second", "index")


def require_storable(study: optuna.Study) -> None:
    """Raise ValueError, which names the trial, if a storage holds what Optuna would not take."""
    for trial in study.get_trials(deepcopy=False):
        try:
            trial._validate()
        except ValueError as error:
            name = f"{study.study_name}#{trial.number}"
            raise ValueError(f"the trial {name} is damaged: {error}") from error


def copy_study(study: optuna.Study, target: BaseStorage, name: str) -> optuna.Study:
    """Copy a study with all its trials; what runs waits in the copy.

    Raises
    ------
    ValueError
        If the target has a study of this name.
    """
    trials = [_copied(trial) for trial in trials_in(study, *TrialState)]
    made = _new_study(target, name, study.user_attrs)
    _add(made, trials)
    return made


@dataclass
class Merged:
    """What became of the finished trials of one study in another."""

    filled: int = 0
    added: int = 0
    there: int = 0


def merge_study(study: optuna.Study, target: optuna.Study) -> Merged:
    """Bring the results of a study into another of the same settings.

    A trial is the same if its architecture's index, seed, replicate and own settings are: where
    it waits in the target it is finished there, where it is finished already it is left alone.

    Raises
    ------
    ValueError
        If the settings differ, or an architecture is another one.
    """
    wanted = {k: v for k, v in study.user_attrs.items() if k not in _OWN}
    differing = differences(target.user_attrs, wanted)
    if differing:
        raise ValueError(f"the studies were made with other settings: {', '.join(differing)}")
    merged = Merged()
    with exclusive(target._storage):
        there = {_key(t): t for t in sorted(trials_in(target, *TrialState), key=_is_failed)}
        new: list[FrozenTrial] = []
        for trial in trials_in(study, TrialState.COMPLETE):
            known = there.get(_key(trial))
            if known is None:
                new.append(_copied(trial))
                merged.added += 1
                continue
            _require_same(known, trial)
            if known.state == TrialState.WAITING:
                _fill(target, known, trial)
                merged.filled += 1
            else:
                merged.there += 1
        _add(target, new)
    return merged


def import_table(table: pd.DataFrame, storage: BaseStorage, name: str, source: str) -> optuna.Study:
    """Store a table of results that were trained elsewhere as a study, to be analysed only.

    Rows without an error are failed trials. What is not known of a row is left out.

    Raises
    ------
    ValueError
        If the storage has a study of this name.
    """
    rows = [
        {str(k): plain(_native(v)) for k, v in row.items() if not _is_missing(v)}
        for row in table.to_dict("records")
    ]
    ranges = parameter_ranges(rows)
    trials = [_imported(i, row, ranges) for i, row in enumerate(rows)]
    shared = {
        key: rows[0][key]
        for key in ("space", "data", "resolution", "classes")
        if key in rows[0] and all(row.get(key) == rows[0][key] for row in rows)
    }
    made = _new_study(storage, name, {"kind": IMPORTED, "source": source, **shared})
    _add(made, trials)
    return made


def _new_study(storage: BaseStorage, name: str, attributes: Mapping[str, Any]) -> optuna.Study:
    with exclusive(storage):
        if any(study.study_name == name for study in storage.get_all_studies()):
            raise ValueError(f"there is a study {name!r} already: choose another name")
        made = optuna.create_study(storage=storage, study_name=name, direction="minimize")
        with batch(storage):
            for key, value in {"schema": SCHEMA, **attributes}.items():
                made.set_user_attr(key, value)
    return made


def _add(study: optuna.Study, trials: list[FrozenTrial]) -> None:
    for start in range(0, len(trials), PART):
        add_trials(study, trials[start : start + PART])


def _copied(trial: FrozenTrial) -> FrozenTrial:
    if trial.state != TrialState.RUNNING:
        return copy.copy(trial)
    kept = {k: v for k, v in trial.user_attrs.items() if k != OWNER}
    return create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=kept,
    )


def _key(trial: FrozenTrial) -> tuple[Any, ...]:
    attrs = trial.user_attrs
    own = repr(sorted(attrs.get(SETTINGS, {}).items()))
    return attrs.get("index"), attrs.get("seed"), attrs.get(REPLICATE, 0), own


def _is_failed(trial: FrozenTrial) -> bool:
    return trial.state != TrialState.FAIL  # failed ones first: what stands for them counts


def _require_same(known: FrozenTrial, trial: FrozenTrial) -> None:
    for key in ("stage_widths", "stage_depths", "block"):
        if known.user_attrs.get(key) != trial.user_attrs.get(key):
            raise ValueError(
                f"architecture {trial.user_attrs.get('index')} has {key} "
                f"{trial.user_attrs.get(key)}, in the target {known.user_attrs.get(key)}"
            )


def _fill(study: optuna.Study, known: FrozenTrial, trial: FrozenTrial) -> None:
    storage, number = study._storage, known._trial_id
    storage.set_trial_state_values(number, TrialState.RUNNING)
    with batch(storage):
        for key, value in trial.user_attrs.items():
            if known.user_attrs.get(key) != value:
                storage.set_trial_user_attr(number, key, value)
        for step, value in trial.intermediate_values.items():
            storage.set_trial_intermediate_value(number, step, value)
        storage.set_trial_state_values(number, TrialState.COMPLETE, trial.values)


def _imported(i: int, row: Mapping[str, Any], ranges: Mapping[str, Any]) -> FrozenTrial:
    error, status = row.get("error"), row.get("status", Status.COMPLETE)
    finished = error is not None and status in (Status.COMPLETE, Status.DIVERGED)
    params = {key: row[key] for key in ranges if key in row}
    known = {*RECORD_KEYS, *_RESULTS, "space", "worker", "reason", "name"}
    attributes = {"index": i, **{key: row[key] for key in row if key in known}}
    return create_trial(
        state=TrialState.COMPLETE if finished else TrialState.FAIL,
        value=float(error) if finished and error is not None else None,
        params=params,
        distributions={key: ranges[key] for key in params},
        user_attrs={**attributes, "status": str(status if finished else Status.FAILED)},
    )


def _native(cell: Any) -> Any:
    if isinstance(cell, tuple | list):
        return [_native(item) for item in cell]
    return cell.item() if hasattr(cell, "item") else cell


def _is_missing(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and cell != cell)
