"""Weights to and from other libraries' files, without these libraries."""

import keras
import numpy as np
import pytest
from regnet_ds.designspace import NetSpec, Stage
from regnet_ds.regnet import build, load_weights, save_timm
from regnet_ds.regnet.weights.safetensors_file import read_safetensors, write_safetensors
from regnet_ds.regnet.weights.weight_files import weights_of
from regnet_ds.regnet.weights.weight_layouts import LAYOUTS, PYCLS, TF_KERAS, TIMM, TORCHVISION

Y = NetSpec(
    (Stage(1, 16, group_width=8), Stage(2, 32, group_width=8)),
    block="y",
    se_ratio=0.25,
    stem_width=8,
)
WIDER = NetSpec((Y.stages[0], Stage(2, 40, group_width=8)), "y", 0.25, stem_width=8)
SHALLOWER = NetSpec((Y.stages[0], Stage(1, 32, group_width=8)), "y", 0.25, stem_width=8)
X = NetSpec(Y.stages, stem_width=8)


def make(spec=Y, classes=4, seed=1, convention="timm"):
    model = build(spec, input_shape=(16, 16, 3), classes=classes, convention=convention)
    rng = np.random.default_rng(seed)
    model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.weights])
    return model


def write(model, layout, path):
    """Write a file as the library does, from our side of the table."""
    arrays = {}
    for place in weights_of(model):
        array = np.array(layout.to_theirs(np.asarray(place.variable)))
        arrays[layout.key(place.layer, place.name)] = array
    if layout is TF_KERAS:
        write_keras2(arrays, path)
    else:
        write_safetensors(arrays, path, {})
    return path


def write_keras2(arrays, path, prefix="my_regnet_"):
    import h5py

    layers = {}
    for key, array in arrays.items():
        layer, variable = key.split("/")
        layer = prefix + layer.replace("Block", "YBlock") if layer != "head_dense" else "1" + layer
        layers.setdefault(layer, {})[f"{layer}/{variable}:0"] = array
    with h5py.File(path, "w") as file:
        names = np.array([name.encode() for name in layers])
        file.attrs["layer_names0"], file.attrs["layer_names1"] = names[:5], names[5:]
        for layer, weights in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in weights]
            for name, array in weights.items():
                group[name] = array


def same(a, b):
    pairs = zip(a.get_weights(), b.get_weights(), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)
def test_every_weight_finds_its_place(layout, tmp_path):
    suffix = ".h5" if layout is TF_KERAS else ".safetensors"
    source, model = make(convention=layout.name), make(seed=2, convention=layout.name)
    path = write(source, layout, tmp_path / f"w{suffix}")
    colours = "bgr" if layout is PYCLS else "rgb"
    assert load_weights(model, path, colours=colours) == layout.name
    assert same(model, source)


def test_pycls_s_colours_are_turned_round(tmp_path):
    source, model = make(), make(seed=2)
    load_weights(model, write(source, PYCLS, tmp_path / "w.safetensors"))
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(model(images), source(images[..., ::-1]), rtol=1e-5)


def test_timm_s_file_is_written_as_read(tmp_path):
    source, model = make(), make(seed=2)
    save_timm(source, tmp_path / "w.safetensors")
    tensors = read_safetensors(tmp_path / "w.safetensors")
    assert tensors["s2.b1.conv2.conv.weight"].shape == (32, 8, 3, 3)
    assert tensors["s2.b2.conv3.bn.num_batches_tracked"] == 0
    assert load_weights(model, tmp_path / "w.safetensors") == "timm"
    assert same(model, source)


def test_half_precision_and_data_parallel_names(tmp_path):
    source, model = make(), make(seed=2)
    save_timm(source, tmp_path / "w.safetensors")
    tensors = read_safetensors(tmp_path / "w.safetensors")
    halves = {f"module.{k}": v.astype(np.float16) for k, v in tensors.items() if v.ndim}
    write_safetensors(halves, tmp_path / "half.safetensors", {})
    load_weights(model, tmp_path / "half.safetensors")
    for ours, theirs in zip(model.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs.astype(np.float16))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (WIDER, r"s2\.b1\.conv1\.conv\.weight has the shape \(1, 1, 16, 32\), the model's s2_b1_a"),
        (X, r"the model has nothing for s1\.b1\.se\.fc1\."),
        (SHALLOWER, r"the model has nothing for s2\.b2\.conv1\."),
        (NetSpec((*Y.stages, Stage(1, 32)), "y", 0.25, stem_width=8), r"lacks s3\.b1\."),
        (NetSpec(X.stages, "x", stem_width=8, head_width=24), r"lacks final_conv\.conv\.weight"),
    ],
)
def test_the_first_mismatch_is_named_and_nothing_is_set(spec, message, tmp_path):
    save_timm(make(), tmp_path / "w.safetensors")
    model = build(spec, input_shape=(16, 16, 3), classes=4)
    before = model.get_weights()
    with pytest.raises(ValueError, match=f"weights of another network: .*{message}"):
        load_weights(model, tmp_path / "w.safetensors")
    for ours, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, kept)


def test_classes(tmp_path):
    source = make()
    save_timm(source, tmp_path / "w.safetensors")
    model = make(classes=7, seed=2)
    head = model.get_layer("head_dense").get_weights()[0]
    with pytest.raises(ValueError, match="has 4 classes, the model 7: build it with classes=4"):
        load_weights(model, tmp_path / "w.safetensors")
    load_weights(model, tmp_path / "w.safetensors", head=False)
    np.testing.assert_array_equal(model.get_layer("head_dense").get_weights()[0], head)
    ours, theirs = (m.get_layer("s2_b2_c_conv").get_weights()[0] for m in (model, source))
    np.testing.assert_array_equal(ours, theirs)


def test_a_model_without_the_top(tmp_path):
    source = make()
    save_timm(source, tmp_path / "w.safetensors")
    whole = make(seed=2)
    body = keras.Model(whole.inputs, whole.get_layer("s2_b2_relu").output)
    load_weights(body, tmp_path / "w.safetensors")
    ours, theirs = (m.get_layer("s2_b2_c_conv").get_weights()[0] for m in (body, source))
    np.testing.assert_array_equal(ours, theirs)


def test_padding_must_be_the_file_s(tmp_path):
    tf_keras_model = make(convention="tf_keras")
    path = write(make(), TIMM, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="padding is symmetric, the model's same: build it with"):
        load_weights(tf_keras_model, path)
    with pytest.raises(ValueError, match="pads as tf_keras does"):
        save_timm(tf_keras_model, tmp_path / "other.safetensors")
    path = write(tf_keras_model, TF_KERAS, tmp_path / "w.h5")
    with pytest.raises(ValueError, match="convention='tf_keras'"):
        load_weights(make(), path)
    assert not (tmp_path / "other.safetensors").exists()


def test_files_of_nothing_known(tmp_path):
    model = make()
    path = tmp_path / "w.safetensors"
    with pytest.raises(ValueError, match=r"cannot read .*No such file"):
        load_weights(model, path)
    path.write_bytes(b"nothing that is known")
    with pytest.raises(ValueError, match="neither HDF5 nor safetensors nor a file of torch"):
        load_weights(model, path)
    write_safetensors({"conv1.weight": np.zeros(3)}, path, {})
    with pytest.raises(
        ValueError, match=r"no RegNet of timm, torchvision, .*: its weights are conv"
    ):
        load_weights(model, path)
    model.save_weights(tmp_path / "own.weights.h5")
    with pytest.raises(ValueError, match=r"written by Keras 3: use model\.load_weights"):
        load_weights(model, tmp_path / "own.weights.h5")
    data = write(make(convention="tf_keras"), TF_KERAS, tmp_path / "w.h5").read_bytes()
    (tmp_path / "w.h5").write_bytes(data[: len(data) // 2])
    with pytest.raises(ValueError, match="cut short or damaged"):
        load_weights(model, tmp_path / "w.h5")
    with pytest.raises(ValueError, match="colours must be one of rgb, bgr, got 'grey'"):
        load_weights(model, path, colours="grey")


def test_networks_that_timm_and_torchvision_lack(tmp_path):
    basic = build(NetSpec(Y.stages, block="basic"), input_shape=(32, 32, 3), classes=4)
    vanilla = build(NetSpec(Y.stages, block="vanilla"), input_shape=(32, 32, 3), classes=4)
    headed = build(NetSpec(Y.stages, head_width=24), input_shape=(32, 32, 3), classes=4)
    path = tmp_path / "w.safetensors"
    for model in (basic, vanilla):
        with pytest.raises(ValueError, match="timm has no network of these blocks"):
            save_timm(model, path)
    with pytest.raises(ValueError, match=r"expected a \.safetensors file, got .*w\.pth"):
        save_timm(headed, tmp_path / "w.pth")
    assert not list(tmp_path.iterdir())
    write(make(X), TORCHVISION, path)
    with pytest.raises(ValueError, match="torchvision has no head_conv"):
        load_weights(headed, path)
