"""What fuzzing found, and what became of it."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("words", [("=b", "x"), ("depth=13", "=")])
@pytest.mark.parametrize("command", ["describe", "explain"])
def test_a_parameter_without_a_name_is_named_by_its_word(call, command, words):
    code, out, err = call(command, *words)
    assert (code, out) == (2, "")
    assert any(repr(word) in err for word in words if word.startswith("="))


@pytest.mark.parametrize("option", ["--memory", "--time-limit"])
def test_sizes_beyond_any_number_are_refused(call, tmp_path, monkeypatch, option):
    monkeypatch.chdir(tmp_path)
    code, _, err = call("study", "run", "--flops", "4M", "-n", "4", option, "9" * 400)
    assert code == 2
    assert "too large" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "command",
    [
        "study run --flops 4M -n 2",
        "search --flops 4M",
        "tune --model RegNetX-200MF",
        "reproduce ladder",
        "quickstart",
    ],
)
def test_more_workers_than_any_machine_has_are_refused(call, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*command.split(), f"--workers={2**63}")
    assert (code, out) == (2, "")
    assert f"workers must be at most 10000, got {2**63}" in err
    assert not list(tmp_path.iterdir())


def test_a_table_that_cannot_be_written_leaves_no_figure(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = call("explain", "RegNetX-200MF", "--figure", "x.png", "--out", "/dev/null/x.csv")
    assert (code, out) == (2, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["train", "study run", "search", "tune"])
@pytest.mark.parametrize("seconds", ["inf", "nan", "-1"])
def test_seconds_between_checkpoints_are_a_finite_number(
    call, tmp_path, monkeypatch, command, seconds
):
    monkeypatch.chdir(tmp_path)
    code, out, err = call(*command.split(), f"--checkpoint-seconds={seconds}")
    assert (code, out) == (2, "")
    assert "--checkpoint-seconds" in err and seconds in err
    assert not list(tmp_path.iterdir())
