"""What the commands that train share: options, and reading their values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared

if TYPE_CHECKING:
    from ..search.queue.guards import Guards, Limits
    from ..search.queue.ray_cluster import RayCluster
    from ..search.recipes.recipe import Recipe

STORAGE = "regnet-ds.journal"
Storage = Annotated[
    str, typer.Option(help="journal:PATH, a path, sqlite:///PATH or postgresql://...")
]
TrialStorage = Annotated[str, typer.Option(help="Where STUDY#17 is.")]
Number = Annotated[int, typer.Option("-n", "--number", min=1, help="How many networks.")]
Force = Annotated[bool, typer.Option("--force", help="Continue a study made with other settings.")]
Data = Annotated[str, typer.Option(help="The data set.")]
Resolution = Annotated[
    int | None, typer.Option(min=1, help="Side in pixels; else the data's, or 224.")
]
SkipDamaged = Annotated[
    bool, typer.Option("--skip-damaged", help="Leave out images that cannot be read.")
]
Workers = Annotated[int, typer.Option(help="Processes that train; decides nothing else.")]
Threads = Annotated[int, typer.Option(min=1, help="Of one training; part of the study.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training split.")]
Fields = Annotated[
    list[str] | None,
    typer.Option("--set", help="A field of the recipe, as lr=0.1; may be repeated."),
]
Trainer = Annotated[
    str | None, typer.Option(help="module:function in place of our own training.", hidden=True)
]
Memory = Annotated[
    str | None,
    typer.Option(help="That a trial may need, 4G; else an equal share of 90% of the machine's."),
]
TrialTime = Annotated[
    str | None, typer.Option("--trial-time", help="That a trial may take: 90s, 15m, 2h.")
]
Fresh = Annotated[
    int | None, typer.Option(min=1, help="Trials that a process trains before a fresh one.")
]
TimeLimit = Annotated[
    str | None, typer.Option("--time-limit", help="Of this run, 2h: then running trials wait.")
]
MaxTrials = Annotated[
    int | None, typer.Option("--max-trials", min=1, help="That this run trains at most.")
]
Executor = Annotated[
    str, typer.Option(help="local: processes of this machine; ray: actors on a cluster.")
]
Address = Annotated[
    str | None, typer.Option(help="Of the Ray cluster: auto, HOST:6379, ray://HOST:10001.")
]
Resources = Annotated[
    str | None, typer.Option(help="Of a worker on Ray, beside its threads: TPU=4 or GPU=1.")
]
DryRun = Annotated[
    bool,
    typer.Option("--dry-run", help="Say what the run would take, from 20 steps; store nothing."),
]


def quiet_optuna() -> None:
    """Keep Optuna from saying on stderr what the commands say themselves."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)


def read_recipe(recipe: Recipe, epochs: int | None, fields: list[str] | None) -> Recipe:
    """Return the recipe with the fields that the options set."""
    from ..search.recipes.recipe import Recipe

    values: dict[str, Any] = recipe.to_dict()
    for field in fields or []:
        key, equals, text = field.partition("=")
        if not equals:
            raise ValueError(f"--set takes field=value, got {field!r}")
        flags = {"true": True, "false": False}
        values[key.strip()] = flags.get(text.strip().lower(), text.strip())
    if epochs is not None:
        values["epochs"] = epochs
    return Recipe.from_dict(values)


def note_narrowing(recipe: Recipe, data: Any) -> None:
    """Say what of a recipe the data set does not allow."""
    excess = recipe.excess(data.augmentations)
    if excess:
        parts = [f"{name} {asked} -> {allowed}" for name, (asked, allowed) in excess.items()]
        shared.note(f"{data.name} allows less augmentation: {', '.join(parts)}")


def read_guards(memory: str | None, trial_time: str | None, fresh: int | None) -> Guards:
    """Return the limits of the options on each trial."""
    from ..search.queue.guards import Guards

    held = None if memory is None else read_bytes(memory)
    return Guards(held, None if trial_time is None else read_seconds(trial_time), fresh)


def read_cluster(executor: str, address: str | None, resources: str | None) -> RayCluster | None:
    """Return the Ray cluster of the options; None for processes of this machine."""
    from ..search.queue.ray_cluster import RayCluster, read_resources

    if executor not in ("local", "ray"):
        raise ValueError(f"the executor must be local or ray, got {executor!r}")
    if executor == "ray":
        return RayCluster(address, read_resources(resources or ""))
    if address is not None or resources is not None:
        raise ValueError("--address and --resources belong to --executor ray")
    return None


def read_limits(time_limit: str | None, max_trials: int | None) -> Limits:
    """Return the limits of the options on the run."""
    from ..search.queue.guards import Limits

    return Limits(None if time_limit is None else read_seconds(time_limit), max_trials)


def read_seconds(text: str) -> float:
    """Return seconds from ``90``, ``90s``, ``15m``, ``2h`` or ``1d``."""
    return _read(text, {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}, "a time", "15m or 2h")


def read_bytes(text: str) -> int:
    """Return bytes from ``800M`` or ``4G`` (powers of 1024)."""
    units = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
    return int(_read(text.strip().removesuffix("B").removesuffix("i"), units, "a size", "4G"))


def _read(text: str, units: dict[str, int], what: str, example: str) -> float:
    parts = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*([a-z]?)", text.strip().lower())
    if parts is None or parts[2] not in units or not float(parts[1]) > 0:
        raise ValueError(f"cannot read {text!r} as {what}: write {example}")
    read = float(parts[1]) * units[parts[2]]
    if not read < 2**63:
        raise ValueError(f"cannot read {text!r} as {what}: too large")
    return read


def shown_storage(storage: str) -> str:
    """Return a storage as messages may name it, without a password."""
    from ..analysis.storages.storage import parse_url

    return parse_url(storage).shown


def finish(done: bool, reached: str = "") -> None:
    """End with exit code 130 if the run was interrupted; say so if its own limit ended it."""
    if done:
        return
    if reached:
        shared.note(f"stopped after {reached}; the same command continues")
        return
    shared.note("stopped; the same command continues")
    raise typer.Exit(130)
