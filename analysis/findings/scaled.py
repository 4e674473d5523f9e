"""Ways of scaling compared at equal multiply-adds (FMS): fast compound, depth or width alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pandas as pd

from ...designspace.arrays import Floats
from ..intervals import CONFIDENCE, Interval
from ..ranges import column_of
from .answers import FAILS, HOLDS, OPEN, Answer, ends

PREFIX = "scaling/"
COMPOUND, OTHERS = "d1_w8_g8", {"d": "depth alone", "w": "width alone"}


def blocked_difference(a: Sequence[Floats], b: Sequence[Floats]) -> Interval:
    """Return the mean difference a - b over blocks, each with several trainings of both.

    The interval is Student's, of the seeds within these blocks: it says nothing of other blocks.

    Parameters
    ----------
    a, b
        The errors of each block, at least 2.
    """
    from scipy.stats import t

    gaps = [x.mean() - y.mean() for x, y in zip(a, b, strict=True)]
    variances = [float(x.var(ddof=1)) / x.size for block in (a, b) for x in block]
    freedom = sum(x.size - 1 for block in (a, b) for x in block)
    half = float(t.ppf((1 + CONFIDENCE) / 2, freedom)) * np.sqrt(sum(variances)) / len(gaps)
    mean = float(np.mean(gaps))
    return Interval(mean, mean - float(half), mean + float(half))


def scaling_answers(table: pd.DataFrame, margin: float) -> list[Answer]:
    """Return whether compound scaling is as good as scaling depth or width alone.

    Parameters
    ----------
    table
        Rows of the studies ``scaling/FORM``, each network with several seeds.
    margin
        The loss that counts as none, in points of error.

    Raises
    ------
    ValueError
        If a way of scaling is missing.
    """
    forms = {form: _by_base(table, form) for form in (COMPOUND, *OTHERS)}
    acts = {form: float(column_of(_of(table, form), "acts").mean()) for form in forms}
    return [_answer(form, forms, acts, margin) for form in OTHERS]


def _of(table: pd.DataFrame, form: str) -> pd.DataFrame:
    return cast(pd.DataFrame, table[table["study"] == PREFIX + form])


def _by_base(table: pd.DataFrame, form: str) -> list[Floats]:
    rows = _of(table, form)
    rows = rows[rows["status"] == "complete"]
    found = [np.asarray(part["error"], np.float64) for _, part in rows.groupby("index")]
    if not found or min(map(len, found)) < 2:
        raise ValueError(f"the scaling {form} needs networks with at least 2 seeds each")
    return found


def _answer(
    form: str, forms: Mapping[str, list[Floats]], acts: Mapping[str, float], margin: float
) -> Answer:
    gap = blocked_difference(forms[COMPOUND], forms[form])
    verdict = HOLDS if gap.high < margin else FAILS if gap.low > margin else OPEN
    n, seeds = len(forms[form]), len(forms[form][0])
    return Answer(
        f"Fast compound scaling is as good as scaling the {OTHERS[form]}",
        verdict,
        f"At equal multiply-adds the mean error over {n} networks of {seeds} seeds differs by "
        f"{gap.value:.2f} points ({ends(gap)}, where a loss of less than {margin:.2f} counts as "
        f"none), with {100 * (acts[COMPOUND] / acts[form] - 1):+.0f}% activations.",
    )
