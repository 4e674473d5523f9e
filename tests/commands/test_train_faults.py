"""Bad input of ``regnet-ds train`` beyond its options: damaged data, full disks, other runs."""

import resource
import shutil

import numpy as np
import pytest
from PIL import Image

NETWORK = ("depth=2", "w0=8", "wa=8", "wm=2", "group_width=8")
OTHER = ("depth=3", *NETWORK[1:])
SHORT = ("--set", "batch_size=16", "--epochs", "1")
SMALL = ("--set", "batch_size=8", "--epochs", "1", "--resolution", "32")


@pytest.fixture
def photos(tmp_path):
    """Return a folder of 40 noisy images in two classes."""
    rng = np.random.default_rng(0)
    for name in ("cats", "dogs"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(20):
            pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i:02d}.jpg")
    return tmp_path / "photos"


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Return a file of 80 images in four classes."""
    path = tmp_path_factory.mktemp("arrays") / "ok.npz"
    pixels = np.random.default_rng(0).random((80, 32, 32, 3), np.float32)
    np.savez(path, images=pixels, labels=np.arange(80) % 4)
    return path


@pytest.fixture
def says(call, tmp_path):
    """Return what asserts that a training ends with one line, this one, and exit code 2."""

    def check(message, *arguments, network=NETWORK):
        code, out, err = call("train", *network, *arguments, "--out", tmp_path / "runs")
        lines = [line for line in err.splitlines() if line.startswith("regnet-ds: ")]
        assert (code, out, len(lines)) == (2, "", 1), err
        assert message in lines[0] and err.rstrip().endswith(lines[0])

    return check


def test_a_folder_of_one_class_and_empty_images(says, photos):
    (photos / "cats" / "05.jpg").write_bytes(b"")
    says("1 images of", "--data", photos, *SMALL)
    says("are empty: cats/05.jpg; remove them, or leave them out", "--data", photos, *SMALL)
    shutil.rmtree(photos / "cats")
    says("has one class, dogs: a data set needs at least two", "--data", photos, *SMALL)


def test_labels_out_of_range_and_too_large_a_batch(says, arrays):
    says("labels of", "--data", f"{arrays}?classes=3", *SHORT)
    says("must be 0 to 2, got 3", "--data", f"{arrays}?classes=3", *SHORT)
    says("batch_size 500 is larger than the 48 training images", "--data", arrays, "--set",
         "batch_size=500")  # fmt: skip


def test_unreadable_images_and_shards(says, photos, call, tmp_path):
    records = tmp_path / "records"
    assert call("data", "tfrecords", photos, "--out", records)[0] == 0
    (shard,) = records.glob("train*")
    whole = shard.read_bytes()
    half = len(whole) // 2
    shard.write_bytes(whole[:half] + b"zzzz" + whole[half + 4 :])
    says("corrupted record; regnet-ds data check", "--data", records, *SMALL)
    shard.write_bytes(whole[:half])
    says("truncated record; regnet-ds data check", "--data", records, *SMALL)
    for image in photos.glob("*/*.jpg"):
        image.write_bytes(image.read_bytes()[:300])
    says("Invalid JPEG; regnet-ds data check", "--data", photos, *SMALL)


def test_checkpoints_and_weights_of_another_network(says, call, arrays, tmp_path):
    folders = []
    for network in (NETWORK, OTHER):
        out = tmp_path / network[0]
        assert call("train", *network, "--data", arrays, *SHORT, "--out", out)[0] == 0
        folders += out.iterdir()
    first, other = folders
    weights = ("--weights", other / "model.keras")
    says("is of another network: s", "--data", arrays, *SHORT, *weights)
    shutil.copy(other / "checkpoint.npz", first)
    code, _, err = call("train", "--resume", first)
    assert code == 2 and "is of another training: model depth is 3, not 2" in err
    (first / "checkpoint.npz").write_bytes(b"something else")
    code, _, err = call("train", "--resume", first)
    assert code == 2 and "checkpoint.npz: it is none, or cut short" in err
    (first / "model.keras").write_bytes(b"something else")
    code, _, err = call("evaluate", first)
    assert code == 2 and "model.keras is not a .keras file" in err


def test_a_full_disk_is_one_line(says, call, arrays, photos, tmp_path):
    """Files may not grow beyond a limit, which fails as a full disk does, in C++ too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
        says("checkpoint.npz: File too large", "--data", arrays, *SHORT)
        code, _, err = call("data", "tfrecords", photos, "--out", tmp_path / "records")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 2 and ".tfrecord: File too large" in err.splitlines()[-1]
    assert not list((tmp_path / "records").glob("*train*"))
