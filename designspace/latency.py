"""Predicted run time of networks on one device, from their complexity: a fit to measurements.

DDS section 4 fits inference time by a linear and a square-root term of flops, and finds
activations to predict it better than flops. Here milliseconds are linear in flops, activations
and blocks, with coefficients of at least 0; what a device needs is measured on it
(``regnet-ds doctor --calibrate``).
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import Floats
from .budget import Budget
from .population import Population
from .record import SCHEMA
from .sampling import sample
from .spaces import DesignSpace

TERMS = ("flops", "acts", "blocks")
UNITS = {"flops": 1e9, "acts": 1e6, "blocks": 1.0}  # of a coefficient: ms a unit
MOST_DRAWN = 200_000
_TIME = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*(ms|s|us)\s*")


@dataclass(frozen=True)
class LatencyModel:
    """Milliseconds of a batch: fixed + flops / 1e9 * flops + acts / 1e6 * acts + depth * blocks.

    Attributes
    ----------
    fixed, flops, acts, blocks
        Milliseconds; each but the first a unit: 1e9 multiply-adds, 1e6 activations, a block.
    spread
        Standard deviation of log(measured / predicted), each network left out of its own fit:
        0.1 is about 10%.
    n
        Networks that were measured.
    resolution, classes, batch
        Of the measured networks; predictions are for these alone.
    device, threads
        Where they were measured.
    """

    fixed: float
    flops: float
    acts: float
    blocks: float
    spread: float
    n: int
    resolution: int
    classes: int
    batch: int
    device: str
    threads: str = ""

    def predict(self, population: Population) -> Floats:
        """Return the milliseconds of each network, counted at the model's units.

        Raises
        ------
        ValueError
            If the networks are counted at another resolution or other classes.
        """
        for name in ("resolution", "classes"):
            other = np.flatnonzero(getattr(population, name) != getattr(self, name))
            if len(other):
                raise ValueError(
                    f"the device was calibrated at {name} {getattr(self, name)}, not "
                    f"{getattr(population, name)[other[0]]}: calibrate at it, with regnet-ds "
                    f"doctor --calibrate --{name} {getattr(population, name)[other[0]]}"
                )
        return (
            self.fixed
            + self.flops * population.flops / UNITS["flops"]
            + self.acts * population.acts / UNITS["acts"]
            + self.blocks * population.depth
        )

    def to_json(self) -> str:
        """Return the model as JSON."""
        return json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n"


def default_path() -> Path:
    """Return where the calibration of this device is kept: XDG_CACHE_HOME, or ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "regnet-ds" / "latency.json"


def read_latency_model(path: Path | None = None) -> LatencyModel:
    """Return the calibration of this device, or that of a file.

    Raises
    ------
    ValueError
        If there is none, or the file is no calibration.
    """
    place = default_path() if path is None else path
    try:
        values: dict[str, Any] = json.loads(place.read_text(encoding="utf-8"))
        names = {field.name for field in fields(LatencyModel)}
        return LatencyModel(**{key: value for key, value in values.items() if key in names})
    except OSError:
        raise ValueError(
            f"no calibration at {place}: make one with regnet-ds doctor --calibrate"
        ) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{place} is no calibration of a device: {error}") from None


def read_latency(text: str, tolerance: float) -> tuple[float, float]:
    """Return a closed range in milliseconds from ``5ms`` (within a tolerance) or ``4ms:6ms``.

    Raises
    ------
    ValueError
        If it is neither, or inverted.
    """
    parts = [_TIME.fullmatch(part) for part in text.split(":")]
    if len(parts) > 2 or not all(parts):
        raise ValueError(f"cannot read the latency {text!r}: write 5ms or 4ms:6ms")
    scale = {"ms": 1.0, "s": 1e3, "us": 1e-3}
    times = [float(part[1]) * scale[part[2]] for part in parts if part]
    low, high = times[0], times[-1]
    if len(times) == 1:
        low, high = low * (1 - tolerance), high * (1 + tolerance)
    if low > high:
        raise ValueError(f"the latency {text!r} is inverted")
    return low, high


def sample_latency(
    space: DesignSpace,
    n: int,
    model: LatencyModel,
    latency: tuple[float, float],
    *,
    budget: Budget | None = None,
    seed: int = 0,
    unique: str = "params",
) -> tuple[Population, int]:
    """Draw n networks whose predicted latency lies in a range of milliseconds, by rejection.

    Returns
    -------
    The first n of the space's sample (`sampling.sample`) that do, with the extra column
    ``latency_ms``, and how many networks within the budget were drawn.

    Raises
    ------
    ValueError
        If fewer than n are found among 200,000 networks.
    """
    wanted = 64 * n
    while True:
        population = sample(
            space,
            wanted,
            budget=budget,
            rng=np.random.default_rng(seed),
            resolution=model.resolution,
            classes=model.classes,
            unique=unique,
        ).population
        times = model.predict(population)
        low, high = latency
        found = np.flatnonzero((times >= low) & (times <= high))
        if len(found) >= n:
            kept = found[:n]
            return population.take(kept).with_extra(latency_ms=times[kept]), int(kept[-1]) + 1
        if wanted >= MOST_DRAWN:
            raise ValueError(
                f"only {len(found)} of {wanted:,} networks of {space.name} are predicted at "
                f"{low:g} to {high:g} ms (they take {times.min():.3g} to {times.max():.3g} ms)"
            )
        wanted = min(MOST_DRAWN, wanted * 8)
