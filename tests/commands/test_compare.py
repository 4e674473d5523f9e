"""``compare`` and ``refine`` as commands: what they print, write and refuse."""

import csv
import json

import numpy as np
import pytest
from regnet_ds.designspace import SPACES, sample
from regnet_ds.designspace.space_files.reader import parse_space

PAIR = ("compare", "example:imagenet", "--where", "population=dds", "--by", "family")
NORMALIZED = (*PAIR, "--normalize", "flops", "--bins", "3")


def write_population(path, *, cause, halves=False):
    """Write 200 networks of regnetx-dds whose error depends on depth, or on nothing."""
    nets = sample(SPACES["regnetx-dds"], 200, rng=np.random.default_rng(0)).population
    noise = np.random.default_rng(1).gamma(2, 1, 200)
    errors = 20 + noise + cause * 4 * np.abs(np.log2(nets.depth / 20))
    split = np.where(np.arange(200) < (100 if halves else 190), "a", "b")
    keys = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio")
    columns = [getattr(nets, key).tolist() for key in keys]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*keys, "split", "error"])
        writer.writerows(zip(*columns, split, errors, strict=True))
    return path


def test_compare_prints_writes_and_draws(call, tmp_path):
    data, picture = tmp_path / "pairs.csv", tmp_path / "pairs.svg"
    code, out, err = call(*NORMALIZED, "--format", "json", "--data", data, "--out", picture)
    assert code == 0, err
    (shown,) = json.loads(out)
    with data.open() as file:
        (written,) = csv.DictReader(file)
    assert {shown["a"], shown["b"]} == {"regnetx", "regnety"}
    assert shown["mean_low"] < shown["mean"] < shown["mean_high"]
    assert float(written["mean"]) == pytest.approx(shown["mean"])
    assert {"median", "best_of_m", "b_beats_a", "anderson_darling"} <= set(written)
    assert "matched on flops" in err
    assert "<svg" in picture.read_text()


def test_a_seed_decides_the_p_value(call):
    first, again, other = (
        call(*NORMALIZED, "--format", "csv", "--seed", seed)[1] for seed in (0, 0, 1)
    )
    assert first == again
    assert first != other


def test_normalizing_changes_the_numbers(call):
    assert call(*PAIR)[1] != call(*NORMALIZED)[1]


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
@pytest.mark.parametrize("kind", ["edf", "front", "importance"])
def test_numbers_behind_a_picture(call, tmp_path, kind, suffix):
    data = tmp_path / f"numbers.{suffix}"
    more = ("--out", tmp_path / "p.png", "--data", data)
    code, _, err = call("plot", kind, "example:imagenet", "--where", "population=dds", *more)
    assert code == 0, err
    assert data.stat().st_size > 0


def test_refine_writes_the_next_space(call, tmp_path):
    path, out = write_population(tmp_path / "nets.csv", cause=1), tmp_path / "next.yaml"
    options = ("--space", "regnetx-dds", "--out", out, "--format", "json")
    code, printed, err = call("refine", path, *options)
    assert code == 0, err
    (step,) = json.loads(printed)
    assert (step["step"], step["change"].partition(":")[0]) == ("range", "depth")
    space = parse_space(out.read_text())
    assert set(space.laws["depth"].values) < set(SPACES["regnetx-dds"].laws["depth"].values)
    assert "On models that the proposal has not seen" in err
    assert "wrote" in err


def test_refine_says_that_noise_supports_nothing(call, tmp_path):
    path, out = write_population(tmp_path / "nets.csv", cause=0), tmp_path / "next.yaml"
    code, printed, err = call("refine", path, "--space", "regnetx-dds", "--out", out)
    assert (code, printed) == (0, "")
    assert "support no narrower space" in err
    assert not out.exists()


def test_refine_reads_the_rows_asked_for(call, tmp_path):
    path = write_population(tmp_path / "nets.csv", cause=1)
    code, _, err = call("refine", path, "--space", "regnetx-dds", "--where", "split=a")
    assert code == 0, err
    assert err.startswith("n = 190;")


def write_sizes(path):
    """Write 300 networks whose error depends on their size alone, of which depth is part."""
    nets = sample(SPACES["regnetx-dds"], 300, rng=np.random.default_rng(0)).population
    noise = np.random.default_rng(1).normal(0, 0.5, 300)
    errors = 60 - 4 * np.log2(nets.flops / 1e9) + noise
    keys = ("depth", "w0", "wa", "wm", "group_width", "bottleneck_ratio", "flops")
    columns = [getattr(nets, key).tolist() for key in keys]
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*keys, "error", "logs"])
        writer.writerows(zip(*columns, errors, np.log2(nets.flops), strict=True))
    return path


def test_at_equal_complexity_size_alone_supports_nothing(call, tmp_path):
    path = write_sizes(tmp_path / "nets.csv")
    options = ("--space", "regnetx-dds", "--format", "json")
    code, printed, err = call("refine", path, *options)
    assert code == 0, err
    assert "depth" in printed
    more = ("--normalize", "logs", "--bins", "30")
    code, printed, err = call("refine", path, *options, *more)
    assert (code, printed) == (0, ""), printed
    assert "matched on logs" in err
    assert "support no narrower space" in err


def test_refine_by_a_column_draws_and_writes_the_numbers(call, tmp_path):
    path = write_population(tmp_path / "nets.csv", cause=1, halves=True)
    data, picture = tmp_path / "d.json", tmp_path / "p.svg"
    options = ("--space", "regnetx-dds", "--by", "split", "--data", data, "--picture", picture)
    code, printed, err = call("refine", path, *options)
    assert code == 0, err
    assert printed.split()[0] == "population"
    rows = json.loads(data.read_text())
    assert {row["population"] for row in rows} == {"a", "b"}
    for row in rows:
        assert row["change"].startswith("depth:")
        assert row["gain_low"] < row["gain"] < row["gain_high"] < 0
    text = picture.read_text()
    assert text.count("<!-- ") and "proposed" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((*PAIR, "--normalize", "flps"), "no column flps (nearest: flops)"),
        ((*PAIR, "--data", "x.txt"), ".csv"),
        (("compare", "example:imagenet"), "at least two populations, got 1"),
        (("edf", "example:imagenet", "--where", "populaton=dds"), "(nearest: population)"),
        (("edf", "example:imagenet", "--where", "population"), "write --where COLUMN=VALUE,VALUE"),
        (("edf", "example:imagenet", "--where", "population=d"), "has no population 'd'"),
        (("refine", "NETS"), "say the space"),
        (("refine", "NETS", "--space", "regnetx-dds", "--out", "x.json"), ".yaml"),
        (("refine", "NETS", "--space", "regnetx-dds", "--picture", "x.yaml"), ".png"),
        (("refine", "NETS", "--space", "regnetx-dds", "--by", "slit"), "(nearest: split)"),
        (
            ("refine", "NETS", "--space", "regnetx-dds", "--by", "split", "--out", "x.yaml"),
            "x.yaml holds one space, got 2 populations: a, b",
        ),
        (
            ("refine", "NETS", "--space", "regnetx-dds", "--by", "split"),
            "b: refining needs at least",
        ),
        (
            ("compare", "example:imagenet", "NETS", "--normalize", "flops"),
            "nets has no column flops",
        ),
        (("refine", "NETS", "--by", "split"), "say the space of a of"),
        (("refine", "NETS", "--space", "regnetx-dds", "--where", "split=b"), "at least 20 models"),
        (("refine", "example:imagenet", "--space", "anynetx-a"), "has no column of a parameter"),
    ],
)
def test_bad_input_is_one_line(call, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    nets = write_population(tmp_path / "nets.csv", cause=0)
    code, out, err = call(*(nets if a == "NETS" else a for a in arguments))
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    assert message in err
