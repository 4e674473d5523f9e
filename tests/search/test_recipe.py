import csv
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace import CANONICAL
from regnet_ds.search.data.datasets import Augmentations
from regnet_ds.search.recipes.recipe import Recipe
from regnet_ds.search.recipes.size_priors import LARGEST, SMALLEST, priors

GOLDEN = Path(__file__).parents[1] / "golden" / "canonical.csv"
DIGITS = Augmentations(flip=False, min_area_factor=0.6, pca=False)


def golden_rows():
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_default_is_the_population_regime_of_dds():
    recipe = Recipe()
    assert (recipe.epochs, recipe.lr, recipe.batch_size) == (10, 0.05, 128)
    assert (recipe.momentum, recipe.weight_decay, recipe.warmup_epochs) == (0.9, 5e-5, 0)


@pytest.mark.parametrize("row", golden_rows(), ids=lambda row: row["name"])
def test_published_recipes_are_those_of_the_reference(row):
    paper = Recipe.paper(row["name"])
    assert paper.batch_size == int(row["pycls_batch_size"])
    assert paper.lr == pytest.approx(float(row["pycls_base_lr"]))
    assert paper.weight_decay == float(row["pycls_weight_decay"])
    assert paper.epochs == int(row["pycls_epochs"])
    assert paper.warmup_epochs == int(row["pycls_warmup_epochs"])
    post = Recipe.post(row["name"])
    assert (post.optimizer, post.lr, post.batch_size) == ("adamw", 0.008, 1024)
    assert post.weight_decay == float(row["seed_weight_decay"])
    assert post.area_factor == float(row["seed_area_factor"])
    assert post.mixup_alpha == float(row["seed_mixup_alpha"])


def test_published_recipes_accept_every_name_and_refuse_others():
    assert Recipe.paper("regnetx_040") == Recipe.paper("RegNetX-4.0GF")
    with pytest.raises(ValueError, match=r"model 'RegNetX-4\.1GF' \(nearest: RegNetX-4\.0GF"):
        Recipe.paper("RegNetX-4.1GF")


def test_the_schedule_is_half_a_cosine_by_epoch():
    recipe = Recipe(epochs=4, lr=0.2)
    expected = [0.2 * 0.5 * (1 + math.cos(math.pi * epoch / 4)) for epoch in range(4)]
    assert [recipe.learning_rate(epoch) for epoch in range(4)] == pytest.approx(expected)


def test_the_warm_up_rises_by_epoch_from_a_tenth():
    recipe = Recipe(epochs=100, lr=1.0, warmup_epochs=5)
    cosine = [0.5 * (1 + math.cos(math.pi * epoch / 100)) for epoch in range(6)]
    factors = [0.1, 0.28, 0.46, 0.64, 0.82, 1.0]
    got = [recipe.learning_rate(epoch) for epoch in range(6)]
    assert got == pytest.approx([c * f for c, f in zip(cosine, factors, strict=True)])


def test_every_fault_is_listed_with_its_value_and_range():
    with pytest.raises(ValueError) as caught:
        Recipe(epochs=0, lr=-1, momentum=1.0, optimizer="adam", flip=1, batch_size=2.5)
    assert str(caught.value).split("; ") == [
        "optimizer must be one of sgd, adamw, got 'adam'",
        "flip must be true or false, got 1",
        "epochs must be a whole number in [1, 100000], got 0",
        "lr must be a number in (0, 1000], got -1",
        "batch_size must be a whole number in [1, 1048576], got 2.5",
        "momentum must be a number in [0, 1), got 1.0",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"lr": math.nan}, "lr must be .* got nan"),
        ({"lr": math.inf}, "lr must be .* got inf"),
        ({"lr": True}, "lr must be .* got True"),
        ({"epochs": 3, "warmup_epochs": 3}, "warmup_epochs must be below epochs, got 3 of 3"),
        ({"momentum": 0.0}, "nesterov needs a positive momentum, got 0"),
    ],
)
def test_single_faults(values, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**values)


RECIPES = st.builds(
    Recipe,
    epochs=st.integers(6, 100),
    optimizer=st.sampled_from(["sgd", "adamw"]),
    lr=st.floats(1e-6, 10),
    weight_decay=st.floats(0, 1),
    warmup_epochs=st.integers(0, 5),
    mixup_alpha=st.floats(0, 2),
    area_factor=st.floats(0.01, 1),
    flip=st.booleans(),
    pca_std=st.floats(0, 1),
)


@given(RECIPES)
def test_round_trip_through_a_dict(recipe):
    assert Recipe.from_dict(recipe.to_dict()) == recipe


@given(RECIPES)
def test_narrowing_asks_for_no_more_than_is_allowed(recipe):
    narrowed = recipe.narrowed(DIGITS)
    assert not narrowed.flip and narrowed.pca_std == 0 and narrowed.area_factor >= 0.6
    assert narrowed.excess(DIGITS) == {}
    assert narrowed.narrowed(DIGITS) == narrowed
    assert recipe.narrowed(Augmentations()) == recipe
    fields = {"flip": True, "pca_std": 0.0, "area_factor": 1.0}
    assert replace(narrowed, **fields) == replace(recipe, **fields)


def test_from_dict_reads_texts_and_refuses_unknown_keys():
    recipe = Recipe.from_dict({"weight_decay": "5e-5", "epochs": 3.0, "lr": 1})
    assert (recipe.weight_decay, recipe.epochs, recipe.lr) == (5e-5, 3, 1.0)
    with pytest.raises(ValueError) as caught:
        Recipe.from_dict({"weight_dekay": 1, "lr": "fast", "epochs": 2.5})
    assert "no field 'weight_dekay' (nearest: weight_decay)" in str(caught.value)
    assert "lr must be a number in (0, 1000], got 'fast'" in str(caught.value)
    assert "epochs must be a whole number in [1, 100000], got 2.5" in str(caught.value)


def test_priors_follow_the_learning_points():
    sizes = [SMALLEST * (LARGEST / SMALLEST) ** (k / 9) for k in range(10)]
    ranges = [priors(size) for size in sizes]
    widths = {name: [r[name][1] - r[name][0] for r in ranges] for name in ranges[0]}
    assert widths["mixup_alpha"] == sorted(widths["mixup_alpha"])
    assert widths["label_smoothing"] == sorted(widths["label_smoothing"])
    for part in (0, 1):
        falling = [r["weight_decay"][part] for r in ranges]
        assert falling == sorted(falling, reverse=True)
        crops = [r["area_factor"][part] for r in ranges]
        assert crops == sorted(crops, reverse=True)
    assert priors(1e6) == ranges[0] and priors(1e12) == ranges[-1]


@given(st.floats(1e5, 1e12), st.sampled_from(["sgd", "adamw"]), st.integers(1, 4096))
def test_every_point_of_the_priors_is_a_recipe(flops, optimizer, batch_size):
    found = priors(flops, optimizer=optimizer, batch_size=batch_size, allowed=DIGITS)
    for part in (0, 1):
        values = {name: prior[part] for name, prior in found.items()}
        recipe = Recipe(optimizer=optimizer, batch_size=batch_size, **values)
        assert recipe.area_factor >= 0.6
    assert all(low < high for low, high, _ in found.values())
    assert all(low > 0 for low, _, scale in found.values() if scale == "log")


def test_priors_refuse_what_is_no_size():
    with pytest.raises(ValueError, match="flops must be positive, got 0"):
        priors(0)
    with pytest.raises(ValueError, match="optimizer must be one of sgd, adamw, got 'lamb'"):
        priors(1e9, optimizer="lamb")


def test_recipes_load_nothing_heavy():
    code = (
        "import sys; from regnet_ds.search import Recipe, priors; Recipe.paper('RegNetX-200MF');"
        "priors(1e9);"
        "print([m for m in ('tensorflow', 'keras', 'pandas', 'optuna') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_there_is_a_recipe_for_each_canonical_network():
    assert len({Recipe.post(name) for name in CANONICAL}) > 3
