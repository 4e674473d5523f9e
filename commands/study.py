"""``regnet-ds study``: its commands, each in a module ``study_...``."""

from __future__ import annotations

import typer

from . import study_files, study_run, study_trials, study_worker

app = typer.Typer(no_args_is_help=True, help="Populations: train, continue, look.")
app.command("run")(study_run.run)
app.command("worker")(study_worker.worker)
app.command("status")(study_trials.show_status)
app.command("retry")(study_trials.retry)
app.command("export")(study_files.export)
app.command("copy")(study_files.copy)
app.command("merge")(study_files.merge)
app.command("import")(study_files.import_results)


def register(root: typer.Typer) -> None:
    """Mount the commands."""
    root.add_typer(app, name="study")
