"""Learning rate and weight decay of one network: which of lr, wd and lr wd foretells the error.

DDS appendix C finds clear trends, strongest for lr and lr wd. Here the ranks of the errors are
fitted by a parabola in the logarithm of each, and of both of a pair.
"""

from __future__ import annotations

import json
from typing import cast

import numpy as np
import pandas as pd

from ...designspace.arrays import Floats
from ..intervals import resampled
from ..tables.table import usable
from .answers import Answer, above, ends

STUDY = "rates"
REPEATS = 500


def explained(columns: Floats, errors: Floats) -> float:
    """Return the adjusted share of the variance of the errors' ranks that parabolas explain.

    ``columns`` (n, k) are logarithms; 0 or less means nothing.
    """
    from scipy.stats import rankdata

    n = errors.size
    centred = columns - columns.mean(axis=0)
    design = np.concatenate([np.ones((n, 1)), centred, centred**2], axis=1)
    ranks = rankdata(errors)
    rest = ranks - design @ np.linalg.lstsq(design, ranks, rcond=None)[0]
    share = 1 - float(rest @ rest) / float(np.sum((ranks - ranks.mean()) ** 2))
    return 1 - (1 - share) * (n - 1) / (n - design.shape[1])


def rate_answers(table: pd.DataFrame) -> list[Answer]:
    """Return what a study of one network at random rates and decays says.

    Diverged trainings count, at the error of guessing.
    """
    rows, _ = usable(cast(pd.DataFrame, table[table["study"] == STUDY]), diverged=True)
    recipes = [json.loads(text) for text in rows["recipe"]]
    lr = np.log10([recipe["lr"] for recipe in recipes])
    wd = np.log10([recipe["weight_decay"] for recipe in recipes])
    errors = rows["error"].to_numpy(np.float64)
    columns = {"lr": lr[:, None], "wd": wd[:, None], "lr wd": (lr + wd)[:, None]}
    columns["lr and lr wd"] = np.stack([lr, lr + wd], axis=1)

    n = errors.size
    generator = np.random.default_rng(0)
    rows_drawn = [np.arange(n), *generator.integers(n, size=(REPEATS, n))]  # the first: as it is
    drawn = {
        name: np.array([explained(values[i], errors[i]) for i in rows_drawn])
        for name, values in columns.items()
    }
    shares = {name: resampled(float(values[0]), values[1:]) for name, values in drawn.items()}
    gaps = drawn["lr wd"] - drawn["wd"], drawn["lr and lr wd"] - drawn["lr"]
    better, more = (resampled(float(values[0]), values[1:]) for values in gaps)
    said = {name: f"{100 * one.value:.0f}% ({ends(one, 0, 100)})" for name, one in shares.items()}
    return [
        Answer(
            "The learning rate foretells the error",
            above(shares["lr"]),
            f"lr explains {said['lr']} of the variance of the errors' ranks over {errors.size} "
            "trainings.",
        ),
        Answer(
            "lr wd foretells it, and better than wd alone",
            above(better),
            f"lr wd explains {said['lr wd']}, wd {said['wd']}, a difference of "
            f"{100 * better.value:.0f} points ({ends(better, 0, 100)}).",
        ),
        Answer(
            "The pair of lr and lr wd foretells more than lr alone",
            above(more),
            f"Both explain {said['lr and lr wd']}, more than lr alone by "
            f"{100 * more.value:.0f} points ({ends(more, 0, 100)}).",
        ),
    ]
