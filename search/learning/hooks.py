"""A hook for what follows a run elsewhere: Weights & Biases, MLflow, or a class of one's own.

A hook is made with the run's facts, gets the record of every epoch and the final metrics.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Mapping
from typing import Any, Protocol


class Hook(Protocol):
    """Follows a run."""

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """Get an epoch's record: epoch, lr, loss, error, seconds, images_per_second."""
        ...

    def on_end(self, metrics: Mapping[str, Any]) -> None:
        """Get the final metrics."""
        ...


class WeightsAndBiases:
    """Sends a run to Weights & Biases; ``WANDB_PROJECT`` names the project."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        project = os.environ.get("WANDB_PROJECT", "regnet-ds")
        self._run = _module("wandb").init(project=project, config=dict(facts))

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """Log an epoch."""
        self._run.log(dict(record), step=record["epoch"])

    def on_end(self, metrics: Mapping[str, Any]) -> None:
        """Write the summary and end the run."""
        self._run.summary.update(dict(metrics))
        self._run.finish()


class MLflow:
    """Sends a run to MLflow; ``MLFLOW_TRACKING_URI`` says where."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._mlflow = _module("mlflow")
        self._mlflow.start_run()
        self._mlflow.log_params({**facts["recipe"], "model": facts["model"], "seed": facts["seed"]})

    def on_epoch(self, record: Mapping[str, Any]) -> None:
        """Log an epoch."""
        self._mlflow.log_metrics(_numbers(record), step=record["epoch"])

    def on_end(self, metrics: Mapping[str, Any]) -> None:
        """Log the final metrics and end the run."""
        self._mlflow.log_metrics(_numbers(metrics))
        self._mlflow.end_run()


HOOKS: dict[str, Callable[[Mapping[str, Any]], Hook]] = {
    "wandb": WeightsAndBiases,
    "mlflow": MLflow,
}


def find_hook(name: str) -> Callable[[Mapping[str, Any]], Hook]:
    """Return what makes a hook of a run's facts: ``wandb``, ``mlflow`` or ``module:name``.

    Raises
    ------
    ValueError
        If there is no such hook or its package is not installed.
    """
    if name in HOOKS:
        _module(name)
        return HOOKS[name]
    module, colon, attribute = name.partition(":")
    try:
        if not colon:
            raise ImportError("write module:name")
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"no hook {name!r}: wandb, mlflow or module:name ({error})") from None


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ValueError(f"the hook {name} needs the package: pip install {name}") from None


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
