"""Which trials end before their last epoch: those that do badly beside the trials before them.

A trial of a batch is compared with the trials of earlier batches alone, all of which have ended:
so neither the number of workers nor their speed decides who goes on. Without batches
(``asynchronous``) it is compared with whatever is known at the moment. Errors are compared at
equal shares of the schedule, since the rate of a half cosine follows the share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from ...analysis.records import PRIVATE
from .claims import trials_in

PRUNER = "pruner"  # of a study: a `Pruner`'s attributes
JUDGED = PRIVATE + "judged"  # of a trial that may end early
ASYNCHRONOUS = "asynchronous"  # of a study
KINDS = ("hyperband", "median", "none")
FEWEST = 4  # earlier trials with which one is compared by the median
DEEPEST = 2  # rungs before the last epoch
ENDED = (TrialState.COMPLETE, TrialState.PRUNED)
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Pruner:
    """How trials end early.

    Attributes
    ----------
    kind
        ``hyperband`` (Li et al., 2018): a trial goes on from a rung if it is among the best
        1 / eta of those that came to it; brackets begin at 1/9, at 1/3 and at the end.
        ``median``: it ends once its lowest error is above the median of the others, from the
        share 1 / eta of its schedule on. ``none``.
    eta
        At least 2.
    """

    kind: str = "hyperband"
    eta: int = 3

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"the pruner must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if self.eta < 2:
            raise ValueError(f"eta must be at least 2, got {self.eta}")

    def attributes(self) -> dict[str, Any]:
        """Return the pruner as a study keeps it."""
        return asdict(self)

    def rungs(self, epochs: int, bracket: int = 0) -> list[int]:
        """Return the epochs, before the last, at which a trial of a bracket is compared."""
        found = {round(epochs / self.eta**k) for k in range(1, DEEPEST + 1 - bracket)}
        return sorted(rung for rung in found if 1 <= rung < epochs)

    def bracket(self, index: int) -> int:
        """Return the bracket of a trial: 0 begins earliest, `DEEPEST` is never compared.

        The shares of the brackets are those of Hyperband; indices are spread over them evenly.
        """
        shares = [math.ceil((DEEPEST + 1) / (s + 1) * self.eta**s) for s in range(DEEPEST, -1, -1)]
        place = (index * GOLDEN) % 1.0 * sum(shares)
        return next(b for b in range(DEEPEST + 1) if place < sum(shares[: b + 1]))


NO_PRUNING = Pruner("none")


class Judge:
    """Whether a trial of a study goes on, epoch by epoch."""

    def __init__(self, study: optuna.Study, trial: FrozenTrial, pruner: Pruner) -> None:
        self._study, self._pruner = study, pruner
        self._index: int = trial.user_attrs["index"]
        self._epochs: int = trial.user_attrs["epochs"]
        self._rungs = pruner.rungs(self._epochs, pruner.bracket(self._index))
        self._errors = dict(trial.intermediate_values)  # of attempts that broke off
        self._asynchronous = bool(study.user_attrs.get(ASYNCHRONOUS))
        self._batch: int = study.user_attrs["batch"]
        self._earlier: list[FrozenTrial] = []

    def ends(self, epoch: int, error: float) -> bool:
        """Return whether the trial ends after this epoch, with this error in percent."""
        self._errors[epoch] = error
        if epoch >= self._epochs:
            return False
        if self._pruner.kind == "median":
            begins = math.ceil(self._epochs / self._pruner.eta)
            return epoch >= begins and self._is_above_median(epoch)
        return epoch in self._rungs and not self._is_among_best(epoch, error)

    def _is_above_median(self, epoch: int) -> bool:
        others = self._others(epoch, TrialState.COMPLETE)
        return len(others) >= FEWEST and min(self._errors.values()) > median(others)

    def _is_among_best(self, epoch: int, error: float) -> bool:
        states = tuple(TrialState) if self._asynchronous else ENDED
        everyone = sorted([*self._others(epoch, *states), error])
        if len(everyone) <= self._pruner.eta:
            return True
        return error <= everyone[math.ceil(len(everyone) / self._pruner.eta) - 1]

    def _others(self, epoch: int, *states: TrialState) -> list[float]:
        """Return the errors of other trials at the same share of their schedules."""
        share = epoch / self._epochs
        found = (_error_at(trial, share) for trial in self._others_in() if trial.state in states)
        return [error for error in found if error is not None]

    def _others_in(self) -> Sequence[FrozenTrial]:
        if self._asynchronous:
            everyone = trials_in(self._study, *TrialState)
            return [trial for trial in everyone if trial.user_attrs["index"] != self._index]
        if not self._earlier:  # they have all ended, so that they need not be read again
            first = self._index // self._batch * self._batch
            ended = trials_in(self._study, *ENDED)
            self._earlier = [trial for trial in ended if trial.user_attrs["index"] < first]
        return self._earlier


def _error_at(trial: FrozenTrial, share: float) -> float | None:
    """Return a trial's error after this share of its epochs; None if it did not come so far."""
    epoch = max(1, round(share * trial.user_attrs["epochs"]))
    return trial.intermediate_values.get(epoch)


def judge_of(study: optuna.Study, trial: FrozenTrial) -> Judge | None:
    """Return who judges a trial; None if it may not end early."""
    plan = study.user_attrs.get(PRUNER)
    if not plan or plan["kind"] == "none" or not trial.user_attrs.get(JUDGED):
        return None
    return Judge(study, trial, Pruner(**plan))
