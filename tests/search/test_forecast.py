"""What a run will take, before it starts."""

import itertools
from dataclasses import replace

import pytest
from regnet_ds.designspace import complexity
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.populations.forecast import PROBE, Probe, forecast, probe, typical
from regnet_ds.search.recipes.recipe import Recipe

DATA = load_dataset("digits")
RECIPE = Recipe(epochs=9).narrowed(DATA.augmentations)


@pytest.fixture
def specs(population):
    drawn = population(5)
    return [drawn.row(i) for i in range(len(drawn))]


def acts(spec):
    return complexity(spec, resolution=32, classes=10).acts


def test_the_typical_network_has_the_median_activations(specs):
    assert acts(typical(specs, DATA)) == sorted(map(acts, specs))[2]


def test_hours_add_up(specs):
    one = [specs[0]]
    probed = Probe(start=2.0, step=0.05, acts=acts(specs[0]))
    found = forecast(one, RECIPE, DATA, probed, workers=8)
    # 1,078 images are 8 steps of 128; the 360 of val cost a third of a step for 128
    assert found.seconds == pytest.approx(2 + 0.05 * 9 * (8 + 360 / 128 / 3), rel=1e-3)
    assert found.hours == found.seconds / 3600
    twice = forecast(one * 2, replace(RECIPE, epochs=18), DATA, probed, workers=1)
    assert twice.seconds == pytest.approx(2 * (2 + 0.05 * 18 * (8 + 360 / 128 / 3)), rel=1e-3)
    assert (twice.models, twice.epochs) == (2, 18) and twice.disk > found.disk
    wide = forecast(specs, RECIPE, DATA, probed, workers=1)
    scaled = sum(map(acts, specs)) / acts(specs[0])
    assert wide.seconds - 10 == pytest.approx(scaled * (found.seconds - 2))


@pytest.mark.slow
def test_a_probe_takes_twenty_steps_by_the_clock(specs):
    ticks = itertools.count(10.0, 0.5)
    found = probe(specs[0], RECIPE, DATA, clock=lambda: next(ticks))
    assert (found.start, found.step, found.acts) == (0.5, 0.5, acts(specs[0]))
    assert next(ticks) == 10.0 + 0.5 * (PROBE + 1)
