"""Populations of millions: what is computed otherwise gives the same, and pictures stay small."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from matplotlib.collections import PathCollection, QuadMesh
from regnet_ds.analysis import (
    KINDS,
    Options,
    band,
    best_and_worst,
    best_block_widths,
    best_probability,
    compare,
    comparison_figure,
    correlations,
    draw_kind,
    good_range,
    load_table,
    make_groups,
    match,
    match_groups,
    rank_correlation,
    save_figure,
    search_curve,
    two_samples,
    weighted_ks,
)
from regnet_ds.analysis import bands as bands_module
from regnet_ds.analysis.bootstrap import contenders
from regnet_ds.analysis.density import STEPS, make_grid
from regnet_ds.analysis.style import CROWD
from regnet_ds.analysis.tables import readers
from regnet_ds.analysis.tables.table import curves_of_rows

N = CROWD + 50_000


@pytest.fixture(scope="module")
def crowd():
    rng = np.random.default_rng(0)
    lr = 10 ** rng.uniform(-3, 0, N)
    return pd.DataFrame(
        {
            "space": rng.choice(["a", "b"], N),
            "depth": rng.integers(12, 29, N),
            "w0": 8 * rng.integers(1, 33, N),
            "wa": rng.uniform(8, 256, N).round(1),
            "wm": rng.uniform(2, 3, N).round(3),
            "flops": np.exp(rng.uniform(18, 22, N)),
            "lr": lr,
            "weight_decay": 10 ** rng.uniform(-5, -3, N),
            "error": np.clip(20 + 3 * np.log10(lr / 0.05) ** 2 + rng.gamma(3, 2, N), 0, 100),
        }
    )


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [(kind, "svg") for kind in KINDS if kind not in ("curves", "noise", "ranges")]
    + [("scatter", "png"), ("scatter", "pdf"), ("edf", "pdf"), ("map", "png"), ("front", "pdf")],
)
def test_a_picture_of_a_crowd_is_small(crowd, tmp_path, kind, suffix):
    by = None if KINDS[kind].single else "space"
    groups = make_groups([("crowd", crowd)], by=by)
    page = draw_kind(kind, groups, Options(bands=True))
    save_figure(page.figure, tmp_path / f"p.{suffix}")
    assert (tmp_path / f"p.{suffix}").stat().st_size < 1_000_000
    for axes in page.figure.axes:
        for drawn in axes.collections:
            if isinstance(drawn, PathCollection):
                assert drawn.get_rasterized() or len(drawn.get_offsets()) < 100_000
            if isinstance(drawn, QuadMesh) and axes.get_label() != "<colorbar>":
                assert drawn.get_rasterized() or drawn.get_array().size < 200


def test_a_comparison_of_crowds_is_small(crowd, tmp_path):
    groups = match_groups(make_groups([("crowd", crowd)], by="space"), ["flops"])
    save_figure(comparison_figure(groups, compare(groups)), tmp_path / "p.svg")
    assert (tmp_path / "p.svg").stat().st_size < 1_000_000


def test_cells_hold_all_points_and_as_many_values_each(crowd):
    for name, scale in (("depth", "linear"), ("wm", "linear"), ("lr", "log"), ("w0", "log")):
        x, y = crowd[name].to_numpy(np.float64), crowd["error"].to_numpy()
        grid = make_grid(x, y, scale)
        assert np.nansum(grid.counts()) == N
        place = grid.cell % grid.shape[1]
        assert np.all(grid.x_edges[place] <= x * (1 + 1e-12))
        assert np.all(x <= grid.x_edges[place + 1] * (1 + 1e-12))
        assert grid.shape[1] <= STEPS
    x = crowd["wm"].to_numpy()
    place = make_grid(x, x).cell % make_grid(x, x).shape[1]
    assert {len(np.unique(x[place == i])) for i in range(3)} == {6}  # 1,001 values in 167 cells
    ranks = np.arange(N) / N
    assert np.nansum(grid.means(ranks) * grid.counts()) == pytest.approx(ranks.sum())


def test_few_models_can_be_best_and_the_range_is_that_of_all():
    rng = np.random.default_rng(1)
    x, errors = rng.random(5000), rng.integers(0, 2000, 5000).astype(float)
    chosen, share = contenders(errors, 1250)
    assert chosen.size < 300
    every = best_probability(errors, 1250)
    assert share == pytest.approx(every[chosen], rel=1e-12)
    assert every.sum() - share.sum() < 1e-15
    order = np.argsort(x)
    reached = np.cumsum(every[order])
    wanted = x[order][np.searchsorted(reached / reached[-1], [0.025, 0.5, 0.975])]
    found = good_range(x, errors)
    assert [found.low, found.best, found.high] == wanted.tolist()


def test_search_of_many_models_leaves_nothing_out():
    errors = np.random.default_rng(2).gamma(3, 4, 3000)
    found = search_curve(errors, [1, 2, 300])
    assert (found.mean[0], found.sd[0]) == pytest.approx((errors.mean(), errors.std()))
    values = np.sort(errors)
    behind = (1 - np.arange(3001) / 3000) ** 300
    assert found.mean[2] == pytest.approx((behind[:-1] - behind[1:]) @ values)


def test_correlations_rank_each_column_once():
    rng = np.random.default_rng(3)
    a, b = rng.integers(0, 9, 200).astype(float), rng.random(200)
    holes = np.where(np.arange(200) % 3, b + a, np.nan)
    found = correlations({"a": a, "b": b, "holes": holes}).pairs
    assert found[0].rho == rank_correlation(a, b)
    known = np.isfinite(holes)
    assert (found[1].rho, found[1].n) == (rank_correlation(a[known], holes[known]), known.sum())


@pytest.fixture
def lists(tmp_path, monkeypatch):
    """A Parquet file of AnyNets with learning curves, and its table read as one of many rows."""
    rng = np.random.default_rng(6)
    n = 3000
    curves = [[90.0, 50.0 + i % 7, float(e)] for i, e in enumerate(rng.uniform(5, 40, n))]
    table = pd.DataFrame(
        {
            "stage_widths": rng.integers(1, 9, (n, 4)).tolist(),
            "stage_depths": rng.integers(1, 5, (n, 4)).tolist(),
            "curve": [None, *curves[1:]],
            "error": [one[-1] for one in curves],
        }
    )
    path = tmp_path / "lists.parquet"
    pq.write_table(pa.Table.from_pandas(table), path)
    few = load_table(path)
    monkeypatch.setattr(readers, "_MANY", 100)
    return few, load_table(path)


def test_lists_of_many_rows_are_those_of_few(lists):
    many = lists[1]
    assert isinstance(many["curve"].dtype, pd.ArrowDtype)
    wide, deep = (best_block_widths(one) for one in lists)
    assert [one.widths.tolist() for one in wide] == [one.widths.tolist() for one in deep]
    one, two = (curves_of_rows(table) for table in lists)
    assert len(one) == 2999 * 3
    pd.testing.assert_frame_equal(one, two, check_dtype=False)
    assert make_groups([("many", many.assign(index=0))])[0].exclusions == {}
    assert len(make_groups([("many", many[:50])], by="stage_depths")) > 10
    twice = pd.concat([many.assign(index=range(3000)), many[:5].assign(index=range(5))])
    assert make_groups([("twice", twice)])[0].exclusions == {"given twice": 5}
    seeds = twice.assign(seed=[*range(3000), *range(5000, 5005)])
    (group,) = make_groups([("seeds", seeds)])
    assert group.exclusions == {"repeated with other seeds": 5}
    assert [one.name for one in group.repeated] == ["0", "1", "2", "3", "4"]
    depths = seeds["stage_depths"].to_list()
    other = seeds.assign(stage_depths=[*depths[:-5], *[[9, 9, 9, 9]] * 5])
    assert make_groups([("others", other)])[0].exclusions == {}
    gaps = pd.ArrowDtype(pa.list_(pa.int64()))
    for cells, found in (([[1, None], [2, None]], {}), ([[1, None]] * 2, {"given twice": 1})):
        few = many[:1].loc[[0, 0]].assign(index=7, stage_depths=pd.array(cells, dtype=gaps))
        assert make_groups([("gaps", few.reset_index(drop=True))])[0].exclusions == found


def test_of_many_learning_curves_some_are_drawn(lists, tmp_path):
    found = best_and_worst(curves_of_rows(lists[1]))
    assert (found.n, len(found.others), len(found.best)) == (2999, 1000, 5)
    assert found.said == "1,000 of the 2,989 others"
    last = [errors[-1] for _, errors in found.others]
    assert last == sorted(last)
    assert found.best[-1][1][-1] <= last[0] <= last[-1] <= found.worst[0][1][-1]
    (group,) = make_groups([("many", lists[1])])
    page = draw_kind("curves", [group], Options(curves=curves_of_rows(lists[1])))
    save_figure(page.figure, tmp_path / "c.svg")
    assert (tmp_path / "c.svg").stat().st_size < 1_000_000


def test_of_many_repeated_networks_some_are_drawn(tmp_path):
    rng = np.random.default_rng(7)
    index = np.repeat(np.arange(2500), 2)
    errors = np.repeat(rng.uniform(5, 40, 2500), 2) + rng.normal(0, 1, 5000)
    seeds = np.tile([1, 2], 2500)
    table = pd.DataFrame({"index": index, "seed": seeds, "error": errors})
    (group,) = make_groups([("many", table)])
    page = draw_kind("noise", [group])
    assert page.numbers["mean"] == pytest.approx(errors.reshape(-1, 2).mean(axis=1))
    drawn = max(page.figure.axes[0].lines, key=lambda line: len(line.get_xdata()))
    x = np.unique(drawn.get_xdata())
    assert (x.size, x[0], x[-1]) == (2000, 1, 2500)
    assert "2,000 of 2,500 networks" in page.figure.get_supxlabel().replace("\n", " ")
    save_figure(page.figure, tmp_path / "n.svg")
    assert (tmp_path / "n.svg").stat().st_size < 1_000_000


def matched_pair(n=3000, shift=0.0):
    rng = np.random.default_rng(5)
    sizes = [rng.random(n), rng.random(n) ** 2]
    errors = [30 - 5 * s + rng.gamma(3, 1, n) for s in sizes]
    errors[1] -= shift
    found = match(sizes, bins=4)
    inside = [cells >= 0 for cells in found.cells]
    return [
        tuple(one[i][inside[i]] for one in (errors, found.weights, found.cells)) for i in (0, 1)
    ]


def test_band_of_neighbours_reweighted_together(monkeypatch):
    (errors, weights, _), _ = matched_pair()
    one_by_one = band(errors, weights).half_width
    monkeypatch.setattr(bands_module, "MANY", 1000)
    assert band(errors, weights).half_width == pytest.approx(one_by_one, rel=0.05)


def test_exchange_in_number_is_that_of_models(monkeypatch):
    for shift, low, high in ((0.0, 0.05, 1.0), (0.25, 0.0, 0.05)):
        (a, wa, ca), (b, wb, cb) = matched_pair(shift=shift)
        options = {"strata_a": ca, "strata_b": cb, "permutations": 999}
        found = weighted_ks(a, b, wa, wb, **options)
        with monkeypatch.context() as patch:
            patch.setattr(two_samples, "MANY", 100)
            fast = weighted_ks(a, b, wa, wb, **options)
            uneven = np.linspace(1, 2, a.size)
            assert weighted_ks(a, b, uneven, wb, permutations=9).p_value > 0  # one by one
        assert fast.statistic == found.statistic
        assert low <= fast.p_value <= high
        assert fast.p_value == pytest.approx(found.p_value, abs=0.05)
