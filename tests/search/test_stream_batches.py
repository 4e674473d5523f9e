from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from regnet_ds.search.data.batches import Evaluation, training_batches
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.data.sources.folders import read_folder
from regnet_ds.search.data.sources.shards import write_shards
from regnet_ds.search.recipes.recipe import Recipe

SIDE = 32
RECIPE = Recipe(batch_size=8, area_factor=0.25, mixup_alpha=0.3, label_smoothing=0.1)
PLAIN = Recipe(batch_size=8, area_factor=1.0, flip=False, pca_std=0.0)


@pytest.fixture(scope="module", params=["folder", "records"])
def data(request, tmp_path_factory, write_folder):
    folder = write_folder(tmp_path_factory.mktemp("photos"), 30, suffix="png")
    if request.param == "folder":
        return load_dataset(str(folder), resolution=SIDE)
    out = tmp_path_factory.mktemp("records")
    write_shards(read_folder(str(folder)), str(out), images_per_shard=12)
    return load_dataset(str(out), resolution=SIDE)


def equal(first, second):
    return all(
        np.array_equal(a, c) and np.array_equal(b, d)
        for (a, b), (c, d) in zip(first, second, strict=True)
    )


def test_seed_epoch_and_step_decide(data):
    """From any step, the same batches; another seed or epoch gives others."""
    batches = training_batches(data, RECIPE, 3)
    first = list(batches.epoch(2))
    assert len(first) == batches.steps == len(data.train) // 8
    assert equal(first, batches.epoch(2)) and equal(first[2:], batches.epoch(2, 2))
    assert list(batches.epoch(2, batches.steps)) == []
    assert not np.array_equal(first[0][0], next(batches.epoch(1))[0])
    assert not np.array_equal(first[0][0], next(training_batches(data, RECIPE, 4).epoch(2))[0])


def test_shapes_are_static_and_no_python_is_in_the_graph(data):
    pipeline = training_batches(data, RECIPE, 0).pipeline(0)
    images, target = pipeline.element_spec
    assert images.shape == (8, SIDE, SIDE, 3) and target.shape == (8, data.classes)
    assert images.dtype == target.dtype == tf.float32
    graph = tf.raw_ops.DatasetToGraphV2(input_dataset=pipeline._variant_tensor).numpy()
    assert b"ParallelMapDataset" in graph and b"PyFunc" not in graph


def test_an_epoch_is_every_image_once(data):
    """Without augmentation, each batch image is evaluation's view of a training image."""
    batches = training_batches(data, PLAIN, 0)
    images = np.concatenate([images for images, _ in batches.epoch(0)])
    views = replace(data, splits={**data.splits, "val": data.train})
    every = np.concatenate([images for images, _ in Evaluation(views, "val")])
    every = {image.tobytes() for image in every[: len(data.train)]}
    seen = [image.tobytes() for image in images]
    assert len(set(seen)) == len(seen) == 8 * batches.steps and set(seen) <= every


def test_half_of_the_images_are_mirrored(data):
    plain = training_batches(data, PLAIN, 0)
    flipping = training_batches(data, replace(PLAIN, flip=True), 0)
    mirrored, total = 0, 0
    for epoch in range(4):
        for (a, _), (b, _) in zip(plain.epoch(epoch), flipping.epoch(epoch), strict=True):
            same = (a == b).all((1, 2, 3))
            assert (same | (a[:, :, ::-1] == b).all((1, 2, 3))).all()
            mirrored, total = mirrored + int((~same).sum()), total + len(a)
    assert 0.35 < mirrored / total < 0.65


def test_jitter_is_one_normal_colour_an_image(data):
    plain = training_batches(data, PLAIN, 0)
    jittered = training_batches(data, replace(PLAIN, pca_std=0.1), 0)
    colours = []
    for epoch in range(4):
        for (a, _), (b, _) in zip(plain.epoch(epoch), jittered.epoch(epoch), strict=True):
            difference = (b - a) * np.float32(data.std)
            assert np.allclose(difference, difference[:, :1, :1], atol=1e-5)
            colours.append(difference[:, 0, 0])
    colours = np.concatenate(colours)
    assert len(np.unique(colours[:, 0])) > 0.9 * len(colours)
    # Red is -0.5675 of the first component, of deviation 0.1 * 0.2175, and little else.
    assert colours[:, 0].std() == pytest.approx(0.1 * 0.2175 * 0.5675, rel=0.25)


def test_mixup_is_drawn_once_a_batch_or_for_each_image(data):
    def shares(per_image):
        recipe = replace(PLAIN, mixup_alpha=0.5, mixup_per_image=per_image)
        batches = training_batches(data, recipe, 0)
        for (mixed, target), (plain, _) in zip(
            batches.epoch(0), training_batches(data, PLAIN, 0).epoch(0), strict=True
        ):
            a, b = plain.reshape(8, -1), plain[::-1].reshape(8, -1)
            m = mixed.reshape(8, -1)
            yield ((m - b) * (a - b)).sum(1) / ((a - b) ** 2).sum(1)
            assert np.allclose(target.sum(1), 1, atol=1e-6)

    for found in shares(False):
        assert np.ptp(found) < 1e-3 and 0 <= found[0] <= 1
    per_image = np.concatenate(list(shares(True)))
    assert len(np.unique(per_image.round(3))) > len(per_image) / 2


def test_statistics_see_augmented_images_without_mixup(data):
    batches = training_batches(data, RECIPE, 0)
    unmixed = training_batches(data, replace(RECIPE, mixup_alpha=0.0), 0)
    images = list(batches.images(1, 3))
    assert len(images) == 3
    assert all(np.array_equal(a, b) for a, (b, _) in zip(images, unmixed.epoch(1), strict=False))


def test_evaluation_is_exact_whatever_the_size(data):
    batches = list(Evaluation(data, "val"))
    n = len(data.val)
    assert sum(len(labels) for _, labels in batches) == n
    assert {images.shape for images, _ in batches} == {Evaluation(data, "val").shape}
    assert not batches[-1][0][len(batches[-1][1]) :].any()


def test_a_batch_larger_than_the_data_is_refused(data):
    with pytest.raises(ValueError, match=f"batch_size 500 is larger than the {len(data.train)}"):
        training_batches(data, replace(PLAIN, batch_size=500), 0)
