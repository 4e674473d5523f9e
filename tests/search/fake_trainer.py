"""A trainer for tests: errors follow from the task alone; FAKE_* variables make it misbehave."""

import os
import random
import signal
import time
from types import SimpleNamespace

HELD = []


def _meet(folder):
    """Wait until two processes have come here."""
    open(os.path.join(folder, str(os.getpid())), "w").close()
    deadline = time.monotonic() + 200
    while len(os.listdir(folder)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)


def hang():
    time.sleep(600)


def train(task, report):
    """Report three epochs; the error depends on the seed, the depth and the recipe."""
    seconds = float(os.environ.get("FAKE_SECONDS", "0"))
    rng = random.Random(f"{task.seed} {task.record['depth']} {sorted(task.recipe.items())}")
    base = rng.uniform(5, 20)
    if _is_in("FAKE_RAISE", task):
        raise RuntimeError(f"architecture {task.index} does not train\nat all")
    if _is_in("FAKE_HANG", task):
        hang()
    if _is_in("FAKE_MEMORY", task):
        HELD.append(bytearray(b"x") * 300_000_000)
        time.sleep(60)
    if _is_in("FAKE_KILL", task):
        os.kill(os.getpid(), signal.SIGKILL)
    if "FAKE_MEET" in os.environ:
        _meet(os.environ["FAKE_MEET"])
    errors = []
    for epoch in (1, 2, 3):
        time.sleep(seconds / 3)
        errors.append(base + 30 / epoch)
        report(epoch, errors[-1])
    if "FAKE_LEDGER" in os.environ:
        with open(os.environ["FAKE_LEDGER"], "a") as file:
            file.write(f"{task.trial} {os.getpid()}\n")
    status = "diverged" if _is_in("FAKE_DIVERGE", task) else "complete"
    return SimpleNamespace(
        error=min(errors),
        errors=errors,
        best_epoch=3,
        status=status,
        seconds=seconds,
        images_per_second=100.0,
        reason=None,
    )


def tune(task, report):
    """The error is a bowl around lr 0.1 and weight decay 1e-4; the seed adds a little."""
    import math

    recipe = task.recipe
    distance = math.log10(recipe["lr"] / 0.1) ** 2 + math.log10(recipe["weight_decay"] / 1e-4) ** 2
    error = min(90.0, 5.0 + 10 * distance + random.Random(task.seed).uniform(0, 0.5))
    time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
    for epoch in (1, 2):
        report(epoch, error + 5 / epoch)
    return SimpleNamespace(
        error=error,
        best_epoch=2,
        status="complete",
        seconds=0.0,
        images_per_second=1.0,
        test_error=error + 1 if task.test else None,
    )


def long(task, report):
    """As `tune`, over the recipe's epochs; the optimiser and their number count too."""
    import math

    recipe = task.recipe
    best = {"sgd": 0.1, "adamw": 0.001}[recipe["optimizer"]]
    distance = math.log10(recipe["lr"] / best) ** 2 + math.log10(recipe["weight_decay"] / 1e-4) ** 2
    rng = random.Random(task.seed)
    error = min(90.0, 5.0 + 10 * distance + rng.uniform(0, 0.5))
    for epoch in range(1, recipe["epochs"] + 1):
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")) * rng.random())
        if "FAKE_LEDGER" in os.environ:
            with open(os.environ["FAKE_LEDGER"], "a") as file:
                file.write(f"{task.trial} {epoch}\n")
        report(epoch, error + 5 / epoch)
    return SimpleNamespace(
        error=error, best_epoch=recipe["epochs"], status="complete", seconds=0.0,
        images_per_second=1.0, test_error=None,
    )  # fmt: skip


def _is_in(variable, task):
    return str(task.index) in os.environ.get(variable, "").split(",")
