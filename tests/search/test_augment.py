from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from regnet_ds.search.data import augment
from regnet_ds.search.data.batches import (
    TrainingBatches,
    evaluation_batch_size,
    evaluation_batches,
    normalise,
)
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.recipes.recipe import Recipe
from scipy.ndimage import map_coordinates

PLAIN = Recipe(batch_size=100, area_factor=1.0, flip=False, pca_std=0.0)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="module")
def digits():
    return load_dataset("digits")


@settings(deadline=None)
@given(st.integers(8, 60), st.integers(8, 60), st.floats(0.05, 1), st.integers(0, 2**32))
def test_boxes_lie_inside(height, width, area_factor, seed):
    rng = np.random.default_rng(seed)
    boxes = augment.draw_boxes(50, height, width, area_factor=area_factor, rng=rng)
    assert (boxes.top >= 0).all() and (boxes.top + boxes.height <= height).all()
    assert (boxes.left >= 0).all() and (boxes.left + boxes.width <= width).all()
    assert (boxes.height > 0).all() and (boxes.width > 0).all()


def test_boxes_have_the_published_distribution(rng):
    boxes = augment.draw_boxes(40_000, 224, 224, area_factor=0.25, rng=rng)
    area = boxes.height * boxes.width / 224**2
    aspect = boxes.width / boxes.height
    assert area.min() > 0.24 and area.max() <= 1
    assert aspect.min() > 0.74 and aspect.max() < 1.36
    assert np.mean(aspect > 1) == pytest.approx(0.5, abs=0.02)  # half are swapped
    one_by_one = np.array([inception_box(rng, 224, 0.25) for _ in range(10_000)])
    assert area.mean() == pytest.approx((one_by_one.prod(1) / 224**2).mean(), abs=0.01)
    assert boxes.width.std() == pytest.approx(one_by_one[:, 0].std(), rel=0.03)
    assert np.mean(boxes.left == 0) < 0.1 and (boxes.left + boxes.width).max() == 224


def inception_box(rng, size, area_factor):
    """Return (width, height) as pycls draws one, in a loop."""
    for _ in range(10):
        area = rng.uniform(area_factor, 1) * size * size
        aspect = rng.uniform(3 / 4, 4 / 3)
        w, h = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
        if rng.random() < 0.5:
            w, h = h, w
        if w <= size and h <= size:
            return w, h
    return size, size


def test_a_box_that_never_fits_becomes_the_centre_square(rng):
    boxes = augment.draw_boxes(5, 10, 100, area_factor=1.0, rng=rng)
    assert np.array_equal(boxes.height, [10] * 5) and np.array_equal(boxes.width, [10] * 5)
    assert np.array_equal(boxes.left, [45] * 5) and np.array_equal(boxes.top, [0] * 5)


def test_crop_equals_cutting_and_resizing(rng):
    images = rng.random((20, 17, 23, 3), dtype=np.float32)
    boxes = augment.draw_boxes(20, 17, 23, area_factor=0.2, rng=rng)
    got = augment.crop(images, boxes)
    for k in range(20):
        top, left, h, w = (
            int(part[k]) for part in (boxes.top, boxes.left, boxes.height, boxes.width)
        )
        cut = images[k, top : top + h, left : left + w]
        y = (np.arange(17) + 0.5) * h / 17 - 0.5
        x = (np.arange(23) + 0.5) * w / 23 - 0.5
        grid = np.meshgrid(y, x, indexing="ij")
        for c in range(3):
            want = map_coordinates(cut[..., c], grid, order=1, mode="nearest")
            assert np.allclose(got[k, ..., c], want, atol=1e-5)


def test_flip_mirrors_the_chosen_alone(rng):
    images = rng.random((4, 5, 6, 3), dtype=np.float32)
    got = augment.flip(images, np.array([True, False, True, False]))
    assert np.array_equal(got[0], images[0, :, ::-1]) and np.array_equal(got[1], images[1])


def test_pca_jitter_adds_one_colour_an_image(rng):
    images = rng.random((3, 4, 4, 3), dtype=np.float32)
    got = augment.pca_jitter(images, np.array([[0.1, 0, 0], [0, 0.1, 0], [0, 0, 0]])) - images
    first = 0.1 * 0.2175 * np.array([-0.5675, -0.5808, -0.5836])
    second = 0.1 * 0.0188 * np.array([0.7192, -0.0045, -0.6948])
    assert np.allclose(got[0], first, atol=1e-6) and np.allclose(got[1], second, atol=1e-6)
    assert np.array_equal(got[2], np.zeros((4, 4, 3)))


def test_targets_are_smoothed_and_mixed(rng):
    target = augment.targets(np.array([1, 3]), 5, 0.1)
    assert target[0] == pytest.approx([0.02, 0.92, 0.02, 0.02, 0.02])
    images = rng.random((2, 4, 4, 3), dtype=np.float32)
    mixed, mixed_target = augment.mixup(images, target, 0.7)
    assert np.allclose(mixed[0], 0.7 * images[0] + 0.3 * images[1])
    assert np.allclose(mixed_target.sum(1), 1) and mixed_target[0, 3] == pytest.approx(
        0.7 * 0.02 + 0.3 * 0.92
    )


def test_an_epoch_is_every_image_once_in_an_order_of_the_seed(digits):
    batches = TrainingBatches(digits, PLAIN, 0)
    images = np.concatenate([images for images, _ in batches.epoch(0)])
    assert images.shape == (1000, 32, 32, 3)  # ten whole batches of 1,077 images
    order = batches.order(0)[:1000]
    assert len(set(order.tolist())) == 1000
    assert np.array_equal(images, normalise(digits.train.images[order], digits))
    assert not np.array_equal(batches.order(0), batches.order(1))
    assert not np.array_equal(batches.order(0), TrainingBatches(digits, PLAIN, 1).order(0))


def test_batches_depend_on_seed_epoch_and_step_alone(digits):
    recipe = replace(PLAIN, area_factor=0.6, mixup_alpha=0.2, label_smoothing=0.1)
    first = list(TrainingBatches(digits, recipe, 3).epoch(2))
    again = list(TrainingBatches(digits, recipe, 3).epoch(2))
    for (images, target), (images2, target2) in zip(first, again, strict=True):
        assert np.array_equal(images, images2) and np.array_equal(target, target2)
        assert images.dtype == target.dtype == np.float32 and target.shape == (100, 10)
    other = next(TrainingBatches(digits, recipe, 4).epoch(2))
    assert not np.array_equal(first[0][0], other[0])
    assert not np.array_equal(first[0][0], next(TrainingBatches(digits, recipe, 3).epoch(3))[0])


def test_statistics_see_augmented_images_without_mixup(digits):
    cropped = replace(PLAIN, area_factor=0.6)
    mixed = replace(cropped, mixup_alpha=1.0)
    plain = [images for images, _ in TrainingBatches(digits, cropped, 0).epoch(1)]
    got = list(TrainingBatches(digits, mixed, 0).images(1, 4))
    assert len(got) == 4 and np.array_equal(got[0], plain[0])
    assert len(list(TrainingBatches(digits, mixed, 0).images(1, 99))) == 10


def test_a_batch_larger_than_the_data_is_refused(digits):
    with pytest.raises(ValueError, match="batch_size 2000 is larger than the 1077 training images"):
        TrainingBatches(digits, replace(PLAIN, batch_size=2000), 0)


def test_evaluation_batches_hold_the_split_in_equal_parts(digits):
    assert evaluation_batch_size(360) == 180 and evaluation_batch_size(257) == 129
    batches = evaluation_batches(digits, digits.val)
    assert [len(batch) for batch in batches] == [180, 180]
    assert np.array_equal(np.concatenate(batches), normalise(digits.val.images, digits))
    assert np.concatenate(evaluation_batches(digits, digits.train))[:1077].mean() == pytest.approx(
        0, abs=1e-4
    )
