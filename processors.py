"""How many processors there are for this process."""

from __future__ import annotations

import os


def available() -> int:
    """Return the number of processors that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS
    return len(affinity(0)) if affinity else os.cpu_count() or 1
