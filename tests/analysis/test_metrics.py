import numpy as np
import pytest
from regnet_ds.analysis import METRICS, metric
from regnet_ds.analysis.metrics import axis_for, nearest
from regnet_ds.analysis.records import PARAMETER_KEYS


def test_every_parameter_and_complexity_is_a_metric():
    assert {*PARAMETER_KEYS, "flops", "params", "acts", "error", "lr"} <= set(METRICS)
    assert all(name == metric(name).column for name in METRICS)


@pytest.mark.parametrize(
    ("name", "suggestion"), [("dept", "depth"), ("weight", "weight_decay"), ("FLOPs", "flops")]
)
def test_unknown_metrics(name, suggestion):
    with pytest.raises(ValueError, match=rf"{name!r} \(nearest: {suggestion}\)"):
        metric(name)


@pytest.mark.parametrize(
    ("name", "values", "label", "scale", "divisor"),
    [
        ("flops", [3.9e9, 4.1e9], "flops (G multiply-adds)", "linear", 1e9),
        ("flops", [2e6, 3e6], "flops (M multiply-adds)", "linear", 1e6),
        ("flops", [2.0, 3.0], "flops (multiply-adds)", "linear", 1),
        ("params", [2e6, 50e6], "parameters (M)", "log", 1e6),
        ("lr", [0.1, 0.2], "learning rate", "log", 1),
        ("weight_decay", [0.0, 1e-4], "weight decay", "linear", 1),
        ("w0", [8.0, 256.0], "initial width $w_0$ (channels)", "linear", 1),
        ("my_column", [1.0], "my column", "linear", 1),
    ],
)
def test_axes(name, values, label, scale, divisor):
    axis = axis_for(name, np.array(values))
    assert (axis.label, axis.scale, axis.divisor) == (label, scale, divisor)


def test_nearest():
    assert nearest("err", ["top1_err", "arch"]) == "top1_err"
    assert nearest("x", []) == ""
