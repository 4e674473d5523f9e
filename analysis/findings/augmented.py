"""Whether augmentation should grow with model size (the post's learning points)."""

from __future__ import annotations

import json
from typing import cast

import numpy as np
import pandas as pd

from ...designspace.arrays import Floats
from ..intervals import CONFIDENCE, Interval
from .answers import Answer, above, ends

PREFIX = "augmentation/"


def combination(weights: Floats, cells: list[Floats]) -> Interval:
    """Return a weighted sum of the means of cells, each of several seeds, with its interval.

    Student's, with the cells' variances as they are and Welch's degrees of freedom.
    """
    from scipy.stats import t

    value = float(sum(w * x.mean() for w, x in zip(weights, cells, strict=True)))
    parts = [w**2 * float(x.var(ddof=1)) / x.size for w, x in zip(weights, cells, strict=True)]
    whole = sum(parts)
    freedom = sum(p**2 / (x.size - 1) for p, x in zip(parts, cells, strict=True))
    half = float(t.ppf((1 + CONFIDENCE) / 2, whole**2 / freedom)) * whole**0.5 if whole else 0.0
    return Interval(value, value - half, value + half)


def augmentation_answers(table: pd.DataFrame) -> list[Answer]:
    """Return whether the strongest augmentation helps a large network more than a small one.

    Raises
    ------
    ValueError
        If a size or the trainings of several seeds are missing.
    """
    small, large = (_levels(table, size) for size in ("small", "large"))
    rises = [combination(np.array([-1.0, 1.0]), [x[0], x[-1]]) for x in (small, large)]
    more = combination(np.array([-1.0, 1.0, 1.0, -1.0]), [small[0], small[-1], large[0], large[-1]])
    return [
        Answer(
            "Augmentation suits a large network better than a small one",
            above(more),
            f"From none to the strongest the error of the small network rises by "
            f"{rises[0].value:.2f} points ({ends(rises[0])}), that of the large one by "
            f"{rises[1].value:.2f} ({ends(rises[1])}): {more.value:.2f} less ({ends(more)}).",
        )
    ]


def _levels(table: pd.DataFrame, size: str) -> list[Floats]:
    """Return the errors of each level of augmentation, the weakest first."""
    rows = cast(pd.DataFrame, table[table["study"] == PREFIX + size])
    rows = rows[rows["status"] == "complete"]
    area = np.array([json.loads(text)["area_factor"] for text in rows["recipe"]])
    errors = np.asarray(rows["error"], np.float64)
    found = [errors[area == level] for level in np.unique(area)[::-1]]
    if len(found) < 2 or min(map(len, found)) < 2:
        raise ValueError(f"{PREFIX}{size} needs two levels of augmentation with 2 seeds each")
    return found
