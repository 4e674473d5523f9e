"""``regnet-ds train``: one network on one data set, in a folder of its own, without losing work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import shared
from .training_options import STORAGE, Epochs, Fields, Resolution, SkipDamaged, TrialStorage

What = Annotated[
    list[str] | None,
    typer.Argument(
        help="A model's name, parameters as key=value, or STUDY#17.", show_default=False
    ),
]
RUNS = Path("runs")


def train(
    what: What = None,
    data: Annotated[
        str | None, typer.Option(help="A name, a folder, gs://...; digits, or the study's.")
    ] = None,
    recipe: Annotated[
        str | None, typer.Option(help="short, paper, post, or .yaml; short, or the trial's.")
    ] = None,
    epochs: Epochs = None,
    fields: Fields = None,
    resolution: Resolution = None,
    weights: Annotated[
        Path | None, typer.Option(help="Begin with these: .keras, .h5, .safetensors, .pth.")
    ] = None,
    freeze_until: Annotated[
        str | None, typer.Option(help="The first part that learns: s2, s3, s4 or head.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Decides every random draw; 0, or the trial's.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, help="TensorFlow's threads.")] = 1,
    accelerator: Annotated[str, typer.Option(help="auto, cpu, gpu or tpu.")] = "auto",
    devices: Annotated[int, typer.Option(min=0, help="How many of them; 0 is all.")] = 0,
    precision: Annotated[str, typer.Option(help="float32 or bfloat16.")] = "float32",
    xla: Annotated[
        bool | None, typer.Option("--xla/--no-xla", help="Compile steps; else by their number.")
    ] = None,
    steps_per_execution: Annotated[
        int, typer.Option(min=1, help="Steps of one call of the device.")
    ] = 1,
    out: Annotated[Path, typer.Option(help="Folder of the runs.")] = RUNS,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run of this folder, as it was begun.")
    ] = None,
    checkpoint_seconds: Annotated[
        float, typer.Option(min=0, callback=shared.finite, help="Between checkpoints.")
    ] = 300.0,
    halve_batch: Annotated[
        bool, typer.Option("--halve-batch", help="Where memory ends, halve batch and rate.")
    ] = False,
    hook: Annotated[
        str | None, typer.Option(help="Follow the run: wandb, mlflow or module:name.")
    ] = None,
    skip_damaged: SkipDamaged = False,
    storage: TrialStorage = STORAGE,
) -> None:
    """Train one network; its folder holds recipe, history, checkpoint, model and metrics.

    SIGTERM and Ctrl-C leave a checkpoint; --resume goes on to the same end.

    Example: regnet-ds train depth=8 w0=16 wa=16 wm=2 group_width=8 --data digits --epochs 5

    STUDY#17 is trained as the study's trial was, but for what other options say.

    Example: regnet-ds train population#17 --epochs 100 --storage regnet-ds.journal

    Example: regnet-ds train --resume runs/2026-11-26_10h00m00s_regnetx
    """
    from .training_run import Wanted, begin, go_on, trained_as

    if resume is not None:
        if what:
            raise ValueError(f"--resume goes on as it was begun: leave out {' '.join(what)}")
        go_on(resume, checkpoint_seconds, halve_batch, hook)
        return
    if not what:
        raise ValueError("name a model, or a run to --resume")
    is_trial = len(what) == 1 and "#" in what[0]
    trial = trained_as(storage, what[0]) if is_trial else None
    wanted = Wanted(
        what=tuple(what),
        data=data or (trial.data if trial else "digits"),
        recipe=recipe or ("" if trial else "short"),
        epochs=epochs,
        fields=tuple(fields or ()),
        resolution=resolution or (trial.resolution if trial and data is None else None),
        weights=weights,
        freeze_until=freeze_until,
        seed=seed if seed is not None else (trial.seed if trial else 0),
        threads=threads,
        accelerator=accelerator,
        skip_damaged=skip_damaged,
        devices=devices,
        precision=precision,
        xla=xla,
        steps_per_execution=steps_per_execution,
    )
    begin(wanted, out, checkpoint_seconds, halve_batch, hook, trial)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(train)
