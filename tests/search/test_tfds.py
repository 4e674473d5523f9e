"""TensorFlow Datasets, with a set that its own builder writes here; nothing is downloaded."""

import numpy as np
import pytest
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.data.sources import tfds as source
from regnet_ds.search.recipes.recipe import Recipe

tfds = pytest.importorskip("tensorflow_datasets")
NAMES = ["dark", "light"]
COUNTS = {"train": 40, "test": 10}


@pytest.fixture(scope="module")
def builder(tmp_path_factory):
    """Return a prepared builder of dark and light images, some wider than high."""
    rng = np.random.default_rng(0)

    def examples(n):
        for i in range(n):
            low = 128 * (i % 2)
            pixels = rng.integers(low, low + 128, (40, 40 + i % 5, 3), dtype=np.uint8)
            yield i, {"image": pixels, "label": NAMES[i % 2]}

    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=NAMES),
        }
    )
    return tfds.dataset_builders.store_as_tfds_dataset(
        name="shades",
        version="1.0.0",
        features=features,
        split_datasets={part: list(examples(n)) for part, n in COUNTS.items()},
        data_dir=str(tmp_path_factory.mktemp("tfds")),
        disable_shuffling=True,
    )


@pytest.fixture
def data(builder, monkeypatch):
    """Return what ``load_dataset`` makes of its name."""
    monkeypatch.setattr(tfds, "builder", lambda name: builder)
    return load_dataset("tfds:shades", resolution=32)


def test_a_set_has_the_splits_and_classes_of_its_builder(data):
    assert {part: len(data.split(part)) for part in ("train", "val", "test")} == {
        "train": 36,
        "val": 4,  # the last tenth of train, where there is no validation split
        "test": 10,
    }
    assert data.class_names == ("dark", "light") and data.classes == 2
    assert data.name == "tfds:shades" and len(data.fingerprint) == 64


def test_reading_gives_encoded_images_in_an_order_of_the_seed(data):
    def read(*arguments):
        return [content for content, _ in data.train.read(*arguments).as_numpy_iterator()]

    first = read((1, 2))
    assert all(content.startswith(b"\xff\xd8\xff") for content in first)
    assert first == read((1, 2)) and first != read((1, 3))
    assert sorted(first) == sorted(read()) and read((1, 2), 5) == first[5:]


def test_batches_have_the_labels_of_their_images(data):
    from regnet_ds.search.data.batches import Evaluation, training_batches

    recipe = Recipe(batch_size=8, flip=True, pca_std=0.0)
    batches = list(training_batches(data, recipe, 0).epoch(0))
    assert len(batches) == 4 and batches[0][0].shape == (8, 32, 32, 3)
    pairs = [(images, target.argmax(-1)) for images, target in batches]
    for images, labels in [*pairs, *Evaluation(data, "test")]:
        light = images[: len(labels)].mean((1, 2, 3))
        middle = (0.5 - np.mean(data.mean)) / np.mean(data.std)
        assert np.array_equal(light > middle, labels == 1)


def test_what_tfds_cannot_prepare_is_one_line(monkeypatch):
    def fails(name):
        raise tfds.core.registered.DatasetNotFoundError(f"Dataset {name} not found.\nMore.")

    monkeypatch.setattr(tfds, "builder", fails)
    with pytest.raises(ValueError, match=r"^TFDS cannot prepare nothing: Dataset nothing not fo"):
        load_dataset("tfds:nothing")


def test_other_features_are_refused(builder, monkeypatch):
    monkeypatch.setattr(type(builder.info), "features", {"text": None, "label": None})
    with pytest.raises(ValueError, match="needs the features image and label, got text, label"):
        source.prepared_dataset("tfds:shades", builder, 32)
