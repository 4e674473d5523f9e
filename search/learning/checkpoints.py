"""The state of a training in one file that appears whole or not at all, local or ``gs://``.

A run that is killed at any moment leaves the last complete checkpoint; continued from it, it
ends with the weights that it would have had.
"""

from __future__ import annotations

import io
import json
import signal
import threading
import zipfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ..data.sources import places

SCHEMA = 1
EVERY = 300.0  # seconds between checkpoints
META = "meta"
Arrays = Sequence[np.ndarray]
Record = dict[str, Any]


class Stopped(Exception):
    """A training was told to stop (SIGTERM, Ctrl-C) and has left its checkpoint."""

    def __init__(self, path: str, signal_number: int) -> None:
        super().__init__(f"stopped; the state is in {path}")
        self.signal_number = signal_number


class Paused(Exception):
    """Raised by ``on_epoch``: the training ends here for now, its checkpoint is written.

    ``error`` is the validation error that it has come to, in percent.
    """

    def __init__(self, error: float) -> None:
        super().__init__(f"paused at {error:.2f}%")
        self.error = error


@dataclass(slots=True)
class Progress:
    """How far a training is: ``step`` steps of the epoch of index ``epoch`` are done.

    ``history`` has a record of every finished epoch; ``losses`` is the sum over the epoch's steps.
    """

    epoch: int = 0
    step: int = 0
    steps_done: int = 0
    losses: float = 0.0
    seconds: float = 0.0
    history: list[Record] = field(default_factory=list)

    @property
    def errors(self) -> list[float]:
        """Validation errors, epoch by epoch."""
        return [record["error"] for record in self.history]


@dataclass(frozen=True, slots=True)
class Keep:
    """Where and how often a training is kept.

    ``checkpoint`` is a file, ``every`` the seconds between writes; ``on_history`` gets the records
    of all epochs after each one: epoch, lr, loss, error, seconds, images_per_second; ``on_step``
    how far the training is after every step.

    ``spare``: only against losing time. The state at the end is not written; a checkpoint that
    cannot be written, or is of another training, is warned of and not missed.
    """

    checkpoint: str
    every: float = EVERY
    on_history: Callable[[Sequence[Record]], None] | None = None
    on_step: Callable[[Progress], None] | None = None
    spare: bool = False


def save_checkpoint(
    path: str, identity: Mapping[str, Any], progress: Progress, arrays: Arrays
) -> None:
    """Write a checkpoint in place of the one that is there.

    Raises
    ------
    ValueError
        If it cannot be written, as on a full disk; the one that is there stays.
    """
    meta = {"schema": SCHEMA, "identity": identity, "progress": asdict(progress)}
    buffer = io.BytesIO()
    text = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    named: dict[str, Any] = {META: text} | {f"v{i}": array for i, array in enumerate(arrays)}
    np.savez(buffer, **named)  # NumPy below 2.1 would take allow_pickle for an array
    places.write_bytes(path, buffer.getvalue())


def load_checkpoint(
    path: str, identity: Mapping[str, Any], shapes: Sequence[tuple[int, ...]]
) -> tuple[Progress, list[np.ndarray]] | None:
    """Return what a checkpoint holds; None where there is no file.

    Raises
    ------
    ValueError
        If it cannot be read, is newer than this version, or belongs to another training; what
        differs is named.
    """
    if not places.exists(path):
        return None
    try:
        content = io.BytesIO(places.read_bytes(path))
        if not zipfile.is_zipfile(content):
            raise ValueError("it is none, or cut short")
        with np.load(content, allow_pickle=False) as file:
            meta = json.loads(file[META].tobytes())
            arrays = [file[f"v{i}"] for i in range(len(file.files) - 1)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"cannot read the checkpoint {path}: {error}") from None
    if meta["schema"] > SCHEMA:
        raise ValueError(f"the checkpoint {path} is of a newer version: update regnet-ds")
    other = _differences(meta["identity"], json.loads(json.dumps(identity)))
    if not other and [array.shape for array in arrays] != list(shapes):
        other = ["its weights have other shapes"]
    if other:
        raise ValueError(f"the checkpoint {path} is of another training: {'; '.join(other)}")
    return Progress(**meta["progress"]), arrays


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return what differs, within mappings field by field: ``model depth is 2, not 3``."""
    differences = []
    for key, value in wanted.items():
        there = found.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            every = dict.fromkeys((*value, *there))
            within = _differences(
                {k: there.get(k) for k in every}, {k: value.get(k) for k in every}
            )
            differences += [f"{key} {difference}" for difference in within]
        elif there != value:
            differences.append(f"{key} is {_short(there)}, not {_short(value)}")
    return differences


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@contextmanager
def asked_to_stop() -> Generator[list[int]]:
    """Yield a list that SIGTERM and Ctrl-C fill with their numbers instead of ending the process.

    A second signal ends it as usual. Outside the main thread nothing changes.
    """
    received: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before: dict[int, Any] = {
        number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)
    }

    def note(number: int, _: Any) -> None:
        received.append(number)
        signal.signal(number, before[number])

    for number in before:
        signal.signal(number, note)
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
