"""Values of options that nobody sends by intention, or only with a bad one (hypothesis)."""

from __future__ import annotations

from hypothesis import strategies as st
from judge import SECRET

HTML = "<script>alert(1)</script>"
NUMBERS = (
    "0", "-1", "1", "2", "3", "7", "16", "32", "1.5", "0.1", "-0.0", "1e3", "1e-300", "1e308",
    "1e400", "nan", "inf", "-inf", "NaN", "0x10", "1_000", "012", "²", "١٢", "½", "2147483648",
    "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "1" * 30, "1" * 5000,
)  # fmt: skip
SIZES = (
    "4G", "400M", "1:2", "200M:400M", ":", "1G:", ":1M", "4Q", "4G:1G", "nan:inf", "1e30G", "%",
)  # fmt: skip
TEXTS = (
    "", " ", "\t", "a", "A" * 300, "\udcff", "\x1b[31mred\x1b[0m", "\x07", "a\nb", "é", "🙂",
    "\u202eabc", "-", "--", "=", ":", ",", "#", "a=b", "=b", "a=", "a:b", "a,b", ",,", "#17",
    "a#b", "None", "null", HTML, "{{7*7}}", "%s%n", "$(touch trapped)", "`touch trapped`",
    "; touch trapped", "[red]x[/red]", "'", '"', "\\", "*", "?", "[", "a]b", "~", "(" * 60,
)  # fmt: skip
PATHS = (
    "../../evil", "..", ".", "/", "/dev/null", "/dev/null/x.csv", "/proc/x/y.csv",
    "/proc/self/mem", "none.csv", "none.json", "none.parquet", "none.yaml", "none/",
    "none/none/x.csv", "x.html", "x.csv", "x.json", "x.yaml", "x.parquet", "x.png", "x.svg",
    "x.pdf", "x.CSV", ".csv", "x.keras", "canonical", "photos", "runs", "runs/one", "shards",
    "shards?classes=2", "shards?classes=x", "nets.csv", "nets.json", "nets.yaml", "nets.parquet",
    "population.csv", "population.json", "population.parquet", "sweep.json", "nds.json",
    "results-imagenet.csv", "my-space.yaml", "recipe.yaml", "regnet-ds.journal", "runs.journal",
    "study.db", "other.db", "data.npz", "parts.npz", "zip.pth", "all.safetensors", "keras2.h5",
    "model.keras", "nets.csv/x.csv",
)  # fmt: skip
NAMES = (
    "regnetx", "regnety", "regnetz", "anynetx-a", "anynetx-e", "regnetx-dds", "regnetx-narrow",
    "RegNetX-4.0GF", "RegNetY040", "regnetx_002", "regnet_x_400mf", "resnet-50", "efficientnet-b0",
    "population", "small", "population#0", "population#99", "population#-1", "population#²",
    "small#5", "#", "digits", "example:imagenet", "example:", "tfds:x", "cifar10?classes=0", "x",
    "y", "z", "v", "vr", "r", "basic", "edf", "scatter", "ranges", "trend", "curves", "front",
    "widths", "map", "search", "buckets", "importance", "ks", "table", "json", "csv", "error",
    "flops", "params", "acts", "depth", "wa", "space", "lr", "status", "stage_widths", "percent",
    "share", "networks", "none", "timm", "pycls", "onnx", "paper", "post", "tuned", "short",
    "depth=13", "w0=24", "wa=36.44", "wm=2.49", "group_width=8", "block=y", "lr=0.1", "epochs=1",
    "depth=1e9", "wm=1.0000001", "w0=8e18", "stage_widths=9223372036854775808", "se_ratio=nan",
)  # fmt: skip
STORAGES = (
    "journal:", "journal:none.journal", "journal:///", "sqlite:///", "sqlite:///none.db",
    "sqlite://", "sqlite:///study.db", "sqlite:///other.db", "sqlite:///nets.csv", "postgres://",
    "s3://b/k", f"postgresql://u:{SECRET}@127.0.0.1:1/db",
    f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/db",
    f"postgresql+none://u:{SECRET}@127.0.0.1:1/db", f"postgresql://u:{SECRET}@[::1/db",
    f"postgresql://u:{SECRET}@127.0.0.1:x/db",
    f"postgresql://127.0.0.1:1/db?user=u&password={SECRET}",
    f"postgres://u:{SECRET}@127.0.0.1:1/db", f"mysql://u:{SECRET}@127.0.0.1/db",
    f"sqlite://u:{SECRET}@host/db", f"journal://u:{SECRET}@host/db",
)  # fmt: skip
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
    "32", "33", "224", "320x256", "1x1", "99999999999", "2147483648", "224x", "x", "32x²",
)  # fmt: skip
_STORAGE = (*STORAGES, "regnet-ds.journal", "runs.journal", "x.journal", "nets.csv", "photos", "")
_NAME = (
    "population", "small", "../../evil", HTML, "A" * 300, "", "a/b", "\x1b[31m", "\udcff", "#",
    "x#1",
)  # fmt: skip
_COLUMN = (
    "flops", "params", "acts", "lr", "depth", "space", "status", "error", "stage_widths", "no", "",
)  # fmt: skip
_DATA = (
    "digits", "data.npz", "parts.npz", "photos", "none.npz", "nets.csv", "digits?classes=2",
    "tfds:",
)  # fmt: skip
_FIELD = (
    "lr=0.1", "lr=nan", "lr=-1", "lr=1e400", "lr=", "epochs=0", "epochs=2", "batch_size=1e30",
    "no=1", "batch_size=9223372036854775808", "area_factor=0.6", "weight_decay=inf", "flip=maybe",
    "lr",
)  # fmt: skip
_SPACE = ("regnetx", "regnety", "regnetz", "anynetx-a", "my-space.yaml", "nets.csv", "photos", "x")
_LIBRARY = (
    "keras", "timm", "pycls", "torchvision", "classyvision", "yaml", "json", "x", "../../evil",
)  # fmt: skip
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
    "--space": _SPACE,
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
    "--as": _LIBRARY,
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
