"""The proof: another library's weights give that library's logits here, and the same training.

Each library makes random weights in a process of its own, with batch-norm statistics and gammas
that are off, and writes its own file, images and logits; pycls is a transcription
(``pycls_network``). ``-s`` prints the deviations that docs/weights.md lists.
"""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from regnet_ds.designspace.catalogue import CANONICAL, canonical, keras_name, timm_name
from regnet_ds.regnet import CONVENTIONS, build, load_weights, save_timm
from regnet_ds.regnet.weights.weight_files import read_weights, weights_of

TORCHVISION = {
    "RegNetX-800MF": "regnet_x_800mf",
    "RegNetX-1.6GF": "regnet_x_1_6gf",
    "RegNetX-3.2GF": "regnet_x_3_2gf",
    "RegNetX-8.0GF": "regnet_x_8gf",
    "RegNetX-16GF": "regnet_x_16gf",
    "RegNetX-32GF": "regnet_x_32gf",
    "RegNetY-400MF": "regnet_y_400mf",
    "RegNetY-1.6GF": "regnet_y_1_6gf",
    "RegNetY-3.2GF": "regnet_y_3_2gf",
    "RegNetY-16GF": "regnet_y_16gf",
    "RegNetY-32GF": "regnet_y_32gf",
    # its own networks, not those of the papers
    "regnet_x_400mf": "regnet_x_400mf",
    "regnet_y_800mf": "regnet_y_800mf",
    "regnet_y_8gf": "regnet_y_8gf",
}
NAMES = {
    "tf_keras": {name: keras_name(name) for name in CANONICAL},
    "timm": {name: timm_name(name) for name in CANONICAL},
    "torchvision": TORCHVISION,
    "pycls": {name: name for name in CANONICAL},
}
FILES = {"tf_keras": "w.h5", "timm": "w.safetensors", "torchvision": "w.pth", "pycls": "w.pyth"}
SMOKE = ("RegNetX-200MF", "RegNetY-400MF", "RegNetX-8.0GF", "RegNetY-8.0GF")
TRAINED = ("RegNetX-200MF", "RegNetY-400MF")
TRAINED_IN_TORCHVISION = ("RegNetX-800MF", "RegNetY-400MF")
BATCHES = [[1, 224], [2, 97]]
STEP = [16, 64]
LEARNING_RATE = 0.05
TOLERANCE, STEP_TOLERANCE = 1e-5, 1e-3
FLIPS = 0.03  # of weights after a step: rounding puts a ReLU on the other side of 0 here and there
TORCH = ("REGNET_DS_PEER_PYTHON", "timm, torchvision, safetensors", "torch_weights_peer.py")
PROGRAMS = {
    "tf_keras": ("REGNET_DS_KERAS_PEER_PYTHON", "tf_keras", "keras_weights_peer.py"),
    "timm": TORCH,
    "torchvision": TORCH,
    "pycls": TORCH,
}


class Peer:
    """Another interpreter that answers requests, one line each."""

    def __init__(self, python, program):
        command = [python, str(Path(__file__).with_name(program))]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def send(self, request):
        print(json.dumps(request), file=self.process.stdin, flush=True)

    def receive(self):
        answer = self.process.stdout.readline().strip()
        assert answer == "done", json.loads(answer or '"the peer has died"')


@cache
def has(python, modules):
    done = subprocess.run([python, "-c", f"import {modules}"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.fixture(scope="module")
def peers():
    """Return the peer of a library, started once, or skip where it is not installed."""
    started = {}

    def start(library):
        variable, modules, program = PROGRAMS[library]
        python = os.environ.get(variable, sys.executable)
        if not has(python, modules):
            pytest.skip(f"no {modules}: set {variable} to a Python that has them")
        if program not in started:
            started[program] = Peer(python, program)
        return started[program]

    yield start
    for peer in started.values():
        peer.process.stdin.close()
        peer.process.wait(timeout=300)
        peer.process.stdout.close()


@pytest.fixture
def peer(peers, library):
    return peers(library)


def request(library, name, folder, step=None):
    folder.mkdir()
    return {
        "library": library,
        "name": NAMES[library][name],
        "seed": len(name) + list(NAMES[library]).index(name),
        "classes": 1000,
        "batches": BATCHES,
        "folder": str(folder),
        "file": FILES[library],
        "step": step,
    }


def colours(library):
    return "bgr" if library == "pycls" else "rgb"


def deviations(model, answers):
    """Return max|a - b| / max|b| of the logits of each batch."""
    made = {}
    for _, size in BATCHES:
        logits, expected = np.asarray(model(answers[f"images_{size}"])), answers[f"logits_{size}"]
        made[size] = float(np.abs(logits - expected).max() / np.abs(expected).max())
    return made


@pytest.fixture(scope="module")
def network():
    """Build a network once for all libraries of its padding."""

    @cache
    def make(name, padding):
        convention = "tf_keras" if padding == "same" else "timm"
        return build(canonical(name), input_shape=(None, None, 3), convention=convention)

    yield make
    make.cache_clear()


def compare(model, library, folder):
    """Load the library's file and return the deviations."""
    assert load_weights(model, folder / FILES[library], colours=colours(library)) == library
    with np.load(folder / "answers.npz") as answers:
        return deviations(model, answers)


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.parametrize("name", SMOKE)
@pytest.mark.parametrize("library", NAMES)
def test_logits_are_the_library_s(library, name, peer, network, tmp_path):
    if name not in NAMES[library]:
        pytest.skip(f"{library} has no {name}")
    peer.send(request(library, name, tmp_path / "a"))
    peer.receive()
    found = compare(network(name, CONVENTIONS[library].padding), library, tmp_path / "a")
    print(library, name, found)
    assert max(found.values()) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("library", ["tf_keras", "timm"], ids=["tf_keras", "torch"])
def test_logits_of_all_networks_are_the_library_s(library, peer, network, tmp_path):
    libraries = [library] if library == "tf_keras" else ["timm", "torchvision", "pycls"]
    names = dict.fromkeys(name for each in libraries for name in NAMES[each])
    pairs = [(n, each) for n in names for each in libraries if n in NAMES[each]]
    pairs = [pair for pair in pairs if pair[0] not in SMOKE]
    folders = [tmp_path / f"{each} {name}" for name, each in pairs]
    requests = (request(each, n, f) for (n, each), f in zip(pairs, folders, strict=True))
    peer.send(next(requests))
    found = {}
    for (name, each), folder in zip(pairs, folders, strict=True):
        peer.receive()
        following = next(requests, None)
        if following:  # made while we load this one
            peer.send(following)
        found[each, name] = compare(network(name, CONVENTIONS[each].padding), each, folder)
        print(each, name, found[each, name])
        (folder / FILES[each]).unlink()
        if following is None or not following["folder"].endswith(f" {name}"):
            network.cache_clear()
    wrong = {pair: each for pair, each in found.items() if max(each.values()) >= TOLERANCE}
    assert found and not wrong, wrong


def relative(ours, theirs):
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1], ids=["x", "y"])
@pytest.mark.parametrize("library", NAMES)
def test_one_training_step_is_the_library_s(library, place, peer, tmp_path):
    name = (TRAINED_IN_TORCHVISION if library == "torchvision" else TRAINED)[place]
    folder = tmp_path / "a"
    peer.send(request(library, name, folder, STEP))
    peer.receive()
    size = STEP[1]
    model = build(canonical(name), input_shape=(size, size, 3), convention=library)
    load_weights(model, folder / FILES[library], colours=colours(library))
    model.compile(
        keras.optimizers.SGD(LEARNING_RATE),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    with np.load(folder / "answers.npz") as answers:
        loss = model.train_on_batch(answers["step_images"], answers["step_labels"])
        expected = float(answers["step_loss"])
    assert loss == pytest.approx(expected, rel=STEP_TOLERANCE)
    layout, after = read_weights(
        folder / ("after.h5" if library == "tf_keras" else "after.safetensors")
    )
    worst = {}
    for weight in weights_of(model):
        theirs = layout.to_ours(after[layout.key(weight.layer, weight.name)])
        deviation = relative(np.asarray(weight.variable), theirs)
        worst[weight.name] = max(worst.get(weight.name, 0.0), deviation)
    print(library, name, "loss", loss, expected, "after the step", worst)
    moved = {name: size for name, size in worst.items() if name.startswith("moving")}
    assert moved and max(moved.values()) < STEP_TOLERANCE, worst
    assert max(worst.values()) < FLIPS, worst


@pytest.mark.slow
@pytest.mark.smoke
@pytest.mark.parametrize("library", ["timm"])
def test_timm_reads_what_we_write(library, peer, network, tmp_path):
    name = "RegNetY-400MF"
    sent = request(library, name, tmp_path / "a")
    peer.send(sent)
    peer.receive()
    model = network(name, "symmetric")
    compare(model, library, tmp_path / "a")
    save_timm(model, tmp_path / "a" / "ours.safetensors")
    peer.send(sent | {"check": "ours.safetensors"})
    peer.receive()
    with (
        np.load(tmp_path / "a" / "checked.npz") as checked,
        np.load(tmp_path / "a" / "answers.npz") as answers,
    ):
        for _, size in BATCHES:
            np.testing.assert_array_equal(checked[f"logits_{size}"], answers[f"logits_{size}"])


@pytest.mark.slow
@pytest.mark.parametrize("library", ["timm"])
def test_the_samples_are_what_torch_writes(library, peer, tmp_path, golden):
    from regnet_ds.regnet.weights.safetensors_file import read_safetensors
    from regnet_ds.regnet.weights.torch_file import read_torch

    peer.send({"samples": True, "folder": str(tmp_path)})
    peer.receive()
    for path in sorted((golden / "torch_files").iterdir()):
        read = read_safetensors if path.suffix == ".safetensors" else read_torch
        ours, theirs = read(path), read(tmp_path / path.name)
        assert set(ours) == set(theirs)
        for key in ours:
            np.testing.assert_array_equal(ours[key], theirs[key])
