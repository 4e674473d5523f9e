"""Claim: at 32 px our networks train as fast as timm's without XLA, and 1.3 times with it.

Forward, gradient and SGD, float32, batch 64, images in memory. Each library at its better of 1
and 2 threads, timm in the better memory format, in turn. Also Keras's own train step.
"""

from __future__ import annotations

import argparse

from trainers.contest import Setting, available, best_of, interleave, report


def contest(model: str, args: argparse.Namespace) -> None:
    """Time the libraries on one model and print."""
    print(f"{model}, 32 px, batch 64")
    settings = [Setting("ours", model, 32, 64), Setting("ours-keras", model, 32, 64)]
    settings += [Setting("ours", model, 32, 64, xla=True)] * args.xla
    ours = [best_of(setting, args.steps, args.threads) for setting in settings]
    timm = available([Setting("timm", model, 32, 64)])
    peers = [best_of(setting, args.steps, args.threads) for setting in timm]
    interleave([*ours, *peers], args.runs, args.steps)
    for trainer in ours:
        report(trainer, peers)
    for trainer in (*ours, *peers):
        trainer.close()


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["RegNetX-200MF"])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10, help="a run")
    parser.add_argument("--xla", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--threads", type=int, default=2, help="at most")
    args = parser.parse_args()
    for model in args.models:
        contest(model, args)


if __name__ == "__main__":
    main()
