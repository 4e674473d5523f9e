"""Files that appear whole or not at all, and file names from names that people give."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 120  # bytes of a name, of 255 that a file system takes, so that more may be added


@contextmanager
def whole_file(path: Path) -> Generator[Path]:
    """Yield a temporary path beside ``path``; rename it to ``path`` if the block succeeds.

    Missing parent folders are made. On any exception nothing is left behind.

    Raises
    ------
    ValueError
        If the folder cannot be written to.
    """
    import tempfile

    temporary: Path | None = None
    try:
        if path.is_dir():
            raise ValueError(f"cannot write {path}: it is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise ValueError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def as_file_name(name: str) -> str:
    """Return a name as that of a file or folder, which leads nowhere else and is not too long.

    Anything but letters, digits and ``_ . + -`` becomes ``-``; a name of dots alone and what is
    beyond `LONGEST` characters is told by a hash.
    """
    plain = re.sub(r"[^\w.+-]+", "-", name)
    if plain.strip(".") and len(plain.encode()) <= LONGEST:
        return plain
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{plain.strip('.')[: LONGEST // 4]}-{digest}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
