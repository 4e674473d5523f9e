"""Claim: at 224 px our networks train as fast as timm's, and 35 times as fast as Keras's.

Forward, gradient and SGD, float32, batch 32, images in memory. Each library at its better of 1
and 2 threads, timm in the better memory format, in turn. tf_keras and kimm train so slowly that
they get a smaller batch and fewer runs, unless asked otherwise.
"""

from __future__ import annotations

import argparse

from trainers.contest import Setting, Trainer, available, best_of, interleave, report


def contest(model: str, args: argparse.Namespace) -> None:
    """Time the libraries on one model and print."""
    print(f"{model}, 224 px, batch {args.batch}")
    ours = best_of(Setting("ours", model, 224, args.batch), 1, args.threads)
    timm = available([Setting("timm", model, 224, args.batch)])
    peers = [best_of(setting, 1, args.threads) for setting in timm]
    interleave([ours, *peers], args.runs, args.steps)
    report(ours, peers)
    for peer in peers:
        peer.close()
    slow = [Setting(name, model, 224, args.slow_batch, args.slow_threads) for name in args.slow]
    for setting in available(slow):
        print(f"  {setting} at batch {args.slow_batch}:")
        ours.forget()
        peer = Trainer(setting)
        interleave([ours, peer], args.slow_runs, 1)
        report(ours, [peer])
        peer.close()
    ours.close()


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["RegNetX-200MF"])
    parser.add_argument("--runs", type=int, default=8)
    parser.add_argument("--steps", type=int, default=1, help="a run")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=2, help="at most")
    parser.add_argument("--slow", nargs="*", default=["tf_keras", "kimm"])
    parser.add_argument("--slow-batch", type=int, default=4)
    parser.add_argument("--slow-runs", type=int, default=2)
    parser.add_argument("--slow-threads", type=int, default=2)
    args = parser.parse_args()
    for model in args.models:
        contest(model, args)


if __name__ == "__main__":
    main()
