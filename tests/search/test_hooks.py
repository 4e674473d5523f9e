"""The hooks for W&B and MLflow, against stand-ins with the calls that these packages have."""

import sys
from types import ModuleType, SimpleNamespace

import pytest
from regnet_ds.search.learning.hooks import find_hook

FACTS = {"model": "regnetx", "seed": 3, "recipe": {"lr": 0.1, "epochs": 2}}
RECORD = {"epoch": 1, "lr": 0.1, "error": 50.0}
METRICS = {"status": "complete", "error": 40.0, "best_epoch": None}


@pytest.fixture
def calls():
    return []


def test_weights_and_biases(monkeypatch, calls):
    run = SimpleNamespace(
        log=lambda record, step: calls.append((record, step)),
        summary={},
        finish=lambda: calls.append("finish"),
    )
    module = ModuleType("wandb")
    module.init = lambda project, config: calls.append((project, config)) or run
    monkeypatch.setitem(sys.modules, "wandb", module)
    monkeypatch.setenv("WANDB_PROJECT", "mine")
    hook = find_hook("wandb")(FACTS)
    hook.on_epoch(RECORD)
    hook.on_end(METRICS)
    assert calls == [("mine", FACTS), (RECORD, 1), "finish"] and run.summary == METRICS


def test_mlflow(monkeypatch, calls):
    module = ModuleType("mlflow")
    module.start_run = lambda: calls.append("start")
    module.log_params = lambda params: calls.append(params)
    module.log_metrics = lambda metrics, step=None: calls.append((metrics, step))
    module.end_run = lambda: calls.append("end")
    monkeypatch.setitem(sys.modules, "mlflow", module)
    hook = find_hook("mlflow")(FACTS)
    hook.on_epoch(RECORD)
    hook.on_end(METRICS)
    assert calls == [
        "start",
        {"lr": 0.1, "epochs": 2, "model": "regnetx", "seed": 3},
        ({"epoch": 1.0, "lr": 0.1, "error": 50.0}, 1),
        ({"error": 40.0}, None),
        "end",
    ]


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ValueError, match="the hook wandb needs the package: pip install wandb"):
        find_hook("wandb")
    with pytest.raises(ValueError, match=r"no hook 'json:nothing': wandb, mlflow or module:name"):
        find_hook("json:nothing")
