import numpy as np
import pytest
from regnet_ds.analysis.figures.explanation import widths_figure
from regnet_ds.designspace import RegNetParams, canonical, explain


def test_line_steps_and_widths_are_drawn():
    record = explain(canonical("RegNetX-4.0GF"))
    figure = widths_figure(record, "RegNetX-4.0GF")
    (axes,) = figure.axes
    line, points = axes.get_lines()
    assert line.get_ydata()[[0, -1]].tolist() == record.line[[0, -1]].tolist()
    assert points.get_ydata().tolist() == record.adjusted.tolist()
    assert points.get_xdata().tolist() == list(range(23))
    (steps,) = axes.patches
    assert steps.get_data().values.tolist() == record.quantised.tolist()
    assert axes.get_yscale() == "log"
    assert axes.get_yticks().tolist() == [80, 240, 560, 1360]
    assert figure._supxlabel.get_text().startswith("RegNetX-4.0GF: $d$ = 23, $w_0$ = 96")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert [label.partition(":")[0] for label in labels[:2]] == ["line", "quantised"]
    assert labels[2] == "adjusted to the group width 40"


@pytest.mark.parametrize(("depth", "wa", "wm"), [(1, 8.0, 2.0), (5, 0.0, 2.0), (60, 200.0, 1.05)])
def test_no_labels_overlap(depth, wa, wm, tmp_path):
    figure = widths_figure(explain(RegNetParams(depth, 24, wa, wm, 8).to_spec()))
    figure.savefig(tmp_path / "w.png")
    (axes,) = figure.axes
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    tops = np.array([box.y1 for box in boxes[:-1]])
    bottoms = np.array([box.y0 for box in boxes[1:]])
    assert (bottoms >= tops - 1).all()
