"""Letter values, rank correlations and noise over seeds: the numbers, and what is drawn of them."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PatchCollection, QuadMesh
from matplotlib.figure import Figure
from regnet_ds.analysis import (
    LetterValues,
    Options,
    correlations,
    draw_correlations,
    draw_kind,
    draw_spread,
    make_groups,
    mean_interval,
)
from regnet_ds.analysis.figures.spread import depth
from scipy.stats import spearmanr


def test_letter_values_are_numpys_quantiles():
    errors = np.random.default_rng(0).gamma(3, 4, 500)
    record = LetterValues.of("one", errors)
    assert record.shares.tolist() == [0.5, 0.75, 0.875, 0.9375, 0.96875, 0.984375, 0.9921875]
    assert np.allclose(record.low[:2], np.percentile(errors, [25, 12.5]))
    assert np.allclose(record.high[:2], np.percentile(errors, [75, 87.5]))
    assert record.median == pytest.approx(np.median(errors))
    assert record.mean.value == pytest.approx(errors.mean())


def test_drawn_boxes_are_the_numbers():
    rng = np.random.default_rng(1)
    records = [LetterValues.of(n, rng.gamma(3, 4, k)) for n, k in (("a", 300), ("b", 40))]
    axes = Figure().subplots()
    before = dict(mpl.rcParams)
    draw_spread(axes, records)
    assert dict(mpl.rcParams) == before
    boxes = [one for one in axes.collections if isinstance(one, PatchCollection)]
    assert len(boxes) == 2
    for box, record in zip(boxes, reversed(records), strict=True):  # the fewest boxes first
        x = np.array([path.vertices[:, 0] for path in box.get_paths()])
        assert x.min() == pytest.approx(record.low[-1])
        assert x.max() == pytest.approx(record.high[-1])
        assert len(x) == 2 * record.shares.size - 1


def test_boxes_end_where_tails_are_not_known():
    assert [depth(n) for n in (1, 8, 16, 100, 10_000)] == [1, 1, 2, 4, 11]
    one = LetterValues.of("one", [5.0])
    assert (one.n, one.mean, one.low.tolist(), one.high.tolist()) == (1, None, [5], [5])


@pytest.mark.parametrize("errors", [[20.0] * 3, [8.1, 8.1, 9.4, 9.4, 9.4, 12.0, 30.2, 30.2]])
def test_tied_errors_count_each_in_the_interval(errors):
    record = LetterValues.of("one", errors)
    assert record.mean == mean_interval(errors)
    assert record.errors.tolist() == errors
    draw_spread(Figure().subplots(), [record])


def test_weights_decide_letter_values():
    errors = np.arange(1.0, 1001)
    weights = np.where(errors <= 500, 3.0, 1.0) / 2000
    record = LetterValues.of("one", errors, weights)
    many = LetterValues.of("many", np.repeat(errors, np.where(errors <= 500, 3, 1)))
    assert np.allclose(record.low, many.low[:-1], atol=1.5)
    assert np.allclose(record.high, many.high[:-1], atol=1.5)
    assert record.median == pytest.approx(many.median, abs=1.5)


def test_correlations_are_scipys():
    rng = np.random.default_rng(0)
    table = {"error": rng.random(50), "a": rng.random(50), "b": rng.integers(0, 4, 50) * 1.0}
    table["a"][:5] = np.nan
    found = correlations(table)
    known = np.isfinite(table["a"])
    assert [(one.a, one.b, one.n) for one in found.pairs] == [
        ("error", "a", 45),
        ("error", "b", 50),
        ("a", "b", 45),
    ]
    expected = spearmanr(table["a"][known], table["b"][known]).statistic
    assert found.pairs[2].rho.value == pytest.approx(expected)
    assert np.allclose(found.matrix(), found.matrix().T)
    assert correlations({"a": [1, 2, 3], "b": [1, 2, 3]}).pairs[0].rho.low == -1
    with pytest.raises(ValueError, match="two columns, got a"):
        correlations({"a": [1.0]})
    with pytest.raises(ValueError, match="differ in length"):
        correlations({"a": [1.0], "b": [1.0, 2.0]})


def test_the_heat_map_shows_each_pair_once_and_marks_what_is_not_known():
    x = np.arange(30.0)
    noise = np.random.default_rng(0).permutation(30) * 1.0
    record = correlations({"error": x, "depth": -x, "my_column": noise})
    axes = Figure().subplots()
    draw_correlations(axes, record)
    texts = [text.get_text() for text in axes.texts if text.get_text()]
    assert len(texts) == 3
    assert texts[0] == "\N{MINUS SIGN}1.00"
    assert all(text.startswith("(") for text in texts[1:])
    (mesh,) = (one for one in axes.collections if isinstance(one, QuadMesh))
    assert np.ma.getmaskarray(mesh.get_array()).sum() == 1
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == ["depth $d$", "my column"]


def seeds(**columns):
    """Three networks, of which two were trained with several seeds; one training failed."""
    return pd.DataFrame(
        {
            "index": [0, 0, 0, 1, 2, 2, 2],
            "depth": [12, 12, 12, 14, 16, 16, 16],
            "seed": [1, 2, 3, 1, 1, 2, 3],
            "status": [*["complete"] * 6, "failed"],
            "error": [10.0, 12.0, 14.0, 20.0, 30.0, 32.0, np.nan],
            **columns,
        }
    )


@pytest.mark.parametrize(
    "table", [seeds(), seeds(replicate=[0, 1, 2, 0, 0, 1, 2]), pd.concat([seeds(), seeds()[1:2]])]
)
def test_noise_over_seeds_of_a_table(table):
    (group,) = make_groups([("one", table)])
    assert [(one.name, one.errors.tolist()) for one in group.repeated] == [
        ("0", [10, 12, 14]),
        ("2", [30, 32]),
    ]
    made = draw_kind("noise", [group])
    assert made.numbers["sd"] == pytest.approx([2, np.sqrt(2)])
    # Models 10, 20, 30; seeds: variances 4 (2 degrees of freedom) and 2 (1).
    assert "over 3 models is 10.00 points, over seeds 1.83 (95% interval 1.03 to 6.81" in made.text
    assert "5.5 times the noise" in made.text


def test_a_table_without_seeds_has_no_noise():
    (bare,) = make_groups([("bare", pd.DataFrame({"error": [1.0, 2.0]}))])
    with pytest.raises(ValueError, match="bare has no network of several seeds"):
        draw_kind("noise", [bare])


def test_correlations_of_chosen_columns_in_words():
    rng = np.random.default_rng(0)
    depth = rng.integers(12, 29, 80)
    table = pd.DataFrame({"depth": depth, "lr": rng.random(80), "error": 3.0 * depth})
    made = draw_kind("correlations", make_groups([("one", table)]), Options(("depth", "lr")))
    assert made.text.endswith("with the error, where its 95% interval excludes 0: depth d +1.00.")
    assert made.numbers["b"] == ["depth", "lr", "lr"]
