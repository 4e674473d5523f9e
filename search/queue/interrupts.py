"""Ctrl-C and SIGTERM while workers train: once returns what is being trained, twice stops now."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_log = logging.getLogger("regnet_ds")


@contextmanager
def interrupts(kill: Callable[[], None]) -> Generator[list[int]]:
    """Count SIGINT and SIGTERM in the block; from the second on, ``kill`` the workers at once.

    Yields the signals received so far. In a thread other than the main one none are handled.
    """
    received: list[int] = []

    def handle(number: int, _: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            kill()
        else:
            _log.warning("stopping: running trials are returned (again: stop now)")

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
