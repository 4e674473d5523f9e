"""Accounting of models of every make: nested, shared, subclassed, saved; and what it refuses."""

import keras
import pytest
from regnet_ds.designspace import Complexity, canonical
from regnet_ds.regnet import accounting, build

L = keras.layers


def flops_of(model, **options):
    return {row.layer: row.flops for row in accounting.by_layer(model, **options)}


def test_plain_keras_layers_and_nested_models():
    inner = keras.Sequential([keras.Input((8, 8, 4)), L.MaxPooling2D(2, name="pool")], name="in")
    layers = [
        keras.Input((8, 8, 4)),
        inner,
        L.Conv2D(6, 3, strides=2, padding="same", groups=2),
        L.Dropout(0.5),
        L.Flatten(),
        L.Dense(5),
    ]
    conv = 9 * 2 * 6 + 6
    model = keras.Sequential(layers)
    expected = Complexity(conv * 4 + 125, conv + 125, 64 + 24 + 5)
    assert accounting.account(model) == expected
    assert accounting.by_layer(model)[0].layer == "in/pool"


def test_a_layer_used_twice_counts_twice_but_has_its_weights_once():
    shared = L.Dense(4, name="shared")
    x = keras.Input((4,))
    model = keras.Model(x, shared(shared(x)))
    (row,) = accounting.by_layer(model)
    assert (row.calls, row.flops, row.bias_adds, row.params, row.acts) == (2, 40, 8, 20, 8)


@keras.saving.register_keras_serializable(package="tests_any_model")
class Subclassed(keras.Model):
    """Calls one layer three times, has an auxiliary head that inference does not use."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = L.Conv2D(4, 3, padding="same", name="conv")
        self.head = keras.Sequential(
            [L.GlobalAveragePooling2D(), L.Dense(5, name="fc")], name="head"
        )
        self.auxiliary = L.Dense(2, name="auxiliary")
        self.gamma = self.add_weight(shape=(4,), initializer="ones", name="gamma")

    def build(self, input_shape):
        self.conv.build(input_shape)
        self.head.build(input_shape)
        self.auxiliary.build((None, 4))

    def call(self, images):
        x = images
        for _ in range(3):
            x = keras.ops.relu(self.conv(x)) * self.gamma
        return self.head(x)


SUBCLASSED = {"conv": 3 * 64 * (9 * 16 + 4), "head/fc": 25, "auxiliary": 0}


def test_a_subclassed_model_is_counted_by_running_it_on_shapes():
    model = Subclassed(name="sub")
    assert flops_of(model, input_shape=(8, 8, 4)) == {"sub": 0, **SUBCLASSED}
    cost = accounting.account(model, input_shape=(8, 8, 4))
    assert cost.params == sum(int(keras.ops.size(weight)) for weight in model.weights)
    assert cost.acts == 3 * 256 + 5
    assert "call" not in vars(model.conv)


def test_a_saved_subclassed_model_knows_its_shape(tmp_path):
    model = Subclassed(name="sub")
    model(keras.ops.ones((1, 8, 8, 4)))
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    assert flops_of(loaded) == {"sub": 0, **SUBCLASSED}


def test_open_sizes_are_given_or_refused():
    model = build(canonical("RegNetX-200MF"), input_shape=(None, None, 3))
    assert accounting.account(model, input_shape=(224, 224, 3)).flops == 199040872
    with pytest.raises(ValueError, match=r"unknown size \(None, None, 3\): give input_shape"):
        accounting.account(model)
    fixed = build(canonical("RegNetX-200MF"), input_shape=(64, 64, 3))
    with pytest.raises(ValueError, match=r"has the shape \(64, 64, 3\), got \(32, 32, 3\)"):
        accounting.account(fixed, input_shape=(32, 32, 3))
    with pytest.raises(ValueError, match=r"must be of positive integers, got \(0, 64, 3\)"):
        accounting.account(fixed, input_shape=(0, 64, 3))
    with pytest.raises(ValueError, match="no input shape of its own"):
        accounting.account(Subclassed())


def test_the_batch_does_not_count():
    x = keras.Input(batch_shape=(8, 6))
    assert accounting.account(keras.Model(x, L.Dense(3)(x))) == Complexity(21, 21, 3)


def test_several_inputs_in_a_dict():
    inputs = {"b": keras.Input((4,), name="b"), "a": keras.Input((None,), name="a")}
    x = L.Concatenate()([L.Dense(3, name="d")(inputs["b"]), inputs["a"]])
    model = keras.Model(inputs, x)
    assert flops_of(model, input_shape=[(5,), (4,)]) == {"d": 15}
    with pytest.raises(ValueError, match="has 2 inputs, got 1 shapes"):
        accounting.account(model, input_shape=(4,))


class ByHand(L.Layer):
    def call(self, x):
        return keras.ops.matmul(x, keras.ops.transpose(x, (0, 2, 1)))


class InALoop(L.Layer):
    def call(self, x):
        return keras.ops.fori_loop(0, 3, lambda i, y: y + 1.0, x)


class OwnDense(L.Dense):
    def call(self, x):
        return super().call(super().call(x))


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (ByHand(name="odd"), r"odd \(ByHand\) multiplies .* outside standard layers \(BatchMatMul"),
        (InALoop(name="odd"), r"odd \(InALoop\) runs a loop or a function of its own"),
        (OwnDense(4, name="odd"), r"odd \(OwnDense\) multiplies .* \((Batch)?MatMul"),
        (L.RNN(keras.layers.LSTMCell(3), name="odd"), None),
    ],
)
def test_what_cannot_be_counted_is_named(layer, reason):
    x = keras.Input((4, 4))
    model = keras.Model(x, L.Dense(2, name="known")(layer(x)))
    if reason is None:
        accounting.account(model)
        return
    with pytest.raises(ValueError, match=f"cannot count these layers: {reason}"):
        accounting.account(model)
    rows = {row.layer: row for row in accounting.by_layer(model)}
    assert rows["odd"].flops is None and rows["odd"].acts is None
    assert rows["known"].flops > 0


def test_products_between_the_layers_of_a_functional_model_are_named():
    x = keras.Input((4, 4))
    model = keras.Model(x, keras.ops.matmul(L.Dense(4)(x), x), name="net")
    with pytest.raises(ValueError, match=r"net \(Functional\) multiplies or pools outside"):
        accounting.account(model)


class OwnCell(L.Layer):
    state_size = 3

    def call(self, x, states):
        return states[0], states


def test_recurrent_layers_with_other_cells_are_named():
    model = keras.Sequential([keras.Input((4, 3)), L.RNN(OwnCell(), name="rnn")])
    with pytest.raises(ValueError, match=r"rnn \(RNN\) has a cell of an unknown kind, OwnCell"):
        accounting.account(model)


def test_quantised_layers_are_named():
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="d")])
    model.layers[0].quantize("int8")
    with pytest.raises(ValueError, match=r"d \(Dense\) is quantised"):
        accounting.account(model)
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="d")])
    model.layers[0].enable_lora(2)
    with pytest.raises(ValueError, match=r"d \(Dense\) has LoRA weights"):
        accounting.account(model)


def test_a_model_that_does_not_run_is_one_line():
    with pytest.raises(
        ValueError, match=r"does not run on inputs of shape \(1, 8, 8, 3\)"
    ) as raised:
        built = Subclassed(name="sub")
        built.build((None, 8, 8, 4))
        accounting.account(built, input_shape=(8, 8, 3))
    assert "\n" not in str(raised.value)


def test_counting_leaves_the_model_as_it_was():
    model = build(canonical("RegNetX-200MF"), input_shape=(32, 32, 3), classes=10)
    images = keras.random.normal((2, 32, 32, 3), seed=0)
    before = model(images)
    accounting.account(model)
    assert not [layer for layer in model.layers if "call" in vars(layer)]
    assert bool(keras.ops.all(model(images) == before))
