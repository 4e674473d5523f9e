"""The elements of the maps that torch's autograd keeps for the backward pass of timm's models.

JSON on stdin: a list of names of timm; on stdout the elements an image of 64 x 64 px. What is one
storage counts once; parameters, vectors of channels (batch norm's statistics) and the indices of
maxima, which TensorFlow finds again, do not count.

A program of its own: TensorFlow and torch in one process abort.
"""

import json
import sys

import timm
import torch

IMAGES = 2


def kept_by(name):
    model = timm.create_model(name).train()
    images = torch.randn(IMAGES, 3, 64, 64)
    own = {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}
    kept = {}

    def pack(tensor):
        place = tensor.untyped_storage().data_ptr()
        if tensor.is_floating_point() and tensor.dim() > 1 and place not in own:
            kept[place] = tensor  # held, so that no other tensor gets its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        labels = torch.zeros(IMAGES, dtype=torch.long)
        torch.nn.functional.cross_entropy(model(images), labels)
    return sum(tensor.numel() for tensor in kept.values()) / IMAGES


print(json.dumps([kept_by(name) for name in json.load(sys.stdin)]))
