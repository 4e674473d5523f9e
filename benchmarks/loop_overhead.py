"""Claims: what training does beside its steps costs little.

``loop``: the loop over steps takes at most 5% longer than the bare step, in turn, RegNetX-200MF
at 224 px in batches of 32 (images in memory, no augmentation). ``norms``: precise batch norm is
at most 5% of a run of five minutes. ``checkpoints``: one every five minutes is at most 3%.
``fixed``: networks of 5 MF at 32 px train on digits for 10 epochs with a fixed cost (build, trace
and first runs) under 3 s for 12 blocks and 5 s for 28. CPU seconds count on a busy machine.

Run: python benchmarks/loop_overhead.py loop|norms|checkpoints|fixed [--threads 1]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from side_by_side import spread

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
MODEL, PX, BATCH = "RegNetX-200MF", 224, 32
FIVE_MINUTES = 300.0
BARE = {"area_factor": 1.0, "flip": False, "pca_std": 0.0}


def verdict(value: float, target: float) -> str:
    """Return the target and whether it is met."""
    return f"target at most {target:g}: {'met' if value <= target else 'missed'}"


def make_loop(
    px: int, recipe: Any, steps: int, threads: int, on_epoch: Any = None, keep: Any = None
) -> Any:
    """Return the loop of a training on random images, ``steps`` steps an epoch."""
    from regnet_ds.regnet import build, canonical
    from regnet_ds.search.data.batches import training_batches
    from regnet_ds.search.data.datasets import Augmentations, Split, make_dataset
    from regnet_ds.search.learning.accelerator import Hardware, choose_place, prepare_runtime
    from regnet_ds.search.learning.loop import Loop

    prepare_runtime(threads)
    rng = np.random.default_rng(0)

    def split(n: int) -> Split:
        return Split(rng.integers(0, 256, (n, px, px, 3), np.uint8), np.arange(n) % 10)

    parts = split(steps * recipe.batch_size), split(10), split(10)
    data = make_dataset("random", parts, classes=10, augmentations=Augmentations())
    model = build(canonical(MODEL), input_shape=(px, px, 3), classes=10)
    hardware = Hardware()
    batches = training_batches(data, recipe, 0)
    return Loop(model, recipe, batches, on_epoch, keep, choose_place(hardware), hardware)


def loop(args: argparse.Namespace) -> None:
    """Compare an epoch of the loop with as many bare steps, in turn."""
    import tensorflow as tf
    from regnet_ds.search import Recipe
    from regnet_ds.search.learning.checkpoints import Keep

    bare: list[float] = []
    inside = [0.0]

    def on_epoch(*_: Any) -> None:
        inside.append(inside[-1] + spent[0])
        before = time.perf_counter()
        for _ in range(args.steps):
            float(step(*tensors, np.float32(0.01)))
        bare.append(time.perf_counter() - before)

    with tempfile.TemporaryDirectory() as folder:
        keep = Keep(str(Path(folder) / "checkpoint.npz"), on_step=lambda _: None)
        recipe = Recipe(epochs=args.rounds + 1, batch_size=BATCH, precise_bn_images=1, **BARE)
        made = make_loop(PX, recipe, args.steps, args.threads, on_epoch, keep)
        step, spent = made.functions.train, [0.0]

        def timed(*arguments: Any) -> float:
            before = time.perf_counter()
            loss = float(step(*arguments))
            spent[0] = time.perf_counter() - before + (spent[0] if made.progress.step else 0.0)
            return loss

        made.functions.train = timed
        images = np.random.default_rng(1).normal(size=(BATCH, PX, PX, 3)).astype(np.float32)
        target = np.eye(10, dtype=np.float32)[np.arange(BATCH) % 10]
        tensors = tf.constant(images), tf.constant(target)
        made.all_epochs()
    looped = [record["seconds"] for record in made.progress.history][1:]
    ratios = [a / b for a, b in zip(looped, bare[1:], strict=True)]
    within = [a / b for a, b in zip(looped, np.diff(inside)[1:].tolist(), strict=True)]
    print(f"a bare step: {spread([seconds / args.steps for seconds in bare[1:]], 3)} s")
    print(
        f"the loop / the bare step: {spread(ratios)}, {args.rounds} rounds of {args.steps} steps "
        f"in turn; {verdict(statistics.median(ratios), 1.05)}"
    )
    print(
        f"the loop / its own steps: {spread(within, 3)}; {verdict(statistics.median(within), 1.05)}"
    )


def norms(args: argparse.Namespace) -> None:
    """Time a batch of statistics beside a step and print their share of runs of five minutes."""
    from regnet_ds.search import Recipe
    from regnet_ds.search.learning.loop import EPOCH_BN_BATCHES

    for px, size in ((PX, BATCH), (32, 128)):
        made = make_loop(px, Recipe(batch_size=size, **BARE), 2, args.threads)
        images, target = next(iter(made.batches.epoch(0)))
        functions = made.functions
        steps, passes = [], []
        for _ in range(args.rounds + 1):
            before = time.perf_counter()
            float(functions.train(images, target, np.float32(0.01)))
            between = time.perf_counter()
            functions.moments(images)
            steps.append(between - before)
            passes.append(time.perf_counter() - between)
        step, moments = statistics.median(steps[1:]), statistics.median(passes[1:])
        print(
            f"{px} px, batch {size}: a step {spread(steps[1:], 3)} s, a batch of statistics "
            f"{spread(passes[1:], 3)} s"
        )
        digits = EPOCH_BN_BATCHES * 9 + -(-1077 // size)
        if px == 32:
            print(f"  digits, 10 epochs, 1,077 images: {digits * moments:.1f} s")
        trained = int(FIVE_MINUTES / step) * size
        for n in (1_000, 3_000, 10_000, 100_000, 1_281_167):
            batches = EPOCH_BN_BATCHES * (trained // n) + -(-min(8192, n) // size)
            share = 100 * batches * moments / (FIVE_MINUTES + batches * moments)
            print(
                f"  {n:,} images, five minutes of steps ({trained / n:.2f} epochs): "
                f"{share:.1f}%; {verdict(share, 5)}"
            )
        needed = 19 * moments * (8192 / size) / step * size
        print(f"  8,192 images at the end alone are 5% of a run over {needed:,.0f} images")


def checkpoints(args: argparse.Namespace) -> None:
    """Write the state of networks and print the share of five minutes."""
    from regnet_ds.designspace import complexity
    from regnet_ds.regnet import canonical
    from regnet_ds.search.learning.checkpoints import Progress, save_checkpoint

    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("RegNetX-200MF", "RegNetX-4.0GF", "RegNetY-8.0GF"):
            cost = complexity(canonical(name), resolution=224, channels=3, classes=1000)
            state = [rng.random(cost.params // 100, np.float32) for _ in range(200)]
            taken = []
            for _ in range(args.rounds):
                before = time.perf_counter()
                save_checkpoint(str(Path(folder) / "c.npz"), {}, Progress(), state)
                taken.append(time.perf_counter() - before)
            share = 100 * statistics.median(taken) / FIVE_MINUTES
            size = sum(array.nbytes for array in state) / 2**20
            print(
                f"{name}: {size:.0f} MiB in {spread(taken)} s, {share:.2f}% of five minutes; "
                f"{verdict(share, 3)}"
            )


def fixed(args: argparse.Namespace) -> None:
    """Train two networks of a population and print where the seconds went."""
    from regnet_ds.designspace import SPACES, Budget, sample
    from regnet_ds.search import Recipe, load_dataset, train
    from regnet_ds.search.learning import loop as loop_module
    from regnet_ds.search.learning import training

    drawn = sample(
        SPACES["regnetx"], 64, budget=Budget(flops=(4.75e6, 5.25e6)),
        rng=np.random.default_rng(0), resolution=32, classes=10,
    ).population  # fmt: skip
    data, recipe = load_dataset("digits"), Recipe(epochs=args.epochs)
    cpu: dict[str, float] = {}
    build, made = training._begin, loop_module.Loop.__init__

    def timed(name: str, function: Any) -> Any:
        def call(*arguments: Any) -> Any:
            before = time.process_time()
            result = function(*arguments)
            cpu[name] = time.process_time() - before
            return result

        return call

    training._begin = timed("build", build)
    loop_module.Loop.__init__ = timed("trace", made)
    for depth in args.blocks:
        target = 3.0 if depth <= 12 else 5.0
        rows = [i for i in range(len(drawn)) if drawn.depth[i] == depth]
        if not rows:
            raise SystemExit(f"no network of {depth} blocks was drawn")
        spec = drawn.row(rows[0])
        for run in range(args.runs):
            begun = time.process_time()
            done = train(spec, recipe, data, threads=args.threads)
            total = time.process_time() - begun
            parts = done.timing
            first = "first in the process, " if run == 0 else ""
            print(
                f"{depth} blocks, {first}{args.epochs} epochs: {done.seconds:.1f} s ({total:.1f} "
                f"of CPU): build {parts.build:.2f} ({cpu['build']:.2f}), trace and first runs "
                f"{parts.trace:.2f} (trace alone {cpu['trace']:.2f}), steps {parts.steps:.2f}, "
                f"evaluation {parts.evaluation:.2f}; fixed {parts.fixed:.2f} s, "
                f"{verdict(parts.fixed, target)}; with evaluation "
                f"{parts.fixed + parts.evaluation:.2f} s",
                flush=True,
            )


def main() -> None:
    """Read the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    claims = {"loop": loop, "norms": norms, "checkpoints": checkpoints, "fixed": fixed}
    parser.add_argument("claim", choices=claims)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--steps", type=int, default=4, help="of a round of the loop")
    parser.add_argument("--epochs", type=int, default=10, help="of a run of fixed")
    parser.add_argument("--blocks", type=int, nargs="+", default=[12, 28], help="of fixed")
    parser.add_argument("--runs", type=int, default=2, help="of each network of fixed")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    claims[args.claim](args)


if __name__ == "__main__":
    main()
