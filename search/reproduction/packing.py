"""Trained populations of a storage as one small table, from which each can be trained again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from ...analysis.records import RECORD_KEYS
from ...analysis.storages.storage import load_study, open_storage
from ...analysis.tables.foreign import CURVE
from ...analysis.tables.readers import REPLICATE
from ...analysis.tables.table import to_columns
from ...analysis.tables.trials import status_of
from ...designspace.tables.columns import Columns
from ..queue.tasks import SETTINGS, TUNING
from ..queue.worker import ENVIRONMENTS

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

# Of a row beside the record keys: what it takes to train it again, and what came of it.
KEPT = (
    *("study", "space", "index", REPLICATE, "seed", "threads", "epochs", "data", "recipe"),
    *("status", "error", CURVE, "seconds", "images_per_second", "fingerprint", "environment"),
)


def pack(url: str, studies: Sequence[str]) -> Columns:
    """Return the finished trainings of studies, a row each, as columns to be written.

    Beside the record keys there are the columns `KEPT`: ``recipe`` and ``environment`` are JSON,
    ``curve`` the error after each epoch, ``seconds`` wall time on a machine shared with others.
    Columns that are empty everywhere are left out.

    Raises
    ------
    ValueError
        If there is no such study, or nothing in them has finished.
    """
    storage = open_storage(url, create=False)
    rows = [row for name in studies for row in _rows(load_study(storage, name))]
    if not rows:
        raise ValueError(f"nothing has finished in {', '.join(studies)} of {url}")
    table = pd.DataFrame(rows)
    return to_columns(table.loc[:, table.notna().any()])


def _rows(study: Study) -> list[dict[str, Any]]:
    trials = sorted(study.get_trials(deepcopy=False), key=_place)
    return [_row(study, trial) for trial in trials if trial.values]


def _place(trial: FrozenTrial) -> tuple[int, int]:
    return trial.user_attrs["index"], trial.user_attrs.get(REPLICATE, 0)


def _row(study: Study, trial: FrozenTrial) -> dict[str, Any]:
    shared, own = study.user_attrs, trial.user_attrs
    settings = {**shared, **own.get(SETTINGS, {})}
    recipe = dict(settings["recipe"])
    if settings["kind"] == TUNING:
        recipe |= trial.params
    environment = shared.get(ENVIRONMENTS, {}).get(own.get("fingerprint"), {})
    return {
        **{key: own.get(key, shared.get(key)) for key in (*RECORD_KEYS, *KEPT)},
        "study": study.study_name,
        "recipe": json.dumps(recipe, sort_keys=True),
        "environment": json.dumps(environment, sort_keys=True),
        "status": status_of(trial),
        "error": trial.values[0],
        CURVE: [trial.intermediate_values[e] for e in sorted(trial.intermediate_values)],
    }
