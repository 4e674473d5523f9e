"""How a search spends its epochs: how many networks, with which rungs, and who goes to the end."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields
from typing import Any

METHODS = ("halving", "random", "model")


@dataclass(frozen=True)
class SearchPlan:
    """A search within a budget.

    Attributes
    ----------
    method
        ``halving``: all networks begin a training of full length, whose error by epoch is read at
        rungs; 1 of ``eta`` goes on. ``random``: all are trained to the end, as in DDS. ``model``:
        the same, but a Gaussian process chooses all but the first ``batch``.
    n
        Networks.
    eta
        Of successive halving.
    batch
        Networks that the model chooses at a time; part of the study.
    finalists
        The best, which are trained for ``final_epochs`` with several seeds.
    fewest_seeds, most_seeds
        Each finalist has the fewest; those that the noise does not tell from the best get more.

    Raises
    ------
    ValueError
        If a value is out of range.
    """

    method: str = "halving"
    n: int = 27
    eta: int = 3
    batch: int = 4
    finalists: int = 3
    final_epochs: int = 30
    fewest_seeds: int = 2
    most_seeds: int = 5

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"the method must be one of {', '.join(METHODS)}, got {self.method!r}")
        for field in fields(self):
            value = getattr(self, field.name)
            least = 2 if field.name in ("eta", "fewest_seeds") else 1
            if field.name != "method" and value < least:
                name = field.name.replace("_", " ")
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if self.most_seeds < self.fewest_seeds:
            raise ValueError(
                f"most seeds must be at least the fewest, {self.fewest_seeds}, "
                f"got {self.most_seeds}"
            )

    def rungs(self, epochs: int) -> list[int]:
        """Return the epochs, ascending, at which the networks are compared; the last is the end."""
        found = [epochs]
        while self.method == "halving" and found[0] >= self.eta:
            found.insert(0, round(epochs / self.eta ** len(found)) or 1)
        return sorted(set(found))

    def sizes(self, epochs: int) -> list[int]:
        """Return how many networks come to each rung."""
        found = [self.n]
        for _ in self.rungs(epochs)[1:]:
            found.append(math.ceil(found[-1] / self.eta))
        return found

    def cost(self, epochs: int) -> int:
        """Return the epochs of all networks together, before the finals."""
        rungs = self.rungs(epochs)
        steps = [b - a for a, b in zip([0, *rungs], rungs, strict=False)]
        return sum(n * step for n, step in zip(self.sizes(epochs), steps, strict=True))

    def attributes(self) -> dict[str, Any]:
        """Return the plan as a study keeps it."""
        return asdict(self)
