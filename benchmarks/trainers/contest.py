"""Several libraries train the same network in turn, each in a process of its own.

The Pythons of the peers come from REGNET_DS_PEER_PYTHON (torch, timm) and
REGNET_DS_KERAS_PEER_PYTHON (tf_keras, kimm); a peer without one is left out, and said so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from side_by_side import spread

WORKER = Path(__file__).with_name("worker.py")
VARIABLES = {
    "timm": "REGNET_DS_PEER_PYTHON",
    "tf_keras": "REGNET_DS_KERAS_PEER_PYTHON",
    "kimm": "REGNET_DS_KERAS_PEER_PYTHON",
}


@dataclass(frozen=True)
class Setting:
    """What one process trains, and how."""

    library: str
    model: str
    px: int
    batch: int
    threads: int = 1
    channels_last: bool = False
    xla: bool = False

    def __str__(self) -> str:
        parts = [self.library, f"{self.threads} thread" + "s" * (self.threads > 1)]
        parts += ["channels last"] * self.channels_last + ["XLA"] * self.xla
        return ", ".join(parts)

    def python(self) -> str | None:
        """Return the Python of the library, None if it is not named."""
        variable = VARIABLES.get(self.library)
        return sys.executable if variable is None else os.environ.get(variable)

    def variants(self, most_threads: int = 2) -> list[Setting]:
        """Return it at each number of threads, and timm in both memory formats."""
        formats = (True, False) if self.library == "timm" else (False,)
        threads = range(1, min(most_threads, os.cpu_count() or 1) + 1)
        return [replace(self, threads=n, channels_last=last) for n in threads for last in formats]


class Trainer:
    """A process that has made the first step and waits."""

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        flags = ["--px", str(setting.px), "--batch", str(setting.batch)]
        flags += ["--threads", str(setting.threads)]
        flags += ["--channels-last"] * setting.channels_last + ["--xla"] * setting.xla
        command = [setting.python() or "", str(WORKER), setting.library, setting.model, *flags]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env={**os.environ, "OMP_NUM_THREADS": str(setting.threads)},
        )  # fmt: skip
        self._stdin: Any = self._process.stdin
        self._stdout: Any = self._process.stdout
        self.start = self._read()
        self.rates: list[float] = []
        self.processor_rates: list[float] = []
        self.peak = 0.0

    def run(self, steps: int) -> float:
        """Make so many steps, keep the rates by both clocks and return the images a second."""
        print(steps, file=self._stdin, flush=True)
        answer = self._read()
        self.peak = answer["peak MiB"]
        images = steps * self.setting.batch
        self.rates.append(images / answer["seconds"])
        self.processor_rates.append(images / answer["processor seconds"])
        return self.rates[-1]

    def forget(self) -> None:
        """Drop the rates so far."""
        self.rates.clear()
        self.processor_rates.clear()

    def extra_memory(self) -> float:
        """Return the MiB that training took at its peak beyond those after build."""
        return self.peak - self.start["built MiB"]

    def close(self) -> None:
        """End the process."""
        self._stdin.close()
        self._process.wait()

    def _read(self) -> dict[str, float]:
        line = self._stdout.readline()
        if not line:
            raise RuntimeError(f"{self.setting} ended with code {self._process.wait()}")
        return json.loads(line)


def best_of(setting: Setting, steps: int = 1, most_threads: int = 2) -> Trainer:
    """Return the fastest variant of a library, by one run of each, after its first step."""
    trainers: list[Trainer] = []
    for variant in setting.variants(most_threads):
        trainers.append(Trainer(variant))
        rate = trainers[-1].run(steps)
        print(f"  {variant}: {rate:.1f} images/s in a first run", flush=True)
        trainers.sort(key=lambda trainer: trainer.rates[0])
        if len(trainers) > 1:
            trainers.pop(0).close()
    trainers[0].forget()
    return trainers[0]


def available(settings: Sequence[Setting]) -> list[Setting]:
    """Return those whose Python is there, and name the others."""
    there = [setting for setting in settings if setting.python()]
    for setting in settings:
        if setting not in there:
            print(f"  {setting.library} left out: {VARIABLES[setting.library]} is not set")
    return there


def interleave(trainers: Sequence[Trainer], runs: int, steps: int) -> None:
    """Run all in turn, again and again."""
    for _ in range(runs):
        for trainer in trainers:
            trainer.run(steps)


def report(ours: Trainer, peers: Sequence[Trainer]) -> None:
    """Print images a second, memory, and the ratio to each peer run by run."""
    for trainer in (ours, *peers):
        print(
            f"  {trainer.setting}: {spread(trainer.rates, 1)} images/s, "
            f"{trainer.extra_memory():.0f} MiB beyond build",
            flush=True,
        )
    for peer in peers:
        ratios = _ratios(ours.rates, peer.rates)
        processors = _ratios(ours.processor_rates, peer.processor_rates)
        print(
            f"  {ours.setting.library}{', XLA' * ours.setting.xla} / {peer.setting.library}: "
            f"{spread(ratios)} in speed, "
            f"{spread(processors)} by processor time, "
            f"{ours.extra_memory() / max(peer.extra_memory(), 1):.2f} in memory, "
            f"{len(ratios)} runs",
            flush=True,
        )


def _ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    return [a / b for a, b in zip(ours, theirs, strict=False)]
