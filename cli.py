"""The command line: mounts the commands, and turns errors into one line and an exit code.

Exit codes: 0 done, 1 an unexpected failure (``data check``: damaged images), 2 bad input, 130
interrupted, 143 terminated. Set
REGNET_DS_TRACEBACK=1 to see where an error comes from.
"""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import Any

import typer
import typer.core

from .commands.interruption import insisting
from .messages import QUIET, VERBOSE, one_line, volume

# What the operating system says of a path that was given, not of the machine.
BAD_NAMES = (
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.ELOOP),
    *(errno.EACCES, errno.EPERM, errno.EROFS),
)
# task -> command -> module in commands/; a module may hold several commands
TASKS = {
    "Begin here": {
        "quickstart": "quickstart",
        "doctor": "doctor",
        "reproduce": "reproduce",
    },
    "Design spaces and networks": {
        "sample": "sample",
        "describe": "describe",
        "canonical": "canonical",
        "space": "space",
        "explain": "explain",
        "fit": "fit",
        "scale": "scale",
    },
    "Models and what they cost": {
        "account": "account",
        "flops": "flops",
        "bench": "bench",
        "export": "export",
        "convert": "convert",
    },
    "Training": {
        "train": "train",
        "evaluate": "evaluate",
        "predict": "evaluate",
        "data": "data",
    },
    "Populations, search and tuning": {
        "study": "study",
        "search": "search",
        "tune": "tune",
    },
    "Results": {
        "edf": "figures",
        "plot": "figures",
        "noise": "figures",
        "compare": "compare",
        "refine": "refine",
        "report": "report",
    },
}
COMMANDS = {name: module for commands in TASKS.values() for name, module in commands.items()}
HELP = """A toolkit for network design spaces: sample, account, train, compare and tune RegNets.

Sizes read 4G, 400M or 4e9; a budget is a size (within 5%) or a range LO:HI. FLOPs are
multiply-adds of one image.
"""
EXIT_CODES = (
    "Exit codes: 0 done, 1 a failure that is not the input's (data check: damaged images), "
    "2 bad input, 130 interrupted, 143 terminated: the same command goes on."
)


def _version(wanted: bool) -> None:
    if wanted:
        from . import __version__

        typer.echo(f"regnet-ds {__version__}")
        raise typer.Exit()


class _Group(typer.core.TyperGroup):
    """The app's commands; says that one was interrupted, of which typer leaves the exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            _complain("interrupted")
            raise


def make_app(arguments: list[str]) -> typer.Typer:
    """Return the app with the one command that is asked for, or with all of them."""
    app = typer.Typer(
        cls=_Group,
        help=HELP,
        epilog=EXIT_CODES,
        no_args_is_help=True,
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def regnet_ds(
        version: bool = typer.Option(
            False, "--version", help="Print the version.", callback=_version, is_eager=True
        ),
        quiet: bool = typer.Option(
            False, QUIET, help="No notes and no progress; errors alone. Also after a command."
        ),
        verbose: bool = typer.Option(
            False, VERBOSE, help="Also the library's own log. Also after a command."
        ),
    ) -> None: ...

    regnet_ds.__doc__ = HELP
    asked = arguments[0] if arguments else ""
    modules = [COMMANDS[asked]] if asked in COMMANDS else list(dict.fromkeys(COMMANDS.values()))
    for module in modules:
        import_module(f".commands.{module}", __package__).register(app)
    _group_by_task(app)
    return app


def _group_by_task(app: typer.Typer) -> None:
    """Give every command the panel of its task in ``--help``, in the order of ``TASKS``."""
    order = list(COMMANDS)
    panels = {name: task for task, commands in TASKS.items() for name in commands}

    def name_of(command: Any) -> str:
        return command.name or command.callback.__name__

    for group in (app.registered_commands, app.registered_groups):
        group.sort(key=lambda command: order.index(name_of(command)))
        for command in group:
            command.rich_help_panel = panels[name_of(command)]


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    with volume(arguments) as rest:
        return _guarded(rest)


def _guarded(arguments: list[str]) -> int:
    """Run one command; errors become one line and an exit code."""
    if os.environ.get("REGNET_DS_TRACEBACK"):
        return _run(arguments)
    try:
        with insisting():
            return _run(arguments)
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except BrokenPipeError:
        _forget_stdout()
        return 0
    except ValueError as error:
        _complain(f"error: {error}")
        return 2
    except Exception as error:
        return _other(error, arguments)


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(make_app(arguments))
    _unwrap(command)
    code = command.main(arguments, prog_name="regnet-ds", standalone_mode=False)
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _unwrap(command: Any) -> None:
    """Join the lines of each paragraph of the helps, which a terminal breaks where it ends."""
    paragraphs = (command.help or "").split("\n\n")
    command.help = "\n\n".join(" ".join(text.split()) for text in paragraphs)
    for one in getattr(command, "commands", {}).values():
        _unwrap(one)


def _other(error: Exception, arguments: list[str]) -> int:
    """Report typer's usage errors, refused files and everything unexpected in one line."""
    message = getattr(error, "format_message", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(str(error))
        return 0
    if message is not None:
        text = message().replace("Value error, ", "")
        _complain(f"error: {text}{_given(error, arguments)}")
        return 2
    if isinstance(error, OSError) and error.filename is not None and error.errno in BAD_NAMES:
        _complain(f"error: cannot use {error.filename}: {error.strerror}")
        return 2
    if type(error).__name__ == "Abort":
        _complain("interrupted")
        return 130
    _complain(f"{type(error).__name__}: {error} (REGNET_DS_TRACEBACK=1 shows where)")
    return 1


def _given(error: Exception, arguments: list[str]) -> str:
    """Return the value of the option that a usage error is about, where it does not say so."""
    options = getattr(getattr(error, "param", None), "opts", ())
    for i, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name in options:
            given = value if equals else " ".join(arguments[i + 1 : i + 2])
            return "" if repr(given) in str(error) else f", got {given!r}"
    return ""


def _complain(message: str) -> None:
    print(f"regnet-ds: {one_line(message)}", file=sys.stderr)


def _forget_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))
