"""Run torch.optim on given gradients: JSON on stdin, the weights after each step on stdout.

A program of its own, because TensorFlow and torch in one process abort.
"""

import json
import sys

import torch

KINDS = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}


def run(given):
    weight = torch.nn.Parameter(torch.tensor(given["weight"]))
    optimizer = KINDS[given["optimizer"]]([weight], lr=given["lrs"][0], **given["options"])
    history = []
    for lr, gradient in zip(given["lrs"], given["gradients"], strict=True):
        optimizer.param_groups[0]["lr"] = lr
        weight.grad = torch.tensor(gradient)
        optimizer.step()
        history.append(weight.detach().tolist())
    return history


requests = json.load(sys.stdin)
json.dump({name: run(given) for name, given in requests.items()}, sys.stdout)
