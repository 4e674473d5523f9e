"""reproduce: with a trainer that pretends, in full."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from regnet_ds.analysis import load_table
from regnet_ds.search.reproduction.ladder import MOST_BLOCKS, SPACES

FAKE = Path(__file__).resolve().parent.parent / "search" / "fake_trainer.py"
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def ladder(n: int, *more: str) -> list[str]:
    fake = ["--trainer", f"{FAKE}:train"]
    return ["reproduce", "ladder", "--out", "made", "-n", str(n), *fake, *more]


def test_the_ladder_is_trained_in_turn_packed_and_continued(regnet_ds: Run, tmp_path: Path) -> None:
    stopped = regnet_ds(*ladder(12, "--max-trials", "60"))
    assert stopped.returncode == 0, stopped.stderr
    assert "the same command continues" in stopped.stderr
    assert not (tmp_path / "made" / "ladder.parquet").exists()
    done = regnet_ds(*ladder(12))
    assert done.returncode == 0, done.stderr
    for heading in ("The populations", "The ladder", "Widths on a line", "Good parameters"):
        assert f"### {heading}" in done.stdout
    assert done.stdout.count("| 12 |") == len(SPACES)
    table = load_table(tmp_path / "made" / "ladder.parquet")
    own = table[table["replicate"] == 0]
    assert own.groupby("space", observed=True).size().to_dict() == dict.fromkeys(SPACES, 12)
    assert (table["replicate"] > 0).sum() == len(SPACES) * 4
    assert own["flops"].between(1.9e6, 2.1e6).all()
    assert own["depth"].max() <= MOST_BLOCKS
    assert not table.duplicated(["space", "seed"]).any()
    assert {len(curve) for curve in table["curve"]} == {3}
    for name in ("ladder", "fits", "ranges"):
        assert (tmp_path / "made" / f"{name}.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ladder", "-n", "1"), "greater than or equal to 2, got '1'"),
        (("ladder", "-n", "2", "--workers", "0"), "workers must be at least 1, got 0"),
        (("findings", "nothing.csv"), "no such file"),
        (("findings", "example:imagenet"), "a ladder needs the columns space, index and replicate"),
    ],
)
def test_bad_input(call, arguments: tuple[str, ...], message: str) -> None:  # type: ignore[no-untyped-def]
    code, out, err = call("reproduce", *arguments)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err
