"""How many processes may write to a storage: one to SQLite, any number to the others."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from ...analysis.storages.storage import parse_url

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


MOST = 10_000  # workers of a run


def check_workers(url: str, n: int) -> None:
    """Raise ValueError unless the storage takes ``n`` workers."""
    if n < 1:
        raise ValueError(f"workers must be at least 1, got {n}")
    if n > MOST:
        raise ValueError(f"workers must be at most {MOST}, got {n}")
    if n > 1 and parse_url(url).kind == "sqlite":
        raise ValueError(
            f"SQLite takes one writer, so one worker, got {n}: it locks the whole file for each"
            " write; use journal:PATH for several processes, postgresql://... for several hosts"
        )


@contextmanager
def one_writer(url: str) -> Generator[None]:
    """Return a block in which no other `run_workers` serves a SQLite file.

    Raises
    ------
    ValueError
        If another does.
    """
    place = parse_url(url)
    if place.kind != "sqlite" or place.path is None or fcntl is None:
        yield
        return
    with place.path.with_name(place.path.name + ".writer").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(
                f"another run writes to {place.path}, and SQLite takes one writer: use "
                "journal:PATH for several processes, postgresql://... for several hosts"
            ) from error
        yield
