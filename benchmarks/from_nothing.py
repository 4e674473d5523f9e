"""Claim: 200 training steps from nothing take at most 1.3 times as long as timm's.

Build, trace and run at 32 px, batch 64, in fresh processes on one thread, in turn; imports are
printed and not counted. This is what a population pays for a network.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from side_by_side import spread
from trainers.contest import Setting, Trainer, available


def seconds(setting: Setting, steps: int) -> dict[str, float]:
    """Return the seconds of the parts in a fresh process."""
    trainer = Trainer(setting)
    trainer.run(steps - 1)
    trainer.close()
    start, (rate,) = trainer.start, trainer.rates
    run = (steps - 1) * setting.batch / rate
    parts = {"import": start["import"], "build": start["build"], "first step": start["first step"]}
    total = start["build"] + start["first step"] + run
    return {**parts, "other steps": run, "total": total}


def contest(model: str, args: argparse.Namespace) -> None:
    """Time both libraries on one model and print."""
    ours, timm = (Setting(library, model, 32, 64) for library in ("ours", "timm"))
    settings = available([ours, replace(timm, channels_last=True), timm])
    found: dict[Setting, list[dict[str, float]]] = {setting: [] for setting in settings}
    for _ in range(args.runs):
        for setting in settings:
            found[setting].append(seconds(setting, args.steps))
    print(f"{model}, {args.steps} steps at 32 px, batch 64, {args.runs} runs; seconds")
    totals = {}
    for setting, runs in found.items():
        parts = {part: spread([run[part] for run in runs]) for part in runs[0]}
        print(f"  {setting}: " + ", ".join(f"{part} {text}" for part, text in parts.items()))
        totals[setting] = [run["total"] for run in runs]
    hours = [3600 / total for total in totals[ours]]
    print(f"  ours: {spread(hours, 0)} networks an hour and core")
    if len(settings) > 1:
        peer = [min(pair) for pair in zip(*(totals[s] for s in settings[1:]), strict=True)]
        ratios = [a / b for a, b in zip(totals[ours], peer, strict=True)]
        print(f"  ours / the better timm: {spread(ratios)} in time")


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["RegNetX-200MF"])
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    for model in args.models:
        contest(model, args)


if __name__ == "__main__":
    main()
