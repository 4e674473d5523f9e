"""Fuzzing in one process: ``campaign.py KIND --inputs N --seed S``, in a fresh interpreter.

KIND is options, files or tensors; the first two run without TensorFlow, which a call may only
ask for. Prints one JSON object: how the calls ended and every kind of fault with an example.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import calls
import sandbox
from hypothesis import HealthCheck, Phase, given, seed, settings
from judge import Call, Judge, Reached

HEAVY = ("tensorflow", "keras", "jax", "ray", "torch", "tensorflow_datasets")


class _Refuse:
    """A finder of modules that stops a call which asks for a heavy one."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Stop the call."""
        if name.partition(".")[0] in HEAVY:
            raise Reached(name)


def refuse_heavy() -> None:
    """Let no call import a heavy package, or start a process."""
    sys.meta_path.insert(0, _Refuse())  # type: ignore[arg-type]
    _no_processes()


def _import_tensorflow() -> None:
    from regnet_ds.search.quiet import import_tensorflow

    import_tensorflow()
    import regnet_ds.regnet  # noqa: F401


def _no_processes() -> None:
    import multiprocessing.process
    import subprocess

    def start(*_: Any, **__: Any) -> None:
        raise Reached("another process")

    multiprocessing.process.BaseProcess.start = start  # type: ignore[method-assign]
    subprocess.Popen.__init__ = start  # type: ignore[method-assign]


def main() -> None:
    """Run a campaign and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=("options", "files", "tensors"))
    parser.add_argument("--inputs", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    os.environ.pop("REGNET_DS_TRACEBACK", None)
    os.environ["COLUMNS"] = "200"
    os.environ["MPLBACKEND"] = "agg"
    with tempfile.TemporaryDirectory() as made:
        pristine, outer = Path(made) / "pristine", Path(made) / "outer"
        for folder in (pristine, outer):
            folder.mkdir()
        os.chdir(pristine)
        kept, sys.stdout, sys.stderr = (
            (sys.stdout, sys.stderr),
            open(os.devnull, "w"),
            open(os.devnull, "w"),
        )
        try:
            sandbox.make(pristine)
        finally:
            sys.stdout, sys.stderr = kept
        if asked.kind == "tensors":
            _import_tensorflow()
            _no_processes()
        else:
            refuse_heavy()
            sandbox.make_waiting("waiting.journal", 4)
        found = campaign(asked.kind, asked.inputs, asked.seed, Judge(pristine, outer))
        os.chdir(made)
    json.dump(found, sys.stdout, indent=1)
    print()


def campaign(kind: str, inputs: int, number: int, judge: Judge) -> dict[str, Any]:
    """Make so many calls and return how they ended, with an example of every fault."""
    if kind == "options":
        import typer.main
        from regnet_ds.cli import make_app

        strategy = calls.spoilt_options(calls.option_names(typer.main.get_command(make_app([]))))
    else:
        strategy = calls.spoilt_files(calls.FILES if kind == "files" else calls.TENSOR_FILES)
    ended: Counter[str] = Counter()
    slow: Counter[str] = Counter()
    faults: dict[str, Any] = {}
    given_up: list[str] = []

    @seed(number)
    @settings(
        max_examples=inputs,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def each(call: Call) -> None:
        began = time.perf_counter()
        verdict = judge(call)
        ended[verdict.ended[:20]] += 1
        slow[" ".join(call.arguments[:2])] += round(1e3 * (time.perf_counter() - began))
        if verdict.ended == "slow":
            given_up.append(repr(call))
        for fault in verdict.faults:
            key = re.sub(r"'[^']*'|\d+|\"[^\"]*\"", "_", f"{call.arguments[0]}: {fault[:90]}")
            one = faults.setdefault(key, {"times": 0, "call": repr(call), "said": verdict.said})
            one["times"] += 1
            if one["times"] == 1 and os.environ.get("FUZZ_KEEP"):  # the file, to look at it
                for name, content in call.files.items():
                    kept = Path(os.environ["FUZZ_KEEP"], f"{len(faults)}-{Path(name).name}")
                    kept.write_bytes(content)

    each()
    return {
        "inputs": sum(ended.values()),
        "ended": dict(ended),
        "milliseconds": dict(slow.most_common(8)),
        "slow": given_up,
        "faults": faults,
    }


if __name__ == "__main__":
    main()
