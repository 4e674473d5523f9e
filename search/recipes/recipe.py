"""Training recipes: hyperparameters as data, and nothing else. Imports neither Keras nor pandas.

``Recipe()`` is the short regime in which DDS compares populations (section 3, footnote 5).
``Recipe.paper`` and ``Recipe.post`` are the published recipes of the canonical networks.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..data.datasets import Augmentations

OPTIMIZERS = ("sgd", "adamw")
SCHEDULES = ("cosine",)
STEPPED_BY = ("epoch", "step")
WHOLE = ("epochs", "batch_size", "warmup_epochs", "precise_bn_images", "lr_batch", "patience")
CHOICES = {"optimizer": OPTIMIZERS, "schedule": SCHEDULES, "stepped_by": STEPPED_BY}
FLAGS = ("nesterov", "flip", "mixup_per_image", "decay_norms")
# Left out of a record at their defaults, so that records made before they existed stay equal.
LATER = (
    "stepped_by",
    "lr_batch",
    "decay_norms",
    "mixup_per_image",
    "ema_decay",
    "clip_norm",
    "patience",
)
RANGES: dict[str, tuple[float, float, str]] = {  # low, high, how the range is written
    "epochs": (1, 100_000, "[1, 100000]"),
    "lr": (0, 1000, "(0, 1000]"),
    "batch_size": (1, 2**20, "[1, 1048576]"),
    "momentum": (0, 1, "[0, 1)"),
    "weight_decay": (0, 1, "[0, 1]"),
    "warmup_epochs": (0, 100_000, "[0, 100000]"),
    "warmup_factor": (0, 1, "(0, 1]"),
    "label_smoothing": (0, 1, "[0, 1)"),
    "mixup_alpha": (0, 100, "[0, 100]"),
    "area_factor": (0, 1, "(0, 1]"),
    "pca_std": (0, 10, "[0, 10]"),
    "precise_bn_images": (1, 2**31 - 1, "[1, 2147483647]"),
    "lr_batch": (0, 2**20, "[0, 1048576]"),
    "ema_decay": (0, 1, "[0, 1)"),
    "clip_norm": (0, 1e6, "[0, 1000000]"),
    "patience": (0, 100_000, "[0, 100000]"),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    epochs
        Passes over the training split.
    optimizer
        ``sgd`` (momentum, decay added to the gradient as in torch.optim.SGD) or ``adamw``.
    lr
        Peak learning rate at ``batch_size``, or at ``lr_batch`` where that is given.
    batch_size
        Images a step; what is left of an epoch is dropped.
    momentum, nesterov
        Of SGD.
    weight_decay
        Of every trainable weight, batch norm included unless ``decay_norms`` is false.
    schedule
        ``cosine``: half a period.
    warmup_epochs, warmup_factor
        The rate starts at lr times the factor and rises linearly.
    label_smoothing
        s: targets are 1 - s + s / classes and s / classes.
    mixup_alpha
        Of the Beta(alpha, alpha) that mixes a batch with its reverse; 0 is off.
    area_factor
        Smallest crop, as a fraction of the image's area; 1 is no crop.
    flip
        Mirror half of the images.
    pca_std
        Of the colour jitter along ImageNet's principal components; 0 is off.
    precise_bn_images
        Images from which batch-norm statistics are computed before the final evaluation.
    stepped_by
        The rate changes by ``epoch``, as in pycls and the post, or by ``step``.
    lr_batch
        The batch for which ``lr`` is given: what is applied is lr batch_size / lr_batch. 0: lr.
    decay_norms
        Whether batch norms' and biases' weights decay too.
    mixup_per_image
        Draw mixup's share for each image; else once a batch, as published.
    ema_decay
        Of the moving average of the weights, a step, with which the network is evaluated; 0 is
        off.
    clip_norm
        Largest norm of all gradients together; 0 is off.
    patience
        Epochs without a lower validation error after which training stops; the best epoch's
        weights are kept. 0 is off.

    Raises
    ------
    ValueError
        If any value is out of range; the message lists every fault.
    """

    epochs: int = 10
    optimizer: str = "sgd"
    lr: float = 0.05
    batch_size: int = 128
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 5e-5
    schedule: str = "cosine"
    warmup_epochs: int = 0
    warmup_factor: float = 0.1
    label_smoothing: float = 0.0
    mixup_alpha: float = 0.0
    area_factor: float = 0.08
    flip: bool = True
    pca_std: float = 0.1
    precise_bn_images: int = 8192
    stepped_by: str = "epoch"
    lr_batch: int = 0
    decay_norms: bool = True
    mixup_per_image: bool = False
    ema_decay: float = 0.0
    clip_norm: float = 0.0
    patience: int = 0

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise ValueError("; ".join(faults))

    @property
    def peak_lr(self) -> float:
        """The rate before schedule and warm-up, by the linear rule where lr_batch is given."""
        return self.lr * self.batch_size / self.lr_batch if self.lr_batch else self.lr

    def learning_rate(self, epoch: int, progress: float = 0.0) -> float:
        """Return the rate during the epoch of this index, from 0 (pycls ``get_epoch_lr``).

        ``progress``, in [0, 1), is the share of the epoch that is done; it counts where the rate
        is stepped by step.
        """
        time = epoch + progress if self.stepped_by == "step" else epoch
        rate = self.peak_lr * 0.5 * (1 + math.cos(math.pi * time / self.epochs))
        if time < self.warmup_epochs:
            alpha = time / self.warmup_epochs
            rate *= self.warmup_factor * (1 - alpha) + alpha
        return rate

    def excess(self, allowed: Augmentations) -> dict[str, tuple[Any, Any]]:
        """Return what a data set does not allow: field -> (value asked, value allowed)."""
        limits: dict[str, Any] = {
            "flip": self.flip and allowed.flip,
            "area_factor": max(self.area_factor, allowed.min_area_factor),
            "pca_std": self.pca_std if allowed.pca else 0.0,
        }
        asked = {name: getattr(self, name) for name in limits}
        return {name: (asked[name], limits[name]) for name in limits if asked[name] != limits[name]}

    def narrowed(self, allowed: Augmentations) -> Recipe:
        """Return this recipe with no more augmentation than a data set allows."""
        return replace(self, **{name: limit for name, (_, limit) in self.excess(allowed).items()})

    def to_dict(self) -> dict[str, Any]:
        """Return the fields by name, as plain numbers, texts and flags.

        Fields that came later than the first records are left out at their defaults.
        """
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in LATER or value != defaults[name]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe of these fields; missing ones take their defaults.

        Whole numbers pass for fractions, and numbers may be texts (YAML reads 5e-5 as one).

        Raises
        ------
        ValueError
            If a key is unknown (the nearest is named) or a value out of range; all at once.
        """
        names = [field.name for field in fields(cls)]
        known = {key: as_number(key, value) for key, value in values.items() if key in names}
        faults = [field_fault(str(key), None) for key in values if key not in names]
        try:
            recipe = cls(**known)
        except ValueError as error:
            faults.append(str(error))
        if faults:
            raise ValueError("; ".join(faults))
        return recipe

    @classmethod
    def paper(cls, name: str) -> Recipe:
        """Return the recipe of DDS for a canonical network (section 5; pycls's configurations)."""
        from .published import paper_recipe

        return paper_recipe(name)

    @classmethod
    def post(cls, name: str) -> Recipe:
        """Return the recipe of the post ("Training RegNets for tf.keras.applications")."""
        from .published import post_recipe

        return post_recipe(name)


def require_optimizer(name: str) -> None:
    """Raise ValueError unless there is such an optimiser."""
    fault = field_fault("optimizer", name)
    if fault:
        raise ValueError(fault)


def field_fault(name: str, value: Any) -> str:
    """Return what is wrong with a field's name or its value, seen alone; "" for nothing."""
    if name in RANGES:
        return _range_fault(name, value)
    if name in CHOICES:
        return _choice_fault(name, value)
    if name in FLAGS:
        return "" if isinstance(value, bool) else f"{name} must be true or false, got {value!r}"
    names = [field.name for field in fields(Recipe)]
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.0)[0]
    return f"a recipe has no field {name!r} (nearest: {nearest})"


def as_number(key: str, value: Any) -> Any:
    """Return the value of a field as a number, where it is one written as a text.

    YAML reads 5e-5 as a text.
    """
    if key not in RANGES or isinstance(value, bool) or not isinstance(value, int | float | str):
        return value
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if key in WHOLE and number.is_integer() else number


def _faults(recipe: Recipe) -> list[str]:
    values = {field.name: getattr(recipe, field.name) for field in fields(recipe)}
    every = [field_fault(name, values[name]) for name in (*CHOICES, *FLAGS, *RANGES)]
    faults = [fault for fault in every if fault]
    return faults or _disagreements(recipe)


def _choice_fault(name: str, value: Any) -> str:
    if isinstance(value, str) and value in CHOICES[name]:
        return ""
    return f"{name} must be one of {', '.join(CHOICES[name])}, got {value!r}"


def _range_fault(name: str, value: Any) -> str:
    low, high, text = RANGES[name]
    whole = name in WHOLE
    kind = "a whole number" if whole else "a number"
    fault = f"{name} must be {kind} in {text}, got {value!r}"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        return fault
    above = value >= low if text[0] == "[" else value > low
    below = value <= high if text[-1] == "]" else value < high
    return "" if above and below else fault


def _disagreements(recipe: Recipe) -> list[str]:
    """Return the faults of values that are valid one by one."""
    faults: list[str] = []
    if recipe.warmup_epochs >= recipe.epochs:
        faults.append(
            f"warmup_epochs must be below epochs, got {recipe.warmup_epochs} of {recipe.epochs}"
        )
    if recipe.optimizer == "sgd" and recipe.nesterov and recipe.momentum == 0:
        faults.append("nesterov needs a positive momentum, got 0")
    return faults
