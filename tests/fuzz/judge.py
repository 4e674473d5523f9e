"""One call of the command line in this process, and what must hold of it whatever it was given.

A refusal is exit code 2, one line on stderr that names what was given, nothing on stdout and no
file touched. A success writes what it was asked to write. Neither shows a traceback, a control
character, a warning or a password, and neither leaves a temporary file.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import signal
import sys
import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SECRET = "s3cr3t"
TRAP = "trapped"  # the file that hostile files try to make
CONTROL = re.compile(r"[^\S\n\t ]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LIMIT = 20.0  # seconds of processor time, after which a call is given up and counted as slow
NAMES = ("--name", "--as", "--into", "--title", "--study")
FAILS_WITH_1 = (["data", "check"],)  # damaged images: documented


class Reached(BaseException):
    """The call asks for TensorFlow or for other processes: all its options were taken."""


class TooSlow(BaseException):
    """The call takes long."""


@dataclass(frozen=True)
class Call:
    """A command line, the values in it that may be at fault, and files that it may read."""

    arguments: tuple[str, ...]
    given: tuple[str, ...] = ()
    files: dict[str, bytes] = field(default_factory=dict)

    def names(self) -> tuple[str, ...]:
        """Return what is given as a name, which is stored as it is."""
        pairs = zip(self.arguments, self.arguments[1:], strict=False)
        return tuple(value for option, value in pairs if option in NAMES)

    def __repr__(self) -> str:
        short = {name: content[:200] for name, content in self.files.items()}
        return f"Call({list(self.arguments)}, {short or ''})"


@dataclass(frozen=True)
class Verdict:
    """How a call ended (0, 2, ..., reached, slow), its faults and what it said."""

    ended: str
    faults: tuple[str, ...]
    said: str


class Judge:
    """A folder of valid files in which calls are made; what they change is put right again."""

    def __init__(self, pristine: Path, outer: Path) -> None:
        self.pristine, self.outer = pristine, outer
        self.folder = outer / "work"
        shutil.copytree(pristine, self.folder)
        os.chdir(self.folder)
        self.known = _snapshot(outer)

    def __call__(self, call: Call) -> Verdict:
        """Make a call, look at everything, and put the files right."""
        for name, content in call.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
        before = _snapshot(self.outer)
        ended, out, err = run(call.arguments)
        after = _snapshot(self.outer)
        faults = [*_said(call, ended, out, err), *self._left(call, ended, before, after, err)]
        self._restore(after)
        return Verdict(ended, tuple(faults), err)

    def _left(self, call: Call, ended: str, before: Any, after: Any, err: str) -> list[str]:
        changed = sorted(p for p in after.keys() | before.keys() if after.get(p) != before.get(p))
        faults = [f"temporary file left: {p}" for p in changed if Path(p).name.startswith(".")]
        if ended == "2" and changed and "cut a torn record" not in err:
            faults.append(f"refused, but files were touched: {changed[:3]}")
        if any(Path(p).name == TRAP for p in after):
            faults.append("code in a file was run")
        named = any(SECRET in a for a in call.arguments if "://" not in a or a in call.names())
        for path in changed:
            if not named and Path(path).is_file() and SECRET.encode() in Path(path).read_bytes():
                faults.append(f"secret written to {Path(path).name}")
        out = _option(call.arguments, "--out")
        said = "is not written"  # of refine, where there is no narrower space
        helped = {"-h", "--help", "--version"} & {a.partition("=")[0] for a in call.arguments}
        if (
            ended == "0"
            and out is not None
            and not os.path.exists(out)
            and not helped
            and said not in err
        ):
            faults.append(f"success without the output {out!r}")
        return faults

    def _restore(self, after: dict[str, Any]) -> None:
        for path in sorted(after.keys() - self.known.keys(), reverse=True):
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path, ignore_errors=True)
            elif os.path.lexists(path):
                os.unlink(path)
        for path in sorted(self.known):
            if after.get(path) != self.known[path] and path.startswith(f"{self.folder}/"):
                original = self.pristine / Path(path).relative_to(self.folder)
                if original.is_dir():
                    Path(path).mkdir(exist_ok=True)
                else:
                    shutil.copy2(original, path)
        if after != self.known:
            self.known = _snapshot(self.outer)


def run(arguments: Sequence[str]) -> tuple[str, str, str]:
    """Return how a call ended, its stdout and its stderr; warnings are errors."""
    from regnet_ds.cli import run as run_cli

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", e) for e in ("strict", "backslashreplace"))
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    try:
        with warnings.catch_warnings(), _time_limit():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", ResourceWarning)
            sys.argv = ["regnet-ds", *arguments]
            ended = str(run_cli(list(arguments)))
        out.flush()
    except Reached:
        ended = "reached"
    except TooSlow:
        ended = "slow"
    except BaseException as error:
        ended = f"{type(error).__name__}: {error}"
    finally:
        sys.stdout, sys.stderr = kept
    return ended, *(_text(stream) for stream in (out, err))


def _text(stream: io.TextIOWrapper) -> str:
    try:
        stream.flush()
    except UnicodeEncodeError:
        pass
    return stream.buffer.getvalue().decode("utf-8", "replace")  # type: ignore[attr-defined]


@contextmanager
def _time_limit():
    """Stop the block after `LIMIT`; again, where Python ignores an error (in a finaliser).

    By processor time: a machine that stands still makes no call slow, and the commands have the
    timer of real time for themselves.
    """

    def stop(*_: object) -> None:
        raise TooSlow

    def ignored(raised: Any) -> None:
        if raised.exc_type is not TooSlow:
            sys.__unraisablehook__(raised)

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, LIMIT, 0.5)
    sys.unraisablehook = ignored
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.unraisablehook = sys.__unraisablehook__


def _said(call: Call, ended: str, out: str, err: str) -> list[str]:
    """Return the faults of what a call said."""
    faults = []
    lines = err.splitlines()
    errors = [line for line in lines if line.startswith("regnet-ds: ")]
    if "Traceback" in err + out:
        faults.append("traceback")
    if SECRET in err + out:
        faults.append("secret shown")
    if CONTROL.search(err) or (ended == "2" and CONTROL.search(out)):
        faults.append("control characters shown")
    if ended == "0" and errors:
        faults.append("success with an error")
    if ended == "2":
        if len(errors) != 1 or lines[-1] != errors[0] or not errors[0].startswith(_ERROR):
            faults.append("a refusal is not one line")
        if out:
            faults.append("refused, but data were printed")
        if not _names(call, err):
            faults.append("the message names nothing that was given")
    elif ended not in ("0", "reached", "slow") and not (
        ended == "1" and list(call.arguments[:2]) in FAILS_WITH_1
    ):
        faults.append(f"ended with {ended}")
    return faults


_ERROR = "regnet-ds: error: "
# Messages that are clear without a value: of what is missing, and those that quote one.
PLAIN = (
    "No such option: -|Missing (argument|option) '|got |'[^']+'|SQLite|is missing|name a"
    "|no study|no finished|needs"
)


def _names(call: Call, err: str) -> bool:
    """Whether a message names a value, a file, an option or a part of them."""
    from regnet_ds.messages import visible

    err = " ".join(err.split())
    if re.search(PLAIN, err):
        return True
    if any(not text.strip() or "\n" in text for text in call.given):
        return True  # nothing to name, or on one line
    for text in (*call.given, *call.files, *call.arguments):
        plain = " ".join(text.split())
        if visible(text)[:20] in err or text.lstrip("-") in err:
            return True
        forms = [plain[:20], repr(text)[1:21], Path(plain).name[:20], Path(plain).stem[:20]]
        forms += [visible(part) for part in re.split(r"[:,=#/@]", plain)]
        if any(len(form) > 1 and form in err for form in forms):
            return True
    return not call.given


def _option(arguments: Sequence[str], name: str) -> str | None:
    """Return the value of an option that a command line has once, plainly."""
    if arguments.count(name) != 1 or any(a.startswith(f"{name}=") for a in arguments):
        return None
    i = arguments.index(name) + 1
    return arguments[i] if i < len(arguments) and "--" not in arguments[:i] else None


def _snapshot(folder: Path) -> dict[str, Any]:
    """Return size and time of every file below a folder; folders have none."""
    found: dict[str, Any] = {}
    folders = [str(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    found[entry.path] = None
                    folders.append(entry.path)
                else:
                    facts = entry.stat(follow_symlinks=False)
                    found[entry.path] = facts.st_size, facts.st_mtime_ns
    return found
