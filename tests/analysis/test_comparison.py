import numpy as np
import pandas as pd
import pytest
from regnet_ds.analysis import compare, ks, make_groups, match_groups, sentence
from regnet_ds.analysis.comparison import comparison_columns


def groups(**errors):
    return make_groups([(name, pd.DataFrame({"error": e})) for name, e in errors.items()])


def normal(shift, n, seed):
    return np.random.default_rng(seed).normal(20 + shift, 2, n)


def test_better_worse_and_not_told_apart():
    a, b, c = normal(0, 150, 0), normal(-2, 150, 1), normal(0, 150, 5)
    first, second, third = compare(groups(a=a, b=b, c=c))
    assert [one.verdict for one in (first, second, third)] == [
        "better",
        "not told apart",
        "worse",
    ]
    assert first.test == ks(a, b)
    assert first.mean.low < -2 < first.mean.high
    assert first.superiority.value == pytest.approx(0.76, abs=0.06)
    assert first.ahead > first.behind
    # Holm: the smallest of three p-values is tripled.
    assert first.p_value == pytest.approx(3 * first.test.p_value)
    assert sentence(first).startswith("b is better than a: its mean error is ")
    assert "points lower" in sentence(first)
    assert sentence(second).startswith("The data do not tell c and a apart: ")


def test_how_many_models_would_tell():
    (one,) = compare(groups(a=normal(0, 30, 0), b=normal(-0.8, 30, 3)))
    assert one.verdict == "not told apart"
    assert one.needed is None or one.needed > 4
    (same,) = compare(groups(a=normal(0, 30, 0), b=normal(0, 30, 0)))
    assert same.needed is None
    assert "would tell" not in sentence(same)


def test_a_difference_that_is_complexity_alone_goes_away_when_matched():
    rng = np.random.default_rng(0)
    tables = []
    for i, (name, law) in enumerate((("small", (1, 2)), ("large", (2, 1)))):
        flops = rng.beta(*law, 400)
        errors = 30 - 10 * flops + rng.normal(0, 1, 400)
        tables.append((name, pd.DataFrame({"flops": 1e9 * flops, "error": errors, "i": i})))
    plain = make_groups(tables)
    (one,) = compare(plain)
    assert one.verdict == "better"
    (one,) = compare(match_groups(plain, ["flops"], bins=20))
    assert one.verdict == "not told apart"
    assert (one.best, one.anderson) == (None, None)
    assert one.matched.startswith("matched on flops in the 19 shared of 20 bins")
    assert "matched on flops" in sentence(one)


def test_the_table_has_a_row_a_pair():
    found = compare(groups(a=normal(0, 9, 0), b=normal(0, 9, 1), c=normal(0, 9, 2)))
    columns = comparison_columns(found)
    assert list(zip(columns["a"], columns["b"], strict=True)) == [
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
    ]
    assert columns["m"] == [2, 2, 2]


def test_equal_errors_are_not_told_apart():
    (one,) = compare(groups(a=np.full(9, 5.0), b=np.full(9, 5.0)))
    assert one.verdict == "not told apart"
    assert one.superiority.value == pytest.approx(0.5)


def test_bad_input():
    with pytest.raises(ValueError, match="at least two populations, got 1"):
        compare(groups(a=normal(0, 9, 0)))
    with pytest.raises(ValueError, match="b has 1 model: a comparison needs 2"):
        compare(groups(a=normal(0, 9, 0), b=[5.0]))


@pytest.mark.slow
def test_pairs_from_one_space_are_rarely_told_apart():
    wrong = 0
    for i in range(200):
        found = compare(
            groups(a=normal(0, 50, 3 * i), b=normal(0, 50, 3 * i + 1), c=normal(0, 50, 3 * i + 2)),
            plan=False,
        )
        wrong += any(one.verdict != "not told apart" for one in found)
    assert wrong / 200 <= 0.09


def test_a_narrow_interval_has_the_digits_that_tell_its_ends():
    errors = np.random.default_rng(0).normal(20, 0.05, 20_000)
    (one,) = compare(groups(a=errors, b=errors - 1))
    assert "1.000 points lower (95% interval of the difference -1.001 to -0.999)" in sentence(one)
    assert "in 100.000% (99.997 to 100.000) of pairs" in sentence(one)
