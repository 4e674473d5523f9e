"""The pipeline's functions, against numpy's of `augment`, PIL and torchvision."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from regnet_ds.search.data import augment, image_ops

PEER = os.environ.get("REGNET_DS_PEER_PYTHON", sys.executable)
SIDE, SHORT_SIDE = 56, 64


@pytest.fixture(scope="module")
def photo(photograph):
    return photograph("flower")[:300, :406]


def encoded(image, kind):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, quality=95)
    return buffer.getvalue()


class Fixed:
    """A generator that gives the draws it was given."""

    def __init__(self, draws):
        self.draws = draws

    def random(self, shape):
        return self.draws.reshape(shape)


@pytest.mark.parametrize("area_factor", [0.05, 0.5, 0.95])
def test_boxes_equal_those_of_numpy_draw_by_draw(area_factor):
    """Sizes at which tries fail, too: all ten, where the image is long and the crop large."""
    rng = np.random.default_rng(0)
    fallbacks = 0
    for _ in range(40):
        height, width = (int(side) for side in rng.integers(5, 600, 2))
        draws = rng.random((5, 20, augment.CROP_TRIES))
        box = augment.draw_boxes(20, height, width, area_factor=area_factor, rng=Fixed(draws))
        want = np.stack([box.top, box.left, box.height, box.width], axis=1)
        sizes = (tf.fill((20,), height), tf.fill((20,), width))
        got = image_ops.draw_boxes(tf.constant(draws), *sizes, area_factor)
        assert np.array_equal(got, want)
        fallbacks += int((want[:, 2:] == min(height, width)).all(1).sum())
    assert fallbacks > (100 if area_factor == 0.95 else 0)


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_decoding_a_box_equals_decoding_and_cutting(photo, kind):
    content = encoded(photo, kind)
    whole = np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)
    assert [int(n) for n in image_ops.image_shape(tf.constant(content))] == [300, 406]
    for box in ([0, 0, 300, 406], [31, 57, 100, 90], [299, 400, 1, 1]):
        top, left, h, w = box
        got = image_ops.decode_box(tf.constant(content), tf.constant(box)).numpy().astype(int)
        want = whole[top : top + h, left : left + w]
        assert got.shape == want.shape
        assert np.abs(got - want).mean() < (0.05 if kind == "jpeg" else 1e-9)


def test_grey_and_cmyk_images_become_three_channels(photo):
    for mode in ("L", "CMYK"):
        buffer = io.BytesIO()
        Image.fromarray(photo).convert(mode).save(buffer, "jpeg")
        image = image_ops.decode_box(tf.constant(buffer.getvalue()), tf.constant([0, 0, 50, 60]))
        assert image.shape == (50, 60, 3)


@pytest.fixture(scope="module")
def torchvision(photo, tmp_path_factory):
    """Return boxes, and crops, centre and mirror image by torchvision."""
    folder = tmp_path_factory.mktemp("peer")
    boxes = np.array([[0, 0, 300, 406], [20, 30, 100, 140], [7, 11, 40, 33], [150, 2, 120, 56]])
    given = {"image": photo, "boxes": boxes, "side": SIDE, "short_side": SHORT_SIDE}
    np.savez(folder / "in.npz", **given)
    program = [PEER, str(Path(__file__).with_name("torchvision_peer.py"))]
    files = [str(folder / "in.npz"), str(folder / "out.npz")]
    done = subprocess.run([*program, *files], capture_output=True, text=True)
    if "No module named" in done.stderr:
        pytest.skip("torchvision is not installed: set REGNET_DS_PEER_PYTHON")
    assert done.returncode == 0, done.stderr
    return boxes, dict(np.load(folder / "out.npz"))


def test_crops_and_flips_equal_those_of_torchvision(photo, torchvision):
    boxes, want = torchvision
    content = tf.constant(encoded(photo, "png"))
    for box, crop in zip(boxes, want["crops"], strict=True):
        box = tf.constant(box, tf.int32)
        got = image_ops.training_image(content, box, tf.constant(False), SIDE).numpy()
        assert np.allclose(got, crop, atol=0.02)
        mirrored = image_ops.training_image(content, box, tf.constant(True), SIDE)
        assert np.allclose(mirrored, got[:, ::-1], atol=0.02)
    mirrored = image_ops.flipped(tf.constant(photo), tf.constant(True))
    assert np.array_equal(mirrored, want["flip"])
    assert np.array_equal(image_ops.flipped(tf.constant(photo), tf.constant(False)), photo)


def test_evaluation_equals_resizing_and_cutting(photo, torchvision):
    """Decoding around the crop alone gives the pixels of the whole image, resized and cut."""
    got = image_ops.evaluation_image(tf.constant(encoded(photo, "png")), SIDE, SHORT_SIDE).numpy()
    want = torchvision[1]["centre"]
    assert got.shape == want.shape == (SIDE, SIDE, 3)
    assert np.allclose(got, want, atol=0.05)
    ramp = np.broadcast_to(np.arange(512, dtype=np.uint8)[None, :256, None], (256, 256, 3))
    exact = image_ops.evaluation_image(tf.constant(encoded(ramp.copy(), "png")), 224, 256)
    assert np.array_equal(exact, ramp[16:-16, 16:-16])


def test_colours_and_normalisation_equal_those_of_numpy():
    rng = np.random.default_rng(0)
    images = rng.random((5, 4, 6, 3), dtype=np.float32)
    alphas = rng.normal(0, 0.1, (5, 3))
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
    want = (augment.pca_jitter(images, alphas) - np.float32(mean)) / np.float32(std)
    jitter = image_ops.colours(tf.constant(alphas, tf.float32))
    for image, colour, expected in zip(tf.constant(images * 255), jitter, want, strict=True):
        got = image_ops.normalised(image, colour, mean, std)
        assert np.allclose(got, expected, atol=1e-5)


@pytest.mark.parametrize("per_image", [True, False])
def test_targets_and_mixup_equal_those_of_numpy(per_image):
    rng = np.random.default_rng(0)
    images = rng.random((6, 4, 4, 3), dtype=np.float32)
    labels = rng.integers(0, 5, 6)
    share = rng.beta(0.4, 0.4, 6) if per_image else float(rng.beta(0.4, 0.4))
    want = augment.mixup(images, augment.targets(labels, 5, 0.1), share)
    target = image_ops.targets(tf.constant(labels), 5, 0.1)
    share = tf.constant(np.atleast_1d(share), tf.float32)
    for a, b in zip(image_ops.mixup(tf.constant(images), target, share), want, strict=True):
        assert np.allclose(a, b, atol=1e-6)
