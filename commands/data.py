"""``regnet-ds data``: write TFRecords, find damaged images, look at the augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import shared
from .progress import counted
from .training_options import Fields, Resolution, SkipDamaged, note_narrowing, read_recipe

Name = Annotated[
    str,
    typer.Argument(
        help="digits, a folder of images or TFRecords, a file .npz, ...", metavar="DATA"
    ),
]
app = typer.Typer(no_args_is_help=True, help="Data sets: facts, TFRecords, damage, pictures.")


@app.command("facts")
def facts(
    data: Name,
    resolution: Resolution = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Show what a data set holds: images by split, classes, size, fingerprint.

    Example: regnet-ds data facts digits
    """
    from ..designspace.tables.columns import require_suffix
    from ..search.data.datasets import load_dataset

    if out is not None:
        require_suffix(out)
    _quiet(data)
    opened = load_dataset(data, resolution=resolution)
    counts = {part: _count(opened, part) for part in ("train", "val", "test")}
    height, width = opened.image_size
    row = {
        "data": opened.name,
        **counts,
        "classes": opened.classes,
        "resolution": height if height == width else f"{height}x{width}",
        "flip": opened.augmentations.flip,
        "min_area_factor": opened.augmentations.min_area_factor,
        "fingerprint": opened.fingerprint[:12],
    }
    shared.emit({key: [value] for key, value in row.items()}, format, out)


def _quiet(data: str) -> None:
    """Import TensorFlow without its greeting, for data that need it."""
    from ..search.data.sources.opening import EMBEDDED
    from ..search.quiet import import_tensorflow

    if data not in EMBEDDED and not data.endswith(".npz"):
        import_tensorflow()


def _count(data: Any, part: str) -> int:
    try:
        return len(data.split(part))
    except ValueError:
        return 0


@app.command("tfrecords")
def tfrecords(
    folder: Annotated[str, typer.Argument(help="Images, a folder a class.")],
    out: Annotated[str, typer.Option("--out", help="Folder of the TFRecords; may be gs://.")],
    images_per_shard: Annotated[int, typer.Option(min=1, help="About so many a file.")] = 1024,
    workers: Annotated[int, typer.Option(min=1, help="Threads; decides nothing else.")] = 4,
    skip_damaged: SkipDamaged = False,
) -> None:
    """Write a folder of images as TFRecords; run again, it continues what was interrupted.

    Example: regnet-ds data tfrecords photos --out photos-tfrecords
    """
    from ..search.quiet import import_tensorflow

    import_tensorflow()
    from ..search.data.sources.opening import open_folder
    from ..search.data.sources.shards import write_shards

    opened = open_folder(folder, skip_damaged=skip_damaged)
    counts = ", ".join(f"{len(images):,} {part}" for part, images in opened.splits.items())
    shared.note(f"{folder}: {counts} images of {len(opened.class_names)} classes")
    with counted("shards") as show:
        n = write_shards(
            opened, out, images_per_shard=images_per_shard, workers=workers, on_progress=show
        )
    shared.note(f"wrote {n} shards to {out}")


@app.command("check")
def check(data: Name) -> None:
    """Read every image of a folder or of TFRecords and name the damaged ones; exit 1 if any.

    Example: regnet-ds data check photos
    """
    from ..search.quiet import import_tensorflow

    import_tensorflow()
    from ..search.data.sources.checking import check_folder, check_shards
    from ..search.data.sources.folders import read_folder
    from ..search.data.sources.opening import split_name
    from ..search.data.sources.tfrecords import find_shards, read_shards

    paths, classes = split_name(data)
    damaged = 0
    for path in paths:
        with counted("checked") as show:
            if find_shards(path):
                read, faults = check_shards(read_shards(path, classes), show)
            else:
                read, faults = check_folder(read_folder(path), show)
        for fault in faults:
            print(fault)
        shared.note(f"{path}: {read:,} images read, {len(faults):,} damaged")
        damaged += len(faults)
    if damaged:
        raise typer.Exit(1)


@app.command("show")
def show(
    data: Name,
    out: Annotated[Path, typer.Option("--out", help="The picture: .png, .svg or .pdf.")],
    images: Annotated[int, typer.Option("-n", min=1, max=20, help="Images, a row each.")] = 4,
    views: Annotated[int, typer.Option(min=1, max=20, help="Augmented views of each.")] = 5,
    fields: Fields = None,
    resolution: Resolution = None,
    seed: shared.Seed = 0,
) -> None:
    """Draw images as evaluation sees them, as training does, and mixed up.

    Example: regnet-ds data show digits --set area_factor=0.6 --out augmented.png
    """
    from ..analysis.style import check_picture
    from ..search.data.datasets import load_dataset
    from ..search.recipes.recipe import Recipe
    from .data_pictures import draw_views

    check_picture(out)
    recipe = read_recipe(Recipe(), None, fields)
    _quiet(data)
    opened = load_dataset(data, resolution=resolution)
    note_narrowing(recipe, opened)
    draw_views(opened, recipe.narrowed(opened.augmentations), out, images, views, seed)
    shared.note(f"drew {out}; seed {seed}")


def register(root: typer.Typer) -> None:
    """Mount the commands."""
    root.add_typer(app, name="data")
