"""Architectures and recipes as pycls's configuration files hold them (configs/dds_baselines).

Keys and defaults: pycls ``core/config.py``. Its configuration system takes a whole number for a
fraction as an error, so fractions are always written as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..linear import RegNetParams
from ..spec import NetSpec, bottleneck_multiplier

# an r is a bottleneck block with one group
PYCLS_BLOCKS = {
    "x": "res_bottleneck_block",
    "y": "res_bottleneck_block",
    "z": "res_bottleneck_linear_block",
    "r": "res_bottleneck_block",
    "basic": "res_basic_block",
    "vanilla": "vanilla_block",
}
STEM_TYPES = {"simple": "simple_stem_in", "resnet": "res_stem_in", "cifar": "res_stem_cifar"}
DEFAULTS: dict[str, Any] = {  # of REGNET and ANYNET; a key at its default is not written
    "STEM_TYPE": "simple_stem_in",
    "STEM_W": 32,
    "BLOCK_TYPE": "res_bottleneck_block",
    "STRIDE": 2,
    "SE_ON": False,
    "SE_R": 0.25,
    "BOT_MUL": 1.0,
    "HEAD_W": 0,
}
# recipe field -> pycls key and default
OPTIM_OPTIONS: dict[str, tuple[str, Any]] = {
    "optimizer": ("OPTIMIZER", "sgd"),
    "nesterov": ("NESTEROV", True),
    "warmup_factor": ("WARMUP_FACTOR", 0.1),
}
TRAIN_OPTIONS: dict[str, tuple[str, Any]] = {
    "label_smoothing": ("LABEL_SMOOTHING", 0.0),
    "mixup_alpha": ("MIXUP_ALPHA", 0.0),
    "pca_std": ("PCA_STD", 0.1),
}
AREA_FACTOR = 0.08  # pycls's smallest crop, which no key changes
GPUS = 8  # of the published configurations
TEST_SHARE = 25 / 32  # of the training batch, in the published configurations
TEST_SIZE = 8 / 7  # test images are scaled to this times the resolution, then cropped


def to_pycls(
    spec: NetSpec,
    *,
    recipe: Mapping[str, Any] | None = None,
    resolution: int = 224,
    classes: int = 1000,
) -> dict[str, Any]:
    """Return the tree of a pycls configuration file.

    ``recipe`` holds the fields of a training recipe by name; without one there is the model
    alone. The model is pycls's ``regnet`` where its parameters give the network, else its
    ``anynet``. The data set is always ImageNet.

    Raises
    ------
    ValueError
        If the network has blocks v or vr, or the recipe crops or flips otherwise than pycls.
    """
    if spec.block not in PYCLS_BLOCKS:
        raise ValueError(f"pycls cannot express block {spec.block}")
    params = _regnet_parameters(spec)
    model: dict[str, Any] = {"TYPE": "anynet" if params is None else "regnet"}
    model["NUM_CLASSES"] = classes
    if spec.activation != "relu":
        model["ACTIVATION_FUN"] = spec.activation
    tree: dict[str, Any] = {"MODEL": model}
    if params is None:
        tree["ANYNET"] = {**_options(spec, {}), **_stage_lists(spec)}
    else:
        tree["REGNET"] = _regnet(spec, params)
    return tree if recipe is None else {**tree, **_training(recipe, resolution)}


def _regnet_parameters(spec: NetSpec) -> RegNetParams | None:
    """Return the RegNet parameters, if pycls makes the network's stages of them."""
    params, strides = spec.parameters, {stage.stride for stage in spec.stages}
    if params is None or len(strides) > 1 or spec.block == "r":
        return None
    stages = tuple(stage.stride for stage in spec.stages)
    made = params.to_spec(block=spec.block, stage_strides=stages).stages
    return params if made == spec.stages else None


def _regnet(spec: NetSpec, params: RegNetParams) -> dict[str, Any]:
    others = {
        "STRIDE": spec.stages[0].stride,
        "BOT_MUL": bottleneck_multiplier(params.bottleneck_ratio),
    }
    return {
        **_options(spec, others),
        "DEPTH": params.depth,
        "W0": params.w0,
        "WA": float(params.wa),
        "WM": float(params.wm),
        "GROUP_W": params.group_width,
    }


def _options(spec: NetSpec, others: dict[str, Any]) -> dict[str, Any]:
    """Return what differs from pycls's defaults, squeeze-and-excitation first as it has it."""
    values = {
        "SE_ON": spec.se_ratio > 0,
        "SE_R": float(spec.se_ratio) or DEFAULTS["SE_R"],
        "STEM_TYPE": STEM_TYPES[spec.stem_type],
        "STEM_W": spec.stem_width,
        "BLOCK_TYPE": PYCLS_BLOCKS[spec.block],
        "HEAD_W": spec.head_width,
        **others,
    }
    return {key: value for key, value in values.items() if value != DEFAULTS[key]}


def _stage_lists(spec: NetSpec) -> dict[str, Any]:
    ratios = [stage.bottleneck_ratio for stage in spec.stages]
    return {
        "DEPTHS": [stage.depth for stage in spec.stages],
        "WIDTHS": [stage.width for stage in spec.stages],
        "STRIDES": [stage.stride for stage in spec.stages],
        "BOT_MULS": [bottleneck_multiplier(ratio) for ratio in ratios],
        "GROUP_WS": [stage.group_width for stage in spec.stages],
    }


def _training(recipe: Mapping[str, Any], resolution: int) -> dict[str, Any]:
    if recipe["area_factor"] != AREA_FACTOR:
        given = recipe["area_factor"]
        raise ValueError(f"pycls crops to at least {AREA_FACTOR} of an image, got {given}")
    if not recipe["flip"]:
        raise ValueError("pycls always flips images: flip must be true, got False")
    batch, images = recipe["batch_size"], recipe["precise_bn_images"]
    gpus = GPUS if batch % GPUS == 0 else 1
    sgd = {"MOMENTUM": float(recipe["momentum"])} if recipe["optimizer"] == "sgd" else {}
    tree: dict[str, Any] = {} if images == 8192 else {"BN": {"NUM_SAMPLES_PRECISE": images}}
    tree["OPTIM"] = {
        **_changed(recipe, OPTIM_OPTIONS),
        "LR_POLICY": "cos",
        "BASE_LR": float(recipe["lr"]),
        "MAX_EPOCH": recipe["epochs"],
        **sgd,
        "WEIGHT_DECAY": float(recipe["weight_decay"]),
        "WARMUP_EPOCHS": recipe["warmup_epochs"],
    }
    tree["TRAIN"] = {
        "DATASET": "imagenet",
        "IM_SIZE": resolution,
        "BATCH_SIZE": batch,
        **_changed(recipe, TRAIN_OPTIONS),
    }
    tree["TEST"] = {
        "DATASET": "imagenet",
        "IM_SIZE": round(resolution * TEST_SIZE),
        "BATCH_SIZE": gpus * max(1, int(batch * TEST_SHARE / gpus)),
    }
    return {**tree, "NUM_GPUS": gpus, "OUT_DIR": "."}


def _changed(recipe: Mapping[str, Any], options: dict[str, tuple[str, Any]]) -> dict[str, Any]:
    """Return the keys whose recipe field differs from pycls's default."""
    values = {key: (recipe[field], default) for field, (key, default) in options.items()}
    return {
        key: float(value) if isinstance(default, float) else value
        for key, (value, default) in values.items()
        if value != default
    }
