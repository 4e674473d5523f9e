"""Values and files that nobody sends by intention, or only with a bad one (hypothesis)."""

from __future__ import annotations

import csv
import io
import json
import pickle
import zipfile
from typing import Any

import yaml
from hypothesis import strategies as st
from judge import SECRET, TRAP

HTML = "<script>alert(1)</script>"
NUMBERS = (
    *("0", "-1", "1", "2", "3", "7", "16", "32", "1.5", "0.1", "-0.0", "1e3", "1e-300", "1e308"),
    *("1e400", "nan", "inf", "-inf", "NaN", "0x10", "1_000", "012", "²", "١٢", "½"),
    *("2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809"),
    *("18446744073709551616", "1" * 30, "1" * 5000),
)
SIZES = (
    "4G",
    "400M",
    "1:2",
    "200M:400M",
    ":",
    "1G:",
    ":1M",
    "4Q",
    "4G:1G",
    "nan:inf",
    "1e30G",
    "%",
)
TEXTS = (
    *(
        "",
        " ",
        "\t",
        "a",
        "A" * 300,
        "\udcff",
        "\x1b[31mred\x1b[0m",
        "\x07",
        "a\nb",
        "é",
        "🙂",
        "\u202eabc",
    ),
    *(
        "-",
        "--",
        "=",
        ":",
        ",",
        "#",
        "a=b",
        "=b",
        "a=",
        "a:b",
        "a,b",
        ",,",
        "#17",
        "a#b",
        "None",
        "null",
    ),
    *(
        HTML,
        "{{7*7}}",
        "%s%n",
        "$(touch trapped)",
        "`touch trapped`",
        "; touch trapped",
        "[red]x[/red]",
    ),
    *("'", '"', "\\", "*", "?", "[", "a]b", "~", "(" * 60),
)
PATHS = (
    *(
        "../../evil",
        "..",
        ".",
        "/",
        "/dev/null",
        "/dev/null/x.csv",
        "/proc/x/y.csv",
        "/proc/self/mem",
    ),
    *("none.csv", "none.json", "none.parquet", "none.yaml", "none/", "none/none/x.csv", "x.html"),
    *(
        "x.csv",
        "x.json",
        "x.yaml",
        "x.parquet",
        "x.png",
        "x.svg",
        "x.pdf",
        "x.CSV",
        ".csv",
        "x.keras",
    ),
    *("canonical", "photos", "runs", "runs/one", "shards", "shards?classes=2", "shards?classes=x"),
    *("nets.csv", "nets.json", "nets.yaml", "nets.parquet", "population.csv", "population.json"),
    *("population.parquet", "sweep.json", "nds.json", "results-imagenet.csv", "my-space.yaml"),
    *("recipe.yaml", "regnet-ds.journal", "runs.journal", "study.db", "other.db", "data.npz"),
    *("parts.npz", "zip.pth", "all.safetensors", "keras2.h5", "model.keras", "nets.csv/x.csv"),
)
NAMES = (
    *("regnetx", "regnety", "regnetz", "anynetx-a", "anynetx-e", "regnetx-dds", "regnetx-narrow"),
    *(
        "RegNetX-4.0GF",
        "RegNetY040",
        "regnetx_002",
        "regnet_x_400mf",
        "resnet-50",
        "efficientnet-b0",
    ),
    *("population", "small", "population#0", "population#99", "population#-1", "population#²"),
    *("small#5", "#", "digits", "example:imagenet", "example:", "tfds:x", "cifar10?classes=0"),
    *(
        "x",
        "y",
        "z",
        "v",
        "vr",
        "r",
        "basic",
        "edf",
        "scatter",
        "ranges",
        "trend",
        "curves",
        "front",
    ),
    *("widths", "map", "search", "buckets", "importance", "ks", "table", "json", "csv", "error"),
    *("flops", "params", "acts", "depth", "wa", "space", "lr", "status", "stage_widths", "percent"),
    *("share", "networks", "none", "timm", "pycls", "onnx", "paper", "post", "tuned", "short"),
    *("depth=13", "w0=24", "wa=36.44", "wm=2.49", "group_width=8", "block=y", "lr=0.1", "epochs=1"),
    *("depth=1e9", "wm=1.0000001", "w0=8e18", "stage_widths=9223372036854775808", "se_ratio=nan"),
)
STORAGES = (
    *(
        "journal:",
        "journal:none.journal",
        "journal:///",
        "sqlite:///",
        "sqlite:///none.db",
        "sqlite://",
    ),
    *("sqlite:///study.db", "sqlite:///other.db", "sqlite:///nets.csv", "postgres://", "s3://b/k"),
    f"postgresql://u:{SECRET}@127.0.0.1:1/db",
    f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/db",
    f"postgresql+none://u:{SECRET}@127.0.0.1:1/db",
    f"postgresql://u:{SECRET}@[::1/db",
    f"postgresql://u:{SECRET}@127.0.0.1:x/db",
    f"postgresql://127.0.0.1:1/db?user=u&password={SECRET}",
    f"postgres://u:{SECRET}@127.0.0.1:1/db",
    f"mysql://u:{SECRET}@127.0.0.1/db",
    f"sqlite://u:{SECRET}@host/db",
    f"journal://u:{SECRET}@host/db",
)
FLAGS = ("-h", "--help", "--version", "--seed", "--out", "--format", "--nonsense", "-x", "-n")

values = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(SIZES),
    st.sampled_from(TEXTS),
    st.sampled_from(PATHS),
    st.sampled_from(NAMES),
    st.sampled_from(STORAGES),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12),
    st.integers().map(str),
    st.floats().map(str),
)

# What some options take, so that calls also go wrong behind the reading of options.
_SIZE = (*SIZES, "4M", "1e30", "0:0", "-1:1", "9223372036854775808", "4G:9e18", "1e-9G", "²G")
_COUNT = ("1", "2", "3", "7", "50", "9223372036854775807", "9223372036854775808", "1" * 5000, "²")
_RESOLUTION = (
    "32",
    "33",
    "224",
    "320x256",
    "1x1",
    "99999999999",
    "2147483648",
    "224x",
    "x",
    "32x²",
)
_STORAGE = (*STORAGES, "regnet-ds.journal", "runs.journal", "x.journal", "nets.csv", "photos", "")
_NAME = (
    "population",
    "small",
    "../../evil",
    HTML,
    "A" * 300,
    "",
    "a/b",
    "\x1b[31m",
    "\udcff",
    "#",
    "x#1",
)
_COLUMN = (
    "flops",
    "params",
    "acts",
    "lr",
    "depth",
    "space",
    "status",
    "error",
    "stage_widths",
    "no",
    "",
)
_DATA = (
    "digits",
    "data.npz",
    "parts.npz",
    "photos",
    "none.npz",
    "nets.csv",
    "digits?classes=2",
    "tfds:",
)
_FIELD = (
    "lr=0.1",
    "lr=nan",
    "lr=-1",
    "lr=1e400",
    "lr=",
    "epochs=0",
    "epochs=2",
    "batch_size=1e30",
    "no=1",
)
_FIELD += (
    "batch_size=9223372036854775808",
    "area_factor=0.6",
    "weight_decay=inf",
    "flip=maybe",
    "lr",
)
_TIME = ("1m", "0", "1e9d", "²h", "-1h", "inf", "9" * 400)
SUITABLE: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("--flops", "--params", "--acts"), _SIZE),
    **dict.fromkeys(
        ("-n", "--number", "--trials", "--models", "--bins", "--classes", "--seed"), _COUNT
    ),
    **dict.fromkeys(("--epochs", "--batch", "--threads", "--eta", "--finalists", "--top"), _COUNT),
    **dict.fromkeys(("--max-trials", "--fresh", "--trial", "--views", "--final-epochs"), _COUNT),
    **dict.fromkeys(("--images-per-shard", "--devices", "--steps-per-execution"), _COUNT),
    **dict.fromkeys(("--resolution", "--test-resolution"), _RESOLUTION),
    **dict.fromkeys(("--storage", "--from", "--to"), _STORAGE),
    **dict.fromkeys(("--name", "--study", "--into", "--title"), _NAME),
    **dict.fromkeys(("--by", "--normalize", "--parameter", "--complexity"), _COLUMN),
    **dict.fromkeys(("--trial-time", "--time-limit"), _TIME),
    "--tolerance": ("5%", "0", "0.99", "100%", "nan", "-1%", "%", "1e-300"),
    "--space": (
        "regnetx",
        "regnety",
        "regnetz",
        "anynetx-a",
        "my-space.yaml",
        "nets.csv",
        "photos",
        "x",
    ),
    "--block": ("x", "y", "z", "v", "vr", "r", "basic", "Y", "q"),
    "--stages": ("4", "1:8", "0", "3:2", "²", ":", "1:", "99", "-1:4"),
    "--unique": ("params", "networks", "none", "all"),
    "--workers": ("1", "2", "0", "-1", "x"),
    "--out": tuple(
        path for path in PATHS if path.startswith(("x.", "none", "canon", "/dev", "/proc", "."))
    ),
    "--format": ("table", "json", "csv", "yaml"),
    "--factor": ("2", "0", "-1", "nan", "inf", "1e-300", "1e300", "1e18", "0.5"),
    "--type": ("dwr", "d1_w2_g2", "d0_w0_g0", "dd", "d1e400", "x", "d-1", "dnan"),
    "--alpha": ("0.8", "0", "1", "nan", "-1", "2"),
    "--wm": ("2:3", "3:2", "1:1", "nan", "0:1", "1e308:1e309", "2"),
    "--data": _DATA,
    "--set": _FIELD,
    "--where": ("space=s0", "space=", "depth=13,14", "no=1", "error=nan", "=", "stage_widths=8 8"),
    "--errors": ("percent", "share", "x"),
    "--recipe": ("short", "paper", "post", "tuned", "recipe.yaml", "my-space.yaml", "nets.csv"),
    "--as": (
        "keras",
        "timm",
        "pycls",
        "torchvision",
        "classyvision",
        "yaml",
        "json",
        "x",
        "../../evil",
    ),
    "--seeds": ("2:5", "5:2", "0", "²", "1:9223372036854775808"),
    "--memory": ("4G", "1", "0", "1e9G", "9" * 400, "²G", "4GiB"),
    "--split": ("train", "val", "test", "x"),
    "--method": ("halving", "random", "model"),
    "--seconds": ("1", "0", "-1", "nan", "inf"),
    "--input-shape": ("224,224,3", "0,0,0", "²,1,1", "9223372036854775808,1,1", ","),
    "--executor": ("local", "ray", "slurm"),
    "--resources": ("TPU=4", "GPU=", "x", "CPU=nan", "CPU=-1"),
    "--to": ("onnx", "tflite", "tflite-int8", "keras", "x", *_STORAGE),
    "--trainer": ("os:system", "none.module:f", ":", "json:nothing", "x"),
    "--hook": ("os:system", "none.module:f", ":", "json:nothing", "x"),
    "--weights": ("zip.pth", "none.pth", "nets.csv"),
    "--precision": ("float32", "bfloat16", "x"),
    "--accelerator": ("cpu", "gpu", "tpu", "x"),
}

DEEP = 5000
CELLS: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63 - 1,
        2**63,
        2**64,
        10**30,
        1.5,
        -0.0,
        1e308,
        1e-300,
    ),
    *(
        float("nan"),
        float("inf"),
        float("-inf"),
        "",
        " ",
        "x",
        "nan",
        "1e400",
        "9" * 30,
        HTML,
        "\x1b[31m",
    ),
    *(
        "../../evil",
        "A" * 5000,
        [],
        [1],
        ["x"],
        [[1]],
        [2**63],
        {},
        {"a": 1},
        "24 56",
        "1 2 3 4",
        "\0",
    ),
    *("complete", "diverged", "none", "=1+1", "y", "2026-01-01"),
)
cells = st.sampled_from(CELLS) | st.integers() | st.floats() | st.text(max_size=8)


def spoilt_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Return the content cut, flipped, doubled, with bytes put in, or another altogether."""
    place = st.integers(0, max(0, len(content) - 1))
    return st.one_of(
        place.map(lambda i: content[:i]),
        place.map(lambda i: content[i:]),
        st.tuples(place, st.integers(1, 255)).map(
            lambda at: (
                content[: at[0]] + bytes([content[at[0]] ^ at[1]]) + content[at[0] + 1 :]
                if content
                else b""
            )
        ),
        st.tuples(place, st.binary(min_size=1, max_size=9)).map(
            lambda at: content[: at[0]] + at[1] + content[at[0] :]
        ),
        st.tuples(place, st.integers(1, 64)).map(
            lambda at: content[: at[0]] + bytes(at[1]) + content[at[0] + at[1] :]
        ),
        st.just(content + content),
        st.sampled_from(FOREIGN),
        st.binary(max_size=40),
    )


def spoilt_tree(tree: Any) -> st.SearchStrategy[Any]:
    """Return a tree of lists and dicts in which one or two places hold something else."""
    places = list(_places(tree))

    def change(edits: list[tuple[int, Any, bool]]) -> Any:
        made = json.loads(json.dumps(tree))
        for i, value, drop in edits:
            _set(made, places[i], value, drop)
        return made

    edit = st.tuples(st.integers(0, len(places) - 1), cells, st.booleans())
    return st.lists(edit, min_size=1, max_size=2).map(change)


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Any:
    if at:
        yield at
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from _places(value, (*at, key))
        else:
            yield (*at, key)


def _set(tree: Any, place: tuple[Any, ...], value: Any, drop: bool) -> None:
    try:
        for key in place[:-1]:
            tree = tree[key]
        if drop:
            del tree[place[-1]]
        else:
            tree[place[-1]] = value
    except (KeyError, IndexError, TypeError):
        return  # the first edit has removed the place


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as CSV, whatever is in them."""
    names = list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_cell(row.get(n)) for n in names] for row in rows if isinstance(row, dict)])
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def as_json(tree: Any) -> bytes:
    """Return a tree as JSON, with NaN."""
    return json.dumps(tree).encode()


def as_yaml(tree: Any) -> bytes:
    """Return a tree as YAML."""
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "replace")


class _Touch:
    def __reduce__(self) -> Any:
        return eval, (f"open({TRAP!r}, 'w')",)


def _zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
FOREIGN = (
    *(
        b"",
        b"\n",
        b" ",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\0" * 64,
        b"null",
        b"[]",
        b"{}",
        b"[[]]",
        b"0",
        b'""',
    ),
    *(b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b"- " * DEEP, b"{" * DEEP),
    b"!!python/object/apply:os.system ['touch trapped']\n",
    b'!!python/object/new:eval [\'open("trapped", "w")\']\n',
    b"name: !!python/name:os.system\n",
    b"a: &a [*a]\n",
    b"? [a]\n: 1\n",
    b"a: 1\na: 2\n",
    b"<<: 1\n",
    b"--- 1\n--- 2\n",
    b"\t- 1\n",
    b"2026-99-99",
    b"d: 2026-01-01\n",
    LAUGHS.encode(),
    LAUGHS.encode() + b"depth: *a11\nstage_widths: *a11\nlr: *a11\nerror: *a11\nname: *a11\n",
    pickle.dumps(_Touch()),
    _zipped("x/data.pkl", pickle.dumps(_Touch(), protocol=2)),
    _zipped("../../evil.npy", b"x"),
    _zipped("images.npy", pickle.dumps(_Touch())),
    _zipped("config.json", b"{}"),
    b"PK\x03\x04",
    b"PAR1PAR1",
    b"PAR1" + b"\0" * 20 + b"PAR1",
    b"SQLite format 3\0" + b"\0" * 84,
    b"\x89HDF\r\n\x1a\n" + b"\0" * 64,
    (2**62).to_bytes(8, "little") + b"{}",
    (2).to_bytes(8, "little") + b"{}",
    (10**5).to_bytes(8, "little") + b"[" * 10**5,
    b'{"op_code":0,"worker_id":"a","study_name":"population","directions":[1]}\n',
    b'{"op_code":' + b"9" * 30 + b"}\n",
    b'{"op_code":0}\n',
    b'{"op_code":4,"worker_id":"a","study_id":7}\n',
    b"error\n" + b"1" * 5000 + b"\n",
    b"error\n50\n\0\n",
    b'error\n"50\n',
    b"error,error\n50,60\n",
    b"a,b,c\n1,2\n",
    b"a,b\n1,2,3\n",
    b",\n,\n",
    b"depth,w0,wa,wm,group_width\n" + b"13,24,36.44,2.49,8\n13,24\n",
    b"depth,w0,wa,wm,group_width\n9223372036854775808,8,0,1.5,8\n",
    b"depth,w0,wa,wm,group_width,resolution\n13,24,36.44,2.49,8,9223372036854775807\n",
    b"stage_widths,stage_depths\n8 8,1 99999999999999999999\n",
    b"model,top1_err\nx,y\n",
)
