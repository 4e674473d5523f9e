"""``regnet-ds canonical``: the 24 canonical configurations with their training recipes."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from . import shared


class Source(StrEnum):
    """Where the recipes come from."""

    PAPER = "paper"
    POST = "post"
    TUNED = "tuned"


SHOW = (
    "name",
    "keras_name",
    "timm_name",
    "stage_widths",
    "stage_depths",
    "flops",
    "params",
    "acts",
    "recipe_optimizer",
    "recipe_lr",
    "recipe_batch_size",
    "recipe_weight_decay",
    "published_top1_error",
)


def canonical(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; all 24 if none.", show_default=False)
    ] = None,
    recipe: Annotated[
        Source, typer.Option(help="paper, post (the Keras training) or tuned (needs --study).")
    ] = Source.PAPER,
    study: Annotated[
        str | None, typer.Option(help="Storage that `tune` wrote: journal:PATH or a path.")
    ] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder: one YAML file a model and table.csv.")
    ] = None,
) -> None:
    """Emit the 24 canonical RegNets: architecture, complexity and training recipe.

    Example: regnet-ds canonical --recipe post --out canonical
    """
    from ..designspace import emit
    from ..designspace.catalogue import CANONICAL, canonical_name

    if (recipe is Source.TUNED) != (study is not None):
        raise ValueError("--recipe tuned and --study belong together")
    chosen = [canonical_name(name) for name in names] if names else list(CANONICAL)
    configurations = configure(chosen, recipe, study)
    if out is not None:
        paths = emit.write_folder(configurations, out)
        shared.note(f"wrote {len(paths) - 1} configurations and table.csv to {out}")
        return
    if format is shared.Format.JSON:
        import json

        json.dump(configurations, sys.stdout, indent=1)
        print()
        return
    columns = emit.flat_columns(configurations)
    shared.emit(columns, format, None, show=[name for name in SHOW if name in columns])


def configure(names: list[str], source: Source, study: str | None) -> list[dict[str, Any]]:
    """Return the configurations of canonical networks with recipes from ``source``."""
    from ..designspace import emit
    from ..search.published import paper_recipe, post_recipe

    if source is Source.PAPER:
        return [
            emit.configuration(name, paper_recipe(name).to_dict(), emit.paper_figures(name))
            for name in names
        ]
    if source is Source.POST:
        return [
            emit.configuration(name, post_recipe(name).to_dict(), emit.post_figures(name))
            for name in names
        ]
    return _tuned(names, study or "")


def _tuned(names: list[str], study: str) -> list[dict[str, Any]]:
    """Tuned recipes where the storage has them; the others keep the paper's and say so."""
    from ..designspace import emit
    from ..search.published import paper_recipe
    from ..search.tuned import tuned_recipes

    found = tuned_recipes(study)
    configurations: list[dict[str, Any]] = []
    for name in names:
        if name in found:
            tuned = dict(found[name])
            values = dict(tuned.pop("recipe"))
            made = emit.configuration(name, {"source": "tuned", **values}, {})
            made["tuned"] = tuned
        else:
            values = {"source": "paper (not tuned)", **paper_recipe(name).to_dict()}
            made = emit.configuration(name, values, emit.paper_figures(name))
        configurations.append(made)
    n_tuned = sum("tuned" in made for made in configurations)
    rest = "" if n_tuned == len(names) else "; the others carry the paper's recipe"
    shared.note(f"{n_tuned} of {len(names)} tuned in {study}{rest}")
    return configurations


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(canonical)
