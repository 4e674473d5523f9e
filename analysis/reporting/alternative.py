"""What a drawing shows, in words for those who do not see it: axes, panels and legend."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..metrics import plain

_COLORBAR = "<colorbar>"
_MOST = 8  # names that are listed


def describe(figure: Figure) -> str:
    """Return the axes, panels and legend of a figure in a sentence or two."""
    panels = [one for one in figure.axes if one.axison and one.get_label() != _COLORBAR]
    across = _distinct(one.get_xlabel() for one in panels)
    up = _distinct(one.get_ylabel() for one in panels)
    head = "Chart" if len(panels) == 1 else f"{len(panels)} charts"
    if up:
        parts = [f"{head} of {_listed(up)} against {_listed(across or _ticks(panels[0], 'x'))}."]
    else:
        of = across or _distinct(one.get_title() for one in panels)
        parts = [f"{head} of {_listed(of)}, for {_listed(_ticks(panels[0], 'y'))}."]
    scales = _distinct(one.get_ylabel() for one in figure.axes if one.get_label() == _COLORBAR)
    if scales:
        parts.append(f"Colours: {_listed(scales)}.")
    legends = [*(one.get_legend() for one in panels[:1]), *figure.legends]
    shown = _distinct(text.get_text() for one in legends if one for text in one.get_texts())
    if shown:
        parts.append(f"Shown: {_listed(shown)}.")
    return " ".join(parts)


def _ticks(axes: Axes, which: Literal["x", "y"]) -> list[str]:
    labels = axes.get_xticklabels() if which == "x" else axes.get_yticklabels()
    return _distinct(label.get_text() for label in labels)


def _distinct(labels: Iterable[str]) -> list[str]:
    return [*dict.fromkeys(plain(label) for label in labels if label.strip())]


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _MOST} more" if len(names) > _MOST else ""
    return f"{', '.join(names[:_MOST])}{more}"
