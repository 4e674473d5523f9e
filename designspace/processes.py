"""Work in several processes that leave Ctrl-C to their parent and end with it."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")
TASK = 8  # jobs that go to a process together


@contextmanager
def process_pool(workers: int, function: Callable[..., Any]) -> Generator[ProcessPoolExecutor]:
    """Give a pool whose processes hold a function, which ``call`` calls there."""
    from concurrent.futures import ProcessPoolExecutor  # slow to import
    from multiprocessing import get_context

    context = get_context("spawn")  # the parent may hold threads, which a fork would break
    pool = ProcessPoolExecutor(workers, context, initializer=_start, initargs=(function,))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def call(*arguments: Any) -> Any:
    """Call the function that this process was started with."""
    return _held[0](*arguments)


def in_order(
    function: Callable[[_Job], _Result], jobs: Iterable[_Job], workers: int, *, alone: int
) -> Iterator[_Result]:
    """Yield what a function makes of each job, in their order.

    Processes are started after the first ``alone`` jobs only, which take no longer than their
    start. They read ``jobs`` somewhat ahead of what is yielded.
    """
    jobs = iter(jobs)
    yield from map(function, islice(jobs, alone) if workers > 1 else jobs)
    if workers == 1:
        return
    with process_pool(workers, function) as pool:
        ahead: deque[Future[list[Any]]] = deque()
        while True:
            while len(ahead) < 2 * workers and (task := list(islice(jobs, TASK))):
                ahead.append(pool.submit(call_each, task))
            if not ahead:
                return
            yield from ahead.popleft().result()


def call_each(jobs: list[Any]) -> list[Any]:
    """Call the function that this process was started with, for each of some jobs."""
    return list(map(call, jobs))


_held: list[Callable[..., Any]] = []


def _start(function: Callable[..., Any]) -> None:
    """Hold the function, leave Ctrl-C to the parent, and end with it even if it is killed."""
    from multiprocessing import parent_process

    _held[:] = [function]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    from multiprocessing import connection

    connection.wait([sentinel])
    os._exit(1)
