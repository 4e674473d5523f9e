"""Strategies of calls: every command with spoilt options, and every reader with spoilt files."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hostile_files import as_csv, as_json, as_yaml, spoilt_bytes, spoilt_tree
from hostile_values import FLAGS, SUITABLE, values
from hypothesis import strategies as st
from judge import Call

# Command lines that work in the sandbox (or reach TensorFlow): the beginnings of the calls.
GOOD = """
sample --flops 200M:400M -n 3
sample --space anynetx-e --flops 400M,1.6G --tolerance 1% -n 2 --out x.csv
sample --space my-space.yaml --flops 200M:400M -n 2 --format json
sample -n 2 --stages 3:4 --block y --unique networks --params :20M --acts :20M --seed 1
describe RegNetX-4.0GF
describe depth=13 w0=24 wa=36.44 wm=2.49 group_width=8 block=y --format json
describe RegNetY-200MF --layers --format csv --resolution 320x256
describe stage_widths=24,56 stage_depths=1,2 group_width=8 --stages
describe population#0 --storage regnet-ds.journal
account nets.csv --out x.csv
account nets.parquet --resolution 128 --classes 10 --format csv
flops RegNetY-400MF --by total
flops model.keras --resolution 320x256 --by type --format csv
bench RegNetX-200MF --batch 1,32 --seconds 1 --threads 1
export RegNetX-200MF --to tflite-int8 --out x.tflite
export population#0 --to onnx --out x.onnx --storage regnet-ds.journal
convert all.safetensors --model RegNetY-400MF --out x.keras
canonical --recipe post --out canonical
canonical RegNetY-8.0GF --as pycls --format json
canonical --recipe tuned --study regnet-ds.journal
fit 256x3,512x4,1024x6,2048x3 --wm 2:3
fit nets.csv --out x.csv --rounded
scale RegNetY-4.0GF --factor 4
scale resnet-50 --factor 2 --type dwr --format json --test-resolution 128
scale efficientnet-b0 --factor 2 --alpha 0.8
explain RegNetX-4.0GF
explain depth=13 w0=24 wa=36.44 wm=2.49 group_width=8 --figure x.png
search --flops 4M -n 27 --epochs 9 --seeds 2:3 --out found --storage x.journal
search --flops 4M --method model --batch 2 --finalists 1 --data data.npz --set lr=0.1
tune --model RegNetX-200MF --trials 8 --epochs 5 --set lr=0.1 --storage x.journal
tune --model RegNetX-200MF --space tuning.yaml --pruner median --async --storage x.journal
tune --print-space
reproduce ladder --out x -n 4
reproduce findings population.csv --out x
reproduce check population.csv -n 2 --seed 1
reproduce more
edf population.csv --by space --normalize flops --bands --out x.csv
edf population.csv population.parquet --where space=s0 --format json --diverged
edf regnet-ds.journal --study population --data x.csv
edf sqlite:///study.db --study population
plot scatter population.csv --out x.png --parameter depth --seed 1
plot trend regnet-ds.journal --study population --out x.svg --complexity flops
compare population.csv nds.json --normalize flops --bins 3 --errors percent
compare population.csv --by space --format json --out x.png --seed 2
refine population.csv --space regnetx --out x.yaml --seed 1
report population.csv --out x.html --title Title --by space
train depth=8 w0=16 wa=16 wm=2 group_width=8 --data digits --epochs 5 --out runs
train population#0 --epochs 100 --storage regnet-ds.journal
train RegNetX-200MF --recipe recipe.yaml --data data.npz --set lr=0.1 --resolution 32
train --resume runs/one
evaluate runs/one --split val --confusion x.csv
predict runs/one photos/class0/0.jpg --top 3
doctor --format json
quickstart --out x --models 4 --trials 2
space list --format csv
space show regnetx --as yaml
space show my-space.yaml
space check my-space.yaml
space schema --out x.json
space count anynetx-e
space count my-space.yaml --format json
space enumerate my-space.yaml --out x --resolution 64
study export population --out x.parquet
study export population#0 --as timm
study copy population --from regnet-ds.journal --to x.journal --as copied
study merge population --from regnet-ds.journal --to sqlite:///study.db
study import population.csv --name imported --storage x.journal
study import sweep.json --name sweep --errors percent
study status --storage regnet-ds.journal --name population
study retry --storage regnet-ds.journal --name population --trial 1
study status --storage waiting.journal
study retry --storage waiting.journal --trial 1
study export population --storage waiting.journal --format json
train population#1 --storage waiting.journal --epochs 1
study run --flops 4M -n 4 --data digits --epochs 2 --storage waiting.journal
study run --flops 4M -n 4 --data digits --epochs 5 --storage x.journal --max-trials 1
study run --space anynetx-a --space anynetx-e --flops 4M -n 4 --memory 1G --trial-time 2h
study worker --storage waiting.journal --workers 1 --time-limit 1m
data facts data.npz --resolution 16
data facts photos
data tfrecords photos --out x --images-per-shard 10
data check photos
data show data.npz --set area_factor=0.6 -n 2 --views 2 --out x.png
"""
BASES = [shlex.split(line) for line in GOOD.strip().splitlines()]
SLOW = ("report", "plot", "quickstart", "doctor", "reproduce")  # drawn less often

# Readers: command lines by the kind of file, which is written to {}.
ROWS = ("account {}", "fit {}", "edf {}", "compare {} population.csv", "study import {} --name i")
ROWS += (
    "edf {} --by space --errors percent",
    "refine {} --space regnetx",
    "account {} --out o.csv",
)
STUDIES = ("study status --storage {}", "edf {}", "study export population --storage {}")
STUDIES += (
    "describe population#0 --storage {}",
    "study retry --storage {}",
    "canonical --recipe tuned --study {}",
)
STUDIES += ("study copy population --from {} --to x.journal", "study merge population --from {}")
STUDIES += ("study import population.csv --name i --storage {}", "train population#1 --storage {}")
SPACES = ("space check {}", "sample --space {} -n 2", "space show {}", "space count {}")
FILES: dict[str, tuple[str, ...]] = {
    "nets.csv": ROWS,
    "nets.json": ROWS,
    "nets.yaml": ROWS,
    "nets.parquet": ROWS,
    "population.csv": (*ROWS, "report {} --out x.html", "plot scatter {} --out x.png"),
    "population.json": ROWS,
    "population.parquet": ROWS,
    "sweep.json": (*ROWS, "plot curves {} --out x.png"),
    "nds.json": ROWS,
    "results-imagenet.csv": ROWS,
    "my-space.yaml": SPACES,
    "canonical/RegNetY-200MF.yaml": ("account {}", "train RegNetX-200MF --recipe {}"),
    "tuning.yaml": ("tune --model RegNetX-200MF --storage x.journal --space {}",),
    "recipe.yaml": ("train RegNetX-200MF --recipe {}",),
    "regnet-ds.journal": STUDIES,
    "runs.journal": STUDIES,
    "waiting.journal": (
        *STUDIES,
        "study worker --storage {}",
        "export population#1 --to onnx --out x.onnx --storage {}",
    ),
    "study.db": tuple(line.replace("{}", "sqlite:///{}") for line in STUDIES),
    "data.npz": ("data facts {}", "data facts {} --resolution 16"),
    "parts.npz": ("data facts {}", "data show {} --out x.png -n 1 --views 1"),
    "runs/one/run.json": ("evaluate runs/one", "train --resume runs/one", "predict runs/one x.jpg"),
    "model.keras": (
        "flops {}",
        "convert {} --out x.safetensors",
        "export {} --to onnx --out x.onnx",
    ),
}
# Readers that need TensorFlow.
TENSOR_FILES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("zip.pth", "old.pth", "checkpoint.pth", "pycls.pyth", "all.safetensors", "keras2.h5"),
        (
            "convert {} --model RegNetX-200MF --out x.keras",
            "convert {} --model RegNetX-200MF --out x.safetensors",
        ),
    ),
    "model.keras": (
        "flops {}",
        "flops {} --partial --by type",
        "export {} --to keras --out x.keras",
    ),
    "runs/one/model.keras": ("predict runs/one photos/class0/0.jpg",),
    "runs/one/run.json": (
        "predict runs/one photos/class0/0.jpg",
        "evaluate runs/one --data data.npz",
    ),
    "shards/train_0000_of_0001.tfrecord": (
        "data check shards?classes=2",
        "data facts shards?classes=2",
    ),
    "photos/class0/0.jpg": (
        "data check photos",
        "data facts photos",
        "data facts photos --resolution 16",
    ),
    "data.npz": ("data facts {}", "data show {} --out x.png -n 1 --views 1"),
}
PREFIXES = {"csv": as_csv, "json": as_json, "yaml": as_yaml}
TREES: dict[str, Callable[[Path], Any]] = {
    ".csv": lambda path: list(csv.DictReader(path.read_text().splitlines())),
    ".json": lambda path: json.loads(path.read_text()),
    ".yaml": lambda path: yaml.safe_load(path.read_text()),
    ".journal": lambda path: [json.loads(line) for line in path.read_text().splitlines()],
}
WRITERS: dict[str, Callable[[Any], bytes]] = {
    ".csv": as_csv,
    ".json": as_json,
    ".yaml": as_yaml,
    ".journal": lambda tree: b"".join(as_json(record) + b"\n" for record in tree),
}


def option_names(group: Any) -> dict[tuple[str, ...], list[str]]:
    """Return the options of every command, by the words that call it."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            inner = option_names(command)
            found |= {(name, *words): options for words, options in inner.items()}
        else:
            options = [o for p in command.params for o in (*p.opts, *p.secondary_opts)]
            found[(name,)] = [option for option in options if option.startswith("-")]
    return found


def spoilt_options(names: dict[tuple[str, ...], list[str]]) -> st.SearchStrategy[Call]:
    """Return calls of every command in which one to three words are other than they should."""
    known = {_command(base, names) for base in BASES}
    bases = [*BASES, *(list(words) for words in names if " ".join(words) not in known)]
    weighted = [base for base in bases for _ in range(1 if base[0] in SLOW else 4)]

    @st.composite
    def call(draw: Any) -> Call:
        base = list(draw(st.sampled_from(weighted)))
        words = len(_command(base, names).split())
        options = [*names[tuple(base[:words])], *FLAGS]
        given = []
        for _ in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
            kind = draw(
                st.sampled_from(("replace", "replace", "option", "option", "drop", "insert"))
            )
            i = draw(st.integers(words, max(words, len(base) - 1)))
            value = draw(values)
            option = draw(st.sampled_from(options))
            if kind == "replace" and base[i - 1] in SUITABLE and draw(st.booleans()):
                value = draw(st.sampled_from(SUITABLE[base[i - 1]]))
            if kind == "option" and option in SUITABLE and draw(st.integers(0, 3)):
                value = draw(st.sampled_from(SUITABLE[option]))
            if kind == "replace" and i < len(base):
                base[i] = value
            elif kind == "option":
                base += [f"{option}={value}"] if draw(st.booleans()) else [option, value]
                given.append(option)
            elif kind == "drop" and i < len(base):
                value = base.pop(i)
                given += base[i : i + 1]
            else:
                base.insert(i, value)
            given.append(value)
        return Call(tuple(base), tuple(given))

    return call()


def _command(base: list[str], names: dict[tuple[str, ...], list[str]]) -> str:
    return " ".join(base[:2] if tuple(base[:2]) in names else base[:1])


def spoilt_files(files: dict[str, tuple[str, ...]]) -> st.SearchStrategy[Call]:
    """Return calls that read a spoilt file of the sandbox, which is the current folder."""
    strategies = {name: _contents(Path(name)) for name in files}

    @st.composite
    def call(draw: Any) -> Call:
        name = draw(st.sampled_from(list(files)))
        line = draw(st.sampled_from(files[name]))
        content = draw(strategies[name])
        return Call(tuple(shlex.split(line.replace("{}", name))), (name,), {name: content})

    return call()


def _contents(path: Path) -> st.SearchStrategy[bytes]:
    spoilt = spoilt_bytes(path.read_bytes())
    if path.suffix not in TREES:
        return spoilt
    tree = TREES[path.suffix](path)
    return spoilt | spoilt_tree(tree).map(lambda made: _written(path.suffix, made))


def _written(suffix: str, tree: Any) -> bytes:
    try:
        return WRITERS[suffix](tree)
    except (TypeError, ValueError, AttributeError, yaml.YAMLError):
        return repr(tree).encode("utf-8", "replace")
