"""Which parameter tuples or networks have been met before, in bounded memory."""

from __future__ import annotations

import numpy as np

from ..arrays import Bools, Ints


class Seen:
    """A set of rows of integers that grows by batches.

    Rows of one number are kept in sorted arrays of falling size, 8 bytes a row; longer rows in
    a set of bytes.
    """

    def __init__(self) -> None:
        self._runs: list[Ints] = []
        self._keys: set[bytes] = set()

    def add(self, rows: Ints) -> Bools:
        """Return which rows, shape (n, k), are new, the first of equal ones; remember them."""
        if rows.shape[1] == 1:
            return self._add_numbers(np.ascontiguousarray(rows[:, 0]))
        new = np.zeros(len(rows), dtype=np.bool_)
        for i, row in enumerate(np.ascontiguousarray(rows)):
            key = row.tobytes()
            if key not in self._keys:
                self._keys.add(key)
                new[i] = True
        return new

    def _add_numbers(self, numbers: Ints) -> Bools:
        values, first = np.unique(numbers, return_index=True)
        fresh = np.ones(len(values), dtype=np.bool_)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, values), len(run) - 1)
            fresh &= run[at] != values
        new = np.zeros(len(numbers), dtype=np.bool_)
        new[first[fresh]] = True
        if fresh.any():
            self._runs.append(values[fresh])
        while len(self._runs) > 1 and len(self._runs[-2]) < 2 * len(self._runs[-1]):
            merged = np.concatenate([self._runs.pop(), self._runs.pop()])
            merged.sort(kind="stable")
            self._runs.append(merged)
        return new
