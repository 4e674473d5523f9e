from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regnet_ds.designspace import Complexity, NetSpec, RegNetParams, Stage, canonical, complexity
from regnet_ds.designspace.blocks import DEFAULT_ACTIVATION
from regnet_ds.designspace.cost import METRICS, complexity_batch, stage_complexity
from regnet_ds.designspace.population import Population, from_specs, regnets
from regnet_ds.designspace.record import to_record
from regnet_ds.designspace.tables.reading import read_population

SPECS = st.from_type(NetSpec)

COLUMNS = (
    "block",
    "stem_type",
    "stage_widths",
    "stage_depths",
    "stage_strides",
    "stage_group_widths",
    "stage_bottleneck_ratios",
    "se_ratio",
    "stem_width",
    "head_width",
    "resolution",
    "classes",
)


def columns(population: Population) -> dict[str, Any]:
    return {name: getattr(population, name) for name in COLUMNS}


def numbers(cost: Complexity) -> tuple[int, int, int]:
    return cost.flops, cost.params, cost.acts


@settings(max_examples=300)
@given(st.lists(SPECS, min_size=1, max_size=6), st.integers(1, 300), st.integers(1, 2000))
def test_batch_equals_the_walk(nets: list[NetSpec], resolution: int, classes: int) -> None:
    population = from_specs(nets, resolution=resolution, classes=classes)
    for channels in (3, 1):
        units = {"resolution": resolution, "channels": channels, "classes": classes}
        counted = complexity_batch(**columns(population), channels=channels)
        assert list(zip(*counted, strict=True)) == [numbers(complexity(n, **units)) for n in nets]


@given(SPECS, st.lists(st.sampled_from(METRICS), min_size=1, max_size=3, unique=True))
def test_only_what_is_asked_in_the_asked_order(spec: NetSpec, metrics: list[str]) -> None:
    counted = complexity_batch(**columns(from_specs([spec])), metrics=tuple(metrics))
    assert [int(c[0]) for c in counted] == [getattr(complexity(spec), name) for name in metrics]


def test_chunks_and_gaps_between_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("regnet_ds.designspace.cost_fold.CHUNK", 3)
    nets = [canonical(name) for name in ("RegNetX-400MF", "RegNetY-800MF", "RegNetX-12GF")] * 3
    nets[4] = NetSpec((Stage(2, 16), Stage(1, 40, 1)), head_width=24)
    given = columns(from_specs(nets))
    for name in (name for name in COLUMNS if name.startswith("stage_")):  # an absent stage first
        given[name] = np.concatenate([np.zeros_like(given[name][:, :1]), given[name]], axis=1)
    given["stage_strides"][:, 0] = 7
    given["stage_bottleneck_ratios"][:, 0] = 1
    counted = complexity_batch(**given)
    assert list(zip(*counted, strict=True)) == [numbers(complexity(net)) for net in nets]


def test_exact_beyond_the_integers_of_float64_and_refused_beyond_int64() -> None:
    stages = (Stage(3, 2**20 + 8), Stage(2, 2**21 + 24))
    for block, resolution in (("x", 1025), ("basic", 225), ("z", 1023)):
        nets = [NetSpec(stages, block, stem_width=w, head_width=11) for w in (2**20 + 1, 7)]
        costs = [complexity(net, resolution=resolution) for net in nets]
        assert 2**53 < costs[0].flops < 2**63
        given = columns(from_specs(nets, resolution=resolution))
        assert list(zip(*complexity_batch(**given), strict=True)) == list(map(numbers, costs))
        given["resolution"] = np.array([2**20, 2**20])
        with pytest.raises(ValueError, match="exceeds the largest int64: "):
            complexity_batch(**given)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metrics": ("flops", "time")}, "metrics must be of flops, params, acts, got 'time'"),
        ({"channels": 0}, "channels must be a positive integer, got 0"),
        ({"block": "q"}, "block must be one of x, y, z, r, v, vr, basic, vanilla, got 'q'"),
        ({"stem_type": "deep"}, "stem_type must be one of simple, resnet, cifar, got 'deep'"),
    ],
)
def test_bad_arguments_of_the_batch(change: dict[str, Any], message: str) -> None:
    given = columns(from_specs([canonical("RegNetX-200MF")]))
    with pytest.raises(ValueError, match=message):
        complexity_batch(**{**given, **change})


def test_no_rows() -> None:
    none = from_specs([canonical("RegNetX-200MF")]).take(np.array([], dtype=np.int64))
    assert [len(values) for values in complexity_batch(**columns(none))] == [0, 0, 0]


def test_vectors_of_pycls(golden: Path) -> None:
    vectors = json.loads((golden / "pycls_vectors.json").read_text())
    blocks = {"res_bottleneck_block": "x", "res_bottleneck_linear_block": "z"}
    cases = vectors["generate_regnet_and_complexity"]
    assert len(cases) == 60
    assert sum(case["params_in"]["block"] == "res_bottleneck_linear_block" for case in cases) == 15
    for case in cases:
        given, out = case["params_in"], case["out"]
        block = blocks[given["block"]]
        spec = RegNetParams(
            given["depth"],
            given["w0"],
            given["wa"],
            given["wm"],
            given["group_w"],
            1 / given["bot_mul"],
        ).to_spec(
            block="y" if block == "x" and given["se_ratio"] else block,
            se_ratio=given["se_ratio"],
            stem_width=given["stem_w"],
            head_width=given["head_w"],
        )
        units = {"resolution": given["image"], "classes": given["num_classes"]}
        expected = (out["flops"], out["params"], out["acts"])
        assert numbers(complexity(spec, **units)) == expected
        batch = from_specs([spec], **units)
        assert tuple(int(c[0]) for c in complexity_batch(**columns(batch))) == expected


def test_published_networks_beyond_the_24(golden: Path) -> None:
    """ResNets and ResNeXts as AnyNets, CIFAR nets, RegNetZ, larger RegNetY: pycls's numbers."""
    path = golden / "extended.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert len(rows) == 28
    for resolution in (None, 224):
        population = read_population(path, resolution=resolution)
        for i, row in enumerate(rows):
            suffix = "_224" if resolution else ""
            if not row[f"flops{suffix or '_224'}"] and resolution:
                continue  # a CIFAR network
            expected = (row[f"flops{suffix}"], row["params"], row[f"acts{suffix}"])
            spec, size = population.row(i), resolution or int(row["resolution"])
            cost = complexity(spec, resolution=size, classes=int(row["classes"]))
            assert tuple(map(str, numbers(cost))) == expected, row["name"]
            batch = (population.flops[i], population.params[i], population.acts[i])
            assert tuple(map(str, batch)) == expected, row["name"]
            depths = " ".join(str(stage.depth) for stage in spec.stages)
            assert depths == row["stage_depths"]


@pytest.mark.parametrize(
    ("block", "convolutions", "norms", "outputs"),
    [
        # 4 to 8 channels at stride 2, then 8 to 8; 4 x 4 px in, 2 x 2 px out
        ("v", (288, 576), 2 * 8, 2 * 8),
        ("vr", (288 + 32, 576), 3 * 8, 3 * 8),
        ("vanilla", (288 + 576, 576 + 576), 4 * 8, 4 * 8),
        ("basic", (288 + 576 + 32, 576 + 576), 5 * 8, 5 * 8),
    ],
)
def test_plain_blocks_by_hand(
    block: str, convolutions: tuple[int, int], norms: int, outputs: int
) -> None:
    spec = NetSpec((Stage(2, 8, 2),), block, stem_type="cifar", stem_width=4)
    cost = stage_complexity(spec, resolution=4, classes=10)["s1"]
    weights = sum(convolutions)
    assert cost == Complexity(weights * 4, weights + 2 * norms, outputs * 4)


def test_r_is_x_with_one_group() -> None:
    r = NetSpec((Stage(2, 64, 2, 8, 2.0),), "r")
    x = NetSpec((Stage(2, 64, 2, 32, 2.0),), "x")
    assert complexity(r) == complexity(x)
    assert r.stages == x.stages


def test_a_squeeze_that_rounds_to_nothing_is_none() -> None:
    """As in pycls, where a squeeze width of 0 means no squeeze-and-excitation."""
    stages = (Stage(1, 8), Stage(1, 16))
    nothing = NetSpec(stages, "y", 0.01, stem_width=4)
    assert complexity(nothing) == complexity(NetSpec(stages, stem_width=4))


def test_one_small_network_by_hand() -> None:
    """Stem 3x3/2 to 4 channels on 8x8, one block of width 8 in groups of 4, 10 classes."""
    spec = NetSpec((Stage(1, 8, 2, 4),), stem_width=4)
    cost = complexity(spec, resolution=8, classes=10)
    stem, a, b, c, shortcut = 108 * 16, 32 * 16, 288 * 4, 64 * 4, 32 * 4
    assert cost.flops == stem + a + b + c + shortcut + 8 * 10 + 10
    assert cost.params == 108 + 8 + 32 + 16 + 288 + 16 + 64 + 16 + 32 + 16 + 90
    assert cost.acts == 4 * 16 + 8 * 16 + 8 * 4 * 3 + 10


def test_not_square() -> None:
    spec = canonical("RegNetX-200MF")
    assert complexity(spec, resolution=(224, 224)) == complexity(spec)
    wide = complexity(spec, resolution=(112, 448))
    assert wide.params == complexity(spec).params
    assert wide.flops == complexity(spec, resolution=(448, 112)).flops


@pytest.mark.parametrize(
    "change", [{"resolution": 0}, {"channels": 0}, {"classes": -1}, {"resolution": (224, 0)}]
)
def test_bad_units(change: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"positive integer, got (0|-1)"):
        complexity(canonical("RegNetX-200MF"), **change)


def test_more_channels_or_classes_cost_more() -> None:
    spec = RegNetParams(13, 24, 36.44, 2.49, 8).to_spec()
    base = complexity(spec)
    assert complexity(spec, channels=4).params - base.params == 9 * 32
    assert complexity(spec, classes=1001).params - base.params == 368 + 1


def test_population_of_specs_counts_the_same() -> None:
    specs = [canonical(name) for name in ("RegNetX-400MF", "RegNetY-800MF")]
    population = from_specs(specs, resolution=160, classes=7)
    for i, spec in enumerate(specs):
        record = to_record(spec, resolution=160, classes=7)
        assert population.records()[i] == record
        assert population.row(i) == spec


def test_regnets_defaults_follow_the_block() -> None:
    names = ("x", "y", "z", "r", "v", "vr", "basic", "vanilla")
    one = np.ones(len(names))
    shared = {
        "depth": np.full(len(names), 13),
        "w0": np.full(len(names), 24),
        "wa": 36.44 * one,
        "wm": 2.49 * one,
        "group_width": np.full(len(names), 8),
        "bottleneck_ratio": 2 * one,
    }
    population = regnets(**shared, block=np.array(names), stem_type="resnet")
    assert population.se_ratio.tolist() == [0, 0.25, 0.25, 0, 0, 0, 0, 0]
    params = RegNetParams(13, 24, 36.44, 2.49, 8, 2.0)
    for i, name in enumerate(names):
        spec = params.to_spec(block=name, stem_type="resnet")
        assert population.row(i) == spec
        assert spec.activation == DEFAULT_ACTIVATION[name]
        cost = (population.flops[i], population.params[i], population.acts[i])
        assert cost == numbers(complexity(spec))
        alone = regnets(**shared, block=name, stem_type="resnet")
        assert alone.records()[0] == population.records()[i]
