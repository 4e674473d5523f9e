"""Save random weights of timm, torchvision and pycls, and what the networks make of images.

A line of JSON on stdin is a request: ``library``, ``name``, ``seed``, ``classes``, ``batches`` (a
list of [images, size]), ``folder``, ``file`` for the weights, and ``step``, the [images, size] of
a training step, or null. The answer is a line ``done`` or an error; in the folder lie then the
file, ``answers.npz`` (images n, h, w, c; logits) and, after a step, ``after.safetensors``.
``samples`` instead of a library writes the small files of tests/golden/torch_files, ``check``
loads a file into timm's network, strictly, and runs it on the images in ``answers.npz``.

A program of its own: TensorFlow and torch in one process abort.
"""

import json
import sys
import traceback
from argparse import Namespace
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import nn

LEARNING_RATE = 0.05


def leave(tensor, *_, **__):
    """Initialise nothing: ``draw`` does, and large networks take seconds."""
    return tensor


def make(library, name, classes):
    for function in ("kaiming_normal_", "kaiming_uniform_", "normal_", "uniform_"):
        setattr(nn.init, function, leave)
    if library == "timm":
        import timm

        return timm.create_model(name, num_classes=classes)
    if library == "torchvision":
        import torchvision

        return getattr(torchvision.models, name)(num_classes=classes)
    from pycls_network import RegNet

    return RegNet(name, classes)


def draw(model, rng):
    """Random weights; batch norm knows its inputs on average, but is off by a random factor."""

    def normal(tensor, std):
        values = rng.standard_normal(tuple(tensor.shape), dtype=np.float32)
        tensor.data = torch.from_numpy(values * np.float32(std))

    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            normal(module.weight, (2 / module.weight[0].numel()) ** 0.5)
            if module.bias is not None:
                normal(module.bias, 0.3)
    for norm in norms:
        norm.weight.data = torch.from_numpy(rng.uniform(0.5, 1.5, norm.num_features)).float()
        normal(norm.bias, 0.3)
        norm.momentum = 1.0
    model.train()
    with torch.no_grad():
        model(torch.from_numpy(rng.standard_normal((8, 3, 64, 64), dtype=np.float32)))
    for norm in norms:
        norm.momentum = 0.1
        norm.running_mean += torch.from_numpy(rng.normal(0, 0.3, norm.num_features)).float()
        norm.running_var *= torch.from_numpy(rng.uniform(0.6, 1.6, norm.num_features)).float()
        # Channels that hardly vary would amplify rounding, where trained networks do not.
        norm.running_var += 0.3 * norm.running_var.mean() + 0.01


def save(model, library, file):
    from safetensors.torch import save_file

    state = model.state_dict()
    if file.suffix == ".safetensors":
        save_file(state, file)
    elif library == "pycls":
        checkpoint = {"epoch": 1, "test_err": 23.5, "ema_err": 24.5, "model_state": state}
        checkpoint |= {"ema_state": {}, "optimizer_state": {"state": {}}, "cfg": "MODEL: {}"}
        torch.save(checkpoint, file)
    else:
        torch.save(state, file)


def to_torch(images):
    return torch.from_numpy(images.transpose(0, 3, 1, 2).copy())


def infer(model, rng, batches):
    answers = {}
    model.eval()
    for n, size in batches:
        images = rng.standard_normal((n, size, size, 3), dtype=np.float32)
        with torch.no_grad():
            answers[f"logits_{size}"] = model(to_torch(images)).numpy()
        answers[f"images_{size}"] = images
    return answers


def train(model, rng, n, size, classes):
    images = rng.standard_normal((n, size, size, 3), dtype=np.float32)
    labels = rng.integers(0, classes, n)
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loss = nn.functional.cross_entropy(model(to_torch(images)), torch.from_numpy(labels))
    loss.backward()
    optimizer.step()
    return {"step_images": images, "step_labels": labels, "step_loss": loss.item()}


def answer(request):
    folder, rng = Path(request["folder"]), np.random.default_rng(request["seed"])
    library, classes = request["library"], request["classes"]
    model = make(library, request["name"], classes)
    draw(model, rng)
    save(model, library, folder / request["file"])
    answers = infer(model, rng, request["batches"])
    if request["step"]:
        answers |= train(model, rng, *request["step"], classes)
        save(model, library, folder / "after.safetensors")
    np.savez(folder / "answers.npz", **answers)


def check(request):
    import timm

    folder = Path(request["folder"])
    model = timm.create_model(
        request["name"],
        num_classes=request["classes"],
        checkpoint_path=str(folder / request["check"]),
    ).eval()
    with np.load(folder / "answers.npz") as answers, torch.no_grad():
        made = {
            name.replace("images", "logits"): model(to_torch(answers[name])).numpy()
            for name in answers
            if name.startswith("images")
        }
    np.savez(folder / "checked.npz", **made)


def samples(request):
    """Small files of every kind that the reader knows, of numbers 0, 1, 2 ..."""
    from safetensors.torch import save_file

    folder = Path(request["folder"])
    numbers = torch.arange(24, dtype=torch.float32)
    state = OrderedDict(
        plain=numbers.reshape(2, 3, 4),
        turned=numbers.reshape(2, 3, 4).permute(2, 0, 1),
        part=numbers[6:12],
        half=numbers.half(),
        bfloat16=(numbers / 7).bfloat16(),
        long=torch.arange(3),
        scalar=torch.tensor(5.0),
        parameter=nn.Parameter(numbers[:2].clone()),
        empty=torch.zeros(0, 4),
    )
    checkpoint = {"state_dict": state, "args": Namespace(lr=0.1), "best": np.float64(1.5)}
    torch.save(state, folder / "zip.pth")
    torch.save(state, folder / "old.pth", _use_new_zipfile_serialization=False)
    torch.save(checkpoint, folder / "checkpoint.pth")
    averaged = {"test_err": 24.0, "ema_err": 23.0, "model_state": {"weight": numbers[:2]}}
    torch.save(averaged | {"ema_state": {"weight": numbers[2:4]}}, folder / "pycls.pyth")
    save_file({k: v.contiguous().clone() for k, v in state.items()}, folder / "all.safetensors")


def main():
    torch.set_num_threads(2)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "samples" in request:
                samples(request)
            elif "check" in request:
                check(request)
            else:
                answer(request)
            print("done", flush=True)
        except Exception:
            print(json.dumps(traceback.format_exc()), flush=True)


if __name__ == "__main__":
    main()
