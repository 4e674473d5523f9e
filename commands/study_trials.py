"""``regnet-ds study status`` and ``retry``: the trials of studies, and failed ones again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared
from .training_options import STORAGE, Storage, quiet_optuna, shown_storage

if TYPE_CHECKING:
    import optuna

SHOW = (
    "study",
    "space",
    "data",
    "complete",
    "diverged",
    "failed",
    "running",
    "waiting",
    "median_error",
    "best_error",
    "best_trial",
)


def show_status(
    storage: Storage = STORAGE,
    name: Annotated[str | None, typer.Option(help="One study; all if left out.")] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Show the studies of a storage: trials by status, and the best of each.

    Example: regnet-ds study status --storage regnet-ds.journal
    """
    from ..analysis.storages.storage import load_study, open_storage
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    opened = open_storage(storage, create=False)
    names = [study.study_name for study in opened.get_all_studies()]
    chosen = [name] if name is not None or not names else names
    shared.emit(summary([load_study(opened, one) for one in chosen]), format, out, show=SHOW)


def summary(studies: list[optuna.Study]) -> dict[str, list[Any]]:
    """Return one row a study: its settings, trials by status, median and best error."""
    rows = [_summary(study) for study in studies]
    return {key: [row[key] for row in rows] for key in rows[0]}


def _summary(study: optuna.Study) -> dict[str, Any]:
    from statistics import median

    from ..search.queue.counts import status

    attrs = study.user_attrs
    done = [
        (trial.values[0], trial.number)
        for trial in study.get_trials(deepcopy=False)
        if trial.values and trial.user_attrs.get("status") == "complete"
    ]
    best = min(done, default=(None, None))
    return {
        "study": study.study_name,
        "kind": attrs.get("kind"),
        "space": attrs.get("space", attrs.get("model")),
        "budget": attrs.get("budget"),
        "data": attrs.get("data"),
        "seed": attrs.get("seed"),
        "epochs": attrs.get("recipe", {}).get("epochs"),
        **status(study),
        "median_error": median(error for error, _ in done) if done else None,
        "best_error": best[0],
        "best_trial": best[1],
    }


def retry(
    trial: Annotated[
        list[int] | None, typer.Option(help="The number of a failed trial; all if left out.")
    ] = None,
    storage: Storage = STORAGE,
    name: Annotated[str | None, typer.Option(help="The study, where there are several.")] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Let failed trials wait again, as new trials of the same index and seed; show why they failed.

    Train them with: regnet-ds study worker --storage STORAGE

    Example: regnet-ds study retry --storage regnet-ds.journal --name population
    """
    from ..analysis.storages.storage import load_study, open_storage, require_writable
    from ..designspace.tables.columns import require_suffix
    from ..search.queue.retries import retry_failed
    from ..search.queue.worker import TRACEBACK

    if out is not None:
        require_suffix(out)
    quiet_optuna()
    opened = open_storage(storage, create=False)
    require_writable(opened, storage)
    study = load_study(opened, name)
    chosen = set(retry_failed(study, trial))
    shared.note(f"{len(chosen)} of study {study.study_name} in {shown_storage(storage)} wait again")
    if chosen:
        failed = [t for t in study.get_trials(deepcopy=False) if t.number in chosen]
        columns: dict[str, list[Any]] = {
            "trial": [t.number for t in failed],
            "index": [t.user_attrs.get("index") for t in failed],
            "attempts": [t.user_attrs.get("attempts") for t in failed],
            "reason": [t.user_attrs.get("reason") for t in failed],
            "traceback": [t.user_attrs.get(TRACEBACK) for t in failed],
        }
        shared.emit(columns, format, out)
