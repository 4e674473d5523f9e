"""Count small networks with fvcore: JSON on stdin, multiply-adds by operator on stdout.

A program of its own, because TensorFlow and torch in one process abort.
"""

import json
import sys
import warnings

import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

CONVS = {
    (False, 1): nn.Conv1d,
    (False, 2): nn.Conv2d,
    (False, 3): nn.Conv3d,
    (True, 1): nn.ConvTranspose1d,
    (True, 2): nn.ConvTranspose2d,
    (True, 3): nn.ConvTranspose3d,
}
POOLS = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}


class Attention(nn.Module):
    """Multi-head attention of a sequence to itself, its products written out."""

    def __init__(self, dim, heads, head_dim, bias):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (
            nn.Linear(dim, heads * head_dim, bias=bias) for _ in range(3)
        )
        self.out = nn.Linear(heads * head_dim, dim, bias=bias)

    def forward(self, x):
        n, steps, _ = x.shape
        q, k, v = (
            layer(x).reshape(n, steps, self.heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        y = torch.matmul(torch.matmul(q, k.transpose(2, 3)).softmax(-1), v)
        return self.out(y.transpose(1, 2).reshape(n, steps, -1))


def make(layer, rank, channels):
    kind = layer["kind"]
    if kind == "attention":
        return Attention(channels, layer["heads"], layer["head_dim"], layer["bias"]), channels
    if kind == "dense":
        return nn.Linear(channels, layer["units"], bias=layer["bias"]), layer["units"]
    if kind == "pool":
        return POOLS[rank](layer["size"]), channels
    if kind == "norm":
        return NORMS[rank](channels), channels
    options = {name: layer[name] for name in ("stride", "dilation", "groups", "bias")}
    conv = CONVS[layer["transposed"], rank]
    return conv(channels, layer["filters"], layer["kernel"], **options), layer["filters"]


def count(net):
    *sizes, channels = net["input"]
    rank, layers = len(sizes), []
    # Sequences keep their channels last, maps have them first.
    shape = (1, *sizes, channels) if net["sequence"] else (1, channels, *sizes)
    for layer in net["layers"]:
        module, channels = make(layer, rank, channels)
        layers.append(module)
    model = nn.Sequential(*layers).eval()
    analysis = FlopCountAnalysis(model, torch.zeros(shape))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    counted = analysis.by_operator()
    products = sum(counted[name] for name in ("conv", "linear", "matmul"))
    return {"products": products, "params": sum(p.numel() for p in model.parameters())}


warnings.simplefilter("ignore")
json.dump([count(net) for net in json.load(sys.stdin)], sys.stdout)
