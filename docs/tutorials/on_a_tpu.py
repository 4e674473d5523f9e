"""Train on a TPU through JAX; without one, on eight devices that JAX makes of the processor.

python docs/tutorials/on_a_tpu.py            # 9 epochs of digits
python docs/tutorials/on_a_tpu.py --short    # one epoch: it runs
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

# Before Keras and JAX are imported. The flag makes devices of a CPU alone: a TPU has its own.
os.environ["KERAS_BACKEND"] = "jax"
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=8")


def main() -> None:
    """Run the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("tpu.keras"))
    asked = parser.parse_args()

    import jax
    from regnet_ds.designspace import RegNetParams
    from regnet_ds.search import Recipe, evaluate, load_dataset, train
    from regnet_ds.search.learning.hardware import Hardware

    # 1. What is there. Gradients and batch norm are means over all devices, so that the result is
    # that of one device but for rounding.
    kind = "tpu" if jax.default_backend() == "tpu" else "cpu"
    devices = jax.local_device_count()
    print(f"{devices} devices: {kind}")

    # 2. The batch is split evenly. Convolutions in bfloat16, which a TPU is made for; several
    # steps by one call hide the host's work between them.
    hardware = Hardware(
        kind,
        devices,
        precision="bfloat16" if kind == "tpu" else "float32",
        steps_per_execution=1 if asked.short else 4,
    )
    batch = 16 * devices
    recipe = Recipe(epochs=1 if asked.short else 9, batch_size=batch, lr=0.05 * batch / 128)

    # 3. A training as on any machine.
    spec = RegNetParams(depth=2 if asked.short else 8, w0=16, wa=16, wm=2, group_width=8).to_spec()
    data = load_dataset("digits")
    result = train(
        spec,
        recipe,
        data,
        hardware=hardware,
        on_epoch=lambda epoch, error: print(f"epoch {epoch}: {error:.1f}%"),
    )
    print(f"{result.devices}: {result.images_per_second:,.0f} images a second")

    # 4. The model is Keras's: this file loads on TensorFlow too.
    print(f"test error {evaluate(result.model, data):.1f}%")
    result.model.save(asked.out)


if __name__ == "__main__":
    main()
