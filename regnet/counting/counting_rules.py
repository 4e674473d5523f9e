"""What one call of a standard Keras layer costs: a table from layer types to functions.

A product of weights with its input costs a multiply-add for each weight at each position at which
it is used: of the output for convolutions, of the input for transposed ones (as fvcore has it). A
bias costs an addition for each element of the output. Attention multiplies activations: T queries
and S keys of D numbers cost T S D for the scores and T S D for the weighted values, whatever is
masked. ``acts`` are the elements of the outputs of all of these and of max pooling. Layers that
are not in the table (normalisation, activations, mean pooling ...) cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import keras

from ..networks.layers import GroupedConv2D, SymmetricMaxPooling2D

Shape = tuple[int, ...]


class Uncountable(ValueError):
    """Raised with the reason why a layer cannot be counted."""


class Cost(NamedTuple):
    """Multiply-adds of products, additions of biases, and elements of the outputs of both."""

    products: int = 0
    bias_adds: int = 0
    acts: int = 0


class Call(NamedTuple):
    """The shapes that one call of a layer takes, by argument, and gives."""

    layer: Any
    arguments: Mapping[str, Any]
    output: Any

    @property
    def input(self) -> Any:
        """The shape, or shapes, of the first argument."""
        return next(iter(self.arguments.values()))


Rule = Callable[[Call], Cost]


def elements(shape: Any) -> int:
    """Return how many numbers a tensor has.

    Raises
    ------
    Uncountable
        If a size is unknown.
    """
    if None in shape:
        raise Uncountable(f"has a map of unknown size {tuple(shape)}")
    return math.prod(shape)


def _weights(weight: Any) -> int:
    return math.prod(weight.shape)


def _affine(call: Call, products: int) -> Cost:
    """A product with one bias for each output channel, if the layer has biases."""
    acts = elements(call.output)
    return Cost(products, acts if call.layer.use_bias else 0, acts)


def _channels(layer: Any, shape: Shape) -> int:
    return shape[1] if layer.data_format == "channels_first" else shape[-1]


def _positions(layer: Any, shape: Shape) -> int:
    return elements(shape) // _channels(layer, shape)


def _conv(call: Call) -> Cost:
    positions = _positions(call.layer, call.output)
    return _affine(call, positions * _weights(call.layer.kernel))


def _conv_transpose(call: Call) -> Cost:
    positions = _positions(call.layer, call.input)
    return _affine(call, positions * _weights(call.layer.kernel))


def _separable_conv(call: Call) -> Cost:
    layer, positions = call.layer, _positions(call.layer, call.output)
    between = layer.pointwise_kernel.shape[-2]
    kernels = _weights(layer.depthwise_kernel) + _weights(layer.pointwise_kernel)
    cost = _affine(call, positions * kernels)
    return cost._replace(acts=cost.acts + positions * between)


def _grouped_conv(call: Call) -> Cost:
    positions = elements(call.output) // call.output[-1]
    return _affine(call, positions * _weights(call.layer.kernel))


def _dense(call: Call) -> Cost:
    positions = elements(call.output) // call.output[-1]
    return _affine(call, positions * _weights(call.layer.kernel))


def _einsum_dense(call: Call) -> Cost:
    """Every index of the equation, those of the input first, once."""
    inputs, kernel = call.layer.equation.split("->")[0].replace(" ", "").split(",")
    sizes = zip(kernel, call.layer.kernel.shape, strict=True)
    products = elements(call.input) * math.prod(n for index, n in sizes if index not in inputs)
    acts = elements(call.output)
    return Cost(products, 0 if call.layer.bias is None else acts, acts)


def _max_pool(call: Call) -> Cost:
    return Cost(acts=elements(call.output))


def _dot(call: Call) -> Cost:
    axes = call.layer.axes
    axis = axes if isinstance(axes, int) else axes[0]
    acts = elements(call.output)
    return Cost(acts * call.input[0][axis], 0, acts)


def _attended(batch: int, queries: int, keys: int, dim: int, value_dim: int) -> Cost:
    scores = batch * queries * keys
    return Cost(scores * (dim + value_dim), 0, scores + batch * queries * value_dim)


def _require_known(*shapes: Any) -> None:
    for shape in shapes:
        elements(shape)


def _attention(call: Call) -> Cost:
    """``Attention`` and ``AdditiveAttention``, called with [query, value] or with the key too."""
    query, value, *key = call.input
    _require_known(query, value, *key)
    return _attended(query[0], query[-2], value[-2], query[-1], value[-1])


def _multi_head_attention(call: Call) -> Cost:
    """The two products between the heads' queries, keys and values; projections are layers."""
    layer = call.layer
    query, value = call.arguments["query"], call.arguments["value"]
    _require_known(query, value)
    axes = layer.attention_axes or range(1, len(query) - 1)
    axes = [axis % len(query) for axis in ((axes,) if isinstance(axes, int) else axes)]
    queries, keys = (math.prod(shape[axis] for axis in axes) for shape in (query, value))
    batch = elements(query[:-1]) // queries * layer.num_heads
    return _attended(batch, queries, keys, layer.key_dim, layer.value_dim)


def _grouped_query_attention(call: Call) -> Cost:
    layer = call.layer
    query, value = call.arguments["query"], call.arguments["value"]
    _require_known(query, value)
    batch = query[0] * layer.num_query_heads
    return _attended(batch, query[1], value[1], layer.head_dim, layer.head_dim)


def _plain_step(cell: Any, step: Shape) -> Cost:
    kernels = _weights(cell.kernel) + _weights(cell.recurrent_kernel)
    bias = 0 if cell.bias is None else _weights(cell.bias)
    batch = step[0]
    return Cost(batch * kernels, batch * bias, batch * cell.kernel.shape[-1])


def _stacked_step(cells: Any, step: Shape) -> Cost:
    """One cell after the other; only the batch of the step matters to the rules."""
    costs = [_step(cell, step) for cell in cells.cells]
    return Cost(*(sum(part) for part in zip(*costs, strict=True)))


def _step(cell: Any, step: Shape) -> Cost:
    rule = _CELLS.get(type(cell))
    if rule is None:
        raise Uncountable(f"has a cell of an unknown kind, {type(cell).__name__}")
    return rule(cell, step)


def _recurrent(call: Call) -> Cost:
    """A cell's step, once a time step: two kernels and one output as wide as all its gates."""
    _require_known(call.input)
    steps, cell = call.input[1], call.layer.cell
    cost = _step(cell, (call.input[0], *call.input[2:]))
    return Cost(*(steps * part for part in cost))


def _conv_recurrent(call: Call) -> Cost:
    """As ``_recurrent``; the recurrent kernel, too, is used at every position of the output."""
    _require_known(call.input)
    steps, cell = call.input[1], call.layer.cell
    step = (call.input[0], *call.input[2:])
    state = cell.compute_output_shape(step)[0]
    positions = steps * _positions(cell, state)
    gates = cell.kernel.shape[-1]
    kernels = _weights(cell.kernel) + _weights(cell.recurrent_kernel)
    bias = gates if cell.use_bias else 0
    return Cost(positions * kernels, positions * bias, positions * gates)


_CELLS: dict[type, Callable[[Any, Shape], Cost]] = {
    keras.layers.SimpleRNNCell: _plain_step,
    keras.layers.LSTMCell: _plain_step,
    keras.layers.GRUCell: _plain_step,
    keras.layers.StackedRNNCells: _stacked_step,
}

# By name, because some are missing from the oldest Keras that this runs with.
_BY_NAME: dict[str, Rule] = {
    **{f"Conv{n}D": _conv for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _conv_transpose for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": _conv for n in (1, 2)},
    **{f"SeparableConv{n}D": _separable_conv for n in (1, 2)},
    **{f"MaxPooling{n}D": _max_pool for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": _max_pool for n in (1, 2, 3)},
    **{f"AdaptiveMaxPooling{n}D": _max_pool for n in (1, 2, 3)},
    **{f"ConvLSTM{n}D": _conv_recurrent for n in (1, 2, 3)},
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Dot": _dot,
    "Attention": _attention,
    "AdditiveAttention": _attention,
    "MultiHeadAttention": _multi_head_attention,
    "GroupQueryAttention": _grouped_query_attention,
    "GroupedQueryAttention": _grouped_query_attention,
    **dict.fromkeys(("RNN", "SimpleRNN", "LSTM", "GRU"), _recurrent),
}

RULES: dict[type, Rule] = {
    **{
        getattr(keras.layers, name): r
        for name, r in _BY_NAME.items()
        if hasattr(keras.layers, name)
    },
    GroupedConv2D: _grouped_conv,
    SymmetricMaxPooling2D: _max_pool,
}


def find_rule(layer: Any) -> Rule | None:
    """Return the rule of a layer's type, or of the type that it takes its ``call`` from."""
    kind = type(layer)
    home = next((base for base in kind.__mro__ if base in RULES), None)
    return RULES[home] if home is not None and kind.call is home.call else None


def has_own_steps(layer: Any) -> bool:
    """Whether what happens inside a layer, its cells and their weights, is counted as a whole."""
    return find_rule(layer) in (_recurrent, _conv_recurrent)


STATES = frozenset({"moving_mean", "moving_variance", "vector_u", "rnn_state"})


def is_state(layer: Any, weight: Any) -> bool:
    """Whether a weight is a statistic or a memory, and no parameter."""
    return weight.name in STATES or isinstance(layer, keras.layers.Normalization)
