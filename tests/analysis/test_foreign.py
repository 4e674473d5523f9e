"""Tables that pycls, nds and timm write."""

import json

import pytest
from regnet_ds.analysis import learning_curves, load_table, usable


def epochs(errors, of, best=None):
    """Metrics by epoch as pycls's ``sort_log_data`` has them."""
    n = len(errors)
    least = [min(errors[: i + 1]) for i in range(n)] if best is None else best
    return {
        "epoch_ind": list(range(1, n + 1)),
        "epoch_max": [of] * n,
        "top1_err": errors,
        "min_top1_err": least,
    }


CFG = {
    "DESC": "regnetx",
    "RNG_SEED": 3,
    "MODEL": {"TYPE": "regnet", "NUM_CLASSES": 10},
    "REGNET": {
        "DEPTH": 13,
        "W0": 24,
        "WA": 36.4,
        "WM": 2.5,
        "GROUP_W": 8,
        "BOT_MUL": 0.5,
        "SE_ON": True,
        "SE_R": 0.25,
        "BLOCK_TYPE": "res_bottleneck_block",
        "STEM_W": 32,
    },
    "OPTIM": {"BASE_LR": 0.05, "WEIGHT_DECAY": 5e-5, "MAX_EPOCH": 2, "MOMENTUM": 0.9},
    "TRAIN": {"IM_SIZE": 32, "BATCH_SIZE": 128, "DATASET": "cifar10"},
}
ANYNET = {
    **CFG,
    "MODEL": {"TYPE": "anynet", "NUM_CLASSES": 10},
    "ANYNET": {
        "DEPTHS": [1, 2],
        "WIDTHS": [32, 64],
        "STRIDES": [2, 2],
        "BOT_MULS": [1, 0.25],
        "GROUP_WS": [8, 16],
        "BLOCK_TYPE": "vanilla_block",
        "SE_ON": False,
    },
}
COSTS = {"flops": 1_000_000, "params": 2000, "acts": 300}
SWEEP = [
    {"cfg": CFG, "log_file": "s/logs/a/stdout.log", "err": "", "complexity": COSTS}
    | {"test_epoch": epochs([50.0, 20.0], 2), "test_ema_epoch": epochs([60.0, 18.0], 2)},
    {"cfg": ANYNET, "log_file": "s/logs/b/stdout.log", "err": ""}
    | {"test_epoch": epochs([40.0, 45.0], 2)},
    {"cfg": CFG, "log_file": "s/logs/c/stdout.log", "err": "", "test_epoch": epochs([50.0], 2)},
    {"cfg": CFG, "log_file": "s/logs/d/stdout.log", "err": "CUDA", "test_epoch": epochs([9.0], 2)},
    {"cfg": CFG, "log_file": "s/logs/e/stdout.log", "err": "CUDA"},
    {"cfg": CFG, "log_file": "s/logs/f/stdout.log", "err": ""},
]


@pytest.fixture
def write(tmp_path):
    def write(data, name="sweep.json"):
        path = tmp_path / name
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return path

    return write


def test_pycls_sweep(write):
    path = write(SWEEP)
    table = load_table(path)
    assert table["name"].tolist() == list("abcdef")
    assert table["status"].tolist() == [
        *["complete"] * 2,
        "running",
        *["failed"] * 2,
        "waiting",
    ]
    # Of averaged weights where there are any, as pycls takes it; the least over the epochs.
    assert table["error"].tolist()[:2] == [18, 40]
    first = table.iloc[0]
    assert (first["block"], first["se_ratio"], first["bottleneck_ratio"]) == ("y", 0.25, 2)
    assert (first["depth"], first["w0"], first["wa"], first["wm"]) == (13, 24, 36.4, 2.5)
    assert (first["lr"], first["weight_decay"], first["epochs"]) == (0.05, 5e-5, 2)
    assert (first["flops"], first["params"], first["acts"]) == (1_000_000, 2000, 300)
    assert (first["space"], first["resolution"], first["seed"]) == ("regnetx", 32, 3)
    second = table.iloc[1]
    assert (second["block"], second["depth"]) == ("vanilla", 3)
    assert (second["stage_widths"], second["stage_bottleneck_ratios"]) == ((32, 64), (1, 4))
    rows, exclusions = usable(table)
    assert (len(rows), exclusions) == (2, {"failed": 2, "running": 1, "waiting": 1})
    curves = learning_curves(path)
    assert curves[curves["trial"] == 0]["error"].tolist() == [50, 20]


NDS = [
    {"job_id": 7, "rng_seed": 1, "min_test_top1": 6.5, "params": 500_000, "flops": 90_000_000}
    | {"net": {"block_type": "res_block", "ds": [1, 2, 3], "ws": [16, 32, 64], "ss": [1, 2, 2]}}
    | {"optim": {"base_lr": 0.1, "wd": 5e-4}, "test_ep_top1": [50.0, 6.5]},
    {"job_id": 8, "rng_seed": 1, "min_test_top1": 7.5, "params": 400_000, "flops": 80_000_000}
    | {"net": {"ds": [1], "ws": [32], "ss": [1], "bot_muls": [0.5], "num_gs": [4]}, "optim": {}},
]


def test_data_of_nds(write):
    table = load_table(write(NDS, "ResNet.json"))
    assert table["error"].tolist() == [6.5, 7.5]
    assert table["params"].tolist() == [500_000, 400_000]
    assert table["depth"].tolist() == [6, 1]
    assert table["stage_widths"].tolist() == [(16, 32, 64), (32,)]
    assert table["stage_group_widths"][1] == (4,)
    assert table["stage_bottleneck_ratios"][1] == (2,)
    assert table["lr"][0] == 0.1 and table["epochs"][0] == 2
    assert usable(table)[1] == {}


def test_reruns_of_nds(write):
    table = load_table(write({"top": NDS[:1], "mid": NDS[1:]}, "reruns.json"))
    assert table["group"].tolist() == ["top", "mid"]
    assert table["error"].tolist() == [6.5, 7.5]


def test_results_of_timm(write):
    text = (
        "model,img_size,top1,top1_err,top5,top5_err,param_count,crop_pct,interpolation\n"
        'a.in1k,224,80.0,20.0,95,5,"1,234.50",0.9,bicubic\n'
        "b.in1k,288,81.0,19.0,95,5,21.8,0.9,bicubic\n"
    )
    table = load_table(write(text, "results-imagenet.csv"))
    assert table["name"].tolist() == ["a.in1k", "b.in1k"]
    assert table["error"].tolist() == [20, 19]
    assert table["params"].tolist() == [1_234_500_000, 21_800_000]
    assert table["resolution"].tolist() == [224, 288]
    assert table["crop_pct"].tolist() == [0.9, 0.9]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([{**SWEEP[0], "cfg": {"MODEL": {"TYPE": "regnet"}}}], r"pycls sweep\), job 1: cannot"),
        ([NDS[0], {"min_test_top1": "low"}], "row 2, column error: expected a number, got 'low'"),
        ([{**NDS[0], "net": {**NDS[1]["net"], "num_gs": []}}], r"nds\), job 1: cannot be read"),
    ],
)
def test_bad_files(write, data, message):
    with pytest.raises(ValueError, match=message):
        load_table(write(data))
