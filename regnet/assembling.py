"""What an application of ``keras.applications`` does with its arguments: check, assemble, load."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import keras

from ..designspace import NetSpec
from ..designspace.spec import require_choice, require_int
from .networks.network import (
    CHANNELS_FIRST,
    TO_FIRST,
    Options,
    apply_network,
    image_format,
    require_size,
    to_channels_last,
)
from .preprocessing import normalise
from .weights.conventions import Convention
from .weights.imagenet import fetch_imagenet
from .weights.weight_files import load_weights

Tensor = Any
IMAGENET, IMAGENET_CLASSES = "imagenet", 1000
POOLINGS = ("avg", "max")
KERAS_3_FILES = (".weights.h5", ".keras")


class Variant(NamedTuple):
    """What makes one application: its name, network, resolution and pretrained weights."""

    title: str
    make_spec: Callable[[], NetSpec]
    size: int
    pretrained: bool


class Request(NamedTuple):
    """The arguments of one call that are not those of the layers."""

    include_top: bool
    weights: str | os.PathLike[str] | None
    pooling: str | None
    classes: int
    classifier_activation: Any
    include_preprocessing: bool
    convention: Convention

    @property
    def imagenet(self) -> bool:
        """Whether the pretrained weights are asked for."""
        return self.weights == IMAGENET


def check(request: Request, variant: Variant) -> None:
    """Raise ValueError if arguments are wrong or do not go together."""
    weights, activation = request.weights, request.classifier_activation
    if not isinstance(request.include_top, bool):
        raise ValueError(
            f"include_top must be True or False, got {request.include_top!r}: give a model's name "
            "by name="
        )
    if not (weights is None or weights == IMAGENET or Path(weights).is_file()):
        raise ValueError(
            f"weights must be None, 'imagenet' or a file that exists, got {str(weights)!r}"
        )
    if request.pooling is not None:
        require_choice("pooling", request.pooling, POOLINGS)
    require_int("classes", request.classes)
    if request.imagenet:
        _check_imagenet(request, variant)
    usual = (keras.activations.get("softmax"), keras.activations.get(None))
    if request.include_top and weights and keras.activations.get(activation) not in usual:
        raise ValueError(
            "with pretrained weights classifier_activation must be None or 'softmax', got "
            f"{activation!r}: write None and apply yours to the logits"
        )


def _check_imagenet(request: Request, variant: Variant) -> None:
    if not variant.pretrained:
        raise ValueError(
            f"there are no ImageNet weights of {variant.title} for Keras: write weights=None, or "
            "the path of a file of timm's or torchvision's"
        )
    if request.include_top and request.classes != IMAGENET_CLASSES:
        raise ValueError(
            f"weights='imagenet' with include_top=True has 1000 classes, got {request.classes}: "
            "write include_top=False and add your own classifier, or weights=None"
        )
    if request.convention.padding != "same":
        raise ValueError(
            "weights='imagenet' are tf_keras's and pad as TensorFlow does, got convention "
            f"{request.convention.name!r}: leave it out, or give the path of other weights"
        )


def assemble(
    request: Request,
    variant: Variant,
    options: Options,
    input_tensor: Tensor,
    input_shape: tuple[int | None, ...] | None,
    name: str,
) -> keras.Model:
    """Return the model, whose weights are the initial ones.

    Raises
    ------
    ValueError
        If the network cannot take these images.
    """
    spec, data_format = variant.make_spec(), image_format(None)
    if input_tensor is None:
        size = variant.size if request.include_top else None
        images: Any = keras.Input(_shape(input_shape, size, data_format), name="images")
        inputs: Any = images
    else:
        images, inputs = input_tensor, _sources(input_tensor)
    shape = tuple(images.shape[1:])
    require_size(shape, spec.total_stride, data_format)
    channels = shape[0 if data_format == CHANNELS_FIRST else -1]
    if request.imagenet and channels != 3:
        raise ValueError(
            f"weights='imagenet' need 3 input channels, got {channels}: repeat a grey one three "
            "times, or write weights=None"
        )
    x = to_channels_last(images, data_format, options.policy)
    if request.include_preprocessing:
        x = normalise(x, request.convention)
    return keras.Model(inputs, _outputs(spec, x, request, options, data_format), name=name)


def _shape(
    given: tuple[int | None, ...] | None, size: int | None, data_format: str
) -> tuple[int | None, ...]:
    if given is not None:
        require_size(given, 1, data_format)
        return tuple(given)
    return (3, size, size) if data_format == CHANNELS_FIRST else (size, size, 3)


def _sources(input_tensor: Tensor) -> Any:
    """Return the inputs that a tensor depends on, which become the model's."""
    if not keras.backend.is_keras_tensor(input_tensor):
        raise ValueError(
            f"input_tensor must be made from keras.Input(...), got {type(input_tensor).__name__}: "
            "call the model on other tensors"
        )
    sources = keras.utils.get_source_inputs(input_tensor)
    return sources[0] if len(sources) == 1 else sources


def _outputs(
    spec: NetSpec, x: Tensor, request: Request, options: Options, data_format: str
) -> Tensor:
    if request.include_top:
        activation = request.classifier_activation
        return apply_network(
            spec, x, options, classes=request.classes, classifier_activation=activation
        )
    x = apply_network(spec, x, options, classes=None)
    common: dict[str, Any] = {"data_format": "channels_last", "name": f"{request.pooling}_pool"}
    common["dtype"] = options.policy.variable_dtype
    if request.pooling == "avg":
        return keras.layers.GlobalAveragePooling2D(**common)(x)
    if request.pooling == "max":
        return keras.layers.GlobalMaxPooling2D(**common)(x)
    if data_format == CHANNELS_FIRST:
        return keras.layers.Permute(TO_FIRST, dtype=options.policy, name=CHANNELS_FIRST)(x)
    return x


def load(model: keras.Model, request: Request, variant: Variant) -> None:
    """Give the model the weights that were asked for.

    Raises
    ------
    ValueError
        If they cannot be fetched or read, or are of another network.
    """
    if request.weights is None:
        return
    if request.imagenet:
        load_weights(model, fetch_imagenet(variant.title, request.include_top))
        return
    if str(request.weights).endswith(KERAS_3_FILES):
        model.load_weights(request.weights)
    else:
        load_weights(model, request.weights)
