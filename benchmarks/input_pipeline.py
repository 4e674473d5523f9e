"""Question: how fast are augmented batches, beside those of torchvision? The aim was 1.5 times.

From 500 x 375 photographs to normalised 224 px batches of 32: inception crop, flip, mean and
deviation. Ours reads TFRecords. The peer reads the same JPEGs from files, with transforms v2 in
a DataLoader of 2 workers: torchvision.io's decoder and PIL, of which the faster counts. uint8
until the crop. The photographs are cut from those that scikit-image and scikit-learn ship.
Whole epochs are timed, so that what an epoch costs to begin counts.

Run: python benchmarks/input_pipeline.py PYTHON_WITH_TORCHVISION [--images 8192] [--rounds 5]
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from side_by_side import spread

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
HEIGHT, WIDTH, BATCH = 375, 500, 32
PEER = """
import sys, time, pathlib
import torch
from PIL import Image
from torchvision import io
from torchvision.transforms import v2
folder, decoder, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])
files = sorted(map(str, pathlib.Path(folder).rglob("*.jpg")))
steps = [v2.RandomResizedCrop(224, antialias=False), v2.RandomHorizontalFlip(),
         v2.ToDtype(torch.float32, scale=True),
         v2.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
transform = v2.Compose(([v2.PILToTensor()] if decoder == "pil" else []) + steps)
if decoder == "pil":  # PIL crops and resizes, which is its faster order
    transform = v2.Compose([steps[0], steps[1], v2.PILToTensor(), *steps[2:]])
class Photos(torch.utils.data.Dataset):
    def __len__(self):
        return len(files)
    def __getitem__(self, i):
        if decoder == "pil":
            image = Image.open(files[i]).convert("RGB")
        else:
            image = io.decode_jpeg(io.read_file(files[i]), mode=io.ImageReadMode.RGB)
        return transform(image), i % 2
loader = torch.utils.data.DataLoader(Photos(), batch, shuffle=True, num_workers=2,
                                     drop_last=True, persistent_workers=True)
for _ in loader:
    pass
start = time.perf_counter()
n = sum(len(images) for images, _ in loader)
print(n / (time.perf_counter() - start))
"""


def photographs() -> list:
    """Return the photographs of the two packages, at least as large as the cuts."""
    import numpy as np
    import skimage
    import sklearn
    from PIL import Image

    folders = [Path(skimage.__file__).parent / "data"]
    folders.append(Path(sklearn.__file__).parent / "datasets" / "images")
    names = ("astronaut.png", "coffee.png", "motorcycle_left.png", "motorcycle_right.png")
    names += ("rocket.jpg", "hubble_deep_field.jpg", "retina.jpg", "china.jpg", "flower.jpg")
    found = [folder / name for folder in folders for name in names if (folder / name).exists()]
    arrays = [np.asarray(Image.open(path).convert("RGB")) for path in found]
    return [a for a in arrays if a.shape[0] >= HEIGHT and a.shape[1] >= WIDTH]


def write_photographs(folder: Path, images: int) -> None:
    """Write cuts as JPEGs of quality 90 in the folders of two classes, train and val."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    wholes = photographs()
    for part, n in (("train", images), ("val", 2)):
        for i in range(n):
            whole = wholes[i % len(wholes)]
            top = int(rng.integers(whole.shape[0] - HEIGHT + 1))
            left = int(rng.integers(whole.shape[1] - WIDTH + 1))
            path = folder / part / f"class{i % 2}" / f"{i:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            cut = whole[top : top + HEIGHT, left : left + WIDTH]
            Image.fromarray(cut).save(path, quality=90)


def ours(records: Path) -> float:
    """Return images a second of an epoch, after a sixteenth of another as a warm-up."""
    from regnet_ds.search import Recipe, load_dataset
    from regnet_ds.search.data.batches import training_batches

    data = load_dataset(str(records), resolution=224)
    batches = training_batches(data, Recipe(batch_size=BATCH, pca_std=0.0), 0)
    for _ in batches.epoch(0, 15 * batches.steps // 16):
        pass
    start = time.perf_counter()
    n = sum(len(images) for images, _ in batches.epoch(1))
    return n / (time.perf_counter() - start)


def peer(python: str, folder: Path, decoder: str) -> float:
    """Return images a second of torchvision's second epoch."""
    program = [python, "-c", PEER, str(folder / "train"), decoder, str(BATCH)]
    done = subprocess.run(program, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure in turn and print the ratio to the faster peer."""
    from regnet_ds.search.data.sources.folders import read_folder
    from regnet_ds.search.data.sources.shards import write_shards

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("python", nargs="?", default=sys.executable)
    parser.add_argument("--images", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder, records = Path(place) / "photos", Path(place) / "records"
        write_photographs(folder, asked.images)
        write_shards(read_folder(str(folder)), str(records), images_per_shard=256)
        rates: dict[str, list[float]] = {"ours": [], "torchvision.io": [], "pil": []}
        for _ in range(asked.rounds):
            rates["ours"].append(ours(records))
            for name in ("torchvision.io", "pil"):
                rates[name].append(peer(asked.python, folder, name))
    for name, values in rates.items():
        print(f"{name}: {spread(values, 0)} images/s")
    best = [max(pair) for pair in zip(rates["torchvision.io"], rates["pil"], strict=True)]
    ratios = [a / b for a, b in zip(rates["ours"], best, strict=True)]
    print(f"ours / the faster peer: {spread(ratios)}, {asked.rounds} rounds")


if __name__ == "__main__":
    main()
