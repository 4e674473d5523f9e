"""An Optuna study as a table: one row a trial, one column a parameter or attribute.

The study is the only store that analysis reads; it is never written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from ..records import TABLE_COLUMNS, Status

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

# What Optuna knows of a trial; a status attribute refines a completed one (diverged).
_STATUS = {
    "COMPLETE": Status.COMPLETE,
    "PRUNED": Status.PRUNED,
    "FAIL": Status.FAILED,
    "RUNNING": Status.RUNNING,
    "WAITING": Status.WAITING,
}
# Attributes of a study that hold for each of its trials. Those of a trial with a colon in
# their name are the business of the claim loop.
_SHARED = ("schema", "space", "data", "resolution", "classes", "threads")


def read_study(url: str, study: str | None) -> pd.DataFrame:
    """Return the trials of a study in order of their number; see `table.load_table`."""
    found, trials = _trials(url, study)
    shared = {key: found.user_attrs[key] for key in _SHARED if key in found.user_attrs}
    rows = pd.DataFrame([_row(found.study_name, shared, trial) for trial in trials])
    known = [column for column in TABLE_COLUMNS if column in rows]
    others = [column for column in rows.columns if column not in TABLE_COLUMNS]
    return cast(pd.DataFrame, rows[[*known, *others]])


def read_curves(url: str, study: str | None) -> pd.DataFrame:
    """Return the error by epoch of every trial; see `table.learning_curves`."""
    _, trials = _trials(url, study)
    rows = [
        (trial.number, status_of(trial), epoch, error)
        for trial in trials
        for epoch, error in sorted(trial.intermediate_values.items())
    ]
    columns = dict(
        zip(("trial", "status", "epoch", "error"), zip(*rows, strict=True), strict=False)
    )
    return pd.DataFrame(columns, columns=pd.Index(["trial", "status", "epoch", "error"]))


def status_of(trial: FrozenTrial) -> str:
    """Return the status of a trial: that of Optuna, but for a diverged one."""
    status = _STATUS[trial.state.name]
    said = trial.user_attrs.get("status")
    diverged = status is Status.COMPLETE and said == Status.DIVERGED
    return str(Status.DIVERGED if diverged else status)


def _row(study: str, shared: dict[str, Any], trial: FrozenTrial) -> dict[str, Any]:
    own = {key: value for key, value in trial.user_attrs.items() if ":" not in key}
    return {
        **shared,
        **trial.params,
        **own,
        "study": study,
        "trial": trial.number,
        "status": status_of(trial),
        "error": trial.values[0] if trial.values else None,
    }


def _trials(url: str, study: str | None) -> tuple[Study, list[FrozenTrial]]:
    from ..storages.storage import load_study, open_storage

    found = load_study(open_storage(url, create=False), study)
    trials = found.get_trials(deepcopy=False)
    if not trials:
        raise ValueError(f"study {found.study_name!r} in {url} has no trials")
    return found, sorted(trials, key=lambda trial: trial.number)
