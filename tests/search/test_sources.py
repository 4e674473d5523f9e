import logging
import os
import shutil

import numpy as np
import pytest
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.data.sources.arrays import KERAS_SETS
from regnet_ds.search.data.sources.folders import read_folder, split_of
from regnet_ds.search.data.sources.opening import split_name


@pytest.fixture(scope="module")
def photos(tmp_path_factory, write_folder):
    return write_folder(tmp_path_factory.mktemp("photos"), 40)


def splits_of(folder):
    found = read_folder(str(folder)).splits
    return {name: part for part, images in found.items() for name in images.names}


def test_a_folder_is_split_by_the_hash_of_names(photos, tmp_path, write_folder):
    """Adding and removing files moves no other file, and the folder's place plays no part."""
    before = splits_of(photos)
    assert len(before) == 80 and set(before.values()) == {"train", "val", "test"}
    copy = tmp_path / "elsewhere"
    shutil.copytree(photos, copy)
    write_folder(copy, 60, seed=1)
    (copy / "china" / "0000.jpg").unlink()
    after = splits_of(copy)
    assert len(after) == 119
    assert all(after[name] == part for name, part in before.items() if name in after)


def test_the_split_takes_a_tenth_of_every_class():
    for name in ("cat", "dog"):
        parts = [split_of(name, f"{i}.jpg") for i in range(20_000)]
        assert parts.count("val") / 20_000 == pytest.approx(0.1, abs=0.008)
        assert parts.count("test") / 20_000 == pytest.approx(0.1, abs=0.008)
    cats = [split_of("cat", f"{i}.jpg") for i in range(100)]
    assert cats != [split_of("dog", f"{i}.jpg") for i in range(100)]  # class by class


def test_train_and_val_folders_are_taken_as_they_are(tmp_path, write_folder):
    write_folder(tmp_path / "train", 3)
    write_folder(tmp_path / "val", 2, classes=("flower",))
    data = load_dataset(str(tmp_path), resolution=32)
    assert (len(data.train), len(data.val), data.classes) == (6, 2, 2)
    assert data.class_names == ("china", "flower") and data.image_size == (32, 32)
    with pytest.raises(ValueError, match="has no test split: evaluate on val"):
        data.split("test")
    records = list(data.val.read().as_numpy_iterator())
    assert [label for _, label in records] == [1, 1]
    assert all(content.startswith(b"\xff\xd8\xff") for content, _ in records)


def test_reading_shuffles_by_the_seed_and_can_skip(photos):
    data = load_dataset(str(photos))

    def read(*arguments):
        return [content for content, _ in data.train.read(*arguments).as_numpy_iterator()]

    first = read((1, 2))
    assert first == read((1, 2)) and first != read((1, 3))
    assert sorted(first) == sorted(read()) and read((1, 2), 5) == first[5:]


def test_faulty_folders_are_refused(tmp_path, caplog, write_folder):
    def refuses(message, folder, **options):
        with pytest.raises(ValueError, match=message):
            load_dataset(str(folder), **options)

    refuses("holds no folders: a data set has a folder a class", tmp_path)
    one = write_folder(tmp_path / "one", 3, classes=("cats",))
    refuses("has one class, cats: a data set needs at least two", one)
    (one / "dogs").mkdir()
    (one / "dogs" / "notes.txt").write_text("no image")
    with caplog.at_level(logging.WARNING, logger="regnet_ds"):
        refuses("classes without a training image: dogs", one)
    assert "1 files are no images by their names: notes.txt" in caplog.text
    half = tmp_path / "half"
    write_folder(half / "train", 2)
    refuses("has a folder train but none val", half)
    write_folder(half / "val", 2, classes=("china", "tower"))
    refuses("val has classes that train has not: tower", half)
    refuses("resolution must be a positive integer, got 0", half, resolution=0)


def test_damaged_images_are_named_counted_and_skipped_on_request(photos, tmp_path, caplog):
    folder = tmp_path / "damaged"
    shutil.copytree(photos, folder)
    (folder / "china" / "0001.jpg").write_bytes(b"")
    cut = (folder / "flower" / "0002.jpg").read_bytes()
    (folder / "flower" / "0002.jpg").write_bytes(cut[: len(cut) // 2])
    (folder / "flower" / "0003.jpg").write_bytes(b"no image at all")
    with pytest.raises(ValueError, match=r"1 images of .* are empty: china/0001.jpg; remove them"):
        load_dataset(str(folder))
    with caplog.at_level(logging.WARNING, logger="regnet_ds"):
        data = load_dataset(str(folder), skip_damaged=True)
    assert "3 damaged images left out: " in caplog.text
    for name in ("china/0001.jpg", "flower/0002.jpg", "flower/0003.jpg"):
        assert name in caplog.text
    assert sum(len(data.split(part)) for part in ("train", "val", "test")) == 77


def test_mirrors_hold_the_same_data(photos, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    name = f"{photos},{copy}"
    first, second, again = (load_dataset(name, mirror=i) for i in (0, 1, 2))
    assert first.train.folder == again.train.folder == str(photos)
    assert second.train.folder == str(copy)
    assert first.fingerprint == second.fingerprint and first.name == second.name == name


def test_the_fingerprint_changes_with_the_files(photos, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(photos, copy)
    before = load_dataset(str(copy)).fingerprint
    os.rename(copy / "china" / "0001.jpg", copy / "china" / "x.jpg")
    assert load_dataset(str(copy)).fingerprint != before


def test_names_and_options():
    assert split_name("a/b, c?classes=10") == (["a/b", "c"], 10)
    for name, message in [
        ("a?classes=1", "classes must be a whole number of at least 2, got '1'"),
        ("a?klasses=3", "unknown option 'klasses' in a"),
        ("a,,b", "an empty name"),
        ("nowhere", r"neither a file or folder nor a name \(nearest: "),
    ]:
        with pytest.raises(ValueError, match=message):
            load_dataset(name)


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    return {
        "images": rng.integers(0, 256, (50, 9, 9), dtype=np.uint8),
        "labels": np.arange(50) % 3,
    }


def test_npz_files_of_images_and_labels(arrays, tmp_path):
    path = str(tmp_path / "a.npz")
    np.savez(path, **arrays)
    data = load_dataset(path)
    assert (len(data.train), len(data.val), len(data.test), data.classes) == (30, 10, 10, 3)
    assert np.array_equal(data.test.images[..., 1], arrays["images"][::5])
    grey = arrays["images"][np.arange(50) % 5 > 1] / 255
    assert data.mean == pytest.approx([grey.mean()] * 3)
    assert data.std == pytest.approx([grey.std()] * 3)
    assert load_dataset(path, resolution=18).image_size == (18, 18)
    assert load_dataset(f"{path}?classes=7").classes == 7


def test_npz_files_of_train_and_test(arrays, tmp_path):
    path = str(tmp_path / "b.npz")
    images, labels = arrays["images"][..., None] / 255, arrays["labels"][:, None]
    np.savez(path, x_train=images[:40], y_train=labels[:40], x_test=images[40:], y_test=labels[40:])
    data = load_dataset(path)
    assert (len(data.train), len(data.val), len(data.test)) == (36, 4, 10)
    assert data.train.images.dtype == np.float32
    assert np.allclose(data.val.images[1, ..., 0], images[10, ..., 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": np.arange(49)}, "has 50 images and 49 labels"),
        ({"labels": np.arange(50) - 1}, "labels of .* must be 0 to 48, got -1"),
        ({"labels": np.arange(50) / 2}, "must be whole numbers"),
        ({"labels": np.zeros(50, int)}, "has one class"),
        ({"images": np.full((50, 4, 4, 3), 2.0)}, r"must be uint8 or in \[0, 1\]"),
        ({"images": np.zeros((50, 4, 4, 2))}, r"must be \(n, h, w, 3\) or grey"),
    ],
)
def test_faulty_arrays_are_refused(arrays, tmp_path, change, message):
    path = str(tmp_path / "c.npz")
    np.savez(path, **{**arrays, **change})
    with pytest.raises(ValueError, match=message):
        load_dataset(path)


def test_files_that_are_no_arrays_are_refused(tmp_path):
    path = tmp_path / "d.npz"
    path.write_text("no arrays")
    with pytest.raises(ValueError, match=r"cannot read .*d.npz"):
        load_dataset(str(path))
    np.savez(path, pictures=np.zeros(3))
    with pytest.raises(ValueError, match=r"must hold images and labels, or .*, got pictures"):
        load_dataset(str(path))


@pytest.mark.parametrize("name", KERAS_SETS)
def test_sets_of_keras(name, monkeypatch):
    """The shapes and types that keras.datasets gives; nothing is downloaded here."""
    import keras

    shape = (20, 28, 28) if "mnist" in name else (20, 32, 32, 3)
    x = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    y = np.arange(20, dtype=np.uint8) % 10
    y = y if "mnist" in name else y[:, None]
    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: ((x, y), (x, y)))
    data = load_dataset(name)
    assert (len(data.train), len(data.val), len(data.test)) == (18, 2, 20)
    assert data.classes == (100 if name == "cifar100" else 10)
    assert data.train.images.dtype == np.uint8 and data.image_size == shape[1:3]

    def fails():
        raise OSError("no network")

    monkeypatch.setattr(getattr(keras.datasets, name), "load_data", fails)
    with pytest.raises(ValueError, match=f"keras.datasets cannot load {name}: no network"):
        load_dataset(name)


def test_extras_that_are_missing_are_named(monkeypatch):
    import sys

    from regnet_ds.search.data.sources import embedded

    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(ValueError, match=r"pip install 'regnet-ds\[tfds\]'"):
        load_dataset("tfds:mnist")
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    embedded.mnist5k.cache_clear()
    with pytest.raises(ValueError, match=r"pip install 'regnet-ds\[mnist5k\]'"):
        load_dataset("mnist5k")
