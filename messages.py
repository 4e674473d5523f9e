"""What is said to the user: one line, without control characters, without passwords.

How much is said is the level of the logger ``regnet_ds``: ``--quiet`` raises it to errors,
``--verbose`` lowers it to everything.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Generator
from contextlib import contextmanager

QUIET, VERBOSE = "--quiet", "--verbose"

_IN_URL = re.compile(r"([\w+.-]+:/{1,3}[^\s:/@]*:)\S+(?=@)")  # one slash: as a path is shown
_BEFORE_HOST = re.compile(r"(?<![^\s'\"/])([\w.+-]+:)[^\s:/@*]+(?=@[\w\[])")
_AS_OPTION = re.compile(r"(\b(?:password|passwd|sslpassword)=)[^\s&;,'\"]+", re.IGNORECASE)


def one_line(text: str) -> str:
    """Return a message on one line, as it may be shown on a terminal and kept in a log."""
    return without_passwords(visible(re.sub(r"\s*[\r\n]+\s*", " ", text.strip("\r\n "))))


def visible(text: str) -> str:
    r"""Return a text whose unprintable characters are escaped: a name may hold ``\x1b[2J``."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def without_passwords(text: str) -> str:
    """Return a text with ``***`` for the passwords of URLs in it."""
    for pattern in (_IN_URL, _BEFORE_HOST, _AS_OPTION):
        text = pattern.sub(r"\1***", text)
    return text


def is_quiet() -> bool:
    """Return whether notes and progress are not wanted."""
    return logging.getLogger("regnet_ds").level > logging.WARNING


@contextmanager
def volume(arguments: list[str]) -> Generator[list[str]]:
    """Yield a command line without ``--quiet`` and ``--verbose``, which hold in the block.

    They may stand anywhere before ``--``.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    asked = {QUIET, VERBOSE} & set(arguments[:end])
    rest = [a for i, a in enumerate(arguments) if i >= end or a not in asked]
    logger = logging.getLogger("regnet_ds")
    before, handler = logger.level, logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    try:
        if QUIET in asked:
            logger.setLevel(logging.ERROR)
        elif VERBOSE in asked:
            logger.setLevel(logging.DEBUG)
            logger.addHandler(handler)
        yield rest
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
