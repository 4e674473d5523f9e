"""Save random weights of tf_keras's RegNets, and what the networks make of images.

Requests and answers are those of ``torch_weights_peer``, the file an ``.h5``; images are in
[0, 255] for the network, which divides them by 255, and in [0, 1] in ``answers.npz``.
"""

import json
import os
import sys
import traceback
from pathlib import Path

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
import tensorflow as tf
import tf_keras

LEARNING_RATE = 0.05


def make(name, classes):
    """A network for images of any size; tf_keras asks for one size, but needs none."""
    tf_keras.backend.clear_session()
    model = getattr(tf_keras.applications, name)(weights=None, classes=classes)
    model.input_spec = [tf_keras.layers.InputSpec(ndim=4)]
    return model


def draw(model, rng):
    """As the other peer draws."""

    def normal(variable, std):
        values = rng.standard_normal(tuple(variable.shape), dtype=np.float32)
        variable.assign(values * np.float32(std))

    norms = [m for m in model.layers if isinstance(m, tf_keras.layers.BatchNormalization)]
    for layer in model.layers:
        if isinstance(layer, tf_keras.layers.Conv2D | tf_keras.layers.Dense):
            normal(layer.kernel, (2 / np.prod(layer.kernel.shape[:-1])) ** 0.5)
            if layer.use_bias:
                normal(layer.bias, 0.3)
    for norm in norms:
        norm.gamma.assign(rng.uniform(0.5, 1.5, norm.gamma.shape))
        normal(norm.beta, 0.3)
        norm.momentum = 0.0
    model(images(rng, 8, 64) * 255, training=True)
    for norm in norms:
        norm.momentum = 0.9
        norm.moving_mean.assign_add(rng.normal(0, 0.3, norm.gamma.shape))
        variance = norm.moving_variance * rng.uniform(0.6, 1.6, norm.gamma.shape)
        norm.moving_variance.assign(variance + 0.3 * tf.reduce_mean(variance) + 0.01)


def images(rng, n, size):
    return rng.standard_normal((n, size, size, 3), dtype=np.float32)


def train(model, rng, n, size, classes):
    x, labels = images(rng, n, size), rng.integers(0, classes, n)
    loss_of = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf_keras.optimizers.SGD(LEARNING_RATE)
    with tf.GradientTape() as tape:
        loss = loss_of(labels, model(x * 255, training=True))
    gradients = tape.gradient(loss, model.trainable_variables)
    optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
    return {"step_images": x, "step_labels": labels, "step_loss": float(loss)}


def answer(request):
    folder, rng = Path(request["folder"]), np.random.default_rng(request["seed"])
    model = make(request["name"], request["classes"])
    draw(model, rng)
    model.save_weights(folder / request["file"])
    answers = {}
    for n, size in request["batches"]:
        x = images(rng, n, size)
        answers |= {f"images_{size}": x, f"logits_{size}": model(x * 255, training=False).numpy()}
    if request["step"]:
        answers |= train(model, rng, *request["step"], request["classes"])
        model.save_weights(folder / "after.h5")
    np.savez(folder / "answers.npz", **answers)


def main():
    for line in sys.stdin:
        try:
            answer(json.loads(line))
            print("done", flush=True)
        except Exception:
            print(json.dumps(traceback.format_exc()), flush=True)


if __name__ == "__main__":
    main()
