"""Every kind of figure: the numbers behind it, its words, and that nothing overlaps."""

from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from regnet_ds.analysis import (
    KINDS,
    Options,
    best_and_worst,
    best_block_widths,
    comparison_figure,
    draw_kind,
    edf,
    make_groups,
    match_groups,
    rank_map,
    search_curve,
)
from regnet_ds.analysis.comparison import compare
from regnet_ds.analysis.plots import draw_edf


def population(n=60, seed=0, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "depth": rng.integers(12, 29, n),
            "w0": 8 * rng.integers(3, 9, n),
            "wa": rng.uniform(20, 60, n),
            "wm": rng.uniform(2, 3, n),
            "group_width": 8,
            "flops": rng.uniform(2e8, 32e9, n),
            "params": rng.uniform(3e6, 9e6, n),
            "lr": 10 ** rng.uniform(-2, 0, n),
            "weight_decay": 10 ** rng.uniform(-5, -3, n),
            "error": rng.gamma(3, 4, n),
            **columns,
        }
    )


def groups(*names):
    return make_groups([(name, population(seed=i)) for i, name in enumerate(names)])


def curves(n=12):
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        [
            (trial, "complete" if trial else "failed", epoch, 90 / epoch + rng.random())
            for trial in range(n)
            for epoch in range(1, 5)
        ],
        columns=pd.Index(["trial", "status", "epoch", "error"]),
    )


def page(kind, *names):
    shown = groups(*names)
    return draw_kind(kind, shown, Options(curves=curves(), bands=True))


def boxes_of(figure):
    """Everything with a place of its own: panels with labels, legends of figures, the caption."""
    figure.draw_without_rendering()
    panels = [axes.get_tightbbox() for axes in figure.axes if axes.axison]
    return [
        *panels,
        *(legend.get_window_extent() for legend in figure.legends),
        figure._supxlabel.get_window_extent(),
    ]


def assert_apart(figure):
    boxes = boxes_of(figure)
    for box in boxes:
        assert figure.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1
        assert figure.bbox.y0 - 1 <= box.y0 and box.y1 <= figure.bbox.y1 + 1
    for i, box in enumerate(boxes):
        for other in boxes[i + 1 :]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            along = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert across < 1 or along < 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "noise"])
def test_every_kind_is_drawn_without_overlap(kind):
    names = ["one"] if KINDS[kind].single else ["a population of a very long name", "two"]
    before = dict(mpl.rcParams)
    made = page(kind, *names)
    assert dict(mpl.rcParams) == before
    assert_apart(made.figure)
    assert "excluded: none" in made.figure._supxlabel.get_text().replace("\n", " ")
    assert len({len(column) for column in made.numbers.values()}) == 1
    assert all(len(column) for column in made.numbers.values())
    for axes in made.figure.axes:
        if axes.axison and axes.get_label() != "<colorbar>":
            said = axes.get_xlabel() + axes.get_title()
            assert said or len(made.figure.axes) > 2


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.single])
def test_one_population_where_one_is_shown(kind):
    with pytest.raises(ValueError, match=f"figure {kind} shows one population, got 2: a, b"):
        page(kind, "a", "b")


def test_numbers_behind_the_pictures():
    (one,) = groups("one")
    errors = one.rows["error"].to_numpy()
    made = draw_kind("edf", [one]).numbers
    assert list(made["error"]) == sorted(errors.tolist())
    assert made["probability"][-1] == 1
    made = draw_kind("search", [one]).numbers
    assert made["mean"] == search_curve(errors).mean.tolist()
    made = draw_kind("front", [one]).numbers
    assert made["flops"] == sorted(made["flops"])
    assert made["error"] == sorted(made["error"], reverse=True)
    made = draw_kind("buckets", [one], Options(complexity="params")).numbers
    assert sum(made["n"]) == 60
    made = draw_kind("map", [one]).numbers
    assert sorted(made["rank"]) == pytest.approx((np.arange(60) + 1) / 60)


def test_buckets_of_one_budget_begin_at_its_smallest_model():
    rng = np.random.default_rng(3)
    rows = pd.DataFrame({"error": rng.random(200), "flops": rng.uniform(1.9e6, 2.1e6, 200)})
    made = draw_kind("buckets", make_groups([("one", rows)])).numbers
    assert len(made["centre"]) == 20
    assert min(made["centre"]) > 1.9e6


def test_buckets_hold_about_ten_models_of_each_population():
    rng = np.random.default_rng(3)
    rows = [pd.DataFrame({"error": rng.normal(9, 9, 100).clip(0), "flops": 1e9}) for _ in range(6)]
    shown = [(str(i), one.assign(flops=rng.uniform(0, 9e9, 100))) for i, one in enumerate(rows)]
    made = draw_kind("buckets", make_groups(shown))
    assert "10 equal buckets" in made.figure._supxlabel.get_text()
    (axes,) = draw_kind("buckets", make_groups(shown[:1])).figure.axes
    assert axes.get_ylim()[0] == 0  # the band reaches below, errors do not


def test_labels_of_millions_do_not_touch():
    rows = pd.DataFrame({"error": np.random.default_rng(0).random(1 << 23)})
    figure = draw_kind("search", make_groups([("one", rows)])).figure
    figure.draw_without_rendering()
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    shown = [t for t in axes.get_xticklabels() if low <= t.get_position()[0] <= high]
    boxes = [label.get_window_extent() for label in shown]
    assert float(shown[-1].get_text().replace(",", "")) > 1e6
    assert all(a.x1 + 5 < b.x0 for a, b in pairwise(boxes))


def test_rank_map_is_ndss():
    errors = np.array([3.0, 1.0, 2.0])
    record = rank_map(("lr", "weight_decay"), errors, errors, errors)
    assert record.rank.tolist() == [1, 1 / 3, 2 / 3]
    assert record.best == 1


def test_curves_of_the_best_and_worst():
    record = best_and_worst(curves(12))
    assert (record.n, len(record.best), len(record.worst)) == (11, 5, 5)
    assert max(c[1][-1] for c in record.best) <= min(c[1][-1] for c in record.worst)
    with pytest.raises(ValueError, match="no completed model"):
        best_and_worst(curves(1))


def test_widths_of_regnets_and_anynets():
    regnets = best_block_widths(population())
    assert len(regnets) == 6
    assert [r.error for r in regnets] == sorted(r.error for r in regnets)
    assert all(r.own and r.fit_error == 0 for r in regnets)
    rows = pd.DataFrame(
        {"error": [5.0], "stage_widths": [(24, 56)], "stage_depths": [(1, 3)], "name": ["net"]}
    )
    (anynet,) = best_block_widths(rows)
    assert anynet.widths.tolist() == [24, 56, 56, 56]
    assert (anynet.own, anynet.title) == (False, "net")
    assert anynet.fit_error == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="no row tells its widths"):
        best_block_widths(pd.DataFrame({"error": [5.0]}))


def test_matched_populations_say_so():
    shown = match_groups(groups("one", "two"), ["flops"], bins=4)
    made = draw_kind("edf", shown, Options(bands=True))
    said = made.figure._supxlabel.get_text().replace("\n", " ")
    assert "matched on flops in all 4 bins; 4 models outside" in said
    assert [g.edf.n for g in shown] == [int((g.weights > 0).sum()) for g in shown]
    table = population()
    table.loc[:9, "flops"] = np.nan
    (holes,) = match_groups(make_groups([("holes", table)]), ["flops"])
    assert holes.exclusions == {"without flops": 10}


def test_comparison_is_drawn():
    shown = groups("one", "two", "three")
    figure = comparison_figure(shown, compare(shown, plan=False))
    assert_apart(figure)
    labels = [t.get_text() for t in figure.axes[1].get_yticklabels()]
    assert labels[-1] == "two\nminus one"


def test_a_long_curve_is_thinned_by_less_than_a_pixel():
    rng = np.random.default_rng(0)
    errors = rng.gamma(3, 4, 2_000_000)
    axes = Figure().subplots()
    draw_edf(axes, edf(errors), label="many")
    (line,) = axes.get_lines()
    x, y = line.get_xdata(), line.get_ydata()
    assert len(x) < 2_100
    # Thinned by less than a pixel: the curve is where it was.
    record = edf(errors)
    assert np.abs(np.interp(x[1:-1], record.errors, record.probability) - y[1:-1]).max() < 1e-3
    assert np.diff(y).max() < 1e-3


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("edff", {}, r"unknown kind of figure 'edff' \(nearest: edf\); all: edf, spread"),
        ("map", {"parameters": ("lr",)}, "a map shows two parameters, got 1: lr"),
        ("map", {"parameters": ("lr", "wait")}, r"no column wait \(nearest: w"),
        ("front", {"complexity": "flop"}, r"no column flop \(nearest: flops\)"),
        ("curves", {}, "needs a study, or a table with a column curve"),
    ],
)
def test_bad_input(kind, options, message):
    with pytest.raises(ValueError, match=message):
        draw_kind(kind, groups("one"), Options(**options))


def test_no_complexity_and_nothing_that_varies():
    bare = make_groups([("bare", pd.DataFrame({"error": [1.0, 2.0]}))])
    with pytest.raises(ValueError, match="share none of the columns flops, params, acts"):
        draw_kind("front", bare)
    for kind in ("scatter", "importance", "trend", "map"):
        with pytest.raises(ValueError, match="no parameter varies"):
            draw_kind(kind, bare)
    for kind in ("edf", "search", "ks"):
        assert draw_kind(kind, bare).figure.axes
    one = make_groups([("one", pd.DataFrame({"error": [5.0], "flops": [1e9]}))])
    for kind in ("edf", "search", "ks", "front", "buckets"):
        assert draw_kind(kind, one).figure.axes
