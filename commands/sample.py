"""``regnet-ds sample``: architectures of a design space within a budget."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import typer

from . import shared

SHOW = (
    "depth",
    "w0",
    "wa",
    "wm",
    "group_width",
    "stage_widths",
    "stage_depths",
    "flops",
    "params",
    "acts",
)


def sample(
    flops: shared.Flops = None,
    params: shared.Params = None,
    acts: shared.Acts = None,
    tolerance: shared.Tolerance = "5%",
    space: Annotated[str, typer.Option(help="The design space.")] = "regnetx",
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many.")] = 10,
    resolution: shared.Resolution = 224,
    classes: shared.Classes = 1000,
    unique: Annotated[
        str, typer.Option(help="Drop equal: params (tuples), networks or none.")
    ] = "params",
    seed: shared.Seed = 0,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Sample architectures within a budget.

    Example: regnet-ds sample --flops 4G -n 5
    """
    from ..designspace.columns import require_suffix
    from ..designspace.sampling import sample as draw
    from ..designspace.spaces import find_space

    if out is not None:
        require_suffix(out)
    budget = shared.read_budget(flops, params, acts, tolerance)
    drawn = draw(
        find_space(space),
        n,
        budget=budget,
        rng=np.random.default_rng(seed),
        resolution=resolution,
        classes=classes,
        unique=unique,
    )
    population = drawn.population
    names = np.array([f"{space}-{seed}-{i}" for i in range(n)])
    columns = {"name": names.tolist(), **population.columns()}
    shared.emit(columns, format, out, show=SHOW)
    shared.note(
        f"{n} of {space} with {budget.describe()} at {resolution} px and {classes} classes, from "
        f"{drawn.n_drawn:,} candidates (rejected: {drawn.describe_rejections()}); seed {seed}"
    )


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(sample)
