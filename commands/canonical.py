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


class Library(StrEnum):
    """Whose configurations to write."""

    KERAS = "keras"
    TIMM = "timm"
    PYCLS = "pycls"
    TORCHVISION = "torchvision"
    CLASSYVISION = "classyvision"


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
    library: Annotated[
        Library | None,
        typer.Option("--as", help="What another library reads; pycls's has the recipe too."),
    ] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="A folder: one file a model and, without --as, table.csv."),
    ] = None,
) -> None:
    """Emit the 24 canonical RegNets: architecture, complexity and training recipe.

    With --as, YAML for keras, timm, pycls and torchvision, JSON for classyvision or with --format
    json; on stdout a YAML document each, or one JSON object by name.

    Example: regnet-ds canonical --recipe post --out canonical

    Example: regnet-ds canonical RegNetY-8.0GF --as pycls --out configs
    """
    from ..designspace import emit
    from ..designspace.catalogue import CANONICAL, canonical_name

    if (recipe is Source.TUNED) != (study is not None):
        raise ValueError("--recipe tuned and --study belong together")
    chosen = [canonical_name(name) for name in names] if names else list(CANONICAL)
    if library is not None:
        _emit_as(library, foreign(chosen, library, recipe, study), format, out)
        return
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


def foreign(
    names: list[str], library: Library, source: Source, study: str | None
) -> dict[str, dict[str, Any]]:
    """Return the configurations that a library reads, by canonical name."""
    from ..designspace.foreign.formats import canonical_as

    if library is Library.PYCLS:
        trees: dict[str, dict[str, Any]] = {}
        for made in configure(names, source, study):
            try:
                trees[made["name"]] = canonical_as(library, made["name"], recipe=made["recipe"])
            except ValueError as error:
                raise ValueError(f"{made['name']}, recipe {source}: {error}") from error
        return trees
    if source is not Source.PAPER:
        raise ValueError(f"--recipe {source} needs --as pycls: {library} files hold no recipe")
    return {name: canonical_as(library, name) for name in dict.fromkeys(names)}


def _emit_as(
    library: Library, trees: dict[str, dict[str, Any]], format: shared.Format, out: Path | None
) -> None:
    """Write or print the configurations of a library, in its own notation or as JSON."""
    from ..designspace import emit

    if format is shared.Format.CSV:
        raise ValueError("--as writes YAML or JSON, got --format csv")
    json = library is Library.CLASSYVISION or format is shared.Format.JSON
    if out is not None:
        suffix = "json" if json else "yaml"
        texts = {f"{name}.{suffix}": emit.dump_foreign(trees[name], json=json) for name in trees}
        emit.write_texts(texts, out)
        shared.note(f"wrote {len(texts)} {'file' if len(texts) == 1 else 'files'} to {out}")
    elif json:
        print(emit.dump_foreign(trees, json=True), end="")
    else:
        for name, tree in trees.items():
            print(f"---\n# {name}\n{emit.dump_foreign(tree, json=False)}", end="")
    stagewise = [name for name, tree in trees.items() if "block_params" in tree]
    if stagewise:
        shared.note(
            f"torchvision's rounding gives other widths for {', '.join(stagewise)}: written as "
            "arguments of BlockParams itself, not of from_init_params"
        )


def configure(names: list[str], source: Source, study: str | None) -> list[dict[str, Any]]:
    """Return the configurations of canonical networks with recipes from ``source``."""
    from ..designspace import emit
    from ..search.recipes.published import paper_recipe, post_recipe

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
    from ..search.recipes.published import paper_recipe
    from ..search.sizes.tuned import tuned_recipes

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
