"""Trains the same small network on several placements, in a process of its own.

Reads JSON: ``backend``, ``devices`` (forced on the CPU), ``images`` (.npz), ``weights`` (.npy files
of initial weights, or none), and ``runs``, each with ``hardware`` and ``recipe``. Prints for each
the losses step by step, the errors, the error of `evaluate` and the last weight. The images must
have no areas of one colour: there a difference in rounding flips the ReLU of the whole area.
"""

import json
import os
import sys


def prepare(request):
    """Make the devices, before anything computes."""
    os.environ["KERAS_BACKEND"] = request["backend"]
    os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={request['devices']}"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if request["backend"] == "tensorflow":
        import tensorflow as tf

        (cpu,) = tf.config.list_physical_devices("CPU")
        logical = [tf.config.LogicalDeviceConfiguration()] * request["devices"]
        tf.config.set_logical_device_configuration(cpu, logical)


def run(request, hardware, recipe):
    """Train once."""
    from contextlib import nullcontext

    import numpy as np
    from regnet_ds.designspace import RegNetParams
    from regnet_ds.regnet import build
    from regnet_ds.regnet.convolutions.grouped import implementation
    from regnet_ds.search import Recipe, evaluate, load_dataset, train
    from regnet_ds.search.learning.accelerator import Hardware
    from regnet_ds.search.learning.backends.seam import current_backend
    from regnet_ds.search.learning.fine_tuning import Start

    steps = current_backend().Steps
    losses = []
    one, several = steps.train, steps.train_together

    def noted(self, *arguments):
        losses.append(float(loss := one(self, *arguments)))
        return loss

    def noted_together(self, *arguments):
        before = len(losses)
        losses[before:] = (found := several(self, *arguments)).tolist()
        return found

    steps.train, steps.train_together = noted, noted_together
    spec = RegNetParams(depth=2, w0=8, wa=8.0, wm=2.0, group_width=4).to_spec()
    data = load_dataset(request["images"])
    start = None
    if request["weights"]:
        model = build(spec, input_shape=(16, 16, 3), classes=4, data_format="channels_last")
        with np.load(request["weights"]) as file:
            model.set_weights([file[name] for name in file.files])
        start = Start(model)
    plain = {"epochs": 2, "batch_size": 32, "lr": 0.05, "area_factor": 1.0, "flip": False}
    way = implementation("native") if request.get("native") else nullcontext()
    with way:
        done = train(
            spec,
            Recipe(**{**plain, "pca_std": 0.0, **recipe}),
            data,
            hardware=Hardware(**hardware),
            start=start,
        )
    steps.train, steps.train_together = one, several
    return {
        "losses": losses,
        "errors": done.errors,
        "devices": done.devices,
        "xla": done.xla,
        "evaluated": evaluate(done.model, data, split="val"),
        "weights": float(sum(np.abs(w).sum() for w in done.model.get_weights())),
    }


if __name__ == "__main__":
    asked = json.loads(sys.stdin.read())
    prepare(asked)
    print(json.dumps([run(asked, **one) for one in asked["runs"]]))
