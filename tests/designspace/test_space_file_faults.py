"""Space files: every fault is named at once, with its place and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regnet_ds.designspace import find_space
from regnet_ds.designspace.plain_yaml import load
from regnet_ds.designspace.space_files.reader import SpaceFileError, parse_space, read_space

BASED = "schema: 1\nname: mine\nbase: {base}\n"


def faults(text: str) -> list[str]:
    with pytest.raises(SpaceFileError) as caught:
        parse_space(text, "a.yaml")
    assert str(caught.value).startswith("a.yaml: ")
    assert all(fault in str(caught.value) for fault in caught.value.faults)
    return list(caught.value.faults)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "it is empty"),
        ("# nothing\n", "it is empty"),
        ("- 1\n", "expected keys and values"),
        ("schema: 1\n---\nname: x\n", "it is not valid YAML: line 2: but found another document"),
        ("a: [", "it is not valid YAML: line 1: "),
        ("a: \x07", "it is not valid YAML: "),
        ("[" * 50_000, "it is nested too deeply"),
        ("a: &a [*a]", "it holds more than 16 levels, with aliases expanded"),
        (
            "a: &a [x, x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]\n"
            "c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]\nd: [*c, *c, *c, *c, *c, *c, *c, *c]",
            "it holds more than 10,000 values, with aliases expanded",
        ),
    ],
    ids=["empty", "comment", "list", "two", "syntax", "control", "deep", "recursive", "bomb"],
)
def test_a_text_that_is_no_mapping(text: str, fault: str) -> None:
    (found,) = faults(text)
    assert found.startswith(fault)


@pytest.mark.parametrize(("opened", "closed"), [("[", "]"), ("{a: ", "}")], ids=["lists", "maps"])
def test_sixteen_levels_are_read_and_no_more(opened: str, closed: str) -> None:
    value = load(opened * 16 + "x" + closed * 16).value
    for _ in range(16):
        assert isinstance(value, list | dict)
        (value,) = value if isinstance(value, list) else value.values()
    assert value == "x"
    with pytest.raises(ValueError, match="more than 16 levels"):
        load(opened * 17 + "x" + closed * 17)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    for target, message in ((path, "cannot read .*No such file"), (tmp_path, "cannot read")):
        with pytest.raises(ValueError, match=message):
            read_space(target)
    path.write_bytes(b"schema: 1\nname: \xff\n")
    with pytest.raises(ValueError, match=r"is not text in UTF-8 \(byte 16\)"):
        read_space(path)
    path.write_bytes(b"#" * 300_000)
    with pytest.raises(ValueError, match="is larger than 256 KiB"):
        read_space(path)
    path.write_text("\ufeff" + BASED.format(base="regnetx"), encoding="utf-8")
    assert read_space(path) == find_space(str(path)) == parse_space(BASED.format(base="regnetx"))


def test_all_faults_are_listed_at_once_in_the_order_of_the_file() -> None:
    text = """\
schema: 2
name: two words
famly: regnet
family: regnet
block: v
stages: [5, 3]
se_ratio: 1.5
1: x
source: !!python/object:os.system x
parameters:
  depth: {law: uniform, low: 12, high: 8, quantum: 1}
  w0: {law: log-uniform, low: 8, high: 256, quantum: 7}
  wa: .nan
  wm: [1, 2]
  wm: 3
  width: true
  group_width: {law: power-of-two, low: 1, high: 8, quantum: 1, step: 1}
constraints:
- limited: {parameter: bottleneck_ratio}
- fixed: {parameter: bottleneck_ratio, value: 0.3}
- bounds: DDS
- nondecreasing width
- nondecreasing: bottleneck_ratio
"""
    assert faults(text) == [
        "a key must be text, got '1' in line 8",
        "schema (line 1): must be 1 (the only one that this version reads), got 2",
        "name (line 2): must be text of 1 to 100 characters without blanks, got 'two words'",
        "famly (line 3): unknown key (nearest: family)",
        "block (line 5): a regnet needs a block with groups, got 'v'",
        "stages (line 6): stages must be at least 5, got 3",
        "se_ratio (line 7): must be a number from 0 to 1, got 1.5",
        "source (line 9): cannot read 'x' as 'tag:yaml.org,2002:python/object:os.system'",
        "parameters.depth.high (line 11): must be at least low, which is 12, got 8",
        "parameters.w0.quantum (line 12): the quantum 7 does not divide the range from 8 to 256",
        "parameters.wa (line 13): must be a number from 0 to 2147483647, got nan",
        "parameters.wm (line 14): the key stands twice, again in line 15",
        "parameters.width (line 16): must be a number (fixed), a list (each equally likely) or a "
        "mapping, got True",
        "parameters.width (line 16): a regnet has no such parameter (nearest: group_width)",
        "parameters.group_width.step (line 17): unknown key (nearest: shared)",
        "parameters.group_width.quantum (line 17): law power-of-two has no quantum",
        "constraints[1] (line 19): limited needs low, high or both",
        "constraints[2] (line 20): bottleneck_ratio must be positive, and below 1 one over an "
        "integer, got 0.3",
        "constraints[3].bounds (line 21): must be dds, got 'DDS' (nearest: dds)",
        "constraints[4] (line 22): must be a mapping with one of the keys shared, nondecreasing, "
        "nonincreasing, limited, fixed, bounds, got 'nondecreasing width'",
        "constraints[5] (line 23): bottleneck_ratio of regnetx is one value for all stages: "
        "there is no order",
    ]


AT_THE_TOP: list[tuple[str, str]] = [
    ("parameters: {depth: 4}\n", "family is missing (or base, a published space to start from)"),
    (
        "family: regent\nparameters: {depth: 4}\n",
        "family (line 3): must be one of regnet, anynet, got",
    ),
    ("base: regnetw\n", "base (line 3): must be one of regnetx, "),
    ("base: regnetx\nfamily: anynet\n", "family (line 4): the base regnetx is a regnet, got 'anyn"),
    ("base: regnetx\nname: other\n", "name (line 2): the key stands twice, again in line 4"),
    ("base: regnetx\n? [a]\n: 1\n", "a key must be text, got a sequence in line 4"),
    ("base: regnetx\nstages: 9\n", "stages (line 4): must be an integer from 1 to 8, got 9"),
    ("base: regnetx\nstages: [3, 4, 5]\n", "stages (line 4): must have 2 items, got 3"),
    ("base: regnetx\nstages: true\n", "stages (line 4): must be an integer from 1 to 8 or a list"),
    ("base: regnetx\nse_ratio: 0.25\n", "se_ratio (line 4): block x has no squeeze-and-excitation"),
    ("base: regnety\nse_ratio: 0\n", "se_ratio (line 4): block y needs a positive se_ratio, got 0"),
    ("base: regnetx\nstem_width: -1\n", "stem_width (line 4): must be an integer from 1 to"),
    ("base: regnetx\nstem_width: 1.5\n", "stem_width (line 4): must be an integer from 1 to"),
    ("base: regnetx\nstage_strides: [2, 2]\n", "stage_strides (line 4): stage_strides must name 4"),
    ("base: regnetx\nactivation: yes\n", "activation (line 4): must be one of relu, silu, gelu,"),
    ("base: regnetx\nparameters: [1]\n", "parameters (line 4): must be a mapping with the keys"),
    (
        "base: regnetx\nconstraints: {}\n",
        "constraints (line 4): must be a list of constraints, got",
    ),
    ("base: regnetx\nsource: 1\n", "source (line 4): must be text, got 1: write it in quotes"),
]
OF_A_PARAMETER: list[tuple[str, str]] = [
    ("width: .inf", "(line 5): must be a number from 0 to 2147483647, got inf"),
    ("width: -8", "(line 5): must be a number from 0 to 2147483647, got -8"),
    ("width: '8'", "(line 5): must be a number (fixed), a list (each equally likely) or a mapping"),
    ("width: []", "(line 5): must have 1 to 1000 items, got 0"),
    ("width: [8, 8]", "(line 5): a list names no value twice, got [8, 8]"),
    ("width: [8, 8.5]", "(line 5): width must be a positive integer, got 8.5"),
    ("depth: 2000", "(line 5): depth must be an integer from 1 to 1024, got 2000"),
    ("width: {low: 8, high: 16}", "(line 5): law is missing"),
    (
        "width: {law: unifrom, low: 8, high: 16}",
        ".law (line 5): must be one of uniform, log-uniform",
    ),
    ("width: {law: uniform, low: 8, high: 16}", "(line 5): quantum is missing"),
    (
        "width: {law: power-of-two, low: 8, high: 16, quantum: 2}",
        ".quantum (line 5): law power-of-two has no quantum",
    ),
    (
        "width: {law: power-of-two, low: 3, high: 16}",
        "(line 5): the ends must be powers of two, got 3",
    ),
    (
        "width: {law: uniform, low: 8, high: 4, quantum: 4}",
        ".high (line 5): must be at least low, wh",
    ),
    (
        "width: {law: uniform, low: 8, high: 16, quantum: 3}",
        ".quantum (line 5): the quantum 3 does",
    ),
    (
        "width: {law: uniform, low: 8, high: 16, quantum: 0}",
        ".quantum (line 5): a range needs finite",
    ),
    (
        "width: {law: uniform, low: 8, high: 16, quantum: 1e-300}",
        ".quantum (line 5): must have at most 9 decimals, got 1e-300",
    ),
    (
        "width: {law: uniform, low: 1, high: 2147483647, quantum: 1}",
        ".quantum (line 5): the range from 1 to 2147483647 with quantum 1 has more than 10,000,000",
    ),
    (
        "width: {law: log-uniform, low: 0, high: 8, quantum: 8}",
        "(line 5): a log-uniform range must be",
    ),
    (
        "width: {law: uniform, low: no, high: 8, quantum: 8}",
        ".low (line 5): must be a number from 0",
    ),
    ("width: {value: 8, values: [8]}", ".values (line 5): unknown key (nearest: value)"),
    ("width: {value: 8, shared: yes}", ".shared (line 5): must be true or false, got 'yes'"),
    ("width: {stages: [8, 8]}", ".stages (line 5): must have 4 items, got 2"),
    (
        "width: {stages: [8, 8, 8, {law: x, low: 1, high: 2}]}",
        ".stages[4].law (line 5): must be on",
    ),
    ("width: {stages: [16, 8, 8, 8], shared: true}", ".shared (line 5): unknown key"),
    ("width: {stages: [16, 8, 8, 8]}", '(line 5): contradictory: nondecreasing("width") fits no'),
]
OF_CONSTRAINTS: list[tuple[str, str]] = [
    ("- shared: widht", "[1].shared (line 5): must be one of depth, w0, wa, wm, "),
    (
        "- {shared: depth, bounds: dds}",
        "[1] (line 5): must be a mapping with one of the keys shared",
    ),
    ("- {}", "[1] (line 5): must be a mapping with one of the keys shared"),
    ("- nonincreasing: width", "[1] (line 5): contradictory constraints on width: nonincreasing"),
    (
        "- nondecreasing: group_width",
        "[1] (line 5): group_width of mine is one value for all stages",
    ),
    ("- shared: w0", "[1] (line 5): space mine has no parameter 'w0': it has depth, width, "),
    ("- limited: {parameter: width}", "[1] (line 5): limited needs low, high or both"),
    ("- limited: {parameter: width, low: 2000}", "[1] (line 5): no value of 8 to 1024 is within"),
    ("- limited: {parameter: width, low: 64, high: 32}", "[1] (line 5): no value of 8 to 1024 is"),
    ("- limited: {low: 64}", "[1].limited (line 5): parameter is missing"),
    (
        "- fixed: {parameter: width, value: .nan}",
        "[1].fixed.value (line 5): must be a number from 0",
    ),
    ("- bounds: {params: [1], acts: 1}", "[1].bounds.params (line 5): must have 2 items, got 1"),
    ("- bounds: {params: [1, 1]}", "[1].bounds (line 5): acts is missing"),
    (
        "- limited: {parameter: width, high: 64}\n- fixed: {parameter: width, value: 128}",
        '[1] (line 5): contradictory: limited("width", high=64) is undone further down',
    ),
    (
        "- bounds: dds\n- bounds: {params: [1, 1], acts: 1}",
        "[1] (line 5): contradictory: bounds() is",
    ),
    (
        "- nondecreasing: width\n- shared: width",
        '[1] (line 5): contradictory: nondecreasing("width") is undone further down',
    ),
]


@pytest.mark.parametrize(("text", "fault"), AT_THE_TOP)
def test_a_fault_at_the_top(text: str, fault: str) -> None:
    (found,) = faults("schema: 1\nname: mine\n" + text)
    assert found.startswith(fault)


@pytest.mark.parametrize(("text", "fault"), OF_A_PARAMETER)
def test_a_fault_of_a_parameter(text: str, fault: str) -> None:
    (found,) = faults(BASED.format(base="anynetx-e") + f"parameters:\n  {text}\n")
    name = text.partition(":")[0]
    assert found.startswith(f"parameters.{name}")
    assert found.removeprefix(f"parameters.{name}").lstrip().startswith(fault)


@pytest.mark.parametrize(("text", "fault"), OF_CONSTRAINTS)
def test_a_fault_of_a_constraint(text: str, fault: str) -> None:
    (found,) = faults(BASED.format(base="anynetx-e") + f"constraints:\n{text}\n")
    assert found.startswith(f"constraints{fault}")


def test_old_notations_of_numbers_are_not_taken_for_others() -> None:
    assert faults(BASED.format(base="regnetx") + "stages: 012\nse_ratio: 1_0\n") == [
        "stages (line 4): must be an integer from 1 to 8, got 12",
        "se_ratio (line 5): must be a number from 0 to 1, got '1_0'",
    ]


def test_missing_parameters_are_those_of_the_family_and_the_block() -> None:
    start = "schema: 1\nname: mine\nfamily: "
    assert faults(start + "regnet\nparameters: {depth: 4, w0: 8}\n") == [
        f"parameters (line 4): {name} is missing"
        for name in ("wa", "wm", "group_width", "bottleneck_ratio")
    ]
    assert faults(start + "anynet\nblock: v\nparameters: {depth: 4, group_width: 8}\n") == [
        "parameters.group_width (line 5): block v has none",
        "parameters (line 5): width is missing",
    ]
    plain = parse_space(start + "anynet\nblock: vr\nparameters: {depth: 4, width: [8, 16]}\n")
    assert [p.name for p in plain.parameters] == ["depth", "width"]


def test_the_name_of_a_published_space_is_its_own() -> None:
    (found,) = faults("schema: 1\nname: RegNetX\nbase: regnetx\n")
    assert found == "name (line 2): RegNetX is a published space, and this is another one"


PIECES = [
    "schema",
    "1",
    ":",
    " ",
    "\n",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "base",
    "regnetx",
    "name",
]
PIECES += [
    "parameters",
    "depth",
    "law",
    "uniform",
    "low",
    "high",
    "&a",
    "*a",
    "!!set",
    "'",
    "#",
    "1e999",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_any_text_is_a_space_or_a_space_file_error(text: str) -> None:
    try:
        space = parse_space(BASED.format(base="regnetx") + text)
    except SpaceFileError as error:
        assert all(error.faults)
    else:
        assert space.name == "mine"
