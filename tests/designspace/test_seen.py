from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace.drawing.seen import Seen

BATCHES = st.lists(st.lists(st.integers(-3, 30), max_size=12), max_size=12)


@given(BATCHES, st.booleans())
def test_like_a_set(batches: list[list[int]], two_words: bool) -> None:
    seen, known = Seen(), set()
    for batch in batches:
        rows = np.array(batch, dtype=np.int64).reshape(-1, 1)
        if two_words:
            rows = np.concatenate([rows, rows // 2], axis=1)
        expected = []
        for value in batch:
            expected.append(value not in known)
            known.add(value)
        assert seen.add(rows).tolist() == expected


def test_numbers_take_eight_bytes_each() -> None:
    seen, rng = Seen(), np.random.default_rng(0)
    added = sum(int(seen.add(rng.integers(0, 2**60, (5000, 1))).sum()) for _ in range(64))
    assert added == pytest.approx(64 * 5000)
    assert sum(run.nbytes for run in seen._runs) == 8 * added
    assert len(seen._runs) <= 20
