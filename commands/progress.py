"""Progress of trials, on stderr: a bar on a terminal, else a line for every finished trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..messages import is_quiet, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

FINISHED = ("complete", "pruned", "diverged", "failed")
Show = Callable[[str, Mapping[str, int], int], None]
ShowStep = Callable[[int, int, float, float | None], None]


@contextmanager
def _bar(console: Console, *columns: ProgressColumn) -> Generator[Progress]:
    """Yield a bar that is drawn on a terminal alone; elsewhere rich would leave an empty line."""
    from rich.progress import Progress

    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    if not console.is_terminal:
        yield bar
        return
    with bar:
        yield bar


@contextmanager
def trial_progress() -> Generator[Show]:
    """Yield a function of a title, counts by status and the number of trials wanted."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

    console = Console(stderr=True, quiet=is_quiet())
    began = time.monotonic()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with _bar(console, *columns, TextColumn("{task.fields[rest]}", markup=False)) as bar:
        tasks = {}
        shown: dict[str, int] = {}

        def show(title: str, counts: Mapping[str, int], total: int) -> None:
            done = sum(counts[status] for status in FINISHED)
            if title not in tasks:
                tasks[title] = bar.add_task(visible(title), total=total, rest="")
                shown[title] = done
            rest = _rest(counts, time.monotonic() - began)
            bar.update(tasks[title], completed=done, total=max(total, done), rest=rest)
            if done != shown[title] and not console.is_terminal:
                console.print(
                    f"{visible(title)}: {done} of {max(total, done)} {rest}",
                    highlight=False,
                    markup=False,
                )
            shown[title] = done

        yield show


def _rest(counts: Mapping[str, int], seconds: float) -> str:
    named = (*FINISHED[1:], "running")
    parts = [f"{counts[status]} {status}" for status in named if counts[status]]
    return ", ".join([*parts, f"{int(seconds // 60)}:{int(seconds % 60):02d}"])


@contextmanager
def counted(what: str) -> Generator[Callable[[int, int], None]]:
    """Yield a function of how many are done of how many: a bar where stderr is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

    console = Console(stderr=True, quiet=is_quiet())
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with _bar(console, *columns) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def training_progress(
    steps: int, batch_size: int
) -> Generator[tuple[ShowStep, Callable[[str], None]]]:
    """Yield a function of how far a training is, and one that prints a line above the bar.

    The bar of ``steps`` has images a second, the last error and the time left; it is shown where
    stderr is a terminal.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True, quiet=is_quiet())
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    with _bar(console, *columns, TimeRemainingColumn()) as bar:
        task = bar.add_task("", total=steps)

        def show(done: int, epoch_steps: int, seconds: float, error: float | None) -> None:
            rate = epoch_steps * batch_size / seconds if seconds else 0.0
            known = "" if error is None else f", error {error:.2f}%"
            bar.update(task, completed=done, description=f"{rate:.0f} images/s{known}")

        yield show, lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True)
