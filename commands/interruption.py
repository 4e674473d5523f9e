"""Ctrl-C that is not lost where a library swallows it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

AGAIN = 5.0  # seconds


@contextmanager
def insisting(again: float = AGAIN) -> Generator[None]:
    """Raise KeyboardInterrupt in the block at SIGINT, and again until the block is left.

    Python drops an exception that a signal raises inside a finaliser or a callback from C, of which
    a traced TensorFlow function has many: the command would run on. What libraries make of the
    exception, a SystemError say, leaves the block as KeyboardInterrupt. Blocks within that handle
    SIGINT themselves are not touched; neither are threads and systems without interval timers.
    """
    mine = threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer")
    if not mine or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    asked: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.setitimer(signal.ITIMER_REAL, again)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except Exception as error:
        if asked:
            raise KeyboardInterrupt from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)
