"""Files and folders that are local or behind tf.io.gfile (``gs://``). TensorFlow loads for these.

A local path costs no import.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

from ....designspace.atomic import whole_file


def is_remote(path: str) -> bool:
    """Whether a path is a URL, which only TensorFlow reads."""
    return "://" in path


def join(folder: str, *names: str) -> str:
    """Return a path below a folder."""
    return "/".join([folder.rstrip("/"), *names])


def base(path: str) -> str:
    """Return the last part of a path."""
    return path.rstrip("/").rpartition("/")[2]


def listing(folder: str) -> list[tuple[str, bool, int]]:
    """Return (name, whether it is a folder, bytes) of everything in a folder, by name.

    Hidden entries are left out; folders have 0 bytes.

    Raises
    ------
    ValueError
        If the folder cannot be read.
    """
    try:
        found = _remote_listing(folder) if is_remote(folder) else _local_listing(folder)
    except Exception as error:
        if not isinstance(error, OSError) and not _is_tensorflow(error):
            raise
        raise ValueError(f"cannot read the folder {folder}: {_plain(error)}") from None
    return sorted(entry for entry in found if not entry[0].startswith("."))


def _local_listing(folder: str) -> list[tuple[str, bool, int]]:
    with os.scandir(folder) as entries:
        return [
            (entry.name, entry.is_dir(), 0 if entry.is_dir() else entry.stat().st_size)
            for entry in entries
        ]


def _remote_listing(folder: str) -> list[tuple[str, bool, int]]:
    import tensorflow as tf

    found = []
    for name in tf.io.gfile.listdir(folder):
        path = join(folder, name.rstrip("/"))
        is_folder = name.endswith("/") or tf.io.gfile.isdir(path)
        found.append((name.rstrip("/"), is_folder, 0 if is_folder else size(path)))
    return found


def exists(path: str) -> bool:
    """Whether there is a file or folder."""
    if not is_remote(path):
        return os.path.exists(path)
    import tensorflow as tf

    return bool(tf.io.gfile.exists(path))


def size(path: str) -> int:
    """Return the bytes of a file."""
    if not is_remote(path):
        return os.path.getsize(path)
    import tensorflow as tf

    return int(tf.io.gfile.stat(path).length)


def open_bytes(path: str) -> IO[bytes]:
    """Open a file to read bytes."""
    if not is_remote(path):
        return open(path, "rb")
    import tensorflow as tf

    return tf.io.gfile.GFile(path, "rb")  # type: ignore[return-value]


def read_bytes(path: str) -> bytes:
    """Return what is in a file."""
    with open_bytes(path) as file:
        return file.read()


@contextmanager
def written_whole(path: str) -> Generator[str]:
    """Yield a temporary path beside ``path``, which takes its place if the block succeeds.

    Raises
    ------
    ValueError
        If it cannot be written (no space, no permission).
    """
    if not is_remote(path):
        from pathlib import Path

        with whole_file(Path(path)) as temporary:
            try:
                yield str(temporary)
            except Exception as error:  # TensorFlow writes TFRecords
                if not _is_tensorflow(error):
                    raise
                raise ValueError(f"cannot write {path}: {_plain(error)}") from error
        return
    import tensorflow as tf

    temporary = f"{path}.partial"
    try:
        yield temporary
        tf.io.gfile.rename(temporary, path, overwrite=True)
    except tf.errors.OpError as error:
        raise ValueError(f"cannot write {path}: {_plain(error)}") from error


def make_folder(path: str) -> None:
    """Make a folder and those above it, where they are not there.

    Raises
    ------
    ValueError
        If it cannot be made.
    """
    try:
        if not is_remote(path):
            os.makedirs(path, exist_ok=True)
            return
        import tensorflow as tf

        tf.io.gfile.makedirs(path)
    except Exception as error:
        if not isinstance(error, OSError) and not _is_tensorflow(error):
            raise
        raise ValueError(f"cannot make the folder {path}: {_plain(error)}") from None


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    if not exists(path):
        return
    if not is_remote(path):
        os.remove(path)
        return
    import tensorflow as tf

    tf.io.gfile.remove(path)


def write_bytes(path: str, content: bytes) -> None:
    """Write a file that appears whole or not at all."""
    with written_whole(path) as temporary:
        if not is_remote(temporary):
            with open(temporary, "wb") as file:
                file.write(content)
            return
        import tensorflow as tf

        with tf.io.gfile.GFile(temporary, "wb") as file:
            file.write(content)


def _is_tensorflow(error: Exception) -> bool:
    return type(error).__module__.startswith("tensorflow")


def _plain(error: Any) -> str:
    text = str(getattr(error, "strerror", None) or getattr(error, "message", None) or error)
    return text.rpartition("; ")[2]  # TensorFlow names the temporary file first
