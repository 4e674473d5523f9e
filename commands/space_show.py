"""``regnet-ds space list | show | check | schema``: design spaces, published and from files."""

from __future__ import annotations

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import shared

if TYPE_CHECKING:
    from ..designspace.spaces import DesignSpace

Name = Annotated[str, typer.Argument(help="A published space, or a .yaml file.")]
SHOW = ("parameter", "each", "law", "low", "high", "quantum", "choices", "values")


class As(StrEnum):
    """What the definition of a space is written as."""

    YAML = "yaml"


def list_spaces(
    format: shared.OutputFormat = shared.Format.TABLE, out: shared.Output = None
) -> None:
    """List the published design spaces.

    Example: regnet-ds space list
    """
    from ..designspace.space_catalogue import SPACES
    from ..designspace.tables.columns import require_suffix
    from ..designspace.tables.space_tables import space_columns

    if out is not None:
        require_suffix(out)
    shared.emit(space_columns(list(SPACES.values())), format, out)


def show(
    name: Name,
    as_: Annotated[
        As | None, typer.Option("--as", help="The definition, as a file to change and read again.")
    ] = None,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Show the parameters of a space, their laws and sizes, the stages and the constraints.

    Example: regnet-ds space show regnetx --as yaml
    """
    from ..designspace.space_catalogue import find_space
    from ..designspace.space_files.writer import to_yaml
    from ..designspace.tables.columns import require_suffix
    from ..designspace.tables.space_tables import parameter_columns

    if out is not None:
        require_suffix(out, (".yaml",)) if as_ else require_suffix(out)
    space = find_space(name)
    if as_ is As.YAML:
        _write(to_yaml(space), out)
        return
    if out is None and format is shared.Format.TABLE:
        _print_heading(space)
    shared.emit(parameter_columns(space), format, out, show=SHOW)


def _print_heading(space: DesignSpace) -> None:
    from ..designspace.blocks import BLOCK_FACTS
    from ..designspace.tables.space_tables import constraints_of

    facts = BLOCK_FACTS[space.block]
    squeeze = facts.se_ratio if space.se_ratio is None else space.se_ratio
    print(_summary(space))
    print(f"source: {space.source or '-'}")
    print(
        f"stem {space.stem_type} {space.stem_width}, head width {space.head_width}, "
        f"se ratio {squeeze:g}, {space.activation or facts.activation}, "
        f"strides {' '.join(map(str, space.stage_strides or ())) or '2'}"
    )
    print(f"constraints: {' & '.join(constraints_of(space)) or 'none'}\n")


def _summary(space: DesignSpace) -> str:
    from ..designspace.counting import count_settings
    from ..designspace.tables.space_tables import stages_of

    stages = "1 stage" if space.stages == (1, 1) else f"{stages_of(space)} stages"
    settings = f"{count_settings(space):,} parameter settings"
    return f"{space.name}: {space.family}, block {space.block}, {stages}, {settings}"


def check(file: Annotated[Path, typer.Argument(help="A .yaml file of a design space.")]) -> None:
    """Check the file of a design space: list every fault at once, or draw a network from it.

    Example: regnet-ds space check my-space.yaml
    """
    import numpy as np

    from ..designspace.blocks import STEM_FACTS
    from ..designspace.drawing.judging import Units, strides_of
    from ..designspace.sampling import sample
    from ..designspace.space_files.reader import read_space

    space = read_space(file)
    stride = STEM_FACTS[space.stem_type].total_stride * int(np.prod(strides_of(space)))
    resolution = max(Units().resolution, stride)
    drawn = sample(space, 1, rng=np.random.default_rng(0), resolution=resolution)
    print(_summary(space))
    print(
        f"sound: candidate {drawn.n_drawn:,} is a network (rejected before it: "
        f"{drawn.describe_rejections()})"
    )


def schema(out: shared.Output = None) -> None:
    """Print the JSON Schema of space files, for editors that complete and check them.

    Example: regnet-ds space schema --out space.schema.json
    """
    from ..designspace.space_files.schema import space_schema
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out, (".json",))
    _write(json.dumps(space_schema(), indent=2) + "\n", out)


def _write(text: str, out: Path | None) -> None:
    from ..designspace.atomic import whole_file

    if out is None:
        sys.stdout.write(text)
        return
    with whole_file(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    shared.note(f"wrote {out}")


def add(app: typer.Typer) -> None:
    """Mount the commands on the sub-app ``space``."""
    app.command("list")(list_spaces)
    app.command("show")(show)
    app.command("check")(check)
    app.command("schema")(schema)
