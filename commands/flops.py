"""``regnet-ds flops``: FLOPs, parameters and activations of any Keras model, layer by layer."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from ..designspace.tables.columns import Columns
from . import models, shared

if TYPE_CHECKING:
    from ..regnet.accounting import LayerCost


class By(StrEnum):
    """What a row stands for."""

    LAYER = "layer"
    TYPE = "type"
    TOTAL = "total"


def flops(
    model: models.What,
    by: Annotated[By, typer.Option("--by", help="A row a layer, a class of layers, or one.")] = (
        By.LAYER
    ),
    resolution: models.Size = None,
    input_shape: models.InputShapes = None,
    classes: shared.Classes = 1000,
    partial: Annotated[
        bool, typer.Option("--partial", help="Leave empty what cannot be counted; else an error.")
    ] = False,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Count the multiply-adds, parameters and activations of any Keras model, layer by layer.

    Example: regnet-ds flops model.keras

    Example: regnet-ds flops model.keras --resolution 320x256 --by type --format csv

    Example: regnet-ds flops RegNetY-400MF --by total
    """
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    size, shapes = models.read_size(resolution), models.read_shapes(input_shape)
    if size is not None and shapes is not None:
        raise ValueError("--resolution and --input-shape say the same: give one")
    name, network = models.make_model(model, size, classes)
    rows = _count(network, size, shapes)
    uncounted = [row for row in rows if row.reason]
    if uncounted and not partial:
        first = f"{uncounted[0].layer} ({uncounted[0].type}) {uncounted[0].reason}"
        rest = f" and {len(uncounted) - 1} more" if len(uncounted) > 1 else ""
        raise ValueError(f"cannot count {first}{rest}; --partial counts the others")
    columns = _columns(name, rows, by)
    if out is not None or format is not shared.Format.TABLE:
        shared.emit(columns, format, out)
    else:
        _print(columns, rows, by)
    for row in uncounted:
        shared.note(f"not counted: {row.layer} ({row.type}) {row.reason}")


def _count(
    network, size: tuple[int, int] | None, shapes: list[tuple[int, ...]] | None
) -> list[LayerCost]:
    import keras

    from ..regnet import accounting
    from ..regnet.networks.input_shapes import model_inputs

    if shapes is None and size is not None:
        tensors = keras.tree.flatten(model_inputs(network, resolution=size))
        shapes = [tuple(tensor.shape[1:]) for tensor in tensors]
    return accounting.by_layer(network, input_shape=shapes)


def _columns(name: str, rows: list[LayerCost], by: By) -> Columns:
    from ..regnet import accounting

    if by is By.TOTAL:
        cost = accounting.total(rows)
        record = {
            "model": name,
            "layers": len(rows),
            "uncounted": sum(bool(row.reason) for row in rows),
            "flops": cost.flops,
            "bias_adds": sum(row.bias_adds or 0 for row in rows),
            "params": cost.params,
            "acts": cost.acts,
        }
        return {key: [value] for key, value in record.items()}
    shown = accounting.by_type(rows) if by is By.TYPE else rows
    keys = ("layer", "type", "calls", "output", "flops", "bias_adds", "params", "acts", "reason")
    if by is By.TYPE:
        keys = tuple(key for key in keys if key != "output")
    if not any(row.reason for row in rows):
        keys = keys[:-1]
    columns = {key: [getattr(row, key) for row in shown] for key in keys}
    return {"layers" if key == "layer" and by is By.TYPE else key: columns[key] for key in keys}


def _print(columns: Columns, rows: list[LayerCost], by: By) -> None:
    from ..regnet import accounting

    shared.print_table(columns, max_rows=len(columns["flops"]))
    if by is By.TOTAL:
        return
    cost, bias_adds = accounting.total(rows), sum(row.bias_adds or 0 for row in rows)
    print(
        f"\nflops {cost.flops:,} (multiply-adds of one image, {bias_adds:,} of them bias adds), "
        f"params {cost.params:,}, acts {cost.acts:,}"
    )


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(flops)
