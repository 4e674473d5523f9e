import keras
import numpy as np
import pytest
from regnet_ds.regnet.benchmarking import Timing, median_interval, time_model
from scipy.stats import quantile_test


@pytest.mark.parametrize("n", [6, 7, 10, 25, 100, 1001])
def test_intervals_are_those_of_scipy(n):
    values = np.random.default_rng(n).normal(size=n)
    interval = quantile_test(values, p=0.5).confidence_interval(confidence_level=0.95)
    assert median_interval(list(values)) == pytest.approx((interval.low, interval.high))


def test_intervals_cover_the_median_as_often_as_they_say():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(2000):
        low, high = median_interval(rng.exponential(size=15).tolist())
        covered += low <= np.log(2) <= high
    assert 0.95 <= covered / 2000 < 0.98


def test_too_few_values_have_no_interval():
    assert median_interval([1.0] * 5) is None
    assert Timing(2, (3.0, 1.0, 2.0), 9.0).interval is None
    assert Timing(2, (3.0, 1.0, 2.0), 9.0).median == 2.0


def small(size=8, classes=3, batch=None):
    x = keras.Input((size, size, 2), batch_size=batch)
    y = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(x))
    return keras.Model(x, keras.layers.Dense(classes)(y))


def test_inference_leaves_the_weights_and_training_moves_them():
    model = small()
    before = model.get_weights()
    timing = time_model(model, 4, seconds=0.2)
    assert timing.batch == 4
    assert 0 < timing.median < timing.first_seconds
    assert sum(timing.seconds[:-1]) < 0.2
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    time_model(model, 4, train=True, seconds=0.05)
    assert not any(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_one_call_is_timed_however_short_the_time():
    assert len(time_model(small(), 1, seconds=1e-9).seconds) == 1


def test_open_sizes_and_whole_numbers():
    assert time_model(small(None), 2, seconds=0.01, resolution=(8, 9)).median > 0
    x = keras.Input((5,), dtype="int32")
    y = keras.layers.Flatten()(keras.layers.Embedding(3, 2)(x))
    assert time_model(keras.Model(x, y), 2, seconds=0.01).median > 0


@pytest.mark.parametrize(
    ("model", "batch", "options", "message"),
    [
        (small, 0, {}, "batch must be a positive integer, got 0"),
        (small, 1, {"seconds": 0}, "seconds must be positive, got 0"),
        (lambda: small(None), 1, {}, "unknown size"),
        (lambda: small(batch=8), 4, {}, "batch is fixed at 8, got 4"),
        (
            lambda: keras.Sequential([keras.Input((4, 4)), keras.layers.Dense(2)]),
            1,
            {"train": True},
            r"one output \(n, classes\), got \[\(1, 4, 2\)\]",
        ),
    ],
)
def test_bad_input_is_refused(model, batch, options, message):
    with pytest.raises(ValueError, match=message):
        time_model(model(), batch, **options)
