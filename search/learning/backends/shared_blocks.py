"""A network on TensorFlow with its equal blocks traced once.

Tracing costs about half a millisecond an operation, which decides the fixed cost of a short run,
and most blocks of a deep network are equal but for their weights. So a block is a function of its
map and its weights, which the step and batch-norm statistics call alike.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from ..forward import Call, calls_of, walk
from .tensorflow_layers import (
    BatchMoments,
    FixedScales,
    apply_layer,
    apply_with,
    kind_of,
    weights_of,
)

Tensor = Any
_BLOCK = re.compile(r"s\d+_b\d+_")


@dataclass(frozen=True, slots=True)
class Piece:
    """Layers in a row. Pieces of equal ``kind`` are the same function; None is of no known one.

    A block takes the map ``source`` and returns the map ``result``.
    """

    calls: tuple[Call, ...]
    kind: Hashable
    source: int
    result: int


class BlockwiseForward:
    """As `forward.Forward`, on one device of TensorFlow and outside XLA."""

    def __init__(self, model: keras.Model) -> None:
        calls = calls_of(model)
        self._source, self._result = id(model.inputs[0]), id(model.outputs[0])
        self._pieces = list(_pieces(calls))
        self._functions: dict[Hashable, Any] = {}

    def __call__(self, images: Tensor, normalise: BatchMoments | FixedScales) -> Tensor:
        """Return logits (n, classes) of normalised images (n, h, w, c)."""
        values = {self._source: images}
        for piece in self._pieces:
            if piece.kind is None:
                walk(piece.calls, values, apply_layer, normalise)
            else:
                values[piece.result] = self._call(piece, values[piece.source], normalise)
        return values[self._result]

    def _call(self, piece: Piece, x: Tensor, normalise: BatchMoments | FixedScales) -> Tensor:
        weights = [
            normalise.arguments(layer) if _is_norm(layer) else weights_of(layer)
            for layer, _, _ in piece.calls
        ]
        flat = [x, *itertools.chain(*weights)]
        key = (piece.kind, type(normalise), tuple(x.shape), x.dtype)
        function = self._functions.get(key)
        if function is None:
            body = _body(piece, type(normalise), [len(own) for own in weights])
            specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in flat]
            function = tf.function(body, autograph=False).get_concrete_function(*specs)
            self._functions[key] = function
        y, *moments = function(*flat)
        normalise.keep(tuple(moments))
        return y


def _body(piece: Piece, norm: type[BatchMoments | FixedScales], counts: Sequence[int]) -> Any:
    """Return the block as a function of its map and weights, ``counts`` of them a layer.

    It returns the block's map and, where they are kept, means and variances of its batch norms.
    """

    def block(x: Tensor, *flat: Tensor) -> list[Tensor]:
        values, moments, rest = {piece.source: x}, [], iter(flat)
        for (layer, sources, result), count in zip(piece.calls, counts, strict=True):
            inputs = [values[source] for source in sources]
            own = list(itertools.islice(rest, count))
            if _is_norm(layer):
                values[result], found = norm.compute(layer, inputs[0], own)
                moments += [found] if found else []
            else:
                values[result] = apply_with(layer, inputs, own)
        kept = [tf.stop_gradient(tf.concat(part, 0)) for part in zip(*moments, strict=True)]
        return [values[piece.result], *kept]

    return block


def _pieces(calls: Sequence[Call]) -> Iterator[Piece]:
    """Yield the blocks and what lies between them."""

    def block_of(call: Call) -> str:
        found = _BLOCK.match(call.layer.name)
        return found.group() if found else ""

    for name, group in itertools.groupby(calls, block_of):
        row = tuple(group)
        places = {call.result: i for i, call in enumerate(row)}
        outside = {source for call in row for source in call.sources if source not in places}
        source = next(iter(outside))
        kinds = [kind_of(call.layer) for call in row]
        known = name and len(outside) == 1 and None not in kinds
        wiring = [tuple(places.get(source, -1) for source in call.sources) for call in row]
        kind = tuple(zip(kinds, wiring, strict=True)) if known else None
        yield Piece(row, kind, source, row[-1].result)


def _is_norm(layer: keras.layers.Layer) -> bool:
    return isinstance(layer, keras.layers.BatchNormalization)
