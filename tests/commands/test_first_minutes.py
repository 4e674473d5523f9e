"""What a newcomer meets: help by task, examples, --quiet and --verbose, colours, traps."""

from __future__ import annotations

import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from regnet_ds.cli import COMMANDS, TASKS
from regnet_ds.commands.traps import TRAPS, Machine, find_traps

Call = Callable[..., tuple[int, str, str]]
EXAMPLES = Path(__file__).resolve().parent.parent / "fuzz" / "examples.py"


def test_help_groups_all_commands_by_task(call: Call) -> None:
    code, out, _ = call("--help")
    assert code == 0
    places = [out.index(task) for task in TASKS]
    assert places == sorted(places)
    shown = re.findall(r"^\W*│ (\w+) ", out, re.MULTILINE)
    assert [name for name in shown if name in COMMANDS] == sorted(
        COMMANDS, key=lambda name: shown.index(name)
    )
    for start, task in zip(places, TASKS, strict=True):
        panel = out[start:].partition("╰")[0]
        assert set(TASKS[task]) <= set(re.findall(r"│ (\w+)", panel))
    assert "Exit codes: 0 done" in out


def test_paragraphs_of_help_break_where_the_terminal_ends(call: Call) -> None:
    code, out, _ = call("study", "run", "--help")
    assert code == 0
    text = out.partition("Example:")[0]
    paragraph = text[text.index("The budget is counted") :].rstrip()
    widths = [len(line.strip()) for line in paragraph.splitlines()]
    assert len(widths) > 1
    assert all(width > 60 for width in widths[:-1])


def test_every_example_of_help_works_or_begins_to_train() -> None:
    """In a fresh interpreter without TensorFlow: an example ends with 0 or asks for it."""
    done = subprocess.run([sys.executable, str(EXAMPLES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert not [name for name, examples in found.items() if not examples]
    ended = {e["line"]: e["ended"] for examples in found.values() for e in examples}
    failed = [line for line, end in ended.items() if end not in ("0", "reached")]
    assert [line for line in failed if "postgresql" not in line] == []  # there is no server
    assert len(ended) >= 55
    assert sum(end == "0" for end in ended.values()) >= 30


def test_quiet_and_verbose_anywhere(call: Call) -> None:
    for arguments in (("--quiet", "sample", "-n", "1"), ("sample", "-n", "1", "--quiet")):
        code, out, err = call(*arguments)
        assert (code, err) == (0, "")
        assert "stage_widths" in out
    code, _, err = call("--quiet", "sample", "--flops", "4Q")
    assert code == 2
    assert "4Q" in err
    assert "seed 0" in call("sample", "-n", "1")[2]
    assert logging.getLogger("regnet_ds").level == logging.NOTSET


def test_verbose_shows_the_log(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    import regnet_ds.designspace.space_catalogue as spaces

    def find(name: str) -> None:
        logging.getLogger("regnet_ds.x").info("looking for %s", name)
        raise ValueError(name)

    monkeypatch.setattr(spaces, "find_space", find)
    assert (
        "regnet_ds.x: looking for regnety" in call("sample", "--space", "regnety", "--verbose")[2]
    )
    assert "looking" not in call("sample", "--space", "regnety")[2]


def test_no_control_codes_in_a_pipe_and_no_colours_with_no_color(tmp_path: Path) -> None:
    for arguments in (["--help"], ["sample", "-n", "2"], ["sample", "--flops", "4Q"]):
        command = [sys.executable, "-m", "regnet_ds", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout + done.stderr
        assert "\x1b" not in done.stdout + done.stderr
    colour = r"\x1b\[([0-9]+;)*3[0-9]"
    assert re.search(colour, on_terminal(["--help"], {}))
    assert not re.search(colour, on_terminal(["--help"], {"NO_COLOR": "1"}))


def on_terminal(arguments: list[str], variables: dict[str, str]) -> str:
    """Return what a command prints on a terminal."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    child = subprocess.Popen(
        [sys.executable, "-m", "regnet_ds", *arguments],
        stdout=theirs,
        stderr=theirs,
        env={**kept, "TERM": "xterm-256color", **variables},
    )
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65_536):
            shown += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert child.wait() == 0
    return shown.decode()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_of_commands_and_options(shell: str) -> None:
    variables = {
        "bash": {"COMP_WORDS": "regnet-ds sam", "COMP_CWORD": "1"},
        "zsh": {"_TYPER_COMPLETE_ARGS": "regnet-ds sam"},
        "fish": {
            "_TYPER_COMPLETE_ARGS": "regnet-ds sam",
            "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        },
    }
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['regnet-ds']; import regnet_ds.cli as c; c.main()",
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "_REGNET_DS_COMPLETE": f"complete_{shell}", **variables[shell]},
    )
    assert "sample" in done.stdout
    assert "describe" not in done.stdout


PLAIN = {"tensorflow": "2.21.0", "keras": "3.15.0"}
SPRUNG = {
    "KERAS_BACKEND": Machine({}, PLAIN, backend="torch"),
    "TF_USE_LEGACY_KERAS": Machine({"TF_USE_LEGACY_KERAS": "1"}, PLAIN),
    "tensorflow beside a TPU": Machine(
        {"TPU_VISIBLE_CHIPS": "0", "JAX_COMPILATION_CACHE_DIR": "x"},
        {**PLAIN, "libtpu": "0.0.20"},
        backend="jax",
    ),
    "TPU on tensorflow": Machine({}, {**PLAIN, "libtpu": "0.0.20"}),
    "TPU_VISIBLE_CHIPS": Machine(
        {"JAX_COMPILATION_CACHE_DIR": "x"},
        {"tensorflow-cpu": "2.21.0", "libtpu": "0.0.20"},
        backend="jax",
    ),
    "JAX_COMPILATION_CACHE_DIR": Machine({}, PLAIN, backend="jax"),
    "TF_DETERMINISTIC_OPS": Machine({"TF_DETERMINISTIC_OPS": "1"}, PLAIN),
    "XLA_FLAGS": Machine(
        {
            "XLA_FLAGS": "--xla_force_host_platform_device_count=8",
            "JAX_COMPILATION_CACHE_DIR": "x",
        },
        PLAIN,
        backend="jax",
    ),
    "image_data_format": Machine({}, PLAIN, image_data_format="channels_first"),
    "floatx": Machine({}, PLAIN, floatx="float16"),
}


def test_doctor_s_traps() -> None:
    assert find_traps(Machine({}, PLAIN)) == {}
    assert list(SPRUNG) == list(TRAPS)
    for name, machine in SPRUNG.items():
        assert list(find_traps(machine)) == [name]
    assert find_traps(Machine({}, {"tensorflow-tpu": "2.20.0"}))["TPU on tensorflow"]
