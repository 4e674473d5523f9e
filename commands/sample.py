"""``regnet-ds sample``: architectures of a design space within a budget, or several."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from . import shared

if TYPE_CHECKING:
    from ..designspace.budget import Budget
    from ..designspace.drawing.judging import Units
    from ..designspace.population import Population
    from ..designspace.sampling import Regime
    from ..designspace.spaces import DesignSpace

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
IN_MEMORY = 1_000_000  # networks; more go to a Parquet file part by part
SECONDS_BETWEEN_LINES = 5.0


def sample(
    flops: Annotated[
        str | None,
        typer.Option(
            "--flops", help="Multiply-adds: 4G (within tolerance), LO:HI, or several: 200M,4G."
        ),
    ] = None,
    params: shared.Params = None,
    acts: shared.Acts = None,
    tolerance: shared.Tolerance = "5%",
    latency: Annotated[
        str | None,
        typer.Option(help="Predicted on the calibrated device (doctor --calibrate): 5ms, LO:HI."),
    ] = None,
    space: Annotated[
        str, typer.Option(help="A published space, or a .yaml file of your own.")
    ] = "regnetx",
    block: shared.Block = None,
    stages: shared.Stages = None,
    bounds: shared.Bounds = False,
    n: Annotated[int, typer.Option("-n", "--number", min=1, help="How many a budget.")] = 10,
    resolution: shared.Resolution = 224,
    classes: shared.Classes = 1000,
    unique: Annotated[
        str, typer.Option(help="Drop equal: params (tuples), networks or none.")
    ] = "params",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of a long draw; by default one a core.")
    ] = None,
    seed: shared.Seed = 0,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Sample architectures within a budget, or as many within each of several.

    Example: regnet-ds sample --flops 4G -n 5

    Example: regnet-ds sample --space anynetx-e --flops 400M,1.6G --tolerance 1% --out nets.csv
    """
    from ..designspace.drawing.judging import Units
    from ..designspace.sampling import Regime
    from ..designspace.space_catalogue import find_space
    from ..designspace.tables.columns import require_suffix

    suffix = require_suffix(out) if out is not None else ""
    budgets: dict[str, Budget] = {}
    for text in (flops or "").split(","):
        budgets[text.strip()] = shared.read_budget(text.strip() or None, params, acts, tolerance)
    chosen = restricted(find_space(space), block, stages, bounds)
    regimes = [Regime(chosen, n, budget, unique) for budget in budgets.values()]
    if latency is not None:
        if len(budgets) > 1:
            raise ValueError("--latency takes one budget, not several regimes")
        within = latency, shared.read_tolerance(tolerance)
        budget = next(iter(budgets.values()))
        columns = _within_latency(chosen, n, within, budget, (resolution, classes), seed)
        shared.emit(columns, format, out, show=[*_shown(columns), "latency_ms"])
        return
    draw = _Draw(chosen, Units(resolution, classes), seed, workers or os.cpu_count() or 1)
    if n > IN_MEMORY:
        if suffix != ".parquet" or len(regimes) > 1:
            raise ValueError(
                f"{n:,} networks do not go to memory: name a file, --out nets.parquet, and one "
                f"budget (up to {IN_MEMORY:,} may go anywhere)"
            )
        draw.to_parquet(regimes[0], Path(str(out)))
    else:
        columns = draw.columns(regimes, list(budgets))
        shown = _shown(columns)
        shared.emit(columns, format, out, show=["regime", *shown] if len(regimes) > 1 else shown)
    for regime in regimes:
        draw.say(regime)


def _shown(columns: shared.Columns) -> list[str]:
    return [key for key in SHOW if any(cell is not None for cell in columns[key])]


def _within_latency(
    space: DesignSpace,
    n: int,
    latency: tuple[str, float],
    budget: Budget,
    units: tuple[int, int],
    seed: int,
) -> shared.Columns:
    """Return networks that the calibration of this device predicts within a time."""
    from ..designspace.latency import read_latency, read_latency_model, sample_latency

    limits = read_latency(*latency)
    model = read_latency_model()
    if units != (model.resolution, model.classes):
        raise ValueError(
            f"this device is calibrated at {model.resolution} px and {model.classes} classes, not "
            f"{units[0]} px and {units[1]}: calibrate with regnet-ds doctor --calibrate"
        )
    found, n_drawn = sample_latency(space, n, model, limits, budget=budget, seed=seed)
    shared.note(
        f"{n} of {space.name} with {budget.describe()}, predicted at {limits[0]:g} to "
        f"{limits[1]:g} ms a batch of {model.batch} on {model.device} (the prediction is within "
        f"{model.spread:.0%}), of {n_drawn:,} networks; seed {seed}"
    )
    names = [f"{space.name}-{seed}-{i}" for i in range(n)]
    return {"name": names, **found.columns()}


def restricted(
    space: DesignSpace, block: str | None, stages: str | None, bounds: bool
) -> DesignSpace:
    """Return a space with the block, the stages and the bounds of the options."""
    from ..designspace import constraints
    from ..designspace.spec import BLOCKS, require_choice

    if block is not None:
        require_choice("block", block.lower(), BLOCKS)
        space = space.with_block(block.lower())
    if stages is not None:
        try:
            low, _, high = stages.partition(":")
            ends = int(low), int(high or low)
        except ValueError:
            raise ValueError(f"stages must be a number or LO:HI, got {stages!r}") from None
        space = space & constraints.stages(*ends)
    return space & constraints.bounds() if bounds else space


class _Draw:
    """One call of the sampler, and what is said of it."""

    def __init__(self, space: DesignSpace, units: Units, seed: int, workers: int) -> None:
        self.space, self.units, self.seed, self.workers = space, units, seed, workers
        self._said = time.monotonic()

    def stream(self, regimes: list[Regime]) -> Iterator[tuple[int, Population]]:
        from ..designspace.sampling import stream

        rng = np.random.default_rng(self.seed)
        for i, part in stream(self.space, regimes, rng=rng, units=self.units, workers=self.workers):
            yield i, part
            self._progress(regimes)

    def _progress(self, regimes: list[Regime]) -> None:
        if time.monotonic() - self._said < SECONDS_BETWEEN_LINES:
            return
        self._said = time.monotonic()
        found, wanted = sum(r.found for r in regimes), sum(r.n for r in regimes)
        drawn = max(r.n_drawn for r in regimes)
        shared.note(f"{found:,} of {wanted:,} networks, from {drawn:,} candidates")

    def columns(self, regimes: list[Regime], names: list[str]) -> shared.Columns:
        """Return all networks as the columns of a table."""
        from ..designspace.population import concatenate

        parts: list[list[Population]] = [[] for _ in regimes]
        for i, part in self.stream(regimes):
            parts[i].append(part)
        several = len(regimes) > 1
        columns: shared.Columns = {"name": [], **({"regime": []} if several else {})}
        for name, part in zip(names, parts, strict=True):
            population = concatenate(part)
            stem = "-".join([self.space.name, *([name] if several else []), str(self.seed)])
            columns["name"] += [f"{stem}-{i}" for i in range(len(population))]
            if several:
                columns["regime"] += [name] * len(population)
            for key, cells in population.columns().items():
                columns.setdefault(key, []).extend(cells)
        return columns

    def to_parquet(self, regime: Regime, path: Path) -> None:
        """Write the networks of one regime as they are found."""
        from ..designspace.atomic import whole_file
        from ..designspace.tables.parquet_stream import write_population_parts

        parts = (part for _, part in self.stream([regime]))
        with whole_file(path) as temporary:
            n = write_population_parts(parts, temporary, f"{self.space.name}-{self.seed}")
        shared.note(f"wrote {n:,} rows to {path}")

    def say(self, regime: Regime) -> None:
        """Say what one regime took."""
        from ..designspace.sampling import describe_rejections

        shared.note(
            f"{regime.n} of {self.space.name} with {regime.budget.describe()} at "
            f"{self.units.resolution} px and {self.units.classes} classes, from "
            f"{regime.n_drawn:,} candidates (rejected: {describe_rejections(regime.rejected)}); "
            f"seed {self.seed}"
        )


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(sample)
