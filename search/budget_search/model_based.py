"""A Gaussian process over RegNet parameters that chooses among networks within the budget.

The budget is known before training, so it is a constraint on the candidates and not something
to learn: the model chooses from a large exact sample of networks that meet it, by expected
improvement. Infeasible networks never cost a trial.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

POOL = 1024  # networks to choose from
FEATURES = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio", "params", "acts")
LOGARITHMIC = ("w0", "wa", "group_width", "bottleneck_ratio", "params", "acts")
Rows = Sequence[Mapping[str, Any]]


def choose(tried: Rows, errors: Sequence[float], pool: Rows, n: int, seed: int) -> list[int]:
    """Return the ``n`` places in ``pool`` that promise most, given the errors of those tried.

    After each choice the model takes its own mean for the result (kriging believer), so that
    the choices differ.

    Raises
    ------
    ValueError
        If the networks are not RegNets.
    """
    from scipy.stats import norm

    everything = _features([*tried, *pool])
    known, candidates = everything[: len(tried)], everything[len(tried) :]
    results = np.asarray(errors, dtype=np.float64)
    chosen: list[int] = []
    model = _fitted(known, results, seed)
    kernel = model.kernel_
    for _ in range(min(n, len(pool))):
        mean, spread = model.predict(candidates, return_std=True)
        gain = results.min() - mean
        spread = np.maximum(spread, 1e-9)
        improvement = gain * norm.cdf(gain / spread) + spread * norm.pdf(gain / spread)
        improvement[chosen] = -np.inf
        best = int(np.argmax(np.round(improvement, 9)))
        chosen.append(best)
        known = np.vstack([known, candidates[best]])
        results = np.append(results, mean[best])
        model = _fitted(known, results, seed, kernel)
    return chosen


def _fitted(known: np.ndarray, results: np.ndarray, seed: int, kernel: Any = None) -> Any:
    """Return a process fitted to results, its kernel too where none is given."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    start = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(1.0, (0.3, 30.0), nu=2.5)
    start = start + WhiteKernel(0.1, (1e-3, 1.0))
    optimizer: Any = "fmin_l_bfgs_b" if kernel is None else None
    model = GaussianProcessRegressor(
        kernel or start,
        optimizer=optimizer,
        normalize_y=True,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length at the end of its range is no fault
        return model.fit(known, results)


def _features(rows: Rows) -> np.ndarray:
    """Return (n, features) of mean 0 and spread 1 over the rows; constant ones are left out."""
    columns: list[np.ndarray] = []
    for key in FEATURES:
        if any(row.get(key) is None for row in rows):
            raise ValueError("a model-based search needs RegNet parameters: use halving or random")
        values = np.array([float(row[key]) for row in rows])
        values = np.log2(np.maximum(values, 1e-3)) if key in LOGARITHMIC else values
        if values.std() > 0:
            columns.append((values - values.mean()) / values.std())
    return np.stack(columns, axis=1)
