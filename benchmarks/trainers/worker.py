"""Train one network of one library, step by step as its standard input asks.

Runs under the Python of the library: ours, timm, tf_keras or kimm. Prints a line of JSON when the
first step is done (seconds of import, build and first step; MiB resident after build and at the
peak since), then for every line with a number on its input one with the seconds of so many steps,
by the clock and of all processors.
Plain SGD with Nesterov momentum 0.9 and weight decay 5e-5, random images, float32.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
LR, MOMENTUM, DECAY = 0.01, 0.9, 5e-5
Step = Callable[[], float]


def resident(field: str) -> float:
    """Return VmRSS, what is resident now, or VmHWM, the most since the last reset, in MiB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}")


def limit_tensorflow(threads: int) -> None:
    """Set TensorFlow's threads, before it computes."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


class Ours:
    """The step of `regnet-ds study run` (search)."""

    def __init__(self, args: argparse.Namespace) -> None:
        import regnet_ds.search.learning.backends.on_tensorflow  # noqa: F401
        from regnet_ds.search.learning.accelerator import prepare_runtime

        self.args = args
        prepare_runtime(args.threads)

    def build(self) -> None:
        """Make the network."""
        from regnet_ds.regnet import build, canonical

        a = self.args
        self.model = build(canonical(a.model), input_shape=(a.px, a.px, 3), classes=a.classes)

    def step(self) -> Step:
        """Return a step."""
        import numpy as np
        from regnet_ds.search.learning.backends.tensorflow_layers import BatchMoments, apply_layer
        from regnet_ds.search.learning.forward import Forward
        from regnet_ds.search.learning.optimizer import SGD

        forward, weights = Forward(self.model, apply_layer), self.model.trainable_variables
        optimizer = SGD(weights, momentum=MOMENTUM, nesterov=True, weight_decay=DECAY)
        values = [weight.value for weight in weights]
        return tensorflow_step(
            self.args,
            lambda images: forward(images, BatchMoments()),
            lambda: values,
            lambda gradients: optimizer.apply(gradients, np.float32(LR)),
            watch=True,
        )


class OursKeras(Ours):
    """Keras's own train step on our network, as a Keras user has it."""

    def __init__(self, args: argparse.Namespace) -> None:
        import regnet_ds.regnet  # noqa: F401

        self.args = args
        limit_tensorflow(args.threads)

    def step(self) -> Step:
        """Return a step."""
        return keras_step(self.args, self.model)


class Kimm:
    """kimm, on Keras 3."""

    def __init__(self, args: argparse.Namespace) -> None:
        import kimm  # noqa: F401

        self.args = args
        limit_tensorflow(args.threads)

    def build(self) -> None:
        """Make the network."""
        import kimm

        a = self.args
        model = getattr(kimm.models, compact(a.model))
        self.model = model(
            input_shape=(a.px, a.px, 3),
            classes=a.classes,
            classifier_activation=None,
            weights=None,
            include_preprocessing=False,
        )

    def step(self) -> Step:
        """Return a step."""
        return keras_step(self.args, self.model)


class TfKeras:
    """tf_keras.applications."""

    def __init__(self, args: argparse.Namespace) -> None:
        import tf_keras  # noqa: F401

        self.args = args
        limit_tensorflow(args.threads)

    def build(self) -> None:
        """Make the network."""
        import tf_keras

        a = self.args
        model = getattr(tf_keras.applications.regnet, compact(a.model))
        self.model = model(
            weights=None, input_shape=(a.px, a.px, 3), classes=a.classes, classifier_activation=None
        )

    def step(self) -> Step:
        """Return a step."""
        import tf_keras

        optimizer = tf_keras.optimizers.SGD(LR, MOMENTUM, nesterov=True, weight_decay=DECAY)
        weights = self.model.trainable_variables
        return tensorflow_step(
            self.args,
            lambda images: self.model(images, training=True),
            lambda: weights,
            lambda gradients: optimizer.apply_gradients(zip(gradients, weights, strict=True)),
        )


class Timm:
    """timm on PyTorch, eager."""

    def __init__(self, args: argparse.Namespace) -> None:
        import timm  # noqa: F401
        import torch

        self.args = args
        torch.set_num_threads(args.threads)

    def build(self) -> None:
        """Make the network."""
        import timm
        import torch

        compacted = compact(self.args.model).lower()
        name = f"{compacted[:-3]}_{compacted[-3:]}"
        self.model = timm.create_model(name, num_classes=self.args.classes)
        if self.args.channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)

    def step(self) -> Step:
        """Return a step."""
        import torch

        a = self.args
        images, labels = torch.randn(a.batch, 3, a.px, a.px), torch.zeros(a.batch, dtype=torch.long)
        if a.channels_last:
            images = images.to(memory_format=torch.channels_last)
        optimizer = torch.optim.SGD(
            self.model.parameters(), LR, MOMENTUM, nesterov=True, weight_decay=DECAY
        )
        self.model.train()

        def step() -> float:
            loss = torch.nn.functional.cross_entropy(self.model(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss.item()

        return step


def compact(name: str) -> str:
    """``RegNetX-200MF`` is RegNetX002, ``RegNetX-1.6GF`` RegNetX016."""
    family, _, size = name.partition("-")
    number = float(size.removesuffix("MF").removesuffix("GF"))
    return f"{family}{round(number / 100 if size.endswith('MF') else number * 10):03d}"


def keras_step(args: argparse.Namespace, model) -> Step:
    """Return a step with Keras 3's optimiser."""
    import keras

    optimizer = keras.optimizers.SGD(LR, MOMENTUM, nesterov=True, weight_decay=DECAY)
    weights = model.trainable_variables
    optimizer.build(weights)
    return tensorflow_step(
        args,
        lambda images: model(images, training=True),
        lambda: [weight.value for weight in weights],
        lambda gradients: optimizer.apply(gradients, weights),
    )


def tensorflow_step(
    args: argparse.Namespace, forward, get_weights, apply, watch: bool = False
) -> Step:
    """Return a traced step on constant images."""
    import tensorflow as tf

    images = tf.random.normal((args.batch, args.px, args.px, 3))
    target = tf.one_hot(tf.zeros(args.batch, tf.int32), args.classes)

    @tf.function(autograph=False, jit_compile=args.xla)
    def step(images, target):
        weights = get_weights()
        with tf.GradientTape(watch_accessed_variables=not watch) as tape:
            if watch:
                tape.watch(weights)
            losses = tf.nn.softmax_cross_entropy_with_logits(target, forward(images))
            loss = tf.reduce_mean(losses)
        apply(tape.gradient(loss, weights))
        return loss

    return lambda: float(step(images, target))


LIBRARIES = {
    "ours": Ours,
    "ours-keras": OursKeras,
    "timm": Timm,
    "tf_keras": TfKeras,
    "kimm": Kimm,
}


def main() -> None:
    """Import, build, make the first step, then obey."""
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("model")
    parser.add_argument("--px", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--xla", action="store_true")
    args = parser.parse_args()
    args.classes = 1000 if args.px >= 64 else 10
    answers, sys.stdout = sys.stdout, sys.stderr  # libraries may print
    start = time.perf_counter()
    trainer = LIBRARIES[args.library](args)
    imported = time.perf_counter()
    trainer.build()
    built = time.perf_counter()
    Path("/proc/self/clear_refs").write_text("5")
    after_build = resident("VmRSS")
    step = trainer.step()
    step()
    done = {"import": imported - start, "build": built - imported}
    done["first step"] = time.perf_counter() - built
    print(json.dumps({**done, "built MiB": after_build}), file=answers, flush=True)
    for line in sys.stdin:
        begun, used = time.perf_counter(), time.process_time()
        for _ in range(int(line)):
            step()
        answer = {"seconds": time.perf_counter() - begun}
        answer["processor seconds"] = time.process_time() - used
        print(json.dumps({**answer, "peak MiB": resident("VmHWM")}), file=answers, flush=True)


if __name__ == "__main__":
    main()
