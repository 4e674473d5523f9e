"""The widths of a RegNet step by step agree with the network and with the published stages."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from regnet_ds.designspace import CANONICAL, NetSpec, RegNetParams, Stage, canonical, explain


def test_steps_of_the_24(golden: Path) -> None:
    for row in csv.DictReader((golden / "canonical.csv").read_text("utf-8").splitlines()):
        spec = canonical(row["name"])
        record = explain(spec)
        depths = [int(d) for d in row["stage_depths"].split()]
        for name, key in (
            ("quantised", "stage_widths_before_adjust"),
            ("adjusted", "stage_widths"),
            ("group_width", "group_widths_adjusted"),
        ):
            expected = np.repeat([int(w) for w in row[key].split()], depths)
            assert getattr(record, name).tolist() == expected.tolist()
        assert record.stage.tolist() == np.repeat([1, 2, 3, 4], depths).tolist()
        p = CANONICAL[row["name"]]
        assert record.line[0] == p.w0
        assert record.line[-1] == pytest.approx(p.w0 + (p.depth - 1) * p.wa)
        # A level is the nearest power of wm, and the step the line's, up to half a level.
        ratio = np.abs(np.log(record.step / record.line)) / np.log(p.wm)
        assert (ratio <= 0.5 + 1e-9).all()
        assert (np.abs(record.step - record.quantised) <= 4).all()


def test_table_has_a_row_a_block() -> None:
    columns = explain(RegNetParams(3, 8, 16.0, 2.0, 8).to_spec()).columns()
    assert columns == {
        "block": [0, 1, 2],
        "stage": [1, 2, 3],
        "line": [8.0, 24.0, 40.0],
        "level": [0, 2, 2],
        "step": [8.0, 32.0, 32.0],
        "quantised": [8, 32, 32],
        "adjusted": [8, 32, 32],
        "group_width": [8, 8, 8],
    } | {"stage": [1, 2, 2]}


def test_an_anynet_has_no_line() -> None:
    with pytest.raises(ValueError, match="an AnyNet has no line"):
        explain(NetSpec(stages=(Stage(1, 8),)))
