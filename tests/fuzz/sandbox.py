"""A folder with a valid file of every kind that the commands read, small."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import struct
import zipfile
from pathlib import Path

import numpy as np
import yaml

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
SPACE = """\
schema: 1
name: mine
family: regnet
block: y
stages: [3, 4]
parameters:
  depth: {law: uniform, low: 8, high: 16, quantum: 1}
  w0: {law: log-uniform, low: 16, high: 64, quantum: 8}
  wa: {law: log-uniform, low: 8, high: 64, quantum: 0.1}
  wm: {law: uniform, low: 2, high: 3, quantum: 0.001}
  group_width: [8, 16, 24]
  bottleneck_ratio: 1
constraints:
- limited: {parameter: depth, low: 9}
"""
TUNING = """\
optimizer: [sgd, adamw]
lr: {sgd: [0.02, 0.4, log], adamw: {low: 1.0e-4, high: 2.0e-3, scale: log}}
weight_decay: default
mixup_alpha: [0.0, 0.2]
"""
CFG = {
    "DESC": "regnetx",
    "RNG_SEED": 3,
    "MODEL": {"TYPE": "regnet", "NUM_CLASSES": 10},
    "REGNET": {"DEPTH": 13, "W0": 24, "WA": 36.4, "WM": 2.5, "GROUP_W": 8, "BOT_MUL": 0.5}
    | {"SE_ON": True, "SE_R": 0.25, "BLOCK_TYPE": "res_bottleneck_block", "STEM_W": 32},
    "OPTIM": {"BASE_LR": 0.05, "WEIGHT_DECAY": 5e-5, "MAX_EPOCH": 2, "MOMENTUM": 0.9},
    "TRAIN": {"IM_SIZE": 32, "BATCH_SIZE": 128, "DATASET": "cifar10"},
}
EPOCHS = {"epoch_ind": [1, 2], "epoch_max": [2, 2], "top1_err": [50.0, 20.0]}
SWEEP = [
    {"cfg": CFG, "log_file": f"s/logs/{i}/stdout.log", "err": "", "test_epoch": EPOCHS}
    | {"complexity": {"flops": 1_000_000 + i, "params": 2000, "acts": 300}}
    for i in range(6)
]
NDS = [
    {"min_test_top1": 20.0 + i, "job_id": str(i), "flops": 1e6 + i, "params": 1e5}
    | {"net": {"ds": [1, 2], "ws": [16, 32], "bot_muls": [1, 1], "num_gs": [2, 4]}}
    | {"optim": {"base_lr": 0.1, "wd": 1e-4}, "test_ep_top1": [50.0, 20.0 + i]}
    for i in range(6)
]
TIMM = "model,top1_err,param_count,gmacs,macts,img_size\n" + "".join(
    f"regnetx_00{i},2{i}.5,{i}.1,0.{i},2.{i},224\n" for i in range(2, 8)
)
RUN = {
    "schema": 1,
    "model": "regnetx",
    "record": {"depth": 8, "w0": 16, "wa": 16, "wm": 2, "group_width": 8},
    "recipe": {"epochs": 1},
    "options": {
        **{"what": ["depth=8"], "data": "digits", "recipe": "short", "epochs": 1, "fields": []},
        **{"resolution": None, "weights": None, "freeze_until": None, "seed": 0, "threads": 1},
        **{"accelerator": "cpu", "skip_damaged": False},
    },
    "seed": 0,
    "data": "digits",
    "data_fingerprint": "x",
    "class_names": list("0123456789"),
    "resolution": 32,
    "mean": [0.5, 0.5, 0.5],
    "std": [0.2, 0.2, 0.2],
    "streamed": False,
}


def run(*arguments: str) -> None:
    """Run a command that must succeed."""
    from regnet_ds.cli import run as run_cli

    if run_cli(list(arguments)):
        raise RuntimeError(f"the sandbox cannot be made: {arguments}")


def make(folder: Path) -> None:
    """Write all files to the current folder, which must be ``folder``."""
    _tables()
    _studies()
    _data()
    _weights()
    Path("my-space.yaml").write_text(SPACE)
    Path("recipe.yaml").write_text("epochs: 2\nlr: 0.1\nbatch_size: 64\n")
    Path("tuning.yaml").write_text(TUNING)
    run("canonical", "RegNetY-200MF", "--out", "canonical")
    run_folder = folder / "runs" / "one"
    run_folder.mkdir(parents=True)
    (run_folder / "run.json").write_text(json.dumps(RUN))
    shutil.copy("model.keras", run_folder / "model.keras")
    (run_folder / "recipe.yaml").write_text("epochs: 1\n")


def settle(journal: str) -> None:
    """Take out of a journal what is another in every run: who wrote it, and when."""
    path = Path(journal)
    text = re.sub(r'"worker_id":"[^"]*"', '"worker_id":"w"', path.read_text())
    path.write_text(re.sub(r'"20\d\d-[-0-9T:.]+"', '"2026-01-01T00:00:00.000000"', text))


def make_waiting(storage: str, n: int) -> None:
    """Make a study of n networks that wait; no process may be started here."""
    from judge import run as judged

    line = f"study run --flops 4M -n {n} --epochs 2 --data digits --storage {storage}"
    if judged(line.split())[0] != "reached":
        raise RuntimeError("the study cannot be made")
    settle(storage)


def _tables() -> None:
    run("sample", "--flops", "200M:400M", "-n", "40", "--out", "nets.csv")
    for suffix in ("json", "yaml", "parquet"):
        run("account", "nets.csv", "--out", f"nets.{suffix}")
    header, *rows = Path("nets.csv").read_text().splitlines()
    more = [
        f"{row},{30 + 7 * i % 13}.5,complete,{i},{i},{0.1 + i / 100},s{i % 2}"
        for i, row in enumerate(rows)
    ]
    extra = ",error,status,trial,index,lr,space"
    Path("population.csv").write_text("\n".join([header + extra, *more]) + "\n")
    run("account", "population.csv", "--out", "population.json")
    run("account", "population.csv", "--out", "population.parquet")
    Path("sweep.json").write_text(json.dumps(SWEEP))
    Path("nds.json").write_text(json.dumps({"top": NDS}))
    Path("results-imagenet.csv").write_text(TIMM)


def _studies() -> None:
    for storage in ("regnet-ds.journal", "sqlite:///study.db"):
        run("study", "import", "population.csv", "--name", "population", "--storage", storage)
    run("study", "import", "sweep.json", "--name", "small", "--storage", "runs.journal")
    for journal in ("regnet-ds.journal", "runs.journal"):
        settle(journal)
    with sqlite3.connect("other.db") as database:
        database.execute("CREATE TABLE t (x)")


def _data() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (30, 8, 8, 3), dtype=np.uint8)
    np.savez("data.npz", images=images, labels=np.arange(30) % 3)
    parts = {"x_train": images, "y_train": np.arange(30) % 3}
    parts |= {"x_test": images[:9], "y_test": np.arange(9) % 3}
    np.savez("parts.npz", **parts)
    from PIL import Image

    for i in range(24):
        path = Path("photos") / f"class{i % 2}" / f"{i}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    shards = Path("shards")
    shards.mkdir()
    (shards / "train_0000_of_0001.tfrecord").write_bytes(_record(b"abc") * 3)
    (shards / "val_0000_of_0001.tfrecord").write_bytes(_record(b"abc"))


def _record(content: bytes) -> bytes:
    from regnet_ds.search.data.sources.tfrecords import masked_crc

    length = struct.pack("<Q", len(content))
    checksums = (struct.pack("<I", masked_crc(part)) for part in (length, content))
    return length + next(checksums) + content + next(checksums)


def _weights() -> None:
    for name in ("zip.pth", "old.pth", "checkpoint.pth", "all.safetensors", "pycls.pyth"):
        shutil.copy(GOLDEN / "torch_files" / name, name)
    import h5py

    with h5py.File("keras2.h5", "w") as file:
        file.attrs["layer_names"] = [b"stem_conv"]
        group = file.create_group("stem_conv")
        group.attrs["weight_names"] = [b"stem_conv/kernel:0"]
        group.create_dataset("stem_conv/kernel:0", data=np.zeros((3, 3, 3, 32), np.float32))
    with zipfile.ZipFile("model.keras", "w") as archive:
        config = {"module": "keras", "class_name": "Sequential", "config": {"layers": []}}
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", yaml.safe_dump({"keras_version": "3.11.0"}))
