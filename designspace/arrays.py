"""Names for the array types that the batched functions take and return."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]
Reals: TypeAlias = Ints | Floats
Bools: TypeAlias = NDArray[np.bool_]
Column: TypeAlias = NDArray[Any]
