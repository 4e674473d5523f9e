"""Patience with a server that is away for a while: a restart must not cost a study anything."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import TypeVar

OUTAGE = 300.0  # seconds
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_log = logging.getLogger("regnet_ds")
T = TypeVar("T")


def is_outage(error: BaseException | None) -> bool:
    """Return whether an error says that a server cannot be reached, or ended the connection."""
    exceptions = sys.modules.get("sqlalchemy.exc")
    if exceptions is None:
        return False
    while error is not None:
        if isinstance(error, (exceptions.OperationalError, exceptions.InterfaceError)):
            return True
        if getattr(error, "connection_invalidated", False):
            return True
        error = error.__cause__
    return False


def patiently(
    do: Callable[[], T],
    *,
    patience: float = OUTAGE,
    stopped: Callable[[], bool] = lambda: False,
) -> T:
    """Return what ``do`` returns, trying again while its server is away.

    Raises
    ------
    Whatever ``do`` raises, if it is no outage, lasts longer than ``patience`` seconds, or
    ``stopped`` says that nobody waits any more.
    """
    pause = _FIRST_PAUSE
    deadline = time.monotonic() + patience
    while True:
        try:
            return do()
        except Exception as error:
            if not is_outage(error) or time.monotonic() > deadline or stopped():
                raise
            _log.warning("the storage is away, trying again: %s", _first_line(error))
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
