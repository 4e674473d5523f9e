"""Run time, scaling and rates: the answers where the truth is known, because it was made up."""

import json

import numpy as np
import pandas as pd
import pytest
from regnet_ds.analysis.findings.answers import FAILS, HOLDS, OPEN
from regnet_ds.analysis.findings.augmented import augmentation_answers, combination
from regnet_ds.analysis.findings.rates import explained, rate_answers
from regnet_ds.analysis.findings.runtime import Times, fit_latency, runtime_answers
from regnet_ds.analysis.findings.scaled import blocked_difference, scaling_answers
from scipy import stats


def times(weights, noise=0.02, n=60):
    rng = np.random.default_rng(0)
    flops, acts = np.exp(rng.normal(0, 1, (2, n)))
    blocks = rng.integers(4, 24, n).astype(float)
    ms = weights @ np.stack([np.ones(n), flops, acts, blocks]) * np.exp(rng.normal(0, noise, n))
    return Times.of({"flops": flops * 1e9, "acts": acts * 1e6, "depth": blocks, "ms": ms})


FACTS = {"resolution": 224, "classes": 1000, "batch": 1, "device": "made up", "threads": "1"}


def test_the_fit_finds_what_made_the_times():
    found = fit_latency(times(np.array([1, 5, 2, 0.3]), noise=1e-6), **FACTS)
    assert [found.fixed, found.flops, found.acts, found.blocks] == pytest.approx(
        [1, 5, 2, 0.3], rel=1e-3
    )
    assert found.spread < 1e-4
    assert fit_latency(times(np.array([1, 5, 2, 0.3]), noise=0.1), **FACTS).spread == pytest.approx(
        0.1, rel=0.3
    )


@pytest.mark.parametrize(
    ("weights", "verdict"), [([0.1, 0.1, 5, 0], HOLDS), ([0.1, 5, 0.1, 0], FAILS)]
)
def test_activations_win_where_they_decide(weights, verdict):
    answers = runtime_answers(times(np.array(weights)))
    assert answers[0].verdict == verdict


def test_few_networks_are_no_fit():
    with pytest.raises(ValueError, match="at least 8 networks, got 3"):
        Times.of({"flops": [1, 2, 3], "acts": [1, 2, 3], "depth": [1, 2, 3], "ms": [1, 2, 3]})


def test_one_block_is_student_with_pooled_freedom():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 1, 12), rng.normal(1, 1, 12)
    found = blocked_difference([a], [b])
    truth = stats.ttest_ind(a, b).confidence_interval()
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high))


def scaling(compound, depth, width):
    rng = np.random.default_rng(0)
    rows = []
    for form, mean, acts in (("d1_w8_g8", compound, 60), ("d", depth, 100), ("w", width, 60)):
        for index in range(3):
            for _ in range(5):
                rows.append(
                    {
                        "study": f"scaling/{form}",
                        "status": "complete",
                        "index": index,
                        "acts": acts,
                        "error": mean + 3 * index + rng.normal(0, 0.5),
                    }
                )
    return pd.DataFrame(rows)


def test_scaling_is_judged_within_networks():
    answers = scaling_answers(scaling(10, 14, 10), margin=1)
    assert [one.verdict for one in answers] == [HOLDS, HOLDS]
    assert "-40% activations" in answers[0].sentence
    assert [one.verdict for one in scaling_answers(scaling(13, 10, 12.05), 1)] == [FAILS, OPEN]
    with pytest.raises(ValueError, match="the scaling w needs"):
        scaling_answers(scaling(1, 1, 1).iloc[:30], 1)


def rates(error, n=60):
    rng = np.random.default_rng(1)
    lr, wd = rng.uniform(-3, 0, n), rng.uniform(-5, -1, n)
    recipes = [
        json.dumps({"lr": float(10**a), "weight_decay": float(10**b)})
        for a, b in zip(lr, wd, strict=True)
    ]
    errors = np.clip(error(lr, wd) + rng.normal(0, 0.3, n), 0, 90)
    return pd.DataFrame(
        {
            "study": "rates",
            "status": "complete",
            "index": range(n),
            "recipe": recipes,
            "error": errors,
        }
    )


def test_the_pair_is_found_where_it_decides():
    both = rate_answers(rates(lambda lr, wd: 10 + 4 * (lr + 1) ** 2 + 4 * (lr + wd + 4) ** 2))
    assert both[0].verdict == HOLDS or both[1].verdict == HOLDS
    assert both[2].verdict == HOLDS
    alone = rate_answers(rates(lambda lr, wd: 10 + 8 * (lr + 1.5) ** 2))
    assert alone[0].verdict == HOLDS
    assert alone[2].verdict == OPEN


def test_what_is_explained_is_a_share():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 1))
    assert explained(x, x[:, 0]) > 0.95
    assert abs(explained(x, rng.normal(size=200))) < 0.05


def augmented(gain_small, gain_large):
    rng = np.random.default_rng(1)
    rows = []
    for size, gain in (("small", gain_small), ("large", gain_large)):
        for level, area in enumerate((1.0, 0.8, 0.6)):
            for _ in range(4):
                error = 20 - gain * level / 2 + rng.normal(0, 0.3)
                recipe = json.dumps({"area_factor": area})
                row = {"study": f"augmentation/{size}", "status": "complete", "recipe": recipe}
                rows.append({**row, "error": error})
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("gains", "verdict"), [((-2, 2), HOLDS), ((2, -2), FAILS), ((1, 1), OPEN)])
def test_augmentation_is_judged_by_the_difference_of_gains(gains, verdict):
    (answer,) = augmentation_answers(augmented(*gains))
    assert answer.verdict == verdict
    with pytest.raises(ValueError, match="augmentation/large needs two levels"):
        augmentation_answers(augmented(*gains).iloc[:12])


def test_two_cells_are_welch():
    rng = np.random.default_rng(0)
    a, b = rng.normal(3, 1, 8), rng.normal(1, 3, 12)
    found = combination(np.array([1.0, -1.0]), [a, b])
    truth = stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((truth.low, truth.high))
