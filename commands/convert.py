"""``regnet-ds convert``: pretrained weights of any source as a Keras model, or for timm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import models
from .saved_model import load_saved, require_archive

WHOLE, WEIGHTS, TIMM = ".keras", ".weights.h5", ".safetensors"
ENDINGS = (WHOLE, WEIGHTS, TIMM)


def convert(
    file: Annotated[Path, typer.Argument(help="Weights, or a .keras model.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", help=f"A file: {', '.join(ENDINGS)}.")],
    model: Annotated[
        str, typer.Option("--model", help="Whose weights: a model's name, or its parameters.")
    ] = "",
    resolution: models.Size = None,
) -> None:
    """Turn weights of tf_keras, timm, torchvision or pycls into a Keras model, or into timm's.

    The file is recognised by what is in it: .h5, .safetensors, .pth or .pyth; nothing in it is
    run. What is written pads as the file's library does, takes images that are prepared as
    there, and has as many classes. A .safetensors file is for timm.

    Example: regnet-ds convert regnety_004.safetensors --model RegNetY-400MF --out y.keras

    Example: regnet-ds convert regnet_x_400mf.pth --model regnet_x_400mf --out x.weights.h5

    Example: regnet-ds convert trained.keras --out for_timm.safetensors
    """
    if not out.name.endswith(ENDINGS):
        raise ValueError(f"--out must end in {', '.join(ENDINGS)}, got {str(out)!r}")
    if not file.is_file():
        raise ValueError(f"cannot read {file}: no such file")
    size = models.read_size(resolution)
    if file.suffix.lower() == WHOLE:
        if model or size:
            raise ValueError(f"{file} is a whole model: leave --model and --resolution out")
        require_archive(file)
        models.start_tensorflow()
        network, source = load_saved(file), "a Keras model"
    else:
        network, source = _read(file, model, size)
    _write(network, out)
    print(f"wrote {out} ({out.stat().st_size / 1e6:.1f} MB) from weights of {source}")


def _read(file: Path, model: str, size: tuple[int, int] | None) -> tuple[Any, str]:
    """Return the network with the weights of a file, and whose they are."""
    from .describe import read_network

    if not model:
        raise ValueError(f"--model is missing: of which network are the weights in {file}?")
    name, spec = read_network(model.split())
    height, width = size or (224, 224)
    models.start_tensorflow()
    from ..regnet import build, load_weights
    from ..regnet.weights.weight_files import read_weights

    layout, arrays = read_weights(file)
    bias = layout.key("head_dense", "bias")
    if bias is None or bias not in arrays:
        raise ValueError(f"{file} ({layout.name}) has no fully connected layer, {bias}")
    network = build(
        spec,
        input_shape=(height, width, 3),
        classes=len(arrays[bias]),
        name=(name or f"regnet{spec.block}").replace(".", "_"),
        convention=layout.name,
    )
    load_weights(network, file)
    return network, f"{layout.name}, {len(arrays[bias])} classes"


def _write(network: Any, out: Path) -> None:
    """Write a file that appears whole or not at all."""
    import shutil
    import tempfile

    from ..designspace.atomic import whole_file
    from ..regnet import save_timm

    if out.name.endswith(TIMM):
        save_timm(network, out)
        return
    with whole_file(out) as temporary, tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / out.name  # Keras looks at the ending
        (network.save if out.name.endswith(WHOLE) else network.save_weights)(made)
        shutil.copyfile(made, temporary)


def register(app: typer.Typer) -> None:
    """Mount the command."""
    app.command()(convert)
