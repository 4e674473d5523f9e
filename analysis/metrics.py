"""What can stand on an axis: name -> column, label with unit, scale.

A metric is a row of one table (pycls ``sweep/analysis.py``); every plot reads it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..designspace.arrays import Floats

Scale = Literal["linear", "log"]
# A complexity that spans this factor is drawn on a logarithmic axis.
_WIDE = 20
_FORMULA = re.compile(r"\$([^$]*)\$")
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Metric:
    """A column of a table of results and how it is drawn.

    Attributes
    ----------
    column : str
        The column of the table.
    label : str
        The words on the axis; symbols as in DDS.
    unit : str
        The unit of the column itself, or "".
    scale : {"linear", "log"}
        The axis.
    prefixed : bool
        Whether large values are shown in k, M or G.
    """

    column: str
    label: str
    unit: str = ""
    scale: Scale = "linear"
    prefixed: bool = False


METRICS: dict[str, Metric] = {
    "error": Metric("error", "validation error", "%"),
    "test_error": Metric("test_error", "test error", "%"),
    "depth": Metric("depth", "depth $d$", "blocks"),
    "w0": Metric("w0", "initial width $w_0$", "channels"),
    "wa": Metric("wa", "slope $w_a$", "channels per block"),
    "wm": Metric("wm", "quantisation $w_m$"),
    "group_width": Metric("group_width", "group width $g$", "channels"),
    "bottleneck_ratio": Metric("bottleneck_ratio", "bottleneck ratio $b$"),
    "se_ratio": Metric("se_ratio", "squeeze-and-excitation ratio"),
    "stem_width": Metric("stem_width", "stem width", "channels"),
    "resolution": Metric("resolution", "resolution", "px"),
    "flops": Metric("flops", "flops", "multiply-adds", prefixed=True),
    "params": Metric("params", "parameters", prefixed=True),
    "acts": Metric("acts", "activations", prefixed=True),
    "lr": Metric("lr", "learning rate", scale="log"),
    "weight_decay": Metric("weight_decay", "weight decay", scale="log"),
    "momentum": Metric("momentum", "momentum"),
    "label_smoothing": Metric("label_smoothing", "label smoothing"),
    "mixup_alpha": Metric("mixup_alpha", "mixup alpha"),
    "batch_size": Metric("batch_size", "batch size", "images"),
    "warmup_epochs": Metric("warmup_epochs", "warm-up", "epochs"),
    "epochs": Metric("epochs", "epochs trained"),
    "seconds": Metric("seconds", "training time", "s"),
    "images_per_second": Metric("images_per_second", "training speed", "images / s"),
}


@dataclass(frozen=True)
class Axis:
    """A label with its unit, a scale, and the number that shown values are divided by.

    ``whole`` says that all of them are integers, so that ticks are, too.
    """

    label: str
    scale: Scale = "linear"
    divisor: float = 1.0
    whole: bool = False


def metric(name: str) -> Metric:
    """Return the metric of a name.

    Raises
    ------
    ValueError
        If there is none; the nearest is named.
    """
    if name in METRICS:
        return METRICS[name]
    raise ValueError(f"unknown metric {name!r} (nearest: {nearest(name, METRICS)})")


def axis_for(name: str, values: Floats) -> Axis:
    """Return how to show values of a metric, or of any other column under its own name.

    Complexities get the prefix of their median, and a logarithmic axis where they span a factor
    of 20; a logarithmic metric falls back to a linear axis when a value is not positive.
    """
    shown = METRICS.get(name, Metric(name, name.replace("_", " ")))
    size = float(np.median(np.abs(values))) if values.size else 0.0
    divisor, prefix = 1.0, ""
    if shown.prefixed:
        divisor, prefix = next((p for p in _PREFIXES if size >= p[0]), (1.0, ""))
    unit = " ".join(part for part in (prefix, shown.unit) if part)
    positive = bool(values.size) and float(values.min()) > 0
    wide = positive and shown.prefixed and float(values.max() / values.min()) >= _WIDE
    return Axis(
        label=f"{shown.label} ({unit})" if unit else shown.label,
        scale="log" if wide else shown.scale if positive else "linear",
        divisor=divisor,
        whole=divisor == 1 and bool(np.all(values == np.rint(values))),
    )


def plain(label: str) -> str:
    """Return a label without the marks of formulas: "initial width w0"."""
    without = _FORMULA.sub(lambda found: re.sub(r"[_{}\\]", "", found[1]), label)
    return " ".join(without.split())


def spoken(name: str) -> str:
    """Return what a column is called in a sentence."""
    return plain(METRICS[name].label) if name in METRICS else name.replace("_", " ")


def nearest(name: str, choices: Iterable[Any]) -> str:
    """Return the choice whose spelling is closest to a name."""
    lowered = {str(choice).lower(): str(choice) for choice in choices}
    key = name.lower()
    inside = [choice for choice in lowered if key in choice or choice in key]
    close = difflib.get_close_matches(key, inside or lowered, n=1, cutoff=0.0)
    return lowered[close[0]] if close else ""
