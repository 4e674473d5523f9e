"""Files of torch.save and safetensors, read without torch; what they must not do."""

import io
import os
import pickle
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
from regnet_ds.regnet.weights.safetensors_file import read_safetensors, write_safetensors
from regnet_ds.regnet.weights.torch_file import OLD_MAGIC, OLD_PROTOCOL, read_torch
from regnet_ds.regnet.weights.torch_pickle import KNOWN, Unpickler

NUMBERS = np.arange(24, dtype=np.float32)
SAMPLES = {
    "plain": NUMBERS.reshape(2, 3, 4),
    "turned": NUMBERS.reshape(2, 3, 4).transpose(2, 0, 1),
    "part": NUMBERS[6:12],
    "half": NUMBERS.astype(np.float16),
    "long": np.arange(3),
    "scalar": np.float32(5.0),
    "parameter": NUMBERS[:2],
    "empty": np.zeros((0, 4), np.float32),
}


@pytest.fixture
def samples(golden):
    return golden / "torch_files"  # written by torch: torch_weights_peer.py


@pytest.mark.parametrize("file", ["zip.pth", "old.pth", "checkpoint.pth", "all.safetensors"])
def test_what_torch_wrote_is_read(file, samples):
    read = read_safetensors if file.endswith(".safetensors") else read_torch
    made = read(samples / file)
    assert set(made) == {*SAMPLES, "bfloat16"}
    for name, expected in SAMPLES.items():
        np.testing.assert_array_equal(made[name], expected)
        assert made[name].dtype == expected.dtype
        assert made[name].shape == expected.shape
    assert made["bfloat16"].dtype == np.float32
    np.testing.assert_allclose(made["bfloat16"], NUMBERS / 7, rtol=2**-8)


def test_pycls_gives_the_better_of_its_two(samples):
    np.testing.assert_array_equal(read_torch(samples / "pycls.pyth")["weight"], [2, 3])


class Call:
    """Pickled, it asks for a function to be called."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def archive(path, content, name="x/data.pkl", method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(name, content)
        file.writestr("x/data/0", bytes(400))
    return path


TRAPS = [
    (Call(os.system, "touch trapped"), r"posix\.system|nt\.system"),
    (Call(eval, "open('trapped', 'w')"), r"builtin(s|__)\.eval"),
    (Call(getattr, "x", "upper"), r"builtin(s|__)\.getattr"),
    ({"weight": Call(exec, "open('trapped', 'w')")}, r"builtin(s|__)\.exec"),
    (Call(np.load, "trapped.npy"), "numpy"),
    (Call(io.open, "trapped", "w"), "open"),
]


@pytest.mark.parametrize(("trap", "asks_for"), TRAPS)
@pytest.mark.parametrize("old", [False, True], ids=["zip", "old"])
def test_code_is_refused_and_not_run(trap, asks_for, old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "trap.pth"
    if old:
        start = (OLD_MAGIC, OLD_PROTOCOL, {"little_endian": True})
        path.write_bytes(b"".join(pickle.dumps(part, 2) for part in (*start, trap)))
    else:
        archive(path, pickle.dumps(trap))
    with pytest.raises(ValueError, match=asks_for):
        read_torch(path)
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_that_a_pickle_reaches_can_be_changed():
    """BUILD sets attributes of what lies on the stack, also of a class or function."""
    for name in KNOWN:
        module, _, attribute = name.rpartition(".")
        state = pickle.dumps((None, {"__doc__": "changed"}), 2)[2:-1]
        with pytest.raises((pickle.UnpicklingError, AttributeError, TypeError)):
            Unpickler(io.BytesIO(f"c{module}\n{attribute}\n".encode() + state + b"b.")).load()
        assert KNOWN[name].__doc__ != "changed"


@pytest.mark.parametrize("file", ["zip.pth", "old.pth", "checkpoint.pth", "all.safetensors"])
def test_a_file_cut_anywhere_is_refused(file, samples, tmp_path):
    data = (samples / file).read_bytes()
    read = read_safetensors if file.endswith(".safetensors") else read_torch
    for length in range(0, len(data), 41):
        (tmp_path / file).write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"cut short|damaged"):
            read(tmp_path / file)


def tensor_pickle(size, stride, elements=100):
    """Return a state dict with one tensor, as torch writes it."""
    text = f"(S'storage'\nctorch\nFloatStorage\nS'0'\nS'cpu'\nI{elements}\ntQ"
    sizes = "".join(f"I{n}\n" for n in size), "".join(f"I{n}\n" for n in stride)
    return (
        f"(S'weight'\nctorch._utils\n_rebuild_tensor_v2\n({text}I0\n({sizes[0]}t({sizes[1]}t"
        "I00\nccollections\nOrderedDict\n(tRtRd."
    ).encode()


@pytest.mark.parametrize(
    ("size", "stride", "message"),
    [
        ((10, 10), (10, 1), None),
        ((10, 10), (11, 1), "ends outside its storage"),
        ((10, 100_000_000), (0, 0), "does not fit its storage"),
        ((10, 10), (-10, 1), "does not fit its storage"),
    ],
)
def test_a_tensor_stays_within_its_storage(size, stride, message, tmp_path):
    path = archive(tmp_path / "x.pth", tensor_pickle(size, stride))
    if message is None:
        assert read_torch(path)["weight"].shape == size
    else:
        with pytest.raises(ValueError, match=message):
            read_torch(path)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (pickle.dumps([1, 2]), {}, "it holds a list, not a state dict"),
        (pickle.dumps({"epoch": 1}), {}, "it has no state dict, but epoch"),
        (pickle.dumps({}), {"name": "config.json"}, "not one of PyTorch: it has no data.pkl"),
        (tensor_pickle((2,), (1,), 99), {}, "cut short or damaged .*has 400 bytes"),
        (tensor_pickle((2,), (1,)), {"method": zipfile.ZIP_DEFLATED}, "it is compressed"),
    ],
)
def test_other_archives_are_refused(content, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_torch(archive(tmp_path / "x.pth", content, **options))


def test_safetensors_are_written_as_read(tmp_path):
    tensors = OrderedDict(SAMPLES) | {"double": np.arange(3.0), "yes": np.array([True])}
    write_safetensors(tensors, tmp_path / "x.safetensors", {"format": "pt"})
    made = read_safetensors(tmp_path / "x.safetensors")
    assert list(made) == list(tensors)
    for name, expected in tensors.items():
        np.testing.assert_array_equal(made[name], expected)
        assert made[name].dtype == expected.dtype


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"[1]", "not a JSON object"),
        (b"{nothing", "not JSON"),
        (b'{"a": 1}', "cannot read the entry of a"),
        (b'{"a": {"dtype": "F8", "shape": [1], "data_offsets": [0, 1]}}', "the type 'F8' of a"),
        (b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}', "do not fit its shape"),
        (b'{"a": {"dtype": "F32", "shape": [-1], "data_offsets": [8, 4]}}', "do not fit"),
        (b'{"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}', "cut short: a ends"),
    ],
)
def test_damaged_safetensors_are_refused(header, message, tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(ValueError, match=message):
        read_safetensors(path)


def test_safetensors_lack_complex_numbers(tmp_path):
    with pytest.raises(ValueError, match="no type for complex64 of a"):
        write_safetensors({"a": np.zeros(1, np.complex64)}, tmp_path / "x.safetensors", {})
    assert not list(tmp_path.iterdir())
