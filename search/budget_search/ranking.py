"""What a search found: its networks in order, and the winner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import RECORD_KEYS
from ..data.sources import places
from ..queue.claims import trials_in
from ..queue.tasks import SEARCH, task_of
from .finals import final_errors
from .rungs import FINAL, RUNG, SHORT, error_at_rung, of_phase


@dataclass(frozen=True)
class Winner:
    """The network of the lowest mean error in the finals.

    ``trial`` is its training of the lowest validation error, ``model`` the trained network's
    file, or "" where there is none.
    """

    index: int
    trial: FrozenTrial
    errors: tuple[float, ...]
    model: str


def ranking(study: optuna.Study) -> list[dict[str, Any]]:
    """Return a row a network, the best first: finalists, then those that came furthest.

    ``error`` is the validation error after ``epochs`` (percent; of finalists the mean over
    ``seeds``, ``spread`` its standard deviation), ``trial`` the first training of that length.

    Raises
    ------
    ValueError
        If the study is not a search.
    """
    if study.user_attrs.get("kind") != SEARCH:
        raise ValueError(f"study {study.study_name!r} is not a search")
    trials = trials_in(study, *TrialState)
    errors = final_errors(trials)
    rows: dict[int, dict[str, Any]] = {}
    for trial in of_phase(trials, SHORT):
        index, error = trial.user_attrs["index"], error_at_rung(trial)
        if error is not None or index not in rows:
            rows[index] = _row(trial, trial.user_attrs[RUNG], error)
    for trial in of_phase(trials, FINAL):
        index = trial.user_attrs["index"]
        if errors[index] and not rows[index]["final"]:
            rows[index] = _row(trial, trial.user_attrs["epochs"], fmean(errors[index]))
            rows[index] |= {"final": True, "seeds": len(errors[index])}
            spread = stdev(errors[index]) if len(errors[index]) > 1 else None
            rows[index]["spread"] = spread
    ordered = sorted(rows.values(), key=_order)
    return [{"rank": rank, **row} for rank, row in enumerate(ordered, start=1)]


def _row(trial: FrozenTrial, epochs: int, error: float | None) -> dict[str, Any]:
    return {
        "index": trial.user_attrs["index"],
        "trial": trial.number,
        "final": False,
        "epochs": epochs,
        "error": error,
        "spread": None,
        "seeds": 1 if error is not None else 0,
        **{key: _cell(trial.user_attrs.get(key)) for key in RECORD_KEYS},
    }


def _cell(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    missing = row["error"] is None
    return not row["final"], missing, -row["epochs"], row["error"] or 0.0, row["index"]


def winner(study: optuna.Study) -> Winner | None:
    """Return the network of the lowest mean error in the finals; None before there is one."""
    trials = trials_in(study, *TrialState)
    errors = {index: found for index, found in final_errors(trials).items() if found}
    if not errors:
        return None
    index = min(errors, key=lambda i: (fmean(errors[i]), i))
    best = _best_training(of_phase(trials, FINAL), index)
    model = task_of(study.user_attrs, best).model
    there = model if model and places.exists(model) else ""
    return Winner(index, best, tuple(errors[index]), there)


def _best_training(finals: Sequence[FrozenTrial], index: int) -> FrozenTrial:
    done = [t for t in finals if t.user_attrs["index"] == index and error_at_rung(t) is not None]
    return min(done, key=lambda trial: (trial.values[0], trial.number))
