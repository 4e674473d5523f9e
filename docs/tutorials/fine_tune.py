"""RegNet in Keras 3: a backbone with weights, a new head, fine-tuning in two steps, an export.

python docs/tutorials/fine_tune.py                      # weights="imagenet", downloaded once
python docs/tutorials/fine_tune.py --weights FILE       # of timm, tf_keras and others
python docs/tutorials/fine_tune.py --short              # no weights, a hundred images: it runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import regnet_ds.regnet as regnet
from regnet_ds.search import load_dataset


def main() -> None:
    """Run the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--out", type=Path, default=Path("fine-tuned.keras"))
    asked = parser.parse_args()
    weights = None if asked.short else asked.weights
    images, epochs = (128, 1) if asked.short else (1078, 5)

    # 1. The signature is that of keras.applications. A file has weights of any other library.
    backbone = regnet.RegNetY002(
        include_top=False, weights=weights, input_shape=(64, 64, 3), pooling="avg"
    )
    print(f"{backbone.name}: {backbone.count_params():,} parameters")

    # 2. Data: arrays in [0, 1]; preprocess_input knows what the weights were trained on.
    data = load_dataset("digits", resolution=64)
    x, y = data.train.floats()[:images] * 255.0, data.train.labels[:images]
    x_val, y_val = data.val.floats()[:images] * 255.0, data.val.labels[:images]
    x, x_val = regnet.preprocess_input(x), regnet.preprocess_input(x_val)

    # 3. The new head first, the backbone held: its weights would be spoilt by a random head.
    backbone.trainable = False
    model = keras.Sequential([backbone, keras.layers.Dense(data.classes)])
    fit(model, x, y, x_val, y_val, epochs, rate=1e-2)

    # 4. Then everything, slowly.
    backbone.trainable = True
    error = fit(model, x, y, x_val, y_val, epochs, rate=1e-3)
    print(f"validation error {error:.1f}%")

    # 5. A file that Keras reads, also where this package is not installed: to_plain.
    regnet.to_plain(backbone).save(asked.out)
    print(f"wrote the backbone to {asked.out}")


def fit(
    model: keras.Model, x: object, y: object, x_val: object, y_val: object, epochs: int, rate: float
) -> float:
    """Train with SGD and return the validation error in percent."""
    model.compile(
        optimizer=keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(x, y, batch_size=64, epochs=epochs, verbose=0)
    return 100.0 * (1.0 - model.evaluate(x_val, y_val, verbose=0, return_dict=True)["accuracy"])


if __name__ == "__main__":
    main()
