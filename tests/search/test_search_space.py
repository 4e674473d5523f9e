"""Search spaces of tuning: files with all their faults, priors that hold the published settings."""

from dataclasses import replace

import pytest
from regnet_ds.designspace import canonical, complexity
from regnet_ds.designspace.catalogue import CANONICAL
from regnet_ds.search.data.datasets import Augmentations
from regnet_ds.search.recipes.recipe import Recipe
from regnet_ds.search.recipes.search_space import (
    is_range,
    read_search_space,
    search_space_faults,
    search_space_text,
    with_defaults,
)
from regnet_ds.search.recipes.size_priors import priors
from regnet_ds.search.sizes.size import Size, first_trials, widened

DIGITS = Augmentations(flip=False, min_area_factor=0.6, pca=False)
SPEC = canonical("RegNetX-200MF")


@pytest.fixture
def read(tmp_path):
    def read_text(text):
        path = tmp_path / "space.yaml"
        path.write_text(text)
        return read_search_space(path)

    return read_text


def test_what_is_written_is_read(read):
    for optimizer in (None, "sgd"):
        space = priors(4e8, optimizer=optimizer, steps=10_000)
        assert read(search_space_text(space)) == {key: list(v) for key, v in space.items()}


def test_ranges_choices_and_defaults(read):
    space = read("""
optimizer: [sgd, adamw]
lr: {sgd: [0.01, 1e-1, log], adamw: default}
weight_decay: {low: 1e-5, high: 1e-3, scale: log}
epochs: {low: 5, high: 10}
mixup_alpha: default
flip: [true, false]
label_smoothing: [0, 0.1]
""")
    own = priors(4e8, optimizer=None)
    found = with_defaults(space, own, Recipe(), None)
    assert found == {
        "optimizer": ["sgd", "adamw"],
        "lr.sgd": [0.01, 0.1, "log"],
        "lr.adamw": own["lr.adamw"],
        "weight_decay": (1e-5, 1e-3, "log"),
        "epochs": (5, 10, "linear"),
        "mixup_alpha": own["mixup_alpha"],
        "flip": [True, False],
        "label_smoothing": [0.0, 0.1],
    }
    assert [key for key in found if is_range(found[key])] == [
        "lr.sgd", "lr.adamw", "weight_decay", "epochs", "mixup_alpha",
    ]  # fmt: skip
    assert with_defaults(read("lr: default"), own, Recipe(), None).keys() == {"lr.sgd", "lr.adamw"}


def test_all_faults_at_once(read):
    space = read("""
weight_dekay: [1e-5, 1e-3, log]
lr: [0.0, 0.1, log]
epochs: [5, 2.5]
optimizer: [sgd, lamb]
nesterov: [1, 2, linear]
momentum: []
label_smoothing: [0.1, 0.1]
mixup_alpha: [0.5, 0.2, linear]
area_factor: 0.5
pca_std: default
""")
    with pytest.raises(ValueError) as caught:
        with_defaults(space, priors(4e8), Recipe(), None)
    assert str(caught.value).split("; ") == [
        "pca_std has no default prior (these have: lr, weight_decay, mixup_alpha, area_factor, "
        "label_smoothing)",
        "a recipe has no field 'weight_dekay' (nearest: weight_decay)",
        "lr must be a number in (0, 1000], got 0.0",
        "epochs must be a whole number in [1, 100000], got 2.5",
        "optimizer must be one of sgd, adamw, got 'lamb'",
        "nesterov cannot be tuned over a range: list its values",
        "momentum must be a list of values or [low, high, log or linear], got []",
        "label_smoothing lists 0.1 twice",
        "mixup_alpha has no range from 0.5 to 0.2 on a linear scale",
        "area_factor must be a list of values or [low, high, log or linear], got 0.5",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lr: {low: 1, hihg: 2}", r"lr: a range has no 'hihg' \(nearest: high\); lr: .* needs 'hi"),
        ("lr: {low: 1, high: 2, scale: lg}", "lr: the scale must be log or linear, got 'lg'"),
        ("[lr]", "must hold a search space"),
        ("", "must hold a search space"),
        ("lr: [", "is not valid YAML"),
    ],
)
def test_files_that_are_not_written_so(read, text, said):
    with pytest.raises(ValueError, match=said):
        read(text)


@pytest.mark.parametrize(
    ("space", "recipe", "said"),
    [
        ({"lr.lamb": (1e-3, 1e-2, "log")}, Recipe(), "lr.lamb: optimizer must be one of"),
        ({"lr.sgd": (1, 2, "log"), "lr": [1]}, Recipe(), "lr is given both for all optimizers and"),
        ({"optimizer": ["sgd", "adamw"], "lr.sgd": [0.1]}, Recipe(), "lr has no prior for adamw"),
        ({"epochs": [3, 9], "warmup_epochs": (0, 5, "linear")}, Recipe(), "below epochs, got 5 of"),
        ({"momentum": (0.0, 0.9, "linear")}, Recipe(), "nesterov needs a positive momentum"),
        (
            {"area_factor": [0.5, 0.7]},
            Recipe(area_factor=0.6),
            "area_factor may be 0.5, but the da",
        ),
        ({"flip": [True, False]}, Recipe(flip=False), "flip may be True, but the data set allows"),
    ],
)
def test_faults_of_several_fields_and_of_the_data(space, recipe, said):
    assert said in "; ".join(search_space_faults(space, recipe, DIGITS))


def test_the_published_settings_lie_within_the_priors():
    for name in CANONICAL:
        flops = complexity(canonical(name), resolution=224, classes=1000).flops
        for recipe in (Recipe.paper(name), Recipe.post(name)):
            found = priors(flops, optimizer=recipe.optimizer, batch_size=recipe.batch_size)
            for key, (low, high, _) in found.items():
                outside = name == "RegNetX-200MF" and recipe == Recipe.paper(name)
                outside = outside or (name in ("RegNetY-200MF",) and recipe == Recipe.paper(name))
                if key == "area_factor" and outside:
                    continue  # the post's crop is larger there, because it did better
                value = getattr(recipe, key)
                assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9), (name, key)


def test_moving_averages_follow_the_length_of_the_training():
    assert "ema_decay" not in priors(4e8)
    assert priors(4e8, steps=125_200)["ema_decay"] == (0.0, 0.999601, 0.99992)
    assert priors(4e8, steps=20)["ema_decay"] == (0.0, 0.8)


OWN = Recipe(epochs=5, lr=0.05)
PUBLISHED = {
    "paper": Recipe(epochs=5, lr=0.1),
    "post": Recipe(epochs=5, lr=0.001, optimizer="adamw", mixup_alpha=0.2),
}


def test_the_published_settings_are_first_trials():
    space = {**priors(4e8, optimizer=None), "epochs": [5, 9]}
    found = first_trials(Size("m", SPEC, OWN, space, PUBLISHED), None)
    assert [trial["origin"] for trial in found] == ["recipe", "paper", "post"]
    own, paper, post = (trial["params"] for trial in found)
    assert own["lr.sgd"] == 0.05 and "lr.adamw" not in own and own["epochs"] == 5
    assert (paper["optimizer"], paper["lr.sgd"]) == ("sgd", 0.1)
    assert (post["optimizer"], post["lr.adamw"], post["mixup_alpha"]) == ("adamw", 0.001, 0.2)
    assert "lr.sgd" not in post
    assert widened(space, [own, paper, post])["area_factor"][0] == 0.08


def test_what_does_not_carry_over_stays_the_own():
    found = first_trials(Size("m", SPEC, OWN, priors(4e8), PUBLISHED), None)
    assert [t["params"]["lr"] for t in found] == [0.05, 0.1, 0.05]
    same = first_trials(Size("m", SPEC, OWN, {"lr": (0.01, 1, "log")}, PUBLISHED), None)
    assert [trial["origin"] for trial in same] == ["recipe", "paper"]


def test_values_are_moved_into_a_space_of_the_users_own():
    space = {"lr": (0.2, 0.4, "log"), "epochs": [8, 20], "optimizer": ["adamw"]}
    size = Size("m", SPEC, OWN, space, strict=True)
    (trial,) = first_trials(size, None)
    assert trial["params"]["epochs"] == 8 and trial["params"]["optimizer"] == "adamw"
    assert 0.2 <= trial["params"]["lr"] <= 0.4
    assert first_trials(replace(size, strict=False), None)[0]["params"]["epochs"] == 5
