"""Folders of real photographs, cut from the two that scikit-learn ships."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

NAMES = ("china", "flower")


def photograph(name):
    """Return a photograph as uint8 (427, 640, 3)."""
    folder = Path(find_spec("sklearn").submodule_search_locations[0]) / "datasets" / "images"
    return np.asarray(Image.open(folder / f"{name}.jpg").convert("RGB"))


def write_folder(folder, n, *, classes=NAMES, size=(60, 80), suffix="jpg", seed=0):
    """Write n crops of about this size (height, width) for every class: CLASS/0007.jpg."""
    rng = np.random.default_rng(seed)
    for i, name in enumerate(classes):
        whole = photograph(NAMES[i % 2])
        (folder / name).mkdir(parents=True, exist_ok=True)
        for k in range(n):
            h, w = (int(side * rng.uniform(0.8, 1.2)) for side in size)
            top = int(rng.integers(whole.shape[0] - h))
            left = int(rng.integers(whole.shape[1] - w))
            cut = Image.fromarray(whole[top : top + h, left : left + w])
            cut.save(folder / name / f"{k:04d}.{suffix}")
    return folder
