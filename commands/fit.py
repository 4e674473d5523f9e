"""``regnet-ds fit``: how far widths are from a quantised line (DDS section 3.3)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared

if TYPE_CHECKING:
    from ..designspace.widths.fitting import Fit

SHOW = ("depth", "stage_widths", "e_fit", "fit_w0", "fit_wa", "fit_wm", "e_line")
SHOW_ONE = ("widths", "fit", "error", "w0", "wa", "wm")


def fit(
    what: Annotated[
        str,
        typer.Argument(
            help="Widths of all blocks (24,56,56,152 or 256x3,512x4), a model's name, or a file "
            "with a row a network.",
            show_default=False,
        ),
    ],
    rounded: Annotated[
        bool, typer.Option("--rounded", help="Of a file: widths rounded to 8, as in a RegNet.")
    ] = False,
    wm: Annotated[str, typer.Option("--wm", help="The range of wm, as LO:HI.")] = "1.5:3",
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Fit a line and a quantised line to the widths of a network's blocks, or of many.

    The error (e_fit) is the mean of |log(fitted / observed)|: 0.05 is about 5%. Of a file, the
    columns e_fit, fit_w0, fit_wa, fit_wm and e_line are added. Models: the 24 RegNets, resnet-50,
    efficientnet-b0.

    Example: regnet-ds fit 256x3,512x4,1024x6,2048x3

    Example: regnet-ds fit population.csv --out fitted.csv
    """
    from ..designspace.tables.columns import SUFFIXES, require_suffix

    if out is not None:
        require_suffix(out)
    wm_range = _read_range(wm)
    path = Path(what)
    if path.suffix.lower() in (*SUFFIXES, ".yml") or path.is_file():
        _fit_file(path, rounded, wm_range, format, out)
        return
    if rounded:
        raise ValueError("--rounded belongs to a file: of one network all fits are printed")
    rows: list[dict[str, Any]] = []
    for label, widths in _width_lists(what).items():
        rows += _fits(label, widths, wm_range)
    shared.emit({key: [row[key] for row in rows] for key in rows[0]}, format, out, SHOW_ONE)


def _fits(label: str, widths: Sequence[float], wm_range: tuple[float, float]) -> list[Any]:
    from ..designspace.widths.fitting import fit_line, fit_quantised

    fits: dict[str, Fit] = {
        "line": fit_line(widths),
        "quantised": fit_quantised(widths, wm_range=wm_range),
        "rounded": fit_quantised(widths, rounded=True, wm_range=wm_range),
    }
    return [
        {
            "widths": label,
            "fit": kind,
            "error": found.error,
            "w0": found.w0,
            "wa": found.wa,
            "wm": found.wm,
            "observed": tuple(widths),
            "fitted": found.widths,
        }
        for kind, found in fits.items()
    ]


def _width_lists(what: str) -> dict[str, Sequence[float]]:
    """Return the widths to fit, by label: as given, or those of a model by name."""
    from ..designspace.linear import quantise
    from ..designspace.widths.efficientnet import EfficientNet
    from ..designspace.widths.landmarks import block_widths_of, find_network

    if "," in what or what[:1].isdigit():
        return {"given": _read_widths(what)}
    name, net = find_network(what)
    if isinstance(net, EfficientNet) or net.parameters is None:
        return {name: block_widths_of(net)}
    return {
        f"{name}, quantised": quantise(net.parameters),
        f"{name}, adjusted": block_widths_of(net),
    }


def _read_widths(text: str) -> list[float]:
    from ..designspace.linear import MAX_DEPTH

    widths: list[float] = []
    for part in text.split(","):
        width, times, count = part.strip().lower().partition("x")
        try:
            value, repeats = float(width), int(count) if times else 1
        except ValueError:
            raise ValueError(
                f"cannot read the width {part.strip()!r}: write 24,56,56 or 24x1,56x2"
            ) from None
        if not 1 <= repeats <= MAX_DEPTH - len(widths):
            raise ValueError(f"a network has 1 to {MAX_DEPTH} blocks, got {part.strip()!r}")
        widths += [value] * repeats
    return widths


def _read_range(text: str) -> tuple[float, float]:
    low, colon, high = text.partition(":")
    try:
        return float(low), float(high if colon else low)
    except ValueError:
        raise ValueError(f"cannot read the range of wm {text!r}: write 1.5:3") from None


def _fit_file(
    path: Path,
    rounded: bool,
    wm_range: tuple[float, float],
    format: shared.Format,
    out: Path | None,
) -> None:
    import numpy as np

    from ..designspace.tables.reading import read_population
    from ..designspace.widths.fitting import block_widths, fit_line_batch, fit_quantised_batch

    population = read_population(path)
    few = np.flatnonzero(population.depth < 2)
    if len(few):
        raise ValueError(f"{path}, row {few[0] + 1}: a fit needs at least 2 blocks, got 1")
    widths = block_widths(population)
    found = fit_quantised_batch(widths, rounded=rounded, wm_range=wm_range)
    population = population.with_extra(
        e_fit=found.error,
        fit_w0=found.w0,
        fit_wa=found.wa,
        fit_wm=found.wm,
        e_line=fit_line_batch(widths).error,
    )
    columns = population.columns()
    show = ("name", *SHOW) if "name" in columns else SHOW
    shared.emit(columns, format, out, show=show)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(fit)
