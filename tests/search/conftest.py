"""Small populations, settings that need no training, folders of photographs."""

import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported
FAKE = f"{Path(__file__).parent / 'fake_trainer.py'}"


@pytest.fixture(scope="session")
def fake_trainer():
    return f"{FAKE}:train"


@pytest.fixture(scope="session")
def fake_tuner():
    return f"{FAKE}:tune"


@pytest.fixture(scope="session")
def fake_long_tuner():
    return f"{FAKE}:long"


@pytest.fixture(scope="session")
def population():
    """Return a function of n: the first n networks of one sample."""
    from regnet_ds.designspace import SPACES, Budget, sample

    budget = Budget(flops=(3e6, 8e6))
    rng = np.random.default_rng(0)
    drawn = sample(SPACES["regnetx"], 24, budget=budget, rng=rng, resolution=32, classes=10)
    return lambda n: drawn.population.take(np.arange(n))


@pytest.fixture
def settings():
    from regnet_ds.search.populations.settings import Settings

    recipe = {"epochs": 3, "lr": 0.1, "weight_decay": 5e-5}
    return Settings(recipe=recipe, data="digits", resolution=32, classes=10, seed=3)


@pytest.fixture
def url(tmp_path):
    return f"journal:{tmp_path}/s.journal"


@pytest.fixture(scope="session")
def photographs():
    """Return the module of that name beside this file."""
    path = Path(__file__).with_name("photographs.py")
    spec = importlib.util.spec_from_file_location("photographs", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def write_folder(photographs):
    return photographs.write_folder


@pytest.fixture(scope="session")
def photograph(photographs):
    return photographs.photograph
