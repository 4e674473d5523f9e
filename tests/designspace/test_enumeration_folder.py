from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from regnet_ds.designspace import DesignSpace, find_space
from regnet_ds.designspace.constraints import bounds, with_law
from regnet_ds.designspace.drawing.judging import Units
from regnet_ds.designspace.enumeration.chunks import Found, plan
from regnet_ds.designspace.enumeration.folder import enumerate_space, whole_settings
from regnet_ds.designspace.enumeration.tables import (
    against_canonical,
    markdown,
    summary,
    thinned,
    write_tables,
)
from regnet_ds.designspace.laws import Choice
from regnet_ds.designspace.tables.reading import read_population


def small(name: str = "regnetx") -> DesignSpace:
    space = find_space(name)
    for parameter, values in {
        "w0": (8, 24, 48, 64),
        "wa": (8, 16.5, 40, 100),
        "wm": (2, 2.3, 2.8),
        "group_width": (8, 16, 40),
    }.items():
        space = space & with_law(parameter, Choice(tuple(map(float, values))))
    return space


def same(a: Found, b: Found) -> bool:
    fronts = all(np.array_equal(a.fronts[name], b.fronts[name]) for name in a.fronts)
    return np.array_equal(a.bins, b.bins) and fronts


class Interrupted(Exception):
    """Stands for Ctrl-C after some chunks."""


def test_it_goes_on_where_it_was_interrupted(tmp_path: Path) -> None:
    space = small()
    whole = enumerate_space(space, tmp_path / "whole")
    calls: list[tuple[int, int, int]] = []

    def stop(done: int, total: int, networks: int) -> None:
        if done == 2:
            raise Interrupted

    folder = tmp_path / "parts"
    with pytest.raises(Interrupted):
        enumerate_space(space, folder, progress=stop)
    first = {path: path.stat().st_mtime_ns for path in (folder / "chunks").iterdir()}
    assert len(first) == 2
    again = enumerate_space(space, folder, progress=lambda *given: calls.append(given))
    assert same(again, whole)
    assert [done for done, _, _ in calls] == list(range(3, len(plan(space)) + 1))
    assert calls[-1] == (len(plan(space)), len(plan(space)), whole.networks)
    assert all(path.stat().st_mtime_ns == time for path, time in first.items())


def test_a_broken_chunk_is_done_again(tmp_path: Path) -> None:
    space = small()
    whole = enumerate_space(space, tmp_path / "e")
    for i, text in enumerate((b"", b"PK broken")):
        (tmp_path / "e" / "chunks" / f"000{i}.npz").write_bytes(text)
    assert same(enumerate_space(space, tmp_path / "e"), whole)


def test_workers_decide_nothing(tmp_path: Path) -> None:
    space = small("regnety")
    one = enumerate_space(space, tmp_path / "one", workers=1)
    two = enumerate_space(space, tmp_path / "two", workers=2)
    assert same(one, two)
    for folder, found in (("one", one), ("two", two)):
        write_tables(space, found, tmp_path / folder, Units())
    names = sorted(p.name for p in (tmp_path / "one").iterdir() if p.is_file())
    assert names == sorted(
        [
            "by_flops.csv",
            "by_regime.csv",
            "enumeration.json",
            "front_densest.csv",
            "front_least.csv",
            "summary.json",
            "tables.md",
        ]
    )
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_settings_are_counted_in_two_ways(tmp_path: Path) -> None:
    space = small()
    settings, whole = whole_settings(space)
    found = enumerate_space(space, tmp_path / "e")
    assert settings == 17 * 4 * 4 * 3 * 3
    assert 0 < whole == found.settings < settings
    counts = summary(space, found)
    assert counts["rejected_stages"] + counts["rejected_bounds"] + counts["valid"] == settings
    missing = Found(found.bins - (found.bins > 0), found.fronts)
    with pytest.raises(RuntimeError, match=f"{whole:,} of stages"):
        summary(space, missing)
    bounded = space & bounds((0.5, 3.0), 4.0)
    fewer = summary(bounded, enumerate_space(bounded, tmp_path / "b"))
    assert fewer["rejected_stages"] == counts["rejected_stages"]
    assert 0 < fewer["rejected_bounds"] == whole - fewer["valid"]


def test_a_front_reads_as_a_population(tmp_path: Path) -> None:
    space = small()
    found = enumerate_space(space, tmp_path / "e")
    write_tables(space, found, tmp_path / "e", Units())
    population = read_population(tmp_path / "e" / "front_densest.csv")
    assert np.array_equal(population.flops, found.fronts["densest"][:, 0])
    assert np.array_equal(population.acts, found.fronts["densest"][:, 2])
    table = against_canonical(space, found, Units())
    assert len(table["name"]) == 12
    i = table["name"].index("RegNetX-4.0GF")
    fits = (population.params <= table["params"][i]) & (population.acts <= table["acts"][i])
    assert table["most"][i] == population.flops[fits].max()
    assert table["ratio"][i] == f"{table['most'][i] / 3964499816:.3f}"


def test_tables_for_pages() -> None:
    columns = {"name": ["a", None], "n": [1234, 5], "list": [(1, 2), (3,)]}
    assert markdown(columns).splitlines() == [
        "| name | n | list |",
        "| --- | --: | --: |",
        "| a | 1,234 | 1 2 |",
        "|  | 5 | 3 |",
    ]
    few = thinned({"flops": [10, 11, 99, 100, 150, 1001]}, "flops", per_decade=1)
    assert few == {"flops": [10, 100, 1001]}


def test_folders_that_are_refused(tmp_path: Path) -> None:
    space = small()
    enumerate_space(space, tmp_path / "e")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ValueError, match=r"another enumeration \(resolution 224\)"):
        enumerate_space(space, tmp_path / "e", units=Units(64))
    with pytest.raises(ValueError, match=r"another enumeration \(space regnetx, block x\)"):
        enumerate_space(small("regnety"), tmp_path / "e")
    with pytest.raises(ValueError, match="is not empty and holds no enumeration"):
        enumerate_space(space, tmp_path)
    with pytest.raises(ValueError, match="it is not a folder"):
        enumerate_space(space, tmp_path / "e" / "enumeration.json")
    with pytest.raises(ValueError, match="cannot write"):
        enumerate_space(space, Path("/dev/null/e"))
    with pytest.raises(ValueError, match="resolution must be at least 32 px"):
        enumerate_space(space, tmp_path / "f", units=Units(16))
    with pytest.raises(ValueError, match="workers must be a positive integer, got 0"):
        enumerate_space(space, tmp_path / "f", workers=0)
    with pytest.raises(ValueError, match="only spaces of RegNets"):
        enumerate_space(find_space("anynetx-a"), tmp_path / "f")
    assert sorted(tmp_path.rglob("*")) == before
    for text in ("[1]", "{"):
        (tmp_path / "e" / "enumeration.json").write_text(text)
        with pytest.raises(ValueError, match="name another folder"):
            enumerate_space(space, tmp_path / "e")


@pytest.mark.slow
def test_the_whole_of_regnetx(tmp_path: Path, golden: Path) -> None:
    """21,616,218,624 settings, in half a minute or so."""
    space = find_space("regnetx")
    found = enumerate_space(space, tmp_path / "e", workers=2)
    expected = json.loads((golden / "regnetx_enumeration.json").read_text())
    assert [summary(space, found)] == expected
