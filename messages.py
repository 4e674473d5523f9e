"""What is said to the user: one line, without control characters, without passwords."""

from __future__ import annotations

import re

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
