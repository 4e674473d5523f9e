"""One device, several, JAX, XLA: the same loss curve; each case in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from regnet_ds.designspace import RegNetParams
from regnet_ds.regnet import build
from regnet_ds.search.data.batches import Evaluation
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.learning.accelerator import (
    Hardware,
    choose_place,
    require_multiple,
    xla_pays,
)
from regnet_ds.search.learning.backends.seam import Place
from regnet_ds.search.learning.training import train
from regnet_ds.search.recipes.recipe import Recipe

PROGRAM = Path(__file__).with_name("accelerated.py")
SPEC = RegNetParams(depth=2, w0=8, wa=8.0, wm=2.0, group_width=4).to_spec()
HARD = {"ema_decay": 0.9, "clip_norm": 1.0, "mixup_alpha": 0.2, "label_smoothing": 0.1}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Return a file of 4 textures in noise, which a network learns; 61 of them are validation."""
    rng = np.random.default_rng(0)
    labels = np.arange(305) % 4
    textures = rng.normal(size=(4, 16, 16, 3))
    pixels = 0.5 + 0.1 * textures[labels] + 0.1 * rng.normal(size=(305, 16, 16, 3))
    path = tmp_path_factory.mktemp("images") / "textures.npz"
    np.savez(path, images=pixels.clip(0, 1).astype(np.float32), labels=labels)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a file of initial weights, as JAX draws others than TensorFlow."""
    model = build(SPEC, input_shape=(16, 16, 3), classes=4, data_format="channels_last")
    path = tmp_path_factory.mktemp("weights") / "initial.npz"
    np.savez(path, *model.get_weights())
    return path


def run(backend, devices, images, weights, runs, **rest):
    asked = {"backend": backend, "devices": devices, "images": str(images), "runs": runs, **rest}
    asked["weights"] = str(weights) if weights else None
    env = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    program = [sys.executable, str(PROGRAM)]
    text = json.dumps(asked)
    done = subprocess.run(program, input=text, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def assert_same_curves(one, other, steps=10):
    assert len(one["losses"]) == len(other["losses"]) == steps
    assert np.allclose(one["losses"], other["losses"], rtol=0, atol=1e-4)
    assert one["weights"] == pytest.approx(other["weights"], rel=1e-4)
    assert one["losses"][-1] < one["losses"][0] - 0.1  # something was learnt
    assert one["evaluated"] == pytest.approx(one["errors"][-1], abs=2)


def case(recipe=None, **hardware):
    return {"hardware": hardware, "recipe": recipe or {}}


@pytest.mark.slow
@pytest.mark.smoke
def test_eight_devices_of_jax_train_as_one(images):
    one, eight = run("jax", 8, images, None, [case(devices=1), case()])
    assert (one["devices"], eight["devices"]) == ("1 cpu", "8 cpu")
    assert_same_curves(one, eight)


@pytest.mark.slow
def test_jax_trains_as_tensorflow_with_everything_that_a_recipe_asks(images, weights):
    (ours,) = run("tensorflow", 1, images, weights, [case(HARD)])
    one, eight, together = run(
        "jax",
        8,
        images,
        weights,
        [case(HARD, devices=1), case(HARD), case(HARD, steps_per_execution=2)],
    )
    for other in (one, eight, together):
        assert_same_curves(ours, other)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_two_replicas_of_tensorflow_train_as_one(images, optimizer):
    recipe = {**HARD, "optimizer": optimizer, "lr": 0.05 if optimizer == "sgd" else 0.01}
    one, two, together = run(
        "tensorflow",
        2,
        images,
        None,
        [case(recipe, devices=1), case(recipe), case(recipe, steps_per_execution=2)],
    )
    assert (one["devices"], two["devices"]) == ("1 cpu", "2 cpu")
    assert_same_curves(one, two)
    assert_same_curves(one, together)


@pytest.mark.slow
def test_the_step_compiles_with_native_grouped_convolutions(images, weights):
    plain, compiled = run("tensorflow", 1, images, weights, [case(), case(xla=True)], native=True)
    assert compiled["xla"] and not plain["xla"]
    assert_same_curves(plain, compiled)


@pytest.mark.slow
def test_half_precision_learns_on_both_backends(images, weights):
    for backend in ("tensorflow", "jax"):
        (half,) = run(backend, 2, images, None, [case(precision="bfloat16")])
        assert half["losses"][-1] < half["losses"][0] - 0.1


def test_hardware_is_validated():
    with pytest.raises(ValueError, match="accelerator must be one of auto, cpu, gpu, tpu, got 'x'"):
        Hardware(accelerator="x")
    with pytest.raises(ValueError, match="precision must be one of float32, bfloat16"):
        Hardware(precision="float16")
    with pytest.raises(ValueError, match="devices must be at least 0, got -1"):
        Hardware(devices=-1)
    with pytest.raises(ValueError, match="steps_per_execution must be a positive integer, got 0"):
        Hardware(steps_per_execution=0)


def test_what_is_missing_is_said():
    with pytest.raises(ValueError, match="accelerator tpu needs Keras on JAX: set KERAS_BACKEND"):
        choose_place(Hardware(accelerator="tpu"))
    with pytest.raises(ValueError, match="accelerator gpu: there is none here"):
        choose_place(Hardware(accelerator="gpu"))
    with pytest.raises(ValueError, match="devices 3: there are 1 of cpu here"):
        choose_place(Hardware(devices=3))
    assert len(choose_place(Hardware())) == 1


def test_slices_of_several_hosts_are_refused(monkeypatch):
    jax = pytest.importorskip("jax")
    from regnet_ds.search.learning.backends import on_jax

    monkeypatch.setattr(jax, "process_count", lambda: 4)
    with pytest.raises(ValueError, match="this is one of 4 hosts; training uses the devices of"):
        on_jax.find_devices("cpu")


def test_every_device_gets_as_many_images():
    require_multiple(64, 8)
    with pytest.raises(
        ValueError, match="batch_size 100 is not a multiple of the 8 devices: 96 or"
    ):
        require_multiple(100, 8)
    with pytest.raises(ValueError, match=r"is not a multiple of the 8 devices: 8$"):
        require_multiple(3, 8)


@pytest.mark.parametrize("multiple", [1, 7, 8])
def test_evaluation_counts_every_image_once_whatever_the_devices(images, multiple):
    data = load_dataset(str(images))
    batches = list(Evaluation(data, "val", multiple=multiple))
    assert all(len(pixels) % multiple == 0 for pixels, _ in batches)
    labels = np.concatenate([labels for _, labels in batches])
    assert np.array_equal(labels, data.val.labels)
    assert all((pixels[len(labels) :] == 0).all() for pixels, labels in batches)


def test_long_trainings_on_a_gpu_are_compiled():
    gpu, cpu, two = (
        Place("gpu", ("GPU:0",)),
        Place("cpu", ("CPU:0",)),
        Place("gpu", ("GPU:0", "GPU:1")),
    )
    assert not xla_pays(Hardware(), gpu, 100) and xla_pays(Hardware(), gpu, 10**6)
    assert not xla_pays(Hardware(), two, 10**6) and not xla_pays(Hardware(), cpu, 10**6)
    assert xla_pays(Hardware(xla=True), cpu, 1) and not xla_pays(Hardware(xla=False), gpu, 10**6)


def test_several_steps_by_one_call_are_the_same_steps(images):
    """With 5 steps an epoch, two calls of two and one of one."""
    recipe = Recipe(epochs=2, batch_size=32, area_factor=1.0, flip=False, pca_std=0.0)
    data = load_dataset(str(images))
    one = train(SPEC, recipe, data, hardware=Hardware(devices=1))
    several = train(SPEC, recipe, data, hardware=Hardware(devices=1, steps_per_execution=2))
    assert several.steps == one.steps
    for a, b in zip(one.model.get_weights(), several.model.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-5)
