"""Configurations for other libraries: against published files, and against the libraries."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from regnet_ds.designspace import (
    CANONICAL,
    SPACES,
    NetSpec,
    RegNetParams,
    Stage,
    canonical,
    complexity,
    sample,
)
from regnet_ds.designspace.catalogue import TORCHVISION_OTHER_NETWORKS, keras_name, timm_name
from regnet_ds.designspace.emit import dump_foreign
from regnet_ds.designspace.foreign.formats import (
    LIBRARIES,
    canonical_as,
    to_classyvision,
    to_keras,
    to_pycls,
    to_timm,
    to_torchvision,
)
from regnet_ds.designspace.foreign.rules import (
    classyvision_stages,
    timm_stages,
    torchvision_stages,
)
from regnet_ds.search.recipes.published import paper_recipe, post_recipe
from regnet_ds.search.recipes.recipe import Recipe

STAGEWISE = ("RegNetX-400MF", "RegNetX-4.0GF", "RegNetY-800MF", "RegNetY-4.0GF", "RegNetY-8.0GF")
ANYNET = NetSpec((Stage(1, 24), Stage(2, 48), Stage(3, 96), Stage(1, 160)))
Z500 = RegNetParams(21, 16, 10.7, 2.51, 4, 0.25).to_spec(block="z", head_width=1024)
PEER = os.environ.get("REGNET_DS_PEER_PYTHON")


def published_rows(golden: Path) -> dict[str, dict[str, str]]:
    with (golden / "canonical.csv").open() as file:
        return {row["name"]: row for row in csv.DictReader(file)}


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split()]


@pytest.mark.parametrize("name", CANONICAL)
def test_keras_has_the_published_stages(name: str, golden: Path) -> None:
    row = published_rows(golden)[name]
    made = canonical_as("keras", name)
    assert made == {
        "depths": numbers(row["stage_depths"]),
        "widths": numbers(row["stage_widths"]),
        "group_width": max(numbers(row["group_widths_adjusted"])),
        "block_type": row["block"],
        "default_size": 224,
        "model_name": row["keras_name"].lower(),
    }


@pytest.mark.parametrize("name", CANONICAL)
def test_parameters_are_the_published_ones(name: str, golden: Path) -> None:
    row = published_rows(golden)[name]
    d, w0, g = (int(row[key]) for key in ("depth", "w0", "group_width"))
    wa, wm, se = (float(row[key]) for key in ("wa", "wm", "se_ratio"))
    timm = canonical_as("timm", name)
    assert timm["architecture"] == row["timm_name"]
    args = timm["model_args"]
    assert [args[k] for k in ("depth", "w0", "wa", "wm", "group_size")] == [d, w0, wa, wm, g]
    assert (args["se_ratio"], args["stem_width"], args["bottle_ratio"]) == (se, 32, 1.0)
    classy = canonical_as("classyvision", name)
    keys = ("depth", "w_0", "w_a", "w_m", "group_width")
    assert [classy[key] for key in keys] == [d, w0, wa, wm, g]
    assert (classy["name"], classy["use_se"], classy["se_ratio"]) == ("regnet", se > 0, se)
    assert classy["heads"] == [
        {
            "name": "fully_connected",
            "unique_id": "default_head",
            "num_classes": 1000,
            "in_plane": numbers(row["stage_widths"])[-1],
            "conv_planes": None,
            "activation": "relu",
            "fork_block": "trunk_output",
        }
    ]
    torchvision = canonical_as("torchvision", name)
    if name not in STAGEWISE:
        params = torchvision["from_init_params"]
        assert [params[key] for key in keys] == [d, w0, wa, wm, g]
        assert params["se_ratio"] == (se or None)


@pytest.mark.parametrize("name", CANONICAL)
def test_pycls_file_is_the_published_one(name: str, golden: Path) -> None:
    published = json.loads((golden / "pycls_dds_baselines.json").read_text())[name]
    published["OPTIM"]["WEIGHT_DECAY"] = float(published["OPTIM"]["WEIGHT_DECAY"])
    made = canonical_as("pycls", name, recipe=paper_recipe(name).to_dict())
    assert made == published
    assert list(made["REGNET"]) == list(published["REGNET"])
    assert yaml.safe_load(dump_foreign(made, json=False)) == published
    model_alone = {key: published[key] for key in ("MODEL", "REGNET")}
    assert canonical_as("pycls", name) == model_alone


def test_torchvision_takes_five_networks_stage_by_stage(golden: Path) -> None:
    made = {name: canonical_as("torchvision", name) for name in CANONICAL}
    assert tuple(name for name in made if "block_params" in made[name]) == STAGEWISE
    assert set(TORCHVISION_OTHER_NETWORKS.values()) < set(STAGEWISE)
    for name in STAGEWISE:
        row, params = published_rows(golden)[name], made[name]["block_params"]
        assert params["widths"] == numbers(row["stage_widths"])
        assert params["depths"] == numbers(row["stage_depths"])
        assert params["group_widths"] == numbers(row["group_widths_adjusted"])
    y8 = torchvision_stages(CANONICAL["RegNetY-8.0GF"])
    assert [width for _, width, _ in y8] == [224, 448, 896, 2016]  # regnet_y_8gf


@pytest.mark.parametrize("library", LIBRARIES)
def test_texts_read_back(library: str) -> None:
    tree = canonical_as(library, "RegNetY-200MF")
    assert yaml.safe_load(dump_foreign(tree, json=False)) == tree
    assert json.loads(dump_foreign(tree, json=True)) == tree


def test_names_of_networks_and_libraries_are_checked() -> None:
    assert canonical_as("timm", "RegNetX040") == canonical_as("timm", "regnetx_040")
    with pytest.raises(ValueError, match=r"library must be one of .*, got 'kimm'"):
        canonical_as("kimm", "RegNetX040")
    with pytest.raises(ValueError, match="unknown model 'RegNetQ'"):
        canonical_as("timm", "RegNetQ")


def test_anynets_go_where_stages_can_be_given() -> None:
    assert to_keras(ANYNET)["widths"] == [24, 48, 96, 160]
    assert to_torchvision(ANYNET)["block_params"]["depths"] == [1, 2, 3, 1]
    assert to_classyvision(ANYNET)["name"] == "anynet"
    made = to_pycls(ANYNET, classes=10)
    assert made["MODEL"] == {"TYPE": "anynet", "NUM_CLASSES": 10}
    assert made["ANYNET"]["GROUP_WS"] == [8] * 4
    with pytest.raises(ValueError, match="timm makes stages of RegNet parameters"):
        to_timm(ANYNET)


def test_stages_that_are_not_the_parameters_own_are_kept() -> None:
    spec = canonical("RegNetX-200MF")
    deeper = replace(spec, stages=(*spec.stages[:3], replace(spec.stages[3], depth=9)))
    assert to_torchvision(deeper)["block_params"]["depths"] == [1, 1, 4, 9]
    assert to_classyvision(deeper)["depths"] == [1, 1, 4, 9]
    assert to_pycls(deeper)["ANYNET"]["DEPTHS"] == [1, 1, 4, 9]
    with pytest.raises(ValueError, match="timm's rule gives other widths"):
        to_timm(deeper)


def test_z_is_inverted_in_every_convention() -> None:
    args = to_timm(Z500)["model_args"]
    assert (args["bottle_ratio"], args["downsample"], args["linear_out"]) == (4.0, None, True)
    assert (args["num_features"], args["act_layer"]) == (1024, "silu")
    pycls = to_pycls(Z500)
    assert pycls["REGNET"]["BOT_MUL"] == 4.0
    assert pycls["REGNET"]["BLOCK_TYPE"] == "res_bottleneck_linear_block"
    assert (pycls["REGNET"]["HEAD_W"], pycls["MODEL"]["ACTIVATION_FUN"]) == (1024, "silu")
    classy = to_classyvision(Z500)
    assert (classy["name"], classy["bottleneck_multiplier"]) == ("regnet", 4.0)
    assert classy["heads"][0]["conv_planes"] == 1024


def test_rules_differ_from_pycls_where_b_is_not_1() -> None:
    """Appendix D's unit is lcm(g, m); timm's and ClassyVision's is g."""
    params = RegNetParams(13, 24, 36.44, 2.49, 6, 0.25)
    spec = params.to_spec(block="z", head_width=64)
    assert [stage.width for stage in spec.stages] == [24, 57, 153, 369]
    assert [width for _, width, _ in timm_stages(params)] == [24, 55, 151, 367]
    assert "from_init_params" not in to_classyvision(spec)
    assert to_classyvision(spec)["widths"] == [24, 57, 153, 369]
    with pytest.raises(ValueError, match="timm's rule gives other widths: 24 55 151 367, not 24"):
        to_timm(spec)


def test_fractions_are_written_as_such() -> None:
    spec = RegNetParams(13, 24, 36, 3, 8).to_spec(block="y", se_ratio=1)
    made = to_pycls(spec)["REGNET"]
    assert [type(made[key]) for key in ("WA", "WM", "SE_R", "W0")] == [float, float, float, int]


def test_recipes_of_pycls() -> None:
    made = to_pycls(ANYNET, recipe=post_recipe("RegNetX-4.0GF").to_dict())
    assert made["OPTIM"]["OPTIMIZER"] == "adamw"
    assert "MOMENTUM" not in made["OPTIM"]
    assert made["TRAIN"]["MIXUP_ALPHA"] == 0.2
    odd = Recipe(batch_size=10, warmup_factor=0.2, precise_bn_images=100, label_smoothing=0.1)
    made = to_pycls(ANYNET, recipe=odd.to_dict(), resolution=112)
    assert (made["NUM_GPUS"], made["TEST"]["BATCH_SIZE"]) == (1, 7)
    assert (made["TRAIN"]["IM_SIZE"], made["TEST"]["IM_SIZE"]) == (112, 128)
    assert made["BN"] == {"NUM_SAMPLES_PRECISE": 100}
    assert (made["OPTIM"]["WARMUP_FACTOR"], made["TRAIN"]["LABEL_SMOOTHING"]) == (0.2, 0.1)
    for recipe, message in (
        (Recipe(area_factor=0.25), "pycls crops to at least 0.08 of an image, got 0.25"),
        (Recipe(flip=False), "flip must be true, got False"),
    ):
        with pytest.raises(ValueError, match=message):
            to_pycls(ANYNET, recipe=recipe.to_dict())


X, Y = canonical("RegNetX-200MF"), canonical("RegNetY-200MF")
ODD_STAGES = (*X.stages[:3], Stage(7, 368, stride=1))
REFUSED: list[tuple[Callable[..., Any], NetSpec, str]] = [
    (to_keras, Z500, "tf_keras cannot express block z"),
    (to_keras, replace(X, activation="silu"), "activation silu"),
    (to_keras, replace(X, stem_width=16), "stem_width 16: it is always 32"),
    (to_keras, replace(X, stem_type="cifar"), "stem_type cifar"),
    (to_keras, replace(X, head_width=64), "head_width 64"),
    (to_keras, replace(X, stages=X.stages[:3]), r"stage_strides \[2, 2, 2\]: it has 4 stages"),
    (to_keras, replace(X, stages=ODD_STAGES), r"stage_strides \[2, 2, 2, 1\]"),
    (to_keras, replace(Y, se_ratio=0.5), "se_ratio 0.5: it is always 0.25"),
    (to_keras, replace(ANYNET, stages=(Stage(1, 24, 2, 4), *ANYNET.stages[1:])), "widths 4 and 8"),
    (
        to_keras,
        replace(ANYNET, stages=(Stage(2, 24, 2, 8, 0.5), *ANYNET.stages[1:])),
        r"other than 1, here \[0.5, 1.0\]",
    ),
    (
        to_keras,
        NetSpec((Stage(1, 23, 2, 1), *(Stage(1, 30, 2, 1),) * 3), block="y", se_ratio=0.25),
        "width 23: it squeezes to 5 channels",
    ),
    (to_timm, replace(X, stem_type="resnet"), "timm cannot express stem_type resnet"),
    (to_timm, replace(Z500, head_width=0), "block z without a head convolution"),
    (to_timm, NetSpec(X.stages, block="basic"), "block basic"),
    (to_timm, replace(Y, se_ratio=0.01), "se_ratio 0.01 of 24 channels: it rounds to 0"),
    (to_torchvision, Z500, "torchvision cannot express block z"),
    (to_torchvision, replace(X, activation="gelu"), "activation gelu"),
    (to_torchvision, replace(X, head_width=64), "head_width 64"),
    (to_classyvision, replace(X, activation="gelu"), "ClassyVision cannot express activation gelu"),
    (to_classyvision, NetSpec(X.stages, block="vr"), "block vr"),
    (to_pycls, NetSpec(X.stages, block="v"), "pycls cannot express block v"),
]


@pytest.mark.parametrize(("write", "spec", "message"), REFUSED)
def test_what_a_library_cannot_express_is_refused(
    write: Callable[..., Any], spec: NetSpec, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write(spec)


INVERTED = NetSpec((Stage(2, 24, 1, 4, 0.5), Stage(1, 40, 2, 20, 2)), activation="silu")
BY_NAME = "RegNetY-400MF"
RATIOS = (0.25, 1.0, 2.0)
RULES = {"timm": timm_stages, "torchvision": torchvision_stages}
PARAMETER_KEYS = ("depth", "w0", "wa", "wm", "group_width")


def ask(python: str, requests: list[tuple[str, Any]]) -> list[Any]:
    """Have another interpreter answer; None where it lacks the library."""
    program = [python, str(Path(__file__).with_name("build_with_peers.py"))]
    done = subprocess.run(program, input=json.dumps(requests), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def or_skip(answers: list[Any]) -> list[Any]:
    if None in answers:
        pytest.skip("not installed: set REGNET_DS_PEER_PYTHON to a Python that has the library")
    return answers


def ours(spec: NetSpec, classes: int = 1000) -> int:
    return complexity(spec, classes=classes).params


def drawn_parameters(b: float) -> list[RegNetParams]:
    """Return parameters of all kinds, and those of the canonical networks."""
    population = sample(SPACES["regnetx-dds"], 300, rng=np.random.default_rng(1)).population
    drawn = [population.row(i).parameters for i in range(300)]
    params = [p for p in [*drawn, *CANONICAL.values()] if p is not None]
    return [replace(p, bottleneck_ratio=b) for p in params]


@pytest.fixture(scope="module")
def torch_peers() -> dict[str, list[Any]]:
    """Return what timm and torchvision answer; one process, because torch starts slowly."""
    if PEER is None:
        pytest.skip("set REGNET_DS_PEER_PYTHON to a Python that has timm and torchvision")
    requests: dict[str, list[tuple[str, Any]]] = {
        library: [(library, canonical_as(library, name)) for name in CANONICAL] for library in RULES
    }
    requests["others of timm"] = [
        ("timm by name", canonical_as("timm", BY_NAME)),
        ("timm", to_timm(Z500, classes=10)),
    ]
    requests["others of torchvision"] = [
        ("torchvision", to_torchvision(spec, classes=7)) for spec in (ANYNET, INVERTED)
    ]
    for b in RATIOS:
        given = [[*(getattr(p, k) for k in PARAMETER_KEYS), 1 / b] for p in drawn_parameters(b)]
        for library in RULES:
            requests[f"{library} {b}"] = [(f"{library} stages", values) for values in given]
    answers = iter(ask(PEER, [request for group in requests.values() for request in group]))
    return {key: [next(answers) for _ in group] for key, group in requests.items()}


@pytest.mark.slow
@pytest.mark.parametrize("library", RULES)
def test_peers_build_the_24_with_our_parameter_counts(
    library: str, torch_peers: dict[str, list[Any]]
) -> None:
    assert or_skip(torch_peers[library]) == [ours(canonical(name)) for name in CANONICAL]


@pytest.mark.slow
def test_timm_builds_by_name_and_builds_z(torch_peers: dict[str, list[Any]]) -> None:
    assert or_skip(torch_peers["others of timm"]) == [ours(canonical(BY_NAME)), ours(Z500, 10)]


@pytest.mark.slow
def test_torchvision_builds_anynets(torch_peers: dict[str, list[Any]]) -> None:
    counts = or_skip(torch_peers["others of torchvision"])
    assert counts == [ours(ANYNET, 7), ours(INVERTED, 7)]


@pytest.mark.slow
@pytest.mark.parametrize("b", RATIOS)
@pytest.mark.parametrize("library", RULES)
def test_rules_are_those_of_the_libraries(
    library: str, b: float, torch_peers: dict[str, list[Any]]
) -> None:
    made = or_skip(torch_peers[f"{library} {b}"])
    assert made == [[list(stage) for stage in RULES[library](p)] for p in drawn_parameters(b)]


def test_classyvision_s_rule_is_pycls_s_where_b_is_1() -> None:
    params = drawn_parameters(1.0)
    stages = [p.to_spec().stages for p in params]
    wanted = [tuple((s.depth, s.width, s.group_width) for s in made) for made in stages]
    assert [classyvision_stages(p) for p in params] == wanted


@pytest.mark.slow
def test_tf_keras_builds_our_arguments() -> None:
    names = ("RegNetX-200MF", "RegNetY-200MF", "RegNetX-8.0GF")
    requests = [("keras", canonical_as("keras", name)) for name in names]
    requests.append(("keras", to_keras(ANYNET)))
    python = PEER if PEER and can_import(PEER, "tf_keras") else sys.executable
    specs = [*map(canonical, names), ANYNET]
    assert or_skip(ask(python, requests)) == [ours(spec) for spec in specs]


def can_import(python: str, module: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-c", code]).returncode == 0


def test_names_are_those_of_the_catalogue() -> None:
    for name in CANONICAL:
        assert canonical_as("keras", name)["model_name"] == keras_name(name).lower()
        assert canonical_as("timm", name)["architecture"] == timm_name(name)
