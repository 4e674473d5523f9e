"""Space files: what they mean, and that what is written reads back as an equal space."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from regnet_ds.designspace import SPACES, DesignSpace, sample
from regnet_ds.designspace.constraints import (
    Bounds,
    Ordered,
    bounds,
    fixed,
    limited,
    nonincreasing,
    shared,
    stages,
    with_law,
)
from regnet_ds.designspace.laws import (
    Choice,
    Fixed,
    PowerOfTwo,
    PowerOfTwoOrLogUniform,
    Uniform,
)
from regnet_ds.designspace.normal_laws import LogNormal, Normal
from regnet_ds.designspace.space_files.reader import parse_space
from regnet_ds.designspace.space_files.writer import to_yaml
from regnet_ds.designspace.spaces import Parameter

A, REGNETX = SPACES["anynetx-a"], SPACES["regnetx"]
BASED = "schema: 1\nname: mine\nbase: {base}\n"
ANYNET = """\
schema: 1
name: mine
family: anynet
parameters:
  depth: {law: log-uniform, low: 1, high: 16, quantum: 1}
  width: {law: log-uniform, low: 8, high: 1024, quantum: 8}
  bottleneck_ratio: {law: power-of-two, low: 1, high: 4}
  group_width: {law: power-of-two, low: 1, high: 32}
"""


def based(base: str, rest: str) -> DesignSpace:
    return parse_space(BASED.format(base=base) + rest)


@pytest.mark.parametrize("name", SPACES)
def test_published_spaces_round_trip(name: str) -> None:
    assert parse_space(to_yaml(SPACES[name])) == SPACES[name]


OTHERS = {
    "blocks": A.with_block("v").named("a/v"),
    "laws": (
        REGNETX
        & with_law("depth", Normal(12, 28, 1))
        & with_law("wa", LogNormal(8.0, 256.0, 0.1))
        & with_law("group_width", Choice((24, 8, 16)))
        & stages(3, 5)
        & Bounds((1.5, 2.5), 3.25)
    ).named("laws", 'a: "b" # c'),
    "stages": replace(
        A.with_parameter(
            Parameter(
                "width", (Fixed(8), Choice((16, 8)), Uniform(8, 32, 8), PowerOfTwo(8, 16)), True
            )
        )
        & shared("depth")
        & nonincreasing("group_width")
        & fixed("bottleneck_ratio", 1 / 3),
        name="1e3",  # a number in YAML 1.2, text in 1.1
        stage_strides=(1, 2, 2, 2),
        stem_type="resnet",
        stem_width=64,
        head_width=1024,
        activation="gelu",
        source="yes",
    ),
    "shared": (A & shared("depth") & with_law("depth", Choice((1, 4)))).named("null"),
    "shared and fixed": (A & shared("depth") & fixed("depth", 3)).named("true"),
    "squeeze": replace(SPACES["regnetz"], name="z", se_ratio=0.5),
}


@pytest.mark.parametrize("space", OTHERS.values(), ids=OTHERS)
def test_other_spaces_round_trip(space: DesignSpace) -> None:
    assert parse_space(to_yaml(space)) == space


def test_what_a_file_cannot_say_is_not_written() -> None:
    class Odd(Uniform):
        pass

    with pytest.raises(ValueError, match="a file has no name for the law"):
        to_yaml(REGNETX & with_law("depth", Odd(1, 2, 1)))
    with pytest.raises(ValueError, match="regnetx is a published space, and this is another one"):
        to_yaml(REGNETX & limited("depth", low=20))
    with pytest.raises(ValueError, match="space turned differs from what a file can say"):
        to_yaml(replace(REGNETX, name="turned", parameters=REGNETX.parameters[::-1]))


def test_anynets_a_to_e_as_files() -> None:
    space = replace(parse_space(ANYNET), name="anynetx-a", source="DDS section 3.2")
    assert space == A
    steps = {
        "b": "- shared: bottleneck_ratio\n",
        "c": "- shared: group_width\n",
        "d": "- nondecreasing: width\n",
        "e": "- nondecreasing: depth\n",
    }
    text = ANYNET + "constraints:\n"
    for name, line in steps.items():
        text += line
        made = replace(parse_space(text), name=f"anynetx-{name}", source="DDS section 3.2")
        assert made == SPACES[f"anynetx-{name}"]


def test_every_way_to_write_a_law() -> None:
    space = based(
        "regnetx",
        """
parameters:
  depth: {law: normal, low: 12, high: 28, quantum: 1}
  w0: [24, 8, 32]
  wa: {law: log-normal, low: 8, high: 256, quantum: 1e-1}
  wm: {law: uniform, low: 2, high: 3, quantum: 0.125}
  group_width: {law: power-of-two-or-log, low: 1, high: 64, quantum: 8}
  bottleneck_ratio: {value: 0.25}
""",
    )
    assert [p.law for p in space.parameters] == [
        Normal(12, 28, 1),
        Choice((24, 8, 32)),
        LogNormal(8.0, 256.0, 0.1),
        Uniform(2.0, 3.0, 0.125),
        PowerOfTwoOrLogUniform(1, 64, 8),
        Fixed(0.25),
    ]
    assert space.source == "based on regnetx"


def test_numbers_keep_their_decimals() -> None:
    space = based("regnetx", "parameters: {wa: {law: uniform, low: 8, high: 9, quantum: 0.1}}")
    assert space.parameter("wa").law.values.tolist() == [
        8.0, 8.1, 8.2, 8.3, 8.4, 8.5, 8.6, 8.7, 8.8, 8.9, 9.0,
    ]  # fmt: skip
    # ends that are whole do not make the grid whole
    assert (space & limited("wa", low=8.3)).parameter("wa").law.values[0] == 8.3


def test_a_base_keeps_what_is_not_overridden() -> None:
    space = based("anynetx-e", "block: z\nparameters:\n  group_width: [8, 16]\n  width: 64\n")
    assert space.block == "z"
    assert space.parameter("group_width") == Parameter("group_width", (Choice((8, 16)),))
    assert space.parameter("width") == Parameter("width", (Fixed(64.0),), per_stage=True)
    assert space.orders == (Ordered("width", "nondecreasing"), Ordered("depth", "nondecreasing"))
    again = based("anynetx-e", "parameters:\n  width: {value: 64, shared: true}\n")
    assert again.orders == (Ordered("depth", "nondecreasing"),)
    stages_apart = based("anynetx-e", "parameters: {group_width: {stages: [8, 8, 16, [16, 32]]}}")
    assert stages_apart.parameter("group_width").per_stage


def test_constraints_are_those_of_python() -> None:
    text = """\
stages: [3, 5]
constraints:
- limited: {parameter: width, low: 16, high: 512}
- fixed: {parameter: bottleneck_ratio, value: 2}
- nonincreasing: group_width
- bounds: dds
"""
    wanted = (
        A
        & stages(3, 5)
        & limited("width", low=16, high=512)
        & fixed("bottleneck_ratio", 2)
        & nonincreasing("group_width")
        & bounds()
    )
    assert based("anynetx-a", text) == wanted.named("mine", "based on anynetx-a")
    own = based("anynetx-a", "constraints: [bounds: {params: [1, 2.5], acts: 3}]")
    assert own.bounds == Bounds((1, 2.5), 3)


def test_values_are_those_of_yaml_1_2() -> None:
    space = based("regnetx", "head_width: 1e2\nstages: 0x4\nactivation: silu\nsource: yes\n")
    assert (space.head_width, space.stages, space.source) == (100, (4, 4), "yes")
    assert type(space.head_width) is int
    assert based("regnetx", "stages: 04").stages == (4, 4)


def test_aliases_work_within_reason() -> None:
    space = based("anynetx-a", "parameters: {depth: &d [2, 4], group_width: *d}")
    assert space.parameter("group_width").laws == (Choice((2, 4)),)


def test_a_space_of_a_file_is_sampled_like_the_same_space_of_python() -> None:
    text = "constraints:\n- shared: depth\n- limited: {parameter: width, high: 64}\n"
    made = sample(based("anynetx-a", text), 50, rng=np.random.default_rng(3))
    same = A & shared("depth") & limited("width", high=64)
    wanted = sample(same, 50, rng=np.random.default_rng(3))
    assert (made.population.stage_widths == wanted.population.stage_widths).all()
    assert made.n_drawn == wanted.n_drawn
