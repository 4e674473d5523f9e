"""``regnet-ds space``: the design spaces, how large they are, and all that is in them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from . import shared, space_show

app = typer.Typer(no_args_is_help=True, help="Design spaces: their sizes and all their networks.")
space_show.add(app)
Name = Annotated[
    str | None, typer.Argument(help="A design space, or a .yaml file of one; all if left out.")
]


@app.command("count")
def count(
    name: Name = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Print how many parameter settings the spaces have, beside the published numbers.

    Example: regnet-ds space count anynetx-e
    """
    from ..designspace.counting import sizes
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    shared.emit(sizes(name), format, out)


@app.command("enumerate")
def enumerate_(
    out: Annotated[Path, typer.Option(help="A folder; the same command goes on in it.")],
    name: Annotated[
        str, typer.Argument(help="A space of RegNets, or a .yaml file of one.")
    ] = "regnetx",
    workers: Annotated[int, typer.Option(min=1, help="Processes; they decide nothing else.")] = 2,
    resolution: shared.Resolution = 224,
    classes: shared.Classes = 1000,
    format: shared.OutputFormat = shared.Format.TABLE,
) -> None:
    """Find every network of a RegNet space: counts, counts by budget, and Pareto fronts.

    Writes summary.json, by_regime.csv, by_flops.csv, front_least.csv (fewest multiply-adds,
    parameters and activations), front_densest.csv (most multiply-adds for fewest parameters and
    activations) and tables.md. Ctrl-C keeps what is done.

    Example: regnet-ds space enumerate regnetx --out regnetx-all
    """
    from ..designspace.drawing.judging import Units
    from ..designspace.enumeration.folder import enumerate_space
    from ..designspace.enumeration.tables import by_regime, write_tables
    from ..designspace.space_catalogue import find_space

    space, units = find_space(name), Units(resolution, classes)
    began = time.monotonic()
    found = enumerate_space(space, out, units=units, workers=workers, progress=_progress())
    counts = write_tables(space, found, out, units)
    if format is shared.Format.TABLE:
        shared.print_table({"count": list(counts), name: [_grouped(v) for v in counts.values()]})
        print()
        shared.print_table(by_regime(found))
    else:
        shared.emit({key: [value] for key, value in counts.items()}, format, None)
    shared.note(f"wrote {out} in {time.monotonic() - began:.0f} s")


def _grouped(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)


def _progress() -> Callable[[int, int, int], None]:
    """Return a function that says how far the enumeration is: one line, renewed on a terminal."""
    terminal = sys.stderr.isatty()
    began = time.monotonic()

    def show(done: int, total: int, networks: int) -> None:
        seconds = int(time.monotonic() - began)
        line = f"chunk {done} of {total}: {networks:,} networks, {seconds // 60}:{seconds % 60:02d}"
        end = "\r" if terminal and done < total else "\n"
        print(f"{line:<60}" if terminal else line, end=end, file=sys.stderr, flush=True)

    return show


def register(app_: typer.Typer) -> None:
    """Mount the commands."""
    app_.add_typer(app, name="space")
