"""Random small networks built in Keras and in torch: our products are fvcore's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from regnet_ds.regnet import accounting

PEER = os.environ.get("REGNET_DS_PEER_PYTHON", sys.executable)
PROGRAM = Path(__file__).with_name("fvcore_peer.py")
N_NETS = 60
L = keras.layers


def draw_net(rng):
    rank = int(rng.integers(1, 4))
    if rng.random() < 0.25:
        layers = [draw_of_sequence(rng) for _ in range(rng.integers(1, 4))]
        return {"sequence": True, "input": [int(rng.integers(3, 9)), 6], "layers": layers}
    sizes = [int(rng.integers(14, 20)) for _ in range(rank)]
    layers, channels = [], int(rng.integers(1, 4)) * 2
    given = [*sizes, channels]
    for _ in range(rng.integers(1, 4)):
        layer, channels = draw_of_map(rng, rank, channels)
        layers.append(layer)
    return {"sequence": False, "input": given, "layers": layers}


def draw_of_sequence(rng):
    bias = bool(rng.integers(2))
    if rng.random() < 0.5:
        heads, head_dim = (int(n) for n in rng.integers(1, 4, 2))
        return {"kind": "attention", "heads": heads, "head_dim": head_dim, "bias": bias}
    return {"kind": "dense", "units": int(rng.integers(1, 9)), "bias": bias}


def draw_of_map(rng, rank, channels):
    kind = rng.choice(["conv", "conv", "conv", "pool", "norm"])
    if kind == "pool":
        return {"kind": "pool", "size": 2}, channels
    if kind == "norm":
        return {"kind": "norm"}, channels
    transposed = bool(rng.random() < 0.3)
    groups = 1 if transposed else int(rng.choice([1, 2, channels]))
    filters = groups * int(rng.integers(1, 4)) * 2
    stride = int(rng.integers(1, 3))
    layer = {
        "kind": "conv",
        "transposed": transposed,
        "filters": filters,
        "kernel": int(rng.integers(1, 4)),
        "stride": stride,
        "dilation": 1 if stride > 1 or transposed else int(rng.integers(1, 3)),
        "groups": groups,
        "bias": bool(rng.integers(2)),
    }
    return layer, filters


def make(layer, rank, channels):
    if layer["kind"] == "attention":
        attention = L.MultiHeadAttention(layer["heads"], layer["head_dim"], use_bias=layer["bias"])
        return lambda x: attention(x, x)
    if layer["kind"] == "dense":
        return L.Dense(layer["units"], use_bias=layer["bias"])
    if layer["kind"] == "pool":
        return getattr(L, f"MaxPooling{rank}D")(layer["size"])
    if layer["kind"] == "norm":
        return L.BatchNormalization()
    options = {"strides": layer["stride"], "use_bias": layer["bias"]}
    filters, kernel, groups = layer["filters"], layer["kernel"], layer["groups"]
    if layer["transposed"]:
        return getattr(L, f"Conv{rank}DTranspose")(filters, kernel, **options)
    options["dilation_rate"] = layer["dilation"]
    if groups == channels > 1 and rank < 3:
        multiplier = filters // channels
        return getattr(L, f"DepthwiseConv{rank}D")(kernel, depth_multiplier=multiplier, **options)
    return getattr(L, f"Conv{rank}D")(filters, kernel, groups=groups, **options)


def build_net(net):
    x = inputs = keras.Input(net["input"])
    for layer in net["layers"]:
        x = make(layer, len(net["input"]) - 1, x.shape[-1])(x)
    return keras.Model(inputs, x)


def ours(net):
    rows = accounting.by_layer(build_net(net))
    products = sum(row.flops - row.bias_adds for row in rows)
    return {"products": products, "params": sum(row.params for row in rows)}


@pytest.mark.slow
def test_random_networks_count_as_fvcore_counts_them():
    if subprocess.run([PEER, "-c", "import fvcore"], capture_output=True, check=False).returncode:
        pytest.skip("fvcore is not installed: set REGNET_DS_PEER_PYTHON to a Python that has it")
    rng = np.random.default_rng(0)
    nets = [draw_net(rng) for _ in range(N_NETS)]
    done = subprocess.run(
        [PEER, PROGRAM], input=json.dumps(nets), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kinds = {layer["kind"] for net in nets for layer in net["layers"]}
    assert kinds == {"attention", "dense", "conv", "pool", "norm"}
    for net, theirs in zip(nets, json.loads(done.stdout), strict=True):
        assert ours(net) == theirs, net
