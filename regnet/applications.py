"""RegNets with the interface of ``keras.applications``.

``tf.keras.applications.RegNetY008``, now tf_keras's, is replaced by changing the import: the same
arguments, pixels in [0, 255], the same weights in the same convention (``conventions``). Two
things differ: ``classifier_activation`` is applied (tf_keras returns logits whatever it says),
and images of any size from 32 px on are taken, pretrained or not.
"""

from __future__ import annotations

import os
from typing import Any, Protocol

import keras

from ..designspace import canonical
from ..designspace.catalogue import CANONICAL, keras_name
from ..designspace.larger import LARGER, larger
from .assembling import IMAGENET, IMAGENET_CLASSES, Request, Variant, assemble, check, load
from .networks.network import Options
from .weights.conventions import Convention, convention_named

Tensor = Any


class Application(Protocol):
    """The signature that all applications share; the defaults of some differ."""

    __name__: str

    def __call__(
        self,
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = IMAGENET,
        input_tensor: Tensor = None,
        input_shape: tuple[int | None, ...] | None = None,
        pooling: str | None = None,
        classes: int = IMAGENET_CLASSES,
        classifier_activation: Any = "softmax",
        name: str = "",
        *,
        include_preprocessing: bool = True,
        convention: str | Convention = "tf_keras",
        model_name: str | None = None,
        **options: Any,
    ) -> keras.Model:
        """Return the model."""
        ...


def _application(variant: Variant, convention: str, weights: str | None) -> Application:
    default_weights, default_convention = weights, convention

    def application(
        include_top: bool = True,
        weights: str | os.PathLike[str] | None = default_weights,
        input_tensor: Tensor = None,
        input_shape: tuple[int | None, ...] | None = None,
        pooling: str | None = None,
        classes: int = IMAGENET_CLASSES,
        classifier_activation: Any = "softmax",
        name: str = variant.title.lower(),
        *,
        include_preprocessing: bool = True,
        convention: str | Convention = default_convention,
        model_name: str | None = None,
        **options: Any,
    ) -> keras.Model:
        request = Request(
            include_top,
            weights,
            pooling,
            classes,
            classifier_activation,
            include_preprocessing,
            convention_named(convention),
        )
        check(request, variant)
        made = Options(convention=convention, **options)
        model = assemble(request, variant, made, input_tensor, input_shape, model_name or name)
        load(model, request, variant)
        return model

    application.__name__ = application.__qualname__ = variant.title
    application.__doc__ = _DOCSTRING.format(
        title=variant.title, size=variant.size, weights=weights, convention=convention
    )
    return application


_DOCSTRING = """Return {title} as a Keras model, with the arguments of ``keras.applications``.

    Parameters
    ----------
    include_top
        Whether the fully connected layer is the last; else the last map is, or its pooling.
    weights
        None (random), ``imagenet``, or the path of a file: Keras 3's ``.weights.h5`` or ``.keras``,
        tf_keras's ``.h5``, or a state dict of timm, torchvision or pycls (with their
        ``convention``). Here {weights} is the default.
    input_tensor
        What ``keras.Input`` made, or depends on it, to use as images; else a new input.
    input_shape
        Of a new input, in Keras's global data format; from 32 px on, sizes may be None, any
        number of channels without pretrained weights. None means {size} x {size} px and 3
        channels, or any size without top.
    pooling
        Without top: None for the last map, ``avg`` or ``max`` over its pixels.
    classes
        With top, their number.
    classifier_activation
        Of the top; None returns logits.
    name
        Of the model (``model_name``, tf_keras's word, means the same).
    include_preprocessing
        Whether the model takes pixels of red, green and blue in [0, 255] and normalises them
        itself. Else see ``preprocess_input``.
    convention
        Whose padding, squeeze widths and normalisation; {convention} is the default.
    **options
        ``seed``, ``zero_init_last_gamma``, ``drop_path`` and ``dtype``, as in ``build``.

    Raises
    ------
    ValueError
        If arguments are wrong or do not go together, or the weights are of another network.
    """


def _canonical(name: str) -> Application:
    variant = Variant(keras_name(name), lambda: canonical(name), 224, True)
    return _application(variant, "tf_keras", IMAGENET)


def _larger(title: str) -> Application:
    variant = Variant(title, lambda: larger(title), LARGER[title].resolution, False)
    return _application(variant, "timm", None)


RegNetX002 = _canonical("RegNetX-200MF")
RegNetX004 = _canonical("RegNetX-400MF")
RegNetX006 = _canonical("RegNetX-600MF")
RegNetX008 = _canonical("RegNetX-800MF")
RegNetX016 = _canonical("RegNetX-1.6GF")
RegNetX032 = _canonical("RegNetX-3.2GF")
RegNetX040 = _canonical("RegNetX-4.0GF")
RegNetX064 = _canonical("RegNetX-6.4GF")
RegNetX080 = _canonical("RegNetX-8.0GF")
RegNetX120 = _canonical("RegNetX-12GF")
RegNetX160 = _canonical("RegNetX-16GF")
RegNetX320 = _canonical("RegNetX-32GF")
RegNetY002 = _canonical("RegNetY-200MF")
RegNetY004 = _canonical("RegNetY-400MF")
RegNetY006 = _canonical("RegNetY-600MF")
RegNetY008 = _canonical("RegNetY-800MF")
RegNetY016 = _canonical("RegNetY-1.6GF")
RegNetY032 = _canonical("RegNetY-3.2GF")
RegNetY040 = _canonical("RegNetY-4.0GF")
RegNetY064 = _canonical("RegNetY-6.4GF")
RegNetY080 = _canonical("RegNetY-8.0GF")
RegNetY120 = _canonical("RegNetY-12GF")
RegNetY160 = _canonical("RegNetY-16GF")
RegNetY320 = _canonical("RegNetY-32GF")
RegNetY640 = _larger("RegNetY640")
RegNetY1280 = _larger("RegNetY1280")
RegNetY2560 = _larger("RegNetY2560")
RegNetZ005 = _larger("RegNetZ005")
RegNetZ040 = _larger("RegNetZ040")

APPLICATIONS: dict[str, Application] = {
    title: globals()[title] for title in [*map(keras_name, CANONICAL), *LARGER]
}
