import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from regnet_ds.analysis import (
    draw_edf,
    edf,
    edf_figure,
    make_groups,
    parameter_ranges,
    ranges_figure,
    save_figure,
)
from regnet_ds.analysis.style import COLOURS, LINES, line_style


def results(n=40, seed=0, **columns):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "depth": rng.integers(12, 29, n),
            "w0": 8 * rng.integers(1, 9, n),
            "wa": rng.uniform(8, 60, n),
            "bottleneck_ratio": 1.0,
            "flops": rng.uniform(2e8, 32e9, n),
            "params": rng.uniform(3e6, 9e6, n),
            "lr": 10 ** rng.uniform(-2, 0, n),
            "error": rng.gamma(3, 4, n),
            "status": ["diverged", "failed", *["complete"] * (n - 2)],
            "data": "digits",
            "epochs": 4,
            **columns,
        }
    )


def groups(*names, **columns):
    return make_groups([(name, results(seed=i, **columns)) for i, name in enumerate(names)])


def test_edf_is_drawn_step_by_step():
    axes = Figure().subplots()
    draw_edf(axes, edf([3.0, 1.0, 2.0, 2.0]), label="a", right=5.0)
    (line,) = axes.get_lines()
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xdata().tolist() == [1, 1, 2, 3, 5]
    assert line.get_ydata().tolist() == [0, 0.25, 0.75, 1, 1]


def test_legend_and_caption_say_the_numbers():
    shown = groups("first", "second")
    figure = edf_figure(shown)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    for group, label in zip(shown, labels, strict=True):
        record = group.edf
        assert label == f"{group.name}  [38 | {record.min:.2f} | {record.mean:.2f}]"
    said = figure._supxlabel.get_text().replace("\n", " ")
    assert said == "n = 76; excluded: 2 diverged, 2 failed; digits, 4 epochs."
    assert axes.get_xlabel() == "validation error (%)"


def test_panels_of_ranges():
    (shown,) = groups("small")
    figure = ranges_figure(shown)
    panels = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in panels] == [
        "depth $d$ (blocks)",
        "initial width $w_0$ (channels)",
        "slope $w_a$ (channels per block)",
        "flops (G multiply-adds)",
        "parameters (M)",
        "learning rate",
    ]
    assert [axes.get_xscale() for axes in panels] == [*["linear"] * 3, "log", "linear", "log"]
    first = parameter_ranges(shown.rows)[0].found
    assert panels[0].get_title() == f"{first.best:.0f}  [{first.low:.0f}, {first.high:.0f}]"
    said = figure._supxlabel.get_text().replace("\n", " ")
    assert said.startswith("small: n = 38; excluded: 1 diverged, 1 failed; digits, 4 epochs. ")
    assert "best of k = 9 of 38 models" in said
    assert said.endswith("Constant: bottleneck_ratio = 1.")


@pytest.mark.parametrize("columns", [{}, {"error": 5.0}, {"lr": 0.0}])
def test_nothing_overlaps_or_leaves_the_page(columns):
    for figure in (
        edf_figure(groups(*(f"a population of a long name, number {i}" for i in range(8)))),
        ranges_figure(groups("small", **columns)[0]),
        ranges_figure(groups("small", **columns)[0], ["depth"]),
    ):
        figure.draw_without_rendering()
        legends = [*figure.legends, *(a.get_legend() for a in figure.axes if a.get_legend())]
        panels = [axes.get_tightbbox() for axes in figure.axes if axes.axison]
        boxes = [*(legend.get_window_extent() for legend in figure.legends), *panels]
        boxes.append(figure._supxlabel.get_window_extent())
        page = figure.bbox
        for box in [*boxes, *(legend.get_window_extent() for legend in legends)]:
            assert page.x0 <= box.x0 and box.x1 <= page.x1 + 1
            assert page.y0 <= box.y0 and box.y1 <= page.y1 + 1
        for i, box in enumerate(boxes):
            for other in boxes[i + 1 :]:
                across = min(box.x1, other.x1) - max(box.x0, other.x0)
                along = min(box.y1, other.y1) - max(box.y0, other.y0)
                assert across < 1 or along < 1


def test_one_model_is_drawn():
    (shown,) = make_groups([("one", results(3))])
    assert len(edf_figure([shown]).axes) == 1
    with pytest.raises(ValueError, match="no parameter varies over the one row of"):
        ranges_figure(shown)
    assert len(ranges_figure(shown, ["depth"]).axes) == 1


def test_missing_values_are_left_out_of_their_panel():
    table = results()
    table.loc[10:19, "w0"] = np.nan
    (shown,) = make_groups([("holes", table)])
    depth, w0 = parameter_ranges(shown.rows, ["depth", "w0"])
    assert (depth.found.n, w0.found.n) == (38, 28)


@pytest.mark.parametrize(
    ("names", "message"),
    [(["deepth"], r"no column deepth \(nearest: depth\)"), (["data"], "column data: expected")],
)
def test_bad_parameters(names, message):
    (shown,) = groups("small")
    with pytest.raises(ValueError, match=message):
        parameter_ranges(shown.rows, names)


def test_groups_by_a_column():
    table = results(space=["a", "b"] * 20)
    a, b = make_groups([("all", table)], by="space")
    assert (a.name, len(a.rows), a.exclusions) == ("a", 19, {"diverged": 1})
    assert (b.name, len(b.rows), b.exclusions) == ("b", 19, {"failed": 1})
    both = make_groups([("one", table), ("two", table)], by="space")
    assert [group.name for group in both] == ["one: a", "one: b", "two: a", "two: b"]
    with pytest.raises(ValueError, match=r"all has no column spcae \(nearest: space\)"):
        make_groups([("all", table)], by="spcae")
    with pytest.raises(ValueError, match="no finished row with an error; excluded: 1 failed"):
        make_groups([("all", table[1:2])])


def test_lines_differ_without_colour():
    styles = [line_style(i) for i in range(len(COLOURS) * len(LINES))]
    assert len({str(style) for style in styles}) == len(styles)
    neighbours = [style["linestyle"] for style in styles[: len(LINES)]]
    assert len(set(neighbours)) == len(LINES)


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_files_are_the_same_each_time_whatever_the_user_set(tmp_path, suffix):
    def draw(name):
        path = tmp_path / f"{name}.{suffix}"
        save_figure(edf_figure(groups("small")), path)
        return path.read_bytes()

    first = draw("first")
    with mpl.rc_context({"axes.facecolor": "red", "font.size": 20, "savefig.dpi": 30}):
        before = dict(mpl.rcParams)
        assert draw("second") == first
        assert dict(mpl.rcParams) == before
    assert b"dc:date" not in first


def test_png_is_sharp(tmp_path):
    path = tmp_path / "sharp.png"
    figure = edf_figure(groups("small"))
    save_figure(figure, path)
    width = int.from_bytes(path.read_bytes()[16:20], "big")
    assert width == 200 * figure.get_figwidth()


def test_bad_files(tmp_path):
    figure = edf_figure(groups("small"))
    with pytest.raises(ValueError, match=r"'\.jpg' of .*: expected one of \.png, \.svg, \.pdf"):
        save_figure(figure, tmp_path / "figure.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot write"):
        save_figure(figure, tmp_path / "file" / "figure.png")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_imports_load():
    """The package loads neither pandas nor matplotlib; figures load neither pyplot nor scipy."""
    code = """
import sys
import regnet_ds.analysis as analysis
assert not {"pandas", "matplotlib", "scipy", "optuna"} & set(sys.modules), "package"
assert set(analysis.__all__) <= set(dir(analysis))
analysis.edf, analysis.good_range
assert not {"pandas", "matplotlib", "scipy"} & set(sys.modules), "numbers"
analysis.load_table, analysis.make_groups
assert not {"matplotlib", "scipy", "optuna", "seaborn"} & set(sys.modules), "tables"
analysis.edf_figure
assert not {"matplotlib.pyplot", "scipy", "seaborn", "optuna"} & set(sys.modules), "figures"
assert not {"keras", "tensorflow", "regnet_ds.search", "regnet_ds.regnet"} & set(sys.modules)
for name in analysis.__all__:
    getattr(analysis, name)
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=300)
