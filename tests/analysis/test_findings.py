"""The answers of a ladder whose truth is known, because it was made up."""

import numpy as np
import pandas as pd
import pytest
from regnet_ds.analysis.findings.answers import FAILS, HOLDS, OPEN, above
from regnet_ds.analysis.findings.page import Ladder, markdown
from regnet_ds.analysis.findings.rungs import RUNGS, ladder_groups, ladder_steps, seed_noise
from regnet_ds.analysis.findings.widths import (
    best_interval,
    block_widths,
    bottleneck_answer,
    width_fits,
    wm_answer,
)
from regnet_ds.analysis.intervals import Interval
from regnet_ds.designspace import SPACES, sample

N = 40


def made_up(means, *, slope=0.0, seed=0):
    """Return a ladder whose errors are normal around the means, plus slope times |wm - 2.5|."""
    rng = np.random.default_rng(seed)
    rows = []
    for space, mean in zip(RUNGS, means, strict=True):
        population = sample(SPACES[space], N, rng=rng).population
        for i, record in enumerate(population.records()):
            wm, b = record["wm"] or 2.5, record["bottleneck_ratio"] or 1
            truth = mean + slope * (abs(wm - 2.5) * 4 + b) + rng.normal(0, 3)
            for replicate in range(3 if i < 2 else 1):
                row = {"study": f"ladder/{space}", "space": space, "index": i, "status": "complete"}
                error = truth + rng.normal(0, 1)
                rows.append({**record, **row, "replicate": replicate, "error": error})
    return pd.DataFrame(rows)


def verdicts(table, margin=2.0):
    steps = ladder_steps(ladder_groups(table), margin)
    return [step.verdict for step in steps]


def test_the_ladder_of_the_paper_holds_where_it_is_true():
    table = made_up([30, 30, 30, 24, 20, 16])
    assert verdicts(table) == [HOLDS] * 6
    groups = ladder_groups(table)
    assert [group.name for group in groups] == list(RUNGS.values())
    assert [len(group.rows) for group in groups] == [N] * 6  # seeds count once


def test_it_fails_where_it_is_false_and_is_open_where_nothing_differs():
    assert verdicts(made_up([20, 26, 26, 32, 32, 32])) == [FAILS, HOLDS, FAILS, OPEN, OPEN, FAILS]
    assert verdicts(made_up([20, 21, 21, 21, 21, 21]), margin=0.01)[0] == OPEN


def test_the_noise_is_that_of_the_seeds():
    found = seed_noise(made_up([30] * 6))
    assert found.n_repeated == 12
    assert found.over_seeds == pytest.approx(1, abs=0.4)
    assert found.over_models == pytest.approx(3.2, abs=0.4)


def test_wm_and_b_are_found_where_they_matter():
    group = ladder_groups(made_up([30] * 6, slope=6))[-1]
    assert wm_answer(group).verdict == HOLDS
    assert bottleneck_answer(group).verdict == HOLDS
    flat = ladder_groups(made_up([30] * 6))[-1]
    assert wm_answer(flat).verdict == OPEN
    assert bottleneck_answer(flat).verdict == OPEN


def test_the_best_value_lies_in_its_interval():
    rng = np.random.default_rng(0)
    x = rng.uniform(0, 1, 400)
    found = best_interval(x, 10 * (x - 0.3) ** 2 + rng.normal(0, 0.01, 400))
    assert found.low < 0.3 < found.high
    assert found.high - found.low < 0.1


def test_blocks_and_fits_of_regnets():
    rows = pd.DataFrame({"stage_widths": [(8, 16), (24,)], "stage_depths": [(1, 2), (1,)]})
    assert block_widths(rows).tolist() == [[8, 16, 16], [24, 0, 0]]
    fits = width_fits(ladder_groups(made_up([30] * 6)))
    by_name = {one.name: one.e_fit.mean() for one in fits}
    # A RegNet is on its line but for rounding and groups; the widths of AnyNetX A are anywhere.
    assert by_name["RegNetX"] < 0.05 < 0.3 < by_name["AnyNetX A"]


def test_the_page_has_an_interval_in_every_answer():
    found = Ladder.of(made_up([30, 30, 30, 24, 20, 16]))
    page = markdown(found.populations, found.answers())
    answers = [line for line in page.splitlines() if line.startswith("- **")]
    assert len(answers) == 6 + 4 + 4
    assert all(" to " in line for line in answers)
    assert page.startswith("Of 14 findings ")
    assert "### The populations\n\n| space |" in page


def test_an_interval_decides():
    assert above(Interval(2, 1, 3)) == HOLDS
    assert above(Interval(-2, -3, -1)) == FAILS
    assert above(Interval(0, -1, 1)) == OPEN


def test_one_rung_is_no_ladder():
    table = made_up([30] * 6)
    with pytest.raises(ValueError, match="a ladder needs two of the spaces"):
        ladder_groups(table[table["space"] == "anynetx-a"])
