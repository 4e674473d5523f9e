from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regnet_ds.designspace import NetSpec, RegNetParams, Stage, canonical, complexity
from regnet_ds.designspace.population import from_specs, regnets
from regnet_ds.designspace.record import to_record

STAGES = st.lists(
    st.builds(
        lambda depth, groups, group_width, stride, b: Stage(
            depth, int(groups * group_width * b), stride, group_width, b
        ),
        depth=st.integers(1, 5),
        groups=st.integers(1, 9),
        group_width=st.sampled_from([4, 8, 12, 24]),
        stride=st.sampled_from([1, 2]),
        b=st.sampled_from([0.25, 0.5, 1.0, 2.0, 4.0]),
    ),
    min_size=1,
    max_size=6,
)
SPECS = st.builds(
    lambda stages, se, stem, head: NetSpec(
        tuple(stages), "y" if se else "x", se, stem_width=stem, head_width=head
    ),
    STAGES,
    st.sampled_from([0.0, 0.25, 0.3]),
    st.sampled_from([16, 32]),
    st.sampled_from([0, 100]),
)


def batch(spec: NetSpec, resolution: int, classes: int) -> tuple[int, int, int]:
    import numpy as np
    from regnet_ds.designspace.cost import complexity_batch

    one = np.ones(1, dtype=np.int64)
    flops, params, acts = complexity_batch(
        stage_widths=np.array([[s.width for s in spec.stages] + [0]]),
        stage_depths=np.array([[s.depth for s in spec.stages] + [0]]),
        stage_strides=np.array([[s.stride for s in spec.stages] + [1]]),
        stage_group_widths=np.array([[s.group_width for s in spec.stages] + [0]]),
        stage_bottleneck_ratios=np.array([[s.bottleneck_ratio for s in spec.stages] + [1.0]]),
        se_ratio=np.array([spec.se_ratio]),
        stem_width=one * spec.stem_width,
        head_width=one * spec.head_width,
        resolution=one * resolution,
        classes=one * classes,
    )
    return int(flops[0]), int(params[0]), int(acts[0])


@settings(max_examples=200)
@given(SPECS, st.integers(1, 300), st.integers(1, 2000))
def test_batch_equals_fold(spec: NetSpec, resolution: int, classes: int) -> None:
    cost = complexity(spec, resolution=resolution, classes=classes)
    assert batch(spec, resolution, classes) == (cost.flops, cost.params, cost.acts)


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


def test_regnets_default_squeeze_follows_the_block() -> None:
    import numpy as np

    one = np.ones(2)
    population = regnets(
        depth=np.array([13, 13]),
        w0=np.array([24, 24]),
        wa=36.44 * one,
        wm=2.49 * one,
        group_width=np.array([8, 8]),
        bottleneck_ratio=one,
        block=np.array(["x", "y"]),
    )
    assert population.se_ratio.tolist() == [0.0, 0.25]
    assert population.flops.tolist() == [199040872, 199519076]
