"""``regnet-ds explain``: the widths of a RegNet, from the line to the network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from . import shared


def explain(
    what: Annotated[
        list[str],
        typer.Argument(help="A RegNet's name, or parameters as key=value.", show_default=False),
    ],
    figure: Annotated[
        Path | None, typer.Option("--figure", help="Draw to a file: .png, .svg or .pdf.")
    ] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Show the width of every block: on the line, quantised, and adjusted to the groups.

    line: u = w0 + wa block. level: round(log(u / w0) / log(wm)). step: w0 wm^level. quantised: the
    step rounded to a multiple of 8. adjusted: what the group width divides.

    Example: regnet-ds explain RegNetX-4.0GF --figure widths.png

    Example: regnet-ds explain depth=13 w0=24 wa=36.44 wm=2.49 group_width=8
    """
    from ..designspace.catalogue import canonical, canonical_name
    from ..designspace.tables.columns import require_suffix
    from ..designspace.widths.explaining import explain as explained
    from .describe import read_parameters

    if out is not None:
        require_suffix(out)
    if figure is not None:
        from ..analysis.style import check_picture

        check_picture(figure)
    if len(what) == 1 and "=" not in what[0]:
        name = canonical_name(what[0])
        spec = canonical(name)
    else:
        name, spec = "", read_parameters(what)
    record = explained(spec)
    if out is not None:  # before the figure: what cannot be written leaves nothing behind
        shared.emit(record.columns(), format, out)
    if figure is not None:
        from ..analysis.figures.explanation import widths_figure
        from ..analysis.style import save_figure

        save_figure(widths_figure(record, name), figure)
        shared.note(f"wrote {figure}")
    if out is not None:
        return
    if format is shared.Format.TABLE:
        shared.print_table(record.columns(), max_rows=record.line.size)  # every block
    else:
        shared.emit(record.columns(), format, None)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(explain)
