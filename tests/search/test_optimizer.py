import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from regnet_ds.search.recipes.recipe import Recipe

STEPS, SIZE = 100, 7
PEER = os.environ.get("REGNET_DS_PEER_PYTHON", sys.executable)
RECIPES = {
    "nesterov": Recipe(weight_decay=0.01),
    "heavy-ball": Recipe(weight_decay=0.01, nesterov=False),
    "plain": Recipe(weight_decay=0.0, nesterov=False, momentum=0.0),
    "adamw": Recipe(optimizer="adamw", weight_decay=0.05),
}


@pytest.fixture(params=RECIPES)
def recipe(request):
    return RECIPES[request.param]


@pytest.fixture
def problem(recipe):
    return make_problem(recipe)


def make_problem(recipe):
    """Return a weight, gradients of very different sizes and a changing rate."""
    rng = np.random.default_rng(0)
    scale = np.logspace(-4, 1, SIZE)
    lr = 0.002 if recipe.optimizer == "adamw" else 0.05
    return {
        "weight": rng.normal(size=SIZE).astype(np.float32),
        "gradients": (rng.normal(size=(STEPS, SIZE)) * scale).astype(np.float32),
        "lrs": (lr * (1 + np.cos(np.pi * np.arange(STEPS) / STEPS))).astype(np.float32),
    }


@pytest.fixture(scope="module")
def torch_history():
    """Return the weights after each step of torch.optim, by recipe."""
    requests = {
        name: {
            "optimizer": recipe.optimizer,
            "options": options(recipe),
            **{key: values.tolist() for key, values in make_problem(recipe).items()},
        }
        for name, recipe in RECIPES.items()
    }
    program = [PEER, str(Path(__file__).with_name("torch_peer.py"))]
    done = subprocess.run(program, input=json.dumps(requests), capture_output=True, text=True)
    if "No module named 'torch'" in done.stderr:
        pytest.skip("torch is not installed: set REGNET_DS_PEER_PYTHON to a Python that has it")
    assert done.returncode == 0, done.stderr
    return {name: np.array(history) for name, history in json.loads(done.stdout).items()}


def options(recipe):
    if recipe.optimizer == "adamw":
        return {"weight_decay": recipe.weight_decay}
    names = ("momentum", "nesterov", "weight_decay")
    return {name: getattr(recipe, name) for name in names}


def assert_close(got, want, tolerance=1e-6):
    """Assert a difference small beside each weight's largest value on its way."""
    assert (np.abs(got - want).max(axis=0) <= tolerance * np.abs(want).max(axis=0)).all()


def formula(recipe, problem):
    """Return the weights after each step by torch's documented formulas, in float64."""
    w = problem["weight"].astype(np.float64)
    buffer = mean = square = np.zeros(SIZE)
    history = []
    for t, (lr, g) in enumerate(zip(problem["lrs"], problem["gradients"], strict=True), start=1):
        lr, g = float(lr), g.astype(np.float64)
        if recipe.optimizer == "sgd":
            g = g + recipe.weight_decay * w
            buffer = g if t == 1 else recipe.momentum * buffer + g
            w = w - lr * (g + recipe.momentum * buffer if recipe.nesterov else buffer)
        else:
            w = w - lr * recipe.weight_decay * w
            mean = 0.9 * mean + 0.1 * g
            square = 0.999 * square + 0.001 * g * g
            root = np.sqrt(square) / np.sqrt(1 - 0.999**t) + 1e-8
            w = w - lr / (1 - 0.9**t) * mean / root
        history.append(w)
    return np.array(history)


def run(recipe, problem, *, fused):
    """Return the weights after each step of ours, fused or on any backend."""
    import keras
    from regnet_ds.search.learning.optimizer import make_optimizer

    weight = keras.Variable(problem["weight"])
    optimizer = make_optimizer(recipe, [weight])
    history = []
    for lr, gradient in zip(problem["lrs"], problem["gradients"], strict=True):
        if fused:
            optimizer.apply([keras.ops.convert_to_tensor(gradient)], keras.ops.array(lr))
        else:
            optimizer.apply_anywhere([gradient], lr)
        history.append(keras.ops.convert_to_numpy(weight).copy())
    return np.array(history)


@pytest.mark.parametrize("fused", [True, False])
def test_the_formulas_of_torch(recipe, problem, fused):
    assert_close(run(recipe, problem, fused=fused), formula(recipe, problem), tolerance=5e-6)


@pytest.mark.parametrize("name", RECIPES)
def test_torch_itself(name, torch_history):
    recipe = RECIPES[name]
    assert_close(run(recipe, make_problem(recipe), fused=True), torch_history[name])


def test_keras_decays_less():
    """The reason for an SGD of our own: with momentum, coupled decay is far stronger."""
    import keras

    decay, lr = 0.01, 0.1
    ours = run(
        Recipe(weight_decay=decay, nesterov=False),
        {
            "weight": np.ones(1, np.float32),
            "gradients": np.zeros((50, 1), np.float32),
            "lrs": np.full(50, lr, np.float32),
        },
        fused=True,
    )
    weight = keras.Variable(np.ones(1, np.float32))
    optimizer = keras.optimizers.SGD(lr, momentum=0.9, weight_decay=decay)
    for _ in range(50):
        optimizer.apply([keras.ops.zeros(1)], [weight])
    assert (1 - ours[-1, 0]) / (1 - float(keras.ops.convert_to_numpy(weight)[0])) > 5


def test_every_weight_is_updated_once():
    import keras
    from regnet_ds.search.learning.optimizer import SGD

    weights = [keras.Variable(np.full(n, 1.0, np.float32)) for n in (1, 2, 3)]
    optimizer = SGD(weights, momentum=0.0, nesterov=False)
    optimizer.apply([keras.ops.full((n,), float(n)) for n in (1, 2, 3)], keras.ops.array(0.1))
    assert [float(keras.ops.convert_to_numpy(w)[0]) for w in weights] == pytest.approx(
        [0.9, 0.8, 0.7]
    )
