"""space list, show, check, schema; and what docs/design-spaces.md shows is true."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from regnet_ds.designspace import SPACES
from regnet_ds.designspace.space_files.fields import Keys
from regnet_ds.designspace.space_files.reader import parse_space, read_space
from regnet_ds.designspace.space_files.schema import CONSTRAINT, FORMAT, LAWS, space_schema

Call = Callable[..., tuple[int, str, str]]
DOCS = (Path(__file__).resolve().parents[2] / "docs" / "design-spaces.md").read_text("utf-8")
EXAMPLES = dict(re.findall(r"^<!-- example: (\S+) -->\n```yaml\n(.*?)^```", DOCS, re.M | re.S))
BASED = "schema: 1\nname: mine\nbase: regnetx\n"


@pytest.fixture
def examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files of the docs, and it is the current one."""
    for name, text in EXAMPLES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_list_has_every_space_and_the_paper_s_degrees_of_freedom(call: Call) -> None:
    code, out, _ = call("space", "list", "--format", "json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert code == 0
    assert list(rows) == list(SPACES)
    dimensions = {name: rows[f"anynetx-{name}"]["dimensions"] for name in "abcde"}
    assert dimensions == {"a": 16, "b": 13, "c": 10, "d": 10, "e": 10}  # DDS, table 1
    assert rows["regnetx-dds"]["dimensions"] == 6
    assert rows["regnetx-narrow"]["constraints"] == "bounds()"
    assert rows["regnetz"]["block"] == "z"


def test_show_prints_the_space_and_its_parameters(call: Call) -> None:
    code, out, err = call("space", "show", "anynetx-e")
    assert (code, err) == (0, "")
    assert "anynetx-e: anynet, block x, 4 stages, 817,446,539,520 parameter settings" in out
    assert "source: DDS section 3.2" in out
    assert 'constraints: nondecreasing("width") & nondecreasing("depth")' in out
    assert re.search(r"^width +stage +log-uniform +8 +1024 +8 +- +128$", out, re.M)
    assert re.search(r"^group_width +network +power-of-two +1 +32 +- +- +6$", out, re.M)


def test_show_as_csv_and_json_say_the_same(call: Call, examples: Path) -> None:
    rows = list(
        csv.DictReader(io.StringIO(call("space", "show", "anynet.yaml", "--format", "csv")[1]))
    )
    same = json.loads(call("space", "show", "anynet.yaml", "--format", "json")[1])
    assert [row["parameter"] for row in rows] == [row["parameter"] for row in same]
    assert [(r["each"], r["law"]) for r in same[3:]] == [
        ("stage 1", "fixed"),
        ("stage 2", "fixed"),
        ("stage 3", "fixed"),
        ("stage 4", "power-of-two"),
    ]
    assert (same[2]["each"], same[2]["choices"]) == ("network", [1, 2])
    assert {row["stages"] for row in rows} == {"3 to 4"}
    assert call("space", "show", "anynet.yaml", "--out", "p.csv")[0] == 0
    assert (examples / "p.csv").read_text() == call(
        "space", "show", "anynet.yaml", "--format", "csv"
    )[1]


def test_show_as_yaml_is_a_file_of_the_space(call: Call, tmp_path: Path) -> None:
    text = call("space", "show", "regnety", "--as", "yaml")[1]
    assert parse_space(text) == SPACES["regnety"]
    path = tmp_path / "y.yml"
    code, out, err = call("space", "show", "regnety", "--as", "yaml", "--out", path)
    assert (code, out) == (0, "")
    assert f"wrote {path}" in err
    assert path.read_text() == text


def test_schema_is_json_and_goes_to_a_file(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("space", "schema")
    assert code == 0
    assert json.loads(out) == space_schema()
    assert call("space", "schema", "--out", tmp_path / "s.json")[0] == 0
    assert (tmp_path / "s.json").read_text() == out


def test_check_draws_a_network(call: Call, examples: Path) -> None:
    for name in EXAMPLES:
        code, out, err = call("space", "check", name)
        assert (code, err) == (0, "")
        assert out.startswith(f"{read_space(examples / name).name}: ")
        assert re.search(r"^sound: candidate [\d,]+ is a network", out, re.M)


def test_a_file_is_a_space_for_other_commands(call: Call, examples: Path) -> None:
    code, out, err = call(
        "sample", "--space", "slim.yaml", "--flops", "100M:400M", "-n", "20", "--format", "json"
    )
    assert code == 0, err
    rows = json.loads(out)
    assert len(rows) == 20
    assert {row["block"] for row in rows} == {"y"}
    assert {row["head_width"] for row in rows} == {512}
    assert all(8 <= row["depth"] <= 20 and row["w0"] <= 64 for row in rows)
    assert {row["group_width"] for row in rows} <= {8, 16, 24}
    again = call(
        "sample", "--space", "slim.yaml", "--flops", "100M:400M", "-n", "20", "--format", "json"
    )
    assert again[1] == out
    code, out, _ = call("space", "count", "slim.yaml", "--format", "json")
    assert json.loads(out)[0]["settings"] == 13 * 8 * 2481 * 1001 * 3


def test_the_anynet_of_the_docs_keeps_its_rules(call: Call, examples: Path) -> None:
    rows = json.loads(call("sample", "--space", "anynet.yaml", "-n", "200", "--format", "json")[1])
    assert {len(row["stage_widths"]) for row in rows} == {3, 4}
    assert all(max(row["stage_depths"]) <= 8 for row in rows)
    assert all(len(set(row["stage_bottleneck_ratios"])) == 1 for row in rows)
    assert {row["stage_strides"][0] for row in rows} == {1}


BAD: list[tuple[str, str]] = [
    ("", "bad.yaml: it is empty"),
    ("- 1\n", "bad.yaml: expected keys and values"),
    ("a: [\n", "bad.yaml: it is not valid YAML: line 2: "),
    (
        BASED + "parameters:\n  dept: 4\n",
        "bad.yaml: parameters.dept (line 5): unknown key (nearest: d",
    ),
    (
        BASED + "parameters:\n  w0: {law: uniform, low: 8, high: 20, quantum: 8}\nstem_width: -3\n",
        "bad.yaml: 2 faults: parameters.w0.quantum (line 5): the quantum 8 does not divide the "
        "range from 8 to 20; stem_width (line 6): must be an integer from 1 to 2147483647, got -3",
    ),
]


@pytest.mark.parametrize("command", [("space", "check"), ("space", "show"), ("sample", "--space")])
@pytest.mark.parametrize(("text", "message"), BAD)
def test_bad_files_are_one_line_and_exit_code_2(
    call: Call, examples: Path, command: tuple[str, ...], text: str, message: str
) -> None:
    (examples / "bad.yaml").write_text(text)
    before = sorted(examples.iterdir())
    code, out, err = call(*command, "bad.yaml")
    assert (code, out) == (2, "")
    assert err.startswith(f"regnet-ds: error: {message}")
    assert err.count("\n") == 1
    assert sorted(examples.iterdir()) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "regnetq"), "unknown space 'regnetq' (nearest: regnet"),
        (("show", "none.yaml"), "cannot read none.yaml: No such file or directory"),
        (("check", "."), "cannot read .: "),
        (("show", "regnetx", "--as", "xml"), "'xml' is not"),
        (("show", "regnetx", "--as", "yaml", "--out", "x.csv"), "unknown suffix '.csv'"),
        (("schema", "--out", "x.yaml"), "unknown suffix '.yaml'"),
        (("list", "--out", "x.txt"), "unknown suffix '.txt'"),
    ],
)
def test_bad_arguments(
    call: Call, examples: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = call("space", *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert {path.name for path in examples.iterdir()} == set(EXAMPLES)


def steps() -> list[tuple[str, str]]:
    """Return the commands of the docs and what is shown of their output."""
    blocks = re.findall(r"^```console\n(.*?)^```", DOCS, re.M | re.S)
    parts = [part for block in blocks for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in parts]


def test_the_commands_of_the_docs_print_what_is_shown(call: Call, examples: Path) -> None:
    shown_outputs = 0
    for command, shown in steps():
        program, *arguments = shlex.split(command)
        code, out, err = call(*arguments)
        assert (program, code) == ("regnet-ds", 0), err
        if shown:
            assert out == shown, command
            shown_outputs += 1
    assert shown_outputs >= 2


def table(keys: Keys, with_kind: bool) -> str:
    rows = [
        f"| `{name}` | {field.kind.wanted} | {field.doc} |"
        if with_kind
        else f"| `{name}` | {field.doc} |"
        for name, field in keys.fields.items()
    ]
    return "\n".join(rows) + "\n\n"


def test_the_docs_name_every_key_constraint_and_law() -> None:
    assert "|---|---|---|\n" + table(FORMAT, with_kind=True) in DOCS
    assert "|---|---|\n" + table(CONSTRAINT, with_kind=False) in DOCS
    written = yaml.safe_load(re.findall(r"^```yaml\n(constraints:\n.*?)^```", DOCS, re.M | re.S)[0])
    assert [CONSTRAINT.faults(item, "") for item in written["constraints"]] == [[]] * 7
    assert {key for item in written["constraints"] for key in item} == set(CONSTRAINT.fields)
    laws = DOCS.partition("| law | probability")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\S+)` \|", laws, re.M) == list(LAWS)


def test_the_python_of_the_docs_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", DOCS, re.M | re.S)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("True\n")


@pytest.mark.parametrize("arguments", [["list"], ["show", "regnetx", "--as", "yaml"], ["schema"]])
def test_nothing_heavy_is_loaded(tmp_path: Path, arguments: list[str]) -> None:
    heavy = ("tensorflow", "keras", "pandas", "matplotlib", "optuna", "scipy")
    code = (
        "import sys\nfrom regnet_ds.cli import run\n"
        f"code = run({['space', *arguments]!r})\n"
        f"sys.exit(str([n for n in {heavy!r} if n in sys.modules] or code or ''))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stderr.strip() == "", done.stderr
    assert done.stdout
