"""The steps by which a population narrows its space: ranges, orders, sharing; see `refinement`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..designspace import DesignSpace
from ..designspace.arrays import Bools, Floats, Ints
from ..designspace.constraints import (
    Constraint,
    Ordered,
    fixed,
    limited,
    nondecreasing,
    nonincreasing,
    shared,
)
from .importance import holm, rank_correlation
from .range_choice import LEVEL, RangeChoice, within

SMALL = 0.2  # a rank correlation that a simplification may risk
FEWEST = 20  # models from which anything is proposed
KEPT = 10  # the least number of models that the new space may hold
_PER_TEST = 40  # permutations a test at least
_ORDERS = {"nondecreasing": nondecreasing, "nonincreasing": nonincreasing}


@dataclass(frozen=True)
class Step:
    """One change of a space, with its evidence.

    Attributes
    ----------
    kind : str
        "range", "order" or "share".
    parameter : str
        Of the space.
    change : str
        What changes, in words.
    constraint : Constraint
        The change itself.
    evidence : str
        Why, in words.
    p_value : float or None
        Corrected; None for a simplification, which claims no gain.
    low, high : float or None
        Of a range.
    """

    kind: str
    parameter: str
    change: str
    constraint: Constraint
    evidence: str
    p_value: float | None = None
    low: float | None = None
    high: float | None = None


def find_gains(
    columns: Mapping[str, Floats],
    errors: Floats,
    space: DesignSpace,
    rng: np.random.Generator,
    permutations: int,
    cells: Ints | None = None,
) -> list[Step]:
    """Return the ranges and orders that the errors support, corrected by Holm.

    Errors are exchanged within ``cells`` (bins of a complexity), or among all models.

    A budget ties parameters together, so that one that does nothing goes with one that does: a
    step must also help among the models that the stronger steps keep.
    """
    # So many that a p-value survives the correction for all tests.
    permutations = max(permutations, _PER_TEST * _n_tests(columns))
    ranges = [
        step
        for name, values in columns.items()
        if values.ndim == 1 or len(space.parameter(name).laws) == 1
        for step in [_range(name, values, errors, space, (rng, permutations, cells))]
        if step is not None
    ]
    orders = [
        step
        for name, values in columns.items()
        if values.ndim == 2 and name in ("width", "depth", "group_width")
        for step in [_order(name, values, errors, space)]
        if step is not None
    ]
    candidates = [*ranges, *orders]
    # Parameters that could have had a step count in the correction too.
    tests = [step.p_value or 1.0 for step in candidates]
    tests += [1.0] * (_n_tests(columns) - len(tests))
    corrected = holm(tests)
    found = [
        replace(step, p_value=p)
        for step, p in zip(candidates, corrected, strict=False)
        if p < LEVEL
    ]
    return _applicable(found, columns, errors, space)


def _n_tests(columns: Mapping[str, Floats]) -> int:
    return sum(1 if values.ndim == 1 else 3 for values in columns.values())


def _applicable(
    steps: Sequence[Step], columns: Mapping[str, Floats], errors: Floats, space: DesignSpace
) -> list[Step]:
    """Return the steps, the strongest first, that apply and help one after the other.

    They leave enough of the population.
    """
    n = errors.size
    inside = {id(step): keeps(columns, [step], n) for step in steps}
    every = np.ones(n, dtype=np.bool_)
    strongest = sorted(steps, key=lambda step: _helps(inside[id(step)], every, errors))
    kept: list[Step] = []
    for step in strongest:
        so_far = keeps(columns, kept, n)
        if (so_far & inside[id(step)]).sum() < KEPT:
            continue
        if kept and _helps(inside[id(step)], so_far, errors) >= LEVEL / len(steps):
            continue
        try:
            narrowed = space
            for one in [*kept, step]:
                narrowed = narrowed & one.constraint
        except ValueError:
            continue  # contradicts an earlier step, or fits no value of the law
        kept.append(step)
    return kept


def _helps(inside: Bools, among: Bools, errors: Floats) -> float:
    """Return the p-value that models inside have lower errors than others, among some; 1 if few."""
    from scipy.stats import mannwhitneyu

    inner, outer = errors[among & inside], errors[among & ~inside]
    if min(inner.size, outer.size) < KEPT / 2:
        return 1.0
    return float(mannwhitneyu(inner, outer, alternative="less").pvalue)


def _range(
    name: str,
    values: Floats,
    errors: Floats,
    space: DesignSpace,
    exchange: tuple[np.random.Generator, int, Ints | None],
) -> Step | None:
    """Return the good range as a step, with the p-value of choosing and testing it."""
    choice = RangeChoice(values, errors)
    low, high, statistic = choice()
    grid = space.parameter(name).law.values
    if statistic <= 0 or (low <= grid[0] and high >= grid[-1]):
        return None
    p = choice.p_value(statistic, *exchange)
    inside = within(values, low, high)
    difference = errors[inside].mean() - errors[~inside].mean()
    constraint = fixed(name, low) if low == high else limited(name, low=low, high=high)
    whole = f"{grid[0]:g} to {grid[-1]:g}"
    return Step(
        kind="range",
        parameter=name,
        change=f"{name}: {whole} becomes {low:g}"
        + ("" if low == high else f" to {high:g}")
        + (", in every stage" if values.ndim == 2 else ""),
        constraint=constraint,
        evidence=f"{inside.sum()} models within have errors {abs(difference):.2f} points"
        f" {'lower' if difference < 0 else 'higher'} on average than the {np.sum(~inside)} outside",
        p_value=p,
        low=low,
        high=high,
    )


def _order(name: str, values: Floats, errors: Floats, space: DesignSpace) -> Step | None:
    """Return the better of both orders over the stages as a step, if the space has none yet."""
    if any(order.parameter == name for order in space.orders):
        return None
    from scipy.stats import mannwhitneyu

    found: list[Step] = []
    for order, make in _ORDERS.items():
        constraint = make(name)
        keeps = _in_order(constraint, values)
        if not FEWEST / 4 <= keeps.sum() <= keeps.size - FEWEST / 4:
            continue
        test = mannwhitneyu(errors[keeps], errors[~keeps], alternative="less")
        difference = errors[keeps].mean() - errors[~keeps].mean()
        found.append(
            Step(
                kind="order",
                parameter=name,
                change=f"{name}: {order} from stage to stage",
                constraint=constraint,
                evidence=f"{keeps.sum()} models that keep the order have errors"
                f" {abs(difference):.2f} points {'lower' if difference < 0 else 'higher'} on"
                f" average than the {np.sum(~keeps)} others",
                p_value=min(1.0, 2 * float(test.pvalue)),  # the better of two
            )
        )
    return min(found, key=lambda step: step.p_value or 0.0, default=None)


def find_simplifications(
    columns: Mapping[str, Floats], errors: Floats, space: DesignSpace, taken: set[str]
) -> list[Step]:
    """Return the parameters that one value for all stages would not be shown to hurt."""
    found: list[Step] = []
    for name, values in columns.items():
        parameter = space.parameter(name)
        ordered = any(order.parameter == name for order in space.orders)
        if values.ndim == 1 or name in taken or ordered or len(parameter.laws) > 1:
            continue
        if name in ("width", "depth"):
            continue  # stages of one width or depth are another family, not a simplification
        logs = np.log2(values)
        tried = [*logs.T, logs.std(axis=1)]
        rhos = [rank_correlation(x, errors, confidence=1 - LEVEL / len(tried)) for x in tried]
        widest = max(max(abs(r.low), abs(r.high)) for r in rhos)
        if widest > SMALL:
            continue
        found.append(
            Step(
                kind="share",
                parameter=name,
                change=f"{name}: one value for all stages",
                constraint=shared(name),
                evidence="neither its value in any stage nor its spread over the stages goes with"
                f" the error: all rank correlations are within {widest:.2f} of 0 (95%)",
            )
        )
    return found


def keeps(columns: Mapping[str, Floats], steps: Sequence[Step], n: int) -> Bools:
    """Return which models lie within ranges and orders."""
    kept = np.ones(n, dtype=np.bool_)
    for step in steps:
        values = columns[step.parameter]
        if step.kind == "range" and step.low is not None and step.high is not None:
            kept &= within(values, step.low, step.high)
        elif isinstance(step.constraint, Ordered):
            kept &= _in_order(step.constraint, values)
    return kept


def _in_order(order: Ordered, values: Floats) -> Bools:
    return order.holds(values, np.ones(values.shape, dtype=np.bool_))
