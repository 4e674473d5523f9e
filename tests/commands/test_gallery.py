"""The commands of the gallery make its pictures, and bad input is one line."""

import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "gallery.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ regnet-ds (.* example:.*)$", PAGE, re.MULTILINE)


def test_every_command_is_shown_with_its_picture():
    made = [command.rpartition(" ")[2] for command in COMMANDS]
    assert (
        sorted(re.findall(r"\(figures/gallery/(\S+)\)", PAGE)) == sorted(set(made)) == sorted(made)
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda text: text.rpartition(" ")[2])
def test_the_command_draws(call, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    code, _, err = call(*shlex.split(command))
    picture = tmp_path / command.rpartition(" ")[2]
    assert code == 0, err
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 300_000


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("error\n", (), "no rows"),
        ("error\n0.2\n0.4\n", (), "no error is above 1"),
        ("error\ninf\n", (), "percent in [0, 100]"),
        ("error\nnan\n", (), "no finished row with an error; excluded: 1 without error"),
        ("eror\n20\n", (), "no column error (nearest: eror)"),
        (
            "s,error,flops\na,1,1\na,20,2\nb,30,8\nb,4,9\n",
            ("--by", "s", "--normalize", "flops"),
            "flops",
        ),
    ],
)
def test_bad_tables(call, tmp_path, text, more, message):
    path = tmp_path / "t.csv"
    path.write_text(text)
    code, out, err = call("edf", path, *more)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err


@pytest.mark.parametrize("text", ["error\n20\n", "error\n20\n20\n20\n"])
def test_one_row_and_equal_errors_are_drawn(call, tmp_path, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    code, _, err = call("edf", path, "--bands", "--out", tmp_path / "t.svg")
    assert code == 0, err


def write_many(path, n):
    """Write n models as Parquet."""
    rng = np.random.default_rng(0)
    columns = {
        "depth": rng.integers(12, 29, n),
        "wm": rng.uniform(2, 3, n),
        "flops": rng.uniform(2e8, 32e9, n),
        "error": np.clip(rng.gamma(3, 4, n), 0, 100),
    }
    pq.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize("kind", ["scatter", "map", "front"])
def test_many_points_are_pixels(call, tmp_path, kind):
    """Points of 25,000 models are one picture within the SVG; those of 300 are drawn each."""
    sizes = []
    for n in (300, 25_000):
        path = write_many(tmp_path / f"{n}.parquet", n)
        out = tmp_path / f"{n}.svg"
        code, _, err = call("plot", kind, path, "--out", out)
        assert code == 0, err
        text = out.read_text()
        sizes.append(text.count("<use "))
        assert ("data:image/png" in text) == (n > 300 or kind == "map")
        assert len(text) < 1_000_000
    assert sizes[1] < sizes[0]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["edf", "spread", "scatter", "map", "front", "buckets", "ks"])
def test_a_million_models_make_a_small_picture(call, tmp_path, kind):
    out = tmp_path / "p.svg"
    code, _, err = call("plot", kind, write_many(tmp_path / "t.parquet", 1_000_000), "--out", out)
    assert code == 0, err
    assert out.stat().st_size < 3_000_000
