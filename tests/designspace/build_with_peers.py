"""Build other libraries' models from our configurations and count their parameters.

JSON on stdin: a list of [library, configuration]; on stdout the counts, or null where the library
is not installed. ``timm stages`` and ``torchvision stages`` answer (depth, width, group width) of
the stages of [depth, w0, wa, wm, group width, 1 / b] instead.

A program of its own: TensorFlow and torch in one process abort.
"""

import json
import sys


def count_torch(model):
    return sum(parameter.numel() for parameter in model.parameters())


def build_timm(config):
    from timm.models.regnet import RegNet, RegNetCfg

    cfg = RegNetCfg(**config["model_args"])
    return count_torch(RegNet(cfg, num_classes=config["num_classes"], device="meta"))


def create_timm(config):
    """Build by name, as ``timm.create_model`` does it, changed by the arguments."""
    import timm

    name, arguments = config["architecture"], config["model_args"]
    made = timm.create_model(name, num_classes=config["num_classes"], device="meta", **arguments)
    return count_torch(made)


def build_torchvision(config):
    import torch
    from torchvision.models.regnet import BlockParams, RegNet

    if "from_init_params" in config:
        params = BlockParams.from_init_params(**config["from_init_params"])
    else:
        params = BlockParams(**config["block_params"])
    activation = getattr(torch.nn, config["activation"])
    with torch.device("meta"):
        return count_torch(
            RegNet(params, config["num_classes"], config["stem_width"], activation=activation)
        )


def build_keras(config):
    from tf_keras.src.applications.regnet import RegNet  # not public, unlike RegNetX002 and so on

    model = RegNet(**config, weights=None)
    return sum(weight.shape.num_elements() for weight in model.trainable_weights)


def timm_stages(values):
    import torch
    from timm.models.regnet import adjust_widths_groups_comp, generate_regnet

    depth, w0, wa, wm, group, multiplier = values
    widths, n_stages, groups = generate_regnet(wa, w0, wm, depth, group)
    widths, depths = torch.unique(torch.tensor(widths), return_counts=True)
    ratios = [multiplier] * n_stages
    widths, groups = adjust_widths_groups_comp(widths.tolist(), ratios, groups)
    return list(zip(depths.tolist(), widths, groups, strict=True))


def torchvision_stages(values):
    from torchvision.models.regnet import BlockParams

    params = BlockParams.from_init_params(*values)
    return list(zip(params.depths, params.widths, params.group_widths, strict=True))


BUILDERS = {
    "timm stages": timm_stages,
    "torchvision stages": torchvision_stages,
    "timm": build_timm,
    "timm by name": create_timm,
    "torchvision": build_torchvision,
    "keras": build_keras,
}


def build(library, config):
    try:
        return BUILDERS[library](config)
    except ModuleNotFoundError as error:
        if error.name in ("timm", "torch", "torchvision", "tf_keras", "tensorflow"):
            return None
        raise


json.dump([build(library, config) for library, config in json.load(sys.stdin)], sys.stdout)
