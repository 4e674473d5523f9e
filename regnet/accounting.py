"""Complexity of any Keras model, layer by layer, whatever it was built from.

Conventions of ``designspace.cost``: FLOPs are multiply-adds of one image, of products of weights
and of attention, plus an addition for each bias (``counting_rules``); params are all weights but
moving statistics, whatever ``trainable`` says, a shared one once; acts are the elements of the
outputs of convolutions, of max pooling and of fully connected layers. A layer that is called
several times costs its FLOPs and acts each time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from ..designspace import Complexity
from .counting.counting_rules import Cost, Uncountable, find_rule, has_own_steps, is_state
from .counting.tracing import Frame, all_layers, trace
from .networks.input_shapes import InputShape, model_inputs


@dataclass(frozen=True, slots=True)
class LayerCost:
    """What one layer adds to a model's complexity, without the layers inside it.

    Attributes
    ----------
    layer, type
        Its name, after those of the layers that it is in, and its class.
    calls
        In one forward pass; the other numbers are of all calls together.
    output
        Shape of the (last) output without the batch; empty where it has several, or was not called.
    flops, bias_adds
        Multiply-adds, and how many of them are the additions of biases; None if uncountable.
    params
        Weights of its own.
    acts
        Elements of outputs; None if uncountable.
    reason
        Why it is uncountable, else empty.
    """

    layer: str
    type: str
    calls: int
    output: tuple[int, ...]
    flops: int | None
    bias_adds: int | None
    params: int
    acts: int | None
    reason: str = ""


def account(model: keras.Model, *, input_shape: InputShape | None = None) -> Complexity:
    """Return the complexity of a model for one image.

    Parameters
    ----------
    model
        Functional, Sequential or subclassed.
    input_shape
        Without the batch, such as (224, 224, 3), or a list of such for several inputs; needed
        where the model leaves sizes open.

    Raises
    ------
    ValueError
        If a layer cannot be counted, a size is unknown, or the model does not run on this shape.
    """
    rows = by_layer(model, input_shape=input_shape)
    uncounted = [f"{row.layer} ({row.type}) {row.reason}" for row in rows if row.reason]
    if uncounted:
        raise ValueError(f"cannot count these layers: {'; '.join(uncounted)}")
    return total(rows)


def by_layer(model: keras.Model, *, input_shape: InputShape | None = None) -> list[LayerCost]:
    """Return the cost of every layer that has one, in the order in which they run.

    Layers that cannot be counted are among them, with a ``reason`` and None for FLOPs and acts.
    Weights that no call uses (of an auxiliary head, say) come last.

    Raises
    ------
    ValueError
        If a size is unknown or the model does not run on this shape.
    """
    inputs = model_inputs(model, input_shape)
    batch = keras.tree.flatten(inputs)[0].shape[0]
    frames = trace(model, inputs)
    params = _own_params(model)
    rows: dict[int, LayerCost] = {}
    for frame in frames:
        known = rows.get(id(frame.layer), _uncalled(frame.layer, frame.path, params))
        rows[id(frame.layer)] = _with_call(known, frame)
    for layer in all_layers(model):
        path = (layer.path or layer.name).removeprefix(f"{model.name}/")
        rows.setdefault(id(layer), _uncalled(layer, path, params))
    return [_of_one_image(row, batch) for row in rows.values() if _matters(row)]


def total(rows: Iterable[LayerCost]) -> Complexity:
    """Return the sum of what is counted."""
    rows = list(rows)
    return Complexity(
        flops=sum(row.flops or 0 for row in rows),
        params=sum(row.params for row in rows),
        acts=sum(row.acts or 0 for row in rows),
    )


def by_type(rows: Sequence[LayerCost]) -> list[LayerCost]:
    """Return one row a class of layers, named ``N layers``; the uncountable ones stay apart."""
    kinds = dict.fromkeys((row.type, row.reason) for row in rows)
    return [_together([row for row in rows if (row.type, row.reason) == kind]) for kind in kinds]


def _together(rows: list[LayerCost]) -> LayerCost:
    whole = total(rows)
    uncounted = bool(rows[0].reason)
    return replace(
        rows[0],
        layer=f"{len(rows)} {'layer' if len(rows) == 1 else 'layers'}",
        calls=sum(row.calls for row in rows),
        output=(),
        flops=None if uncounted else whole.flops,
        bias_adds=None if uncounted else sum(row.bias_adds or 0 for row in rows),
        params=whole.params,
        acts=None if uncounted else whole.acts,
    )


def _uncalled(layer: Any, path: str, params: dict[int, int]) -> LayerCost:
    row = LayerCost(path or layer.name, type(layer).__name__, 0, (), 0, 0, params[id(layer)], 0)
    # Its kernel is not what the rules take it for, and Keras calls another function than `call`.
    if getattr(layer, "quantization_mode", None) is not None:
        return _uncountable(row, "is quantised")
    return _uncountable(row, "has LoRA weights") if getattr(layer, "lora_enabled", 0) else row


def _uncountable(row: LayerCost, reason: str) -> LayerCost:
    return replace(row, flops=None, bias_adds=None, acts=None, reason=reason)


def _with_call(row: LayerCost, frame: Frame) -> LayerCost:
    """Add one call's cost to a layer's row."""
    row = replace(row, calls=row.calls + 1, output=_plain_shape(frame))
    if row.flops is None or row.bias_adds is None or row.acts is None:
        return row
    cost, reason = _cost(frame)
    if reason:
        return _uncountable(row, reason)
    return replace(
        row,
        flops=row.flops + cost.products + cost.bias_adds,
        bias_adds=row.bias_adds + cost.bias_adds,
        acts=row.acts + cost.acts,
    )


def _cost(frame: Frame) -> tuple[Cost, str]:
    rule = find_rule(frame.layer)
    if rule is None or frame.call is None:
        return Cost(), frame.reason
    try:
        return rule(frame.call), ""
    except Uncountable as error:
        return Cost(), str(error)


def _plain_shape(frame: Frame) -> tuple[int, ...]:
    shape = frame.call.output if frame.call else ()
    plain = isinstance(shape, tuple) and all(isinstance(size, int | None) for size in shape[1:])
    return shape[1:] if plain else ()


def _matters(row: LayerCost) -> bool:
    return bool(row.flops or row.params or row.acts or row.reason)


def _of_one_image(row: LayerCost, batch: int) -> LayerCost:
    """Divide by the batch, which is 1 unless the model fixes another."""
    if batch == 1 or row.flops is None or row.bias_adds is None or row.acts is None:
        return row
    flops, bias_adds, acts = (n // batch for n in (row.flops, row.bias_adds, row.acts))
    return replace(row, flops=flops, bias_adds=bias_adds, acts=acts)


def _own_params(model: keras.Model) -> dict[int, int]:
    """Return the weights of each layer that are not in the layers inside it, by the layer's id."""
    seen: set[int] = set()
    params: dict[int, int] = {}
    for layer in all_layers(model):
        whole = has_own_steps(layer)
        inner = [] if whole else [x for x in all_layers(layer) if x is not layer]
        others = {id(weight) for sub in inner for weight in sub.weights}
        own = {id(w): w for w in layer.weights if id(w) not in others | seen}
        seen |= set(own)
        params[id(layer)] = sum(math.prod(w.shape) for w in own.values() if not is_state(layer, w))
    return params
