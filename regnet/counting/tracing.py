"""Every call of every layer in one forward pass that computes shapes alone.

The model runs once on placeholders, in inference, with the ``call`` of each of its layers
recorded; nothing is computed, so that any size costs the same. What a layer does beside calling
others is judged by the operations that it leaves in TensorFlow's graph; on another backend, where
there is no graph to look at, only Keras's own layers are trusted.
"""

from __future__ import annotations

import inspect
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import keras

from .counting_rules import Call, find_rule, has_own_steps
from .graph_products import why_uncountable

MULTIPLYING = ("MelSpectrogram", "ReversibleEmbedding")  # Keras's layers that have no rule


class Frame:
    """One call of a layer: who made it, its shapes, and the operations that are its own."""

    def __init__(self, layer: Any, parent: Frame | None) -> None:
        self.layer = layer
        self.path = _path(layer, parent)
        self.call: Call | None = None
        self.reason = ""
        self.graph = _graph()
        self._own: list[tuple[int, int]] = []
        self._since = self._now()

    def _now(self) -> int:
        return 0 if self.graph is None else len(self.graph.get_operations())

    def pause(self) -> None:
        """End a stretch of own operations, because another layer is called."""
        self._own.append((self._since, self._now()))

    def resume(self) -> None:
        """Begin a stretch of own operations."""
        self._since = self._now()

    def judge(self) -> None:
        """Find out why a layer without a rule cannot be taken as free, if so."""
        self.pause()
        if self.graph is not None:
            operations = self.graph.get_operations()
            own = (op for start, stop in self._own for op in operations[start:stop])
            self.reason = why_uncountable(own)
        elif not _is_plain(self.layer):
            self.reason = (
                "is not made of Keras's layers alone, and only TensorFlow shows what it does"
            )


def trace(model: keras.Model, inputs: Any) -> list[Frame]:
    """Return the calls that one forward pass makes, in the order in which they begin.

    Parameters
    ----------
    model
        Built or not; it is built if it is not.
    inputs
        ``keras.KerasTensor`` of known shapes, in the structure that the model takes.

    Raises
    ------
    ValueError
        If the model does not run on these shapes.
    """
    try:
        if not model.built:
            model(inputs)
        recorder = _Recorder()
        with recorder.watching(all_layers(model)):
            _Forward(model).compute_output_spec(inputs)
    except Exception as error:  # whatever the model's own code raises
        shapes = keras.tree.map_structure(lambda tensor: tuple(tensor.shape), inputs)
        raise ValueError(
            f"the model {model.name!r} does not run on inputs of shape {shapes}: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    return recorder.frames


def all_layers(layer: Any) -> list[Any]:
    """Return a layer and all below it; Keras has no public way to list those of a layer."""
    return layer._flatten_layers(include_self=True, recursive=True)


def first_line(error: Exception) -> str:
    """Return the first line of an error that says something."""
    lines = [line.strip() for line in str(error).splitlines()]
    return next((line for line in lines if line), "")


class _Forward(keras.Operation):
    """A model as an operation, whose output spec Keras finds by running it on placeholders."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__()
        self.model = model

    def call(self, inputs: Any) -> Any:
        return self.model(inputs)


class _Recorder:
    """Puts a recording ``call`` in front of those of some layers."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._stack: list[Frame] = []

    @contextmanager
    def watching(self, layers: list[Any]) -> Generator[None]:
        """Record in a block, by a ``call`` on each instance that Keras does not track."""
        before = [(layer, vars(layer).get("call")) for layer in layers]
        try:
            for layer in layers:
                object.__setattr__(layer, "call", self._recorded(layer))
            yield
        finally:
            for layer, call in before:
                if call is None:
                    object.__delattr__(layer, "call")
                else:
                    object.__setattr__(layer, "call", call)

    def _recorded(self, layer: Any) -> Any:
        original, signature = layer.call, inspect.signature(layer.call)

        def call(*args: Any, **kwargs: Any) -> Any:
            parent = self._stack[-1] if self._stack else None
            if parent is not None and has_own_steps(parent.layer):
                return original(*args, **kwargs)
            frame = self._enter(layer, parent)
            try:
                output = original(*args, **kwargs)
            finally:
                self._stack.pop()
            if find_rule(layer) is None:
                frame.judge()
            arguments = signature.bind(*args, **kwargs).arguments
            frame.call = Call(layer, _shapes(dict(arguments)), _shapes(output))
            if parent is not None and parent.graph is frame.graph:
                parent.resume()
            return output

        return call

    def _enter(self, layer: Any, parent: Frame | None) -> Frame:
        frame = Frame(layer, parent)
        if parent is not None and parent.graph is frame.graph:
            parent.pause()
        self.frames.append(frame)
        self._stack.append(frame)
        return frame


def _path(layer: Any, parent: Frame | None) -> str:
    """Names from the layer below the model down, joined by slashes; the model's own is its name."""
    if parent is None or not parent.path:
        return layer.name if parent is not None else ""
    return f"{parent.path}/{layer.name}"


def _is_plain(layer: Any) -> bool:
    """Whether a layer without a rule is Keras's or ours, and multiplies nothing by itself."""
    ours = type(layer).__module__.startswith(("keras.", "regnet_ds."))
    between = (op for op in getattr(layer, "operations", ()) if not isinstance(op, keras.Layer))
    return ours and type(layer).__name__ not in MULTIPLYING and next(between, None) is None


def _graph() -> Any:
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    return tf.compat.v1.get_default_graph()


def _shapes(structure: Any) -> Any:
    """Replace tensors by their shapes and everything else by None."""

    def shape(leaf: Any) -> Any:
        return tuple(leaf.shape) if hasattr(leaf, "shape") else None

    return keras.tree.map_structure(shape, structure)
