"""Architectures as tf_keras, timm, torchvision and ClassyVision read them (pycls: format_pycls).

One function a library: architecture in, plain data out, or a ValueError that says what the
library cannot express. A library that makes stages of RegNet parameters is given these only if
its own rule makes the same stages of them (``rules``); torchvision and ClassyVision
also take stages one by one, and get those otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..catalogue import canonical, canonical_name, keras_name, timm_name
from ..linear import RegNetParams
from ..spec import DEFAULT_STEM_WIDTH, NetSpec, bottleneck_multiplier, require_choice
from .pycls_format import PYCLS_BLOCKS, STEM_TYPES, to_pycls
from .rules import StageTuple, classyvision_stages, timm_stages, torchvision_stages

Foreign = dict[str, Any]
Rule = Callable[[RegNetParams], tuple[StageTuple, ...]]
LIBRARIES = ("keras", "timm", "pycls", "torchvision", "classyvision")
N_STAGES = 4  # tf_keras and timm build no other number
TORCH_ACTIVATIONS = {"relu": "ReLU", "silu": "SiLU"}  # torch.nn; its GELU is never in place


def to_keras(spec: NetSpec, *, name: str = "regnet", resolution: int = 224) -> Foreign:
    """Return the arguments of ``tf_keras.applications.regnet.RegNet``.

    ``name`` becomes the model's; tf_keras finds its weights by it (``regnetx002``).

    Raises
    ------
    ValueError
        If the network has anything but four stages of stride 2, blocks x or y with relu, one
        group width, no bottleneck, a simple stem of 32 channels and no head convolution. tf_keras
        has a block Z that does not build.
    """
    _require(spec.block in ("x", "y"), "tf_keras", f"block {spec.block}")
    _require(spec.activation == "relu", "tf_keras", f"activation {spec.activation}")
    _require_simple_stem(spec, "tf_keras", width=DEFAULT_STEM_WIDTH)
    _require_four_stages_of_stride_2(spec, "tf_keras")
    _require(spec.head_width == 0, "tf_keras", f"a head convolution (head_width {spec.head_width})")
    ratios = {stage.bottleneck_ratio for stage in spec.stages}
    _require(ratios == {1.0}, "tf_keras", f"bottleneck ratios other than 1, here {sorted(ratios)}")
    group = max(stage.group_width for stage in spec.stages)
    for stage in spec.stages:  # 0 groups, where the width is below the group width, become 1
        same = stage.group_width == min(group, stage.width)
        _require(same, "tf_keras", f"group widths {stage.group_width} and {group} in one network")
    _require_squeezes_of_keras(spec)
    return {
        "depths": [stage.depth for stage in spec.stages],
        "widths": [stage.width for stage in spec.stages],
        "group_width": group,
        "block_type": spec.block.upper(),
        "default_size": resolution,
        "model_name": name,
    }


def to_timm(spec: NetSpec, *, name: str | None = None, classes: int = 1000) -> Foreign:
    """Return timm's configuration: ``architecture``, ``num_classes`` and ``model_args``.

    ``model_args`` are the fields of ``timm.models.regnet.RegNetCfg``. ``architecture`` is timm's
    name, where the network has one.

    Raises
    ------
    ValueError
        If the network is not a RegNet of four stages whose widths timm's rule gives too, or has
        strides other than 2, a stem other than the simple one, or blocks other than x, y and z.
        Block z needs a head convolution: timm puts an activation after the body otherwise.
    """
    _require(spec.block in ("x", "y", "z"), "timm", f"block {spec.block}")
    _require_simple_stem(spec, "timm")
    _require_four_stages_of_stride_2(spec, "timm")
    linear = spec.block == "z"
    _require(
        spec.head_width > 0 or not linear,
        "timm",
        "block z without a head convolution (head_width 0): it puts an activation in its place",
    )
    _require_squeezes(spec, "timm")
    params = spec.parameters
    if params is None:
        raise ValueError("timm makes stages of RegNet parameters (w0, wa, wm), which it lacks here")
    made = timm_stages(params)
    if made != _own_stages(spec):
        raise ValueError(f"timm's rule gives other widths: {_both_widths(spec, made)}")
    return {
        "architecture": name,
        "num_classes": classes,
        "model_args": {
            "depth": params.depth,
            "w0": params.w0,
            "wa": float(params.wa),
            "wm": float(params.wm),
            "group_size": params.group_width,
            "bottle_ratio": bottleneck_multiplier(params.bottleneck_ratio),
            "se_ratio": float(spec.se_ratio),
            "stem_width": spec.stem_width,
            "downsample": None if linear else "conv1x1",
            "linear_out": linear,
            "num_features": spec.head_width,
            "act_layer": spec.activation,
        },
    }


def to_torchvision(spec: NetSpec, *, classes: int = 1000) -> Foreign:
    """Return torchvision's arguments: of ``BlockParams`` and of ``RegNet``.

    ``from_init_params`` holds the arguments of ``BlockParams.from_init_params``, where these
    give the network; where torchvision's rounding would give another one (five of the canonical
    24), or the network is no RegNet, ``block_params`` holds those of ``BlockParams`` itself.
    ``activation`` names a class of ``torch.nn``.

    Raises
    ------
    ValueError
        If the network has blocks other than x, y and r, a stem other than the simple one, a
        head convolution, or the activation gelu.
    """
    _require(spec.block in ("x", "y", "r"), "torchvision", f"block {spec.block}")
    _require_simple_stem(spec, "torchvision")
    no_head = spec.head_width == 0
    _require(no_head, "torchvision", f"a head convolution (head_width {spec.head_width})")
    _require(spec.activation in TORCH_ACTIVATIONS, "torchvision", f"activation {spec.activation}")
    _require_squeezes(spec, "torchvision")
    se_ratio = float(spec.se_ratio) or None
    params = _parameters_for(spec, torchvision_stages)
    made: Foreign = (
        {"block_params": {**_stage_lists(spec), "se_ratio": se_ratio}}
        if params is None
        else {"from_init_params": {**_init_params(params), "se_ratio": se_ratio}}
    )
    return {
        **made,
        "stem_width": spec.stem_width,
        "num_classes": classes,
        "activation": TORCH_ACTIVATIONS[spec.activation],
    }


def to_classyvision(spec: NetSpec, *, classes: int = 1000) -> Foreign:
    """Return ClassyVision's model configuration, the argument of its ``build_model``.

    The model is its ``regnet`` where that gives the network, else its ``anynet``.

    Raises
    ------
    ValueError
        If the network has blocks v or vr or the activation gelu.
    """
    _require(spec.block in PYCLS_BLOCKS, "ClassyVision", f"block {spec.block}")
    _require(spec.activation in TORCH_ACTIVATIONS, "ClassyVision", f"activation {spec.activation}")
    _require_squeezes(spec, "ClassyVision")
    params = _parameters_for(spec, classyvision_stages)
    body: Foreign = (
        {"name": "anynet", **_stage_lists(spec)}
        if params is None
        else {"name": "regnet", **_init_params(params)}
    )
    return {
        **body,
        "stem_type": STEM_TYPES[spec.stem_type],
        "stem_width": spec.stem_width,
        "block_type": PYCLS_BLOCKS[spec.block],
        "activation": spec.activation,
        "use_se": spec.se_ratio > 0,
        "se_ratio": float(spec.se_ratio),
        "heads": [
            {
                "name": "fully_connected",
                "unique_id": "default_head",
                "num_classes": classes,
                "in_plane": spec.stages[-1].width,
                "conv_planes": spec.head_width or None,
                "activation": spec.activation,
                "fork_block": "trunk_output",
            }
        ],
    }


def canonical_as(library: str, name: str, *, recipe: dict[str, Any] | None = None) -> Foreign:
    """Return a canonical network (224 px, 1000 classes) as a library reads it.

    ``recipe`` holds the fields of a training recipe; only pycls's files have room for one.

    Raises
    ------
    ValueError
        If there is no such library or network, or pycls cannot follow the recipe.
    """
    require_choice("library", library, LIBRARIES)
    name, spec = canonical_name(name), canonical(name)
    if library == "keras":
        return to_keras(spec, name=keras_name(name).lower())
    if library == "timm":
        return to_timm(spec, name=timm_name(name))
    if library == "pycls":
        return to_pycls(spec, recipe=recipe)
    return to_torchvision(spec) if library == "torchvision" else to_classyvision(spec)


def _parameters_for(spec: NetSpec, rule: Rule) -> RegNetParams | None:
    """Return the RegNet parameters, if a library's rule makes the network's stages of them."""
    params, strides = spec.parameters, {stage.stride for stage in spec.stages}
    same = params is not None and strides == {2} and rule(params) == _own_stages(spec)
    return params if same else None


def _own_stages(spec: NetSpec) -> tuple[StageTuple, ...]:
    return tuple((stage.depth, stage.width, stage.group_width) for stage in spec.stages)


def _both_widths(spec: NetSpec, made: tuple[StageTuple, ...]) -> str:
    theirs = " ".join(str(width) for _, width, _ in made)
    return f"{theirs}, not {' '.join(str(stage.width) for stage in spec.stages)}"


def _init_params(params: RegNetParams) -> Foreign:
    return {
        "depth": params.depth,
        "w_0": params.w0,
        "w_a": float(params.wa),
        "w_m": float(params.wm),
        "group_width": params.group_width,
        "bottleneck_multiplier": bottleneck_multiplier(params.bottleneck_ratio),
    }


def _stage_lists(spec: NetSpec) -> Foreign:
    ratios = [stage.bottleneck_ratio for stage in spec.stages]
    return {
        "depths": [stage.depth for stage in spec.stages],
        "widths": [stage.width for stage in spec.stages],
        "group_widths": [stage.group_width for stage in spec.stages],
        "bottleneck_multipliers": [bottleneck_multiplier(ratio) for ratio in ratios],
        "strides": [stage.stride for stage in spec.stages],
    }


def _require(able: bool, library: str, what: str) -> None:
    if not able:
        raise ValueError(f"{library} cannot express {what}")


def _require_simple_stem(spec: NetSpec, library: str, width: int | None = None) -> None:
    _require(spec.stem_type == "simple", library, f"stem_type {spec.stem_type}")
    fits = width in (None, spec.stem_width)
    _require(fits, library, f"stem_width {spec.stem_width}: it is always {width}")


def _require_four_stages_of_stride_2(spec: NetSpec, library: str) -> None:
    strides = [stage.stride for stage in spec.stages]
    _require(
        strides == [2] * N_STAGES, library, f"stage_strides {strides}: it has 4 stages of stride 2"
    )


def _squeeze_inputs(spec: NetSpec) -> set[int]:
    """Return the widths that go into blocks, of which a squeeze takes its share."""
    within = {stage.width for stage in spec.stages if stage.depth > 1}
    return {spec.stem_width, *within, *(stage.width for stage in spec.stages[:-1])}


def _require_squeezes(spec: NetSpec, library: str) -> None:
    """Refuse squeezes that round to no channel: here, as in pycls, such a block has none."""
    if spec.se_ratio > 0:
        least = min(_squeeze_inputs(spec))
        able = round(least * spec.se_ratio) > 0
        _require(able, library, f"se_ratio {spec.se_ratio} of {least} channels: it rounds to 0")


def _require_squeezes_of_keras(spec: NetSpec) -> None:
    """Refuse squeezes other than 1/4, and those that tf_keras rounds down and we round up."""
    if spec.block == "y":
        _require(spec.se_ratio == 0.25, "tf_keras", f"se_ratio {spec.se_ratio}: it is always 0.25")
        for width in sorted(_squeeze_inputs(spec)):
            same = round(width * 0.25) == int(width * 0.25)
            _require(
                same, "tf_keras", f"width {width}: it squeezes to {int(width * 0.25)} channels"
            )
