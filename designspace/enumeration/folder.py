"""Enumeration of a whole space into a folder: chunk by chunk, by several processes, resumable.

Each chunk is a file that appears whole or not at all, and depends on nothing but the space. So
the result is the same whatever the number of workers and however often it was interrupted.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from ..atomic import whole_file
from ..blocks import STEM_FACTS
from ..drawing.judging import Units, strides_of
from ..processes import call, process_pool
from ..spaces import FAMILIES, DesignSpace
from ..spec import require_int, require_resolution
from .chunks import FRONTS, Found, combine, empty, enumerate_chunk, plan
from .level_runs import grid_of, level_runs
from .network_rows import Chunk

SCHEMA = 1  # of the folder; another one is enumerated anew, elsewhere
MARK = "enumeration.json"
Progress = Callable[[int, int, int], None]


def enumerate_space(
    space: DesignSpace,
    folder: Path,
    *,
    units: Units | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Found:
    """Enumerate every network of a RegNet space; what ``folder`` holds of it is not done again.

    Parameters
    ----------
    space
        A space of RegNets with one number of stages, blocks x, y or z.
    folder
        New, empty, or that of the same enumeration.
    units
        At which flops, params and acts are counted; 224 px and 1000 classes by default.
    workers
        Processes; they decide nothing but the time.
    progress
        Called with chunks done, chunks in all, and networks found so far.

    Raises
    ------
    ValueError
        If the space cannot be enumerated, or the folder cannot be written to or holds another
        enumeration or something else.
    """
    require_int("workers", workers)
    chunks = plan(space)
    units = units or Units()
    stride = STEM_FACTS[space.stem_type].total_stride * int(np.prod(strides_of(space)))
    require_resolution(stride, units.resolution)
    _open_folder(folder, describe(space, units))
    paths = [folder / "chunks" / f"{i:04d}.npz" for i in range(len(chunks))]
    total, done, todo = empty(space), 0, dict[int, Chunk]()
    for i, path in enumerate(paths):
        part = _read(path)
        if part is None:
            todo[i] = chunks[i]
        else:
            total, done = combine([total, part]), done + 1
    for i, part in _work(space, todo, units, workers):
        _write(part, paths[i])
        total, done = combine([total, part]), done + 1
        if progress is not None:
            progress(done, len(chunks), total.networks)
    return total


def whole_settings(space: DesignSpace) -> tuple[int, int]:
    """Return how many parameter settings a RegNet space has, and how many have its stages.

    Counted from the runs of slopes alone, apart from any network.
    """
    n_settings = 1
    for name in FAMILIES["regnet"]:
        n_settings *= len(grid_of(space, name))
    n_whole = sum(level_runs(space, int(w0)).settings for w0 in grid_of(space, "w0"))
    for name in ("group_width", "bottleneck_ratio"):
        n_whole *= len(grid_of(space, name))
    return n_settings, n_whole


def describe(space: DesignSpace, units: Units) -> dict[str, Any]:
    """Return what an enumeration depends on, with the grids as one fingerprint."""
    grids = hashlib.sha256()
    for name in FAMILIES["regnet"]:
        grids.update(grid_of(space, name).astype("<f8").tobytes() + name.encode())
    parts = (space.stages, space.bounds, space.se_ratio, space.stage_strides)
    parts += (space.stem_type, space.stem_width, space.head_width)
    grids.update(repr(parts).encode())
    return {
        "schema": SCHEMA,
        "space": space.name,
        "block": space.block,
        "stages": space.stages[0],
        "resolution": units.resolution,
        "classes": units.classes,
        "fingerprint": grids.hexdigest()[:16],
    }


def _open_folder(folder: Path, wanted: dict[str, Any]) -> None:
    """Make the folder and mark it as this enumeration's, or see that it is."""
    mark = folder / MARK
    try:
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"cannot write to {folder}: it is not a folder")
        if not mark.exists():
            if folder.exists() and any(folder.iterdir()):
                raise ValueError(f"{folder} is not empty and holds no enumeration: name another")
            with whole_file(mark) as temporary:
                temporary.write_text(json.dumps(wanted, indent=1) + "\n")
            return
        held = json.loads(mark.read_text())
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error.strerror or error}") from error
    except json.JSONDecodeError:
        raise ValueError(f"{mark} cannot be read: name another folder") from None
    if held != wanted:
        known = cast(dict[str, Any], held) if isinstance(held, dict) else {}
        names = ", ".join(f"{k} {known.get(k)}" for k, v in wanted.items() if known.get(k) != v)
        raise ValueError(f"{folder} holds another enumeration ({names}): name another folder")


def _read(path: Path) -> Found | None:
    """Return a finished chunk, or None if there is none or it cannot be read."""
    try:
        with np.load(path) as arrays:
            return Found(arrays["bins"], {name: arrays[name] for name in FRONTS})
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        return None


def _write(part: Found, path: Path) -> None:
    with whole_file(path) as temporary:
        arrays: dict[str, Any] = {"bins": part.bins, **part.fronts}
        np.savez_compressed(temporary, **arrays)


def _work(
    space: DesignSpace, todo: dict[int, Chunk], units: Units, workers: int
) -> Iterator[tuple[int, Found]]:
    """Yield each chunk's number and result as it is done."""
    one = partial(_one, space, units)
    if workers == 1 or len(todo) < 2:
        yield from map(one, todo.items())
        return
    from concurrent.futures import as_completed  # slow to import

    with process_pool(min(workers, len(todo)), one) as pool:
        for future in as_completed([pool.submit(call, job) for job in todo.items()]):
            yield future.result()


def _one(space: DesignSpace, units: Units, job: tuple[int, Chunk]) -> tuple[int, Found]:
    i, chunk = job
    return i, enumerate_chunk(space, chunk, units)
