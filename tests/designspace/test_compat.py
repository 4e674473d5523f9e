from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace.blocks import BLOCKS
from regnet_ds.designspace.compat import (
    as_block_has,
    as_blocks_have,
    make_compatible,
    make_compatible_batch,
)


def test_vectors_of_pycls(golden: Path) -> None:
    cases = json.loads((golden / "pycls_vectors.json").read_text())["adjust_block_compatibility"]
    assert len(cases) == 30
    for case in cases:
        stages = zip(case["ws"], case["gs"], case["bs"], strict=True)
        adjusted = [make_compatible(w, g, 1 / m) for w, g, m in stages]
        assert [w for w, _ in adjusted] == case["out_ws"]
        assert [g for _, g in adjusted] == case["out_gs"]


@given(
    st.integers(1, 4000),
    st.integers(1, 400),
    st.sampled_from([0.125, 0.25, 1 / 3, 0.5, 1.0, 1.5, 2.0, 4.0]),
)
def test_batch_equals_scalar(width: int, group: int, ratio: float) -> None:
    w, g = make_compatible_batch(np.array([width, 0]), np.array([group, group]), np.array(ratio))
    assert (int(w[0]), int(g[0])) == make_compatible(width, group, ratio)
    assert w[1] == 0
    assert g[1] == 0


@given(st.integers(8, 4000), st.integers(1, 400))
def test_the_paper_s_bound_of_a_third(width: int, group: int) -> None:
    """DDS appendix D: the final width differs from the original by at most 1/3."""
    w, _ = make_compatible(width, group, 1.0)
    assert abs(w - width) * 3 <= max(w, width) + 2


@pytest.mark.parametrize(
    "blocks",
    [np.array(BLOCKS), *(np.broadcast_to(np.array(block), (3,)) for block in BLOCKS)],
    ids=["all", *BLOCKS],
)
def test_many_networks_have_what_one_has(blocks: np.ndarray) -> None:
    n = len(blocks)
    group_widths, ratios = as_blocks_have(blocks, np.full(n, 24), np.full(n, 4.0))
    rows = zip(np.broadcast_to(group_widths, n), np.broadcast_to(ratios, n), strict=True)
    assert list(rows) == [as_block_has(str(block), 24, 4.0) for block in blocks]
