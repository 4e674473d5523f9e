"""``regnet-ds scale``: a network scaled to another complexity (FMS)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import shared

if TYPE_CHECKING:
    from ..designspace.scaling import ScalingFactors
    from ..designspace.spec import NetSpec
    from ..designspace.widths.efficientnet import EfficientNet

SHOW = (
    "network",
    "stage_widths",
    "stage_depths",
    "stage_group_widths",
    "resolution",
    "test_resolution",
    "flops",
    "params",
    "acts",
)
METRICS = ("flops", "params", "acts")


def scale(
    what: Annotated[
        list[str],
        typer.Argument(help="A model's name, or parameters as key=value.", show_default=False),
    ],
    factor: Annotated[float, typer.Option("--factor", help="In FLOPs, above 0.")],
    kind: Annotated[
        str | None,
        typer.Option(
            "--type",
            help="Weights of depth, width, group width and resolution, as dwr or d1_w2_g2.",
            show_default="d1_w8_g8_r1",
        ),
    ] = None,
    alpha: Annotated[
        float | None,
        typer.Option(help="Instead of --type: the share of the width, 0 to 1 (0.8 is fast)."),
    ] = None,
    resolution: shared.Resolution = 224,
    test_resolution: Annotated[int, typer.Option(min=1, help="Input size of testing.")] = 256,
    classes: shared.Classes = 1000,
    format: shared.OutputFormat = shared.Format.TABLE,
    out: shared.Output = None,
) -> None:
    """Scale a network by the rules of "Fast and Accurate Model Scaling".

    Prints the network before and after, at its resolution of training, with the ratios of both.
    Models: the 24 RegNets, resnet-50, efficientnet-b0.

    Example: regnet-ds scale RegNetY-4.0GF --factor 4

    Example: regnet-ds scale resnet-50 --factor 2 --type dwr --format json
    """
    from ..designspace.scaling import FAST, family_factors, scale_resolution, scaling_factors
    from ..designspace.tables.columns import require_suffix

    if out is not None:
        require_suffix(out)
    if kind is not None and alpha is not None:
        raise ValueError(f"--type {kind} and --alpha {alpha:g} are two ways to scale: use one")
    if alpha is not None:
        factors = family_factors(alpha, factor)
    else:
        factors = scaling_factors(FAST if kind is None else kind, factor)
    name, net = _network(what)
    sizes = (resolution, test_resolution)
    scaled_sizes = tuple(scale_resolution(size, factors.resolution) for size in sizes)
    before = _row("before", net, sizes, classes)
    after = _row("after", _scaled(net, factors), scaled_sizes, classes)
    for row in (before, after):
        row["name"] = name
        row["factor"] = factor if row is after else 1.0
        for metric in METRICS:
            row[f"{metric}_ratio"] = row[metric] / before[metric]
    columns = {key: [before[key], after[key]] for key in before}
    shared.emit(columns, format, out, SHOW)
    if out is None and format is shared.Format.TABLE:
        _print_ratios(factors, after)


def _network(what: list[str]) -> tuple[str, NetSpec | EfficientNet]:
    from ..designspace.widths.landmarks import find_network
    from .describe import read_parameters

    if len(what) == 1 and "=" not in what[0]:
        return find_network(what[0])
    return "", read_parameters(what)


def _scaled(net: NetSpec | EfficientNet, factors: ScalingFactors) -> NetSpec | EfficientNet:
    from ..designspace.scaling import scale
    from ..designspace.widths.efficientnet import EfficientNet, scale_efficientnet

    if isinstance(net, EfficientNet):
        return scale_efficientnet(net, factors)
    return scale(net, factors)


def _row(
    label: str, net: NetSpec | EfficientNet, sizes: tuple[int, ...], classes: int
) -> dict[str, Any]:
    """Return the record of a network; an EfficientNet has the keys that apply to it."""
    from ..designspace.record import RECORD_KEYS, SCHEMA, to_record
    from ..designspace.spec import require_resolution
    from ..designspace.widths.efficientnet import EfficientNet, efficientnet_complexity

    resolution, test_resolution = sizes
    require_resolution(net.total_stride, resolution, test_resolution)
    row: dict[str, Any] = {"network": label, "name": "", "factor": 1.0}
    if not isinstance(net, EfficientNet):
        row |= to_record(net, resolution=resolution, classes=classes)
    else:
        cost = efficientnet_complexity(net, resolution=resolution, classes=classes)
        row |= dict.fromkeys(RECORD_KEYS)
        row |= {
            "schema": SCHEMA,
            "block": "mbconv",
            "depth": sum(stage.depth for stage in net.stages),
            "se_ratio": net.se_ratio,
            "stem_width": net.stem_width,
            "head_width": net.head_width,
            "activation": "silu",
            "stage_strides": tuple(stage.stride for stage in net.stages),
            "stage_widths": tuple(stage.width for stage in net.stages),
            "stage_depths": tuple(stage.depth for stage in net.stages),
            "resolution": resolution,
            "classes": classes,
        }
        row |= {metric: getattr(cost, metric) for metric in METRICS}
    row["test_resolution"] = test_resolution
    return row


def _print_ratios(factors: ScalingFactors, after: dict[str, Any]) -> None:
    print(
        f"\nscaled by: depth {factors.depth:.4g}, width {factors.width:.4g}, "
        f"group width {factors.group_width:.4g}, resolution {factors.resolution:.4g}"
    )
    ratios = ", ".join(f"{metric} {after[f'{metric}_ratio']:.3f}" for metric in METRICS)
    print(f"ratios after / before: {ratios}")


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(scale)
