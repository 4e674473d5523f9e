"""Question: is the error of a trained network right? Beside timm's twin and a classical method.

RegNetX-200MF on digits or mnist5k at 32 px, without augmentation, by this package and by timm on
PyTorch with the same recipe (SGD with Nesterov, coupled decay, cosine by epoch, precise batch
norm at the end) and the same start (the last batch norm of a block at 0, timm's default, which
decides most in so short a training: --plain starts both at 1), several seeds; and
scikit-learn's support vector machine on the same split. timm draws the kernels of a grouped
convolution with a variance larger by the number of groups; --pycls-start draws them as pycls does
and we do.
Prints test errors in percent.

Run: python benchmarks/baselines.py PYTHON_WITH_TIMM [--data digits] [--epochs 20] [--plain]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
MODEL, TWIN = "RegNetX-200MF", "regnetx_002"
PEER = """
import json, math, sys
import numpy as np, timm, torch
path, recipe, name, seeds = sys.argv[1], *map(json.loads, sys.argv[2:5])
zero_last, pycls_start = map(json.loads, sys.argv[5:7])
torch.set_num_threads(1)
with np.load(path) as file:
    parts = {key: torch.from_numpy(file[key]) for key in file.files}
x, y = parts["train_x"].permute(0, 3, 1, 2).contiguous(), parts["train_y"]
n, size = len(x), recipe["batch_size"]
for seed in seeds:
    torch.manual_seed(seed)
    model = timm.create_model(name, num_classes=10, zero_init_last=zero_last)
    for layer in model.modules():
        if pycls_start and isinstance(layer, torch.nn.Conv2d):
            outputs = math.prod(layer.kernel_size) * layer.out_channels
            torch.nn.init.normal_(layer.weight, std=math.sqrt(2 / outputs))
    optimizer = torch.optim.SGD(model.parameters(), recipe["lr"], recipe["momentum"],
                                nesterov=True, weight_decay=recipe["weight_decay"])
    for epoch in range(recipe["epochs"]):
        rate = recipe["lr"] * 0.5 * (1 + math.cos(math.pi * epoch / recipe["epochs"]))
        for group in optimizer.param_groups:
            group["lr"] = rate
        order = torch.randperm(n)
        for start in range(0, n - size + 1, size):
            rows = order[start:start + size]
            loss = torch.nn.functional.cross_entropy(model(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.reset_running_stats()
            layer.momentum = None
    with torch.no_grad():
        for start in range(0, n - size + 1, size):
            model(x[start:start + size])
        model.eval()
        wrong = (model(parts["test_x"].permute(0, 3, 1, 2)).argmax(1) != parts["test_y"])
    print(100 * float(wrong.double().mean()), flush=True)
"""


def ours(data: Any, recipe: Any, seeds: Sequence[int], plain: bool) -> list[float]:
    """Return test errors of this package."""
    from regnet_ds.regnet import build, canonical
    from regnet_ds.search import evaluate, train
    from regnet_ds.search.learning.fine_tuning import Start

    spec, errors = canonical(MODEL), []
    for seed in seeds:
        model = build(
            spec,
            input_shape=(*data.image_size, 3),
            classes=data.classes,
            seed=seed,
            zero_init_last_gamma=not plain,
            data_format="channels_last",
        )
        done = train(spec, recipe, data, seed=seed, start=Start(model))
        errors.append(evaluate(done.model, data, split="test"))
    return errors


def peers(
    data: Any, recipe: Any, seeds: Sequence[int], plain: bool, python: str, pycls: bool
) -> list[float]:
    """Return test errors of timm's twin."""
    from regnet_ds.search.data.batches import normalise

    parts = {}
    for part in ("train", "test"):
        split = data.split(part)
        parts |= {f"{part}_x": normalise(split.floats(), data), f"{part}_y": split.labels}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "parts.npz"
        np.savez(path, **parts)
        options = (recipe.to_dict(), TWIN, list(seeds), not plain, pycls)
        program = [python, "-c", PEER, str(path), *map(json.dumps, options)]
        done = subprocess.run(program, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return [float(line) for line in done.stdout.split()]


def classical(data: Any) -> float:
    """Return the test error of scikit-learn's support vector machine, its usual settings."""
    from sklearn.svm import SVC

    def flat(part: str) -> np.ndarray:
        return data.split(part).floats()[..., 0].reshape(len(data.split(part)), -1)

    machine = SVC().fit(flat("train"), data.train.labels)
    return 100 * float(np.mean(machine.predict(flat("test")) != data.test.labels))


def main() -> None:
    """Read the options and run."""
    from regnet_ds.search import Recipe, load_dataset

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("python")
    parser.add_argument("--data", default="digits")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--plain", action="store_true", help="batch norms start at 1")
    parser.add_argument("--pycls-start", action="store_true", help="timm's kernels as pycls's")
    parser.add_argument("--only", choices=("svm", "timm", "ours"), help="one of the three")
    args = parser.parse_args()
    wanted = (args.only,) if args.only else ("svm", "timm", "ours")
    data = load_dataset(args.data)
    bare = {"area_factor": 1.0, "flip": False, "pca_std": 0.0}
    recipe = Recipe(epochs=args.epochs, batch_size=64, lr=0.05, **bare)
    trainings: dict[str, Callable[[], list[float]]] = {
        "svm": lambda: [classical(data)],
        "timm": lambda: peers(data, recipe, args.seeds, args.plain, args.python, args.pycls_start),
        "ours": lambda: ours(data, recipe, args.seeds, args.plain),
    }
    for name in wanted:
        errors = trainings[name]()
        spread = statistics.stdev(errors) if len(errors) > 1 else 0.0
        listed = ", ".join(f"{error:.2f}" for error in errors)
        print(f"{name}: {statistics.mean(errors):.2f}% +- {spread:.2f} ({listed})", flush=True)


if __name__ == "__main__":
    main()
