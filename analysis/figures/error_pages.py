"""Pages of errors alone: distributions, letter values, search efficiency, planning and noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..efficiency import search_curve
from ..noise import Noise, noise, together
from ..planning import ks_curve
from ..plots import edf_figure
from ..style import add_caption, new_figure
from ..tables.groups import Group, caption
from .page import Columns, Numbers, Options, Page, stacked
from .searches import BAND, draw_ks_curve, draw_search
from .seeds import MOST_NETWORKS, draw_seed_noise
from .spread import LetterValues, draw_spread

MOST_SAID = 3  # populations whose numbers a text says
_SEARCH = 32  # models of a search that is put into words
LETTERS = (
    "Boxes hold 1/2, 3/4, 7/8 ... of the models, as far as the tails are known. Line: median;"
    " circle: mean with its 95% interval."
)


def edf_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the error distributions, with bands if asked."""
    figure = edf_figure(groups, bands=options.bands)
    # Of tied errors the last step alone.
    last = [np.append(g.edf.errors[1:] != g.edf.errors[:-1], True) for g in groups]
    steps = list(zip(groups, last, strict=True))
    columns: Numbers = {
        "population": [name for g, kept in steps for name in [g.name] * int(kept.sum())],
        "error": np.concatenate([g.edf.errors[kept] for g, kept in steps]),
        "probability": np.concatenate([g.edf.probability[kept] for g, kept in steps]),
    }
    parts = [
        f"{g.name}: {len(g.rows):,} models, best {g.edf.min:.2f}%, mean {g.edf.mean:.2f}%"
        for g in groups
    ]
    return Page(figure, columns, said("The further left a curve, the better.", parts))


def said(text: str, parts: Sequence[str]) -> str:
    """Return a text with what it says of each population, where they are few."""
    return f"{text} {'; '.join(parts)}." if len(parts) <= MOST_SAID else text


def search_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the error of the best of m models, by m."""
    records = {g.name: search_curve(g.rows["error"], weights=g.weights) for g in groups}
    figure = new_figure(4.8, 3.5 + 0.17 * len(groups))
    draw_search(figure.subplots(), records)
    add_caption(figure, f"{caption(groups)}.")
    m = min(_SEARCH, *(int(record.sizes[-1]) for record in records.values()))
    parts: list[str] = []
    for name, one in records.items():
        i = int(np.argmin(np.abs(one.sizes - m)))
        ends = f"{one.low[i]:.2f}% to {one.high[i]:.2f}% in {100 * one.confidence:g}% of searches"
        parts.append(f"{name}: the best of {m} has {one.mean[i]:.2f}% on average ({ends})")
    text = said("What a search of m models drawn at random can expect to find.", parts)
    return Page(figure, stacked(records, ("sizes", "mean", "sd", "low", "median", "high")), text)


def ks_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the KS distance of samples to their population, by their size."""
    records = {g.name: ks_curve(g.rows["error"], rng=options.seed) for g in groups}
    figure = new_figure(4.8, 3.6 + 0.17 * len(groups))
    draw_ks_curve(figure.subplots(), records)
    shaded = any(record.sizes[-1] > BAND[0] for record in records.values())
    add_caption(figure, f"{caption(groups)}.{' Shaded: 128 to 1,024 models (NDS).' * shaded}")
    parts = [
        f"{n}: D is {r.mean[-1]:.3f} on average for samples of {r.sizes[-1]:,}"
        for n, r in records.items()
    ]
    about = "The largest gap between the distribution of a sample and that of its population."
    text = said(about, parts)
    return Page(figure, stacked(records, ("sizes", "mean", "expected")), text)


def spread_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the letter values of each population's errors."""
    records = [LetterValues.of(g.name, g.rows["error"], g.weights) for g in groups]
    figure = new_figure(5.2, 1.5 + 0.42 * len(groups))
    draw_spread(figure.subplots(), records)
    add_caption(figure, f"{caption(groups)}. {LETTERS}")
    columns: Columns = {"population": [], "n": [], "share": [], "low": [], "high": []}
    for record in records:
        k = record.shares.size
        columns["population"] += [record.name] * (k + 1)
        columns["n"] += [record.n] * (k + 1)
        columns["share"] += [0.0, *record.shares.tolist()]
        columns["low"] += [record.median, *record.low.tolist()]
        columns["high"] += [record.median, *record.high.tolist()]
    parts = [f"{r.name}: the middle half has {r.said}" for r in records]
    return Page(figure, columns, said("A line of boxes for each population.", parts))


def noise_page(groups: Sequence[Group], options: Options) -> Page:
    """Return the errors of networks trained with several seeds, beside the spread over models."""
    shown = {g.name: noise_of(g) for g in groups}
    figure = new_figure(5.0, 3.4 + 0.17 * len(groups))
    draw_seed_noise(figure.subplots(), {g.name: (shown[g.name], g.repeated) for g in groups})
    n = sum(len(group.repeated) for group in groups)
    units = "Standard deviations in percentage points of error."
    if n > MOST_NETWORKS:
        units += f" {MOST_NETWORKS:,} of {n:,} networks are drawn, evenly spread over the ranks."
    add_caption(figure, f"{caption(groups)}. {units}")
    every, sizes, means = together([one.errors for group in groups for one in group.repeated])
    apart = (every - np.repeat(means, sizes)) ** 2
    columns: Numbers = {
        "population": [group.name for group in groups for _ in group.repeated],
        "network": [one.name for group in groups for one in group.repeated],
        "seeds": sizes,
        "mean": means,
        "sd": np.sqrt(np.add.reduceat(apart, np.cumsum(sizes) - sizes) / (sizes - 1)),
    }
    about = "Networks that were trained with several seeds, a line for each."
    parts = [say_noise(name, one).removesuffix(".") for name, one in shown.items()]
    return Page(figure, columns, said(about, parts))


def noise_of(group: Group) -> Noise:
    """Return the spread of a population over models and over seeds.

    Raises
    ------
    ValueError
        If no network was trained with several seeds, or the population is matched.
    """
    if group.weights is not None:
        raise ValueError("noise over seeds is that of the networks as they are: no --normalize")
    if not group.repeated:
        raise ValueError(
            f"{group.name} has no network of several seeds: its rows need the columns index and"
            " seed, or replicate (above 0 for a training with another seed)"
        )
    errors = group.rows["error"].to_numpy(np.float64)
    return noise(errors, {i: one.errors for i, one in enumerate(group.repeated)})


def say_noise(name: str, found: Noise) -> str:
    """Return the noise of a population in words."""
    interval = found.interval()
    return (
        f"{name}: the standard deviation over {found.n_models:,} models is {found.over_models:.2f}"
        f" points, over seeds {interval.value:.2f} (95% interval {interval.low:.2f} to"
        f" {interval.high:.2f}; {found.n_repeated:,} networks): {found.ratio:.1f} times the noise."
    )


def noise_columns(groups: Sequence[Group]) -> Columns:
    """Return the standard deviations of populations over models and seeds, a row each."""
    columns: Columns = {"population": [], "n": [], "networks": [], "trainings": []}
    columns |= {"sd_models": [], "sd_seeds": [], "low": [], "high": [], "ratio": []}
    for group in groups:
        found = noise_of(group)
        interval = found.interval()
        row = (group.name, found.n_models, found.n_repeated, found.freedom + found.n_repeated)
        row += (found.over_models, interval.value, interval.low, interval.high, found.ratio)
        for key, value in zip(columns, row, strict=True):
            columns[key].append(value)
    return columns
