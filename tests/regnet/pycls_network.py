"""pycls's RegNet in torch, transcribed from its ``models/anynet.py``, ``blocks.py``, ``regnet.py``.

The rules, the modules' names and their order are pycls's (commit 5719de6), written anew without
its configuration system; what to build comes from its own ``configs/dds_baselines``.
"""

import json
from pathlib import Path

import numpy as np
from torch import nn

BASELINES = Path(__file__).parents[1] / "golden" / "pycls_dds_baselines.json"
STEM_WIDTH, SE_RATIO = 32, 0.25


def generate_regnet(w_a, w_0, w_m, d, q=8):
    ws_cont = np.arange(d) * w_a + w_0
    ks = np.round(np.log(ws_cont / w_0) / np.log(w_m))
    ws_all = np.round(w_0 * np.power(w_m, ks) / q).astype(int) * q
    ws, ds = np.unique(ws_all, return_counts=True)
    return ws.tolist(), ds.tolist()


def adjust_block_compatibility(ws, g):
    """As pycls does with a bottleneck multiplier of 1."""
    gs = [min(g, w) for w in ws]
    return [max(g, round(w / g) * g) for w, g in zip(ws, gs, strict=True)], gs


def conv2d(w_in, w_out, k, *, stride=1, groups=1, bias=False):
    return nn.Conv2d(w_in, w_out, k, stride=stride, padding=(k - 1) // 2, groups=groups, bias=bias)


def norm2d(w):
    return nn.BatchNorm2d(w, eps=1e-5, momentum=0.1)


class SE(nn.Module):
    def __init__(self, w_in, w_se):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d((1, 1))
        self.f_ex = nn.Sequential(
            conv2d(w_in, w_se, 1, bias=True),
            nn.ReLU(),
            conv2d(w_se, w_in, 1, bias=True),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return x * self.f_ex(self.avg_pool(x))


class BottleneckTransform(nn.Module):
    def __init__(self, w_in, w_out, stride, group_w, se_r):
        super().__init__()
        self.a, self.a_bn, self.a_af = conv2d(w_in, w_out, 1), norm2d(w_out), nn.ReLU()
        groups = w_out // group_w
        self.b = conv2d(w_out, w_out, 3, stride=stride, groups=groups)
        self.b_bn, self.b_af = norm2d(w_out), nn.ReLU()
        if se_r:
            self.se = SE(w_out, round(w_in * se_r))
        self.c, self.c_bn = conv2d(w_out, w_out, 1), norm2d(w_out)

    def forward(self, x):
        for layer in self.children():
            x = layer(x)
        return x


class ResBottleneckBlock(nn.Module):
    def __init__(self, w_in, w_out, stride, group_w, se_r):
        super().__init__()
        self.proj, self.bn = None, None
        if w_in != w_out or stride != 1:
            self.proj, self.bn = conv2d(w_in, w_out, 1, stride=stride), norm2d(w_out)
        self.f = BottleneckTransform(w_in, w_out, stride, group_w, se_r)
        self.af = nn.ReLU()

    def forward(self, x):
        x_p = self.bn(self.proj(x)) if self.proj else x
        return self.af(x_p + self.f(x))


class Stem(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.bn = conv2d(3, STEM_WIDTH, 3, stride=2), norm2d(STEM_WIDTH)
        self.af = nn.ReLU()

    def forward(self, x):
        return self.af(self.bn(self.conv(x)))


class Head(nn.Module):
    def __init__(self, w_in, classes):
        super().__init__()
        self.avg_pool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(w_in, classes)

    def forward(self, x):
        return self.fc(self.avg_pool(x).flatten(1))


class RegNet(nn.Module):
    """A network of pycls's model zoo by its name, such as RegNetX-200MF."""

    def __init__(self, name, classes=1000):
        super().__init__()
        cfg = json.loads(BASELINES.read_text())[name]["REGNET"]
        ws, ds = generate_regnet(cfg["WA"], cfg["W0"], cfg["WM"], cfg["DEPTH"])
        ws, gs = adjust_block_compatibility(ws, cfg["GROUP_W"])
        se_r = SE_RATIO if cfg.get("SE_ON") else 0
        self.stem = Stem()
        w_in = STEM_WIDTH
        for i, (w, d, g) in enumerate(zip(ws, ds, gs, strict=True)):
            stage = nn.Sequential()
            for j in range(d):
                stage.add_module(f"b{j + 1}", ResBottleneckBlock(w_in, w, 1 + (j == 0), g, se_r))
                w_in = w
            self.add_module(f"s{i + 1}", stage)
        self.head = Head(w_in, classes)

    def forward(self, x):
        for module in self.children():
            x = module(x)
        return x
