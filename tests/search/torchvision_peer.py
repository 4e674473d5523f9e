"""Crop and resize with torchvision: arrays from one .npz, results into another.

A program of its own, because TensorFlow and torch in one process abort.
"""

import sys

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

given = np.load(sys.argv[1])
image = torch.from_numpy(given["image"]).permute(2, 0, 1)
side, short_side = int(given["side"]), int(given["short_side"])
cropped = [
    F.resized_crop(image.float(), *map(int, box), [side, side], antialias=False)
    for box in given["boxes"]
]
small = F.resize(image.float(), [short_side], antialias=False)
found = {
    "crops": torch.stack(cropped).permute(0, 2, 3, 1).numpy(),
    "centre": F.center_crop(small, [side, side]).permute(1, 2, 0).numpy(),
    "flip": F.horizontal_flip(image).permute(1, 2, 0).numpy(),
}
np.savez(sys.argv[2], **found)
