"""Tune every size: the training of a small network and of a larger one, which begins with its best.

python docs/tutorials/tune_every_size.py            # two sizes, 12 trials each: some ten minutes
python docs/tutorials/tune_every_size.py --short    # 2 trials of one epoch: it runs
"""

from __future__ import annotations

import argparse
from pathlib import Path

from regnet_ds.designspace import RegNetParams, complexity
from regnet_ds.search import (
    Recipe,
    Settings,
    Size,
    TuningPlan,
    load_dataset,
    priors,
    tune_sizes,
    tuned_recipes,
)


def main() -> None:
    """Run the tutorial."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("tutorial-tuning"))
    asked = parser.parse_args()
    trials, epochs, few = (2, 1, 2) if asked.short else (12, 9, 8)
    asked.out.mkdir(parents=True, exist_ok=True)

    # 1. Where to look depends on the size: a small network wants little regularisation.
    data = load_dataset("digits")
    settings = Settings.of(data, Recipe(epochs=epochs), seed=0)
    sizes = []
    for name, width, depth in (("small", 16, few), ("larger", 24, few + 2)):
        spec = RegNetParams(depth=depth, w0=width, wa=width, wm=2, group_width=8).to_spec()
        flops = complexity(spec, resolution=data.image_size, classes=data.classes).flops
        print(f"{name}: {flops:,} multiply-adds, mixup in {priors(flops)['mixup_alpha']}")
        sizes.append(Size(name, spec, Recipe(epochs=epochs), priors(flops)))

    # 2. The smallest first; its best is among the first trials of the next. Stopped, the same
    # call goes on; the number of workers decides nothing.
    storage = f"journal:{asked.out / 'tuning.journal'}"
    tune_sizes(storage, "tune", sizes, settings, TuningPlan(trials=trials, batch=2), workers=1)

    # 3. The recipes that were found, by validation error. Whether they are better on the test
    # split, and by how much, is asked with fresh seeds: regnet-ds tune --confirm 3.
    for name, found in tuned_recipes(storage).items():
        recipe = found["recipe"]
        print(
            f"best of {name}: trial {found['trial']}, {found['error']:.1f}%, "
            f"{recipe['optimizer']} at {recipe['lr']:.3g}, decay {recipe['weight_decay']:.2g}"
        )


if __name__ == "__main__":
    main()
