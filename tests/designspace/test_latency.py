"""Predicted run time: prediction, the file, and sampling within it."""

import numpy as np
import pytest
from regnet_ds.designspace import SPACES, sample
from regnet_ds.designspace.latency import (
    LatencyModel,
    default_path,
    read_latency,
    read_latency_model,
    sample_latency,
)

MODEL = LatencyModel(1.0, 10.0, 0.5, 0.1, 0.08, 40, 224, 1000, 1, "made up", "1")


def drawn(n=8, **units):
    return sample(SPACES["regnetx"], n, rng=np.random.default_rng(0), **units).population


def test_the_prediction_is_the_formula():
    population = drawn()
    wanted = 1 + 10e-9 * population.flops + 0.5e-6 * population.acts + 0.1 * population.depth
    assert MODEL.predict(population) == pytest.approx(wanted)
    with pytest.raises(ValueError, match="calibrated at resolution 224, not 64"):
        MODEL.predict(drawn(resolution=64))


def test_the_sample_is_a_prefix_and_within():
    few, tried = sample_latency(SPACES["regnetx"], 5, MODEL, (19.0, 21.0))
    many, _ = sample_latency(SPACES["regnetx"], 40, MODEL, (19.0, 21.0))
    assert len(few) == 5
    assert tried >= 5
    assert few.stage_widths.tolist() == many.stage_widths[:5].tolist()
    assert many.extra["latency_ms"] == pytest.approx(MODEL.predict(many))
    assert many.extra["latency_ms"].min() >= 19
    assert many.extra["latency_ms"].max() <= 21
    other, _ = sample_latency(SPACES["regnetx"], 5, MODEL, (19.0, 21.0), seed=1)
    assert other.stage_widths.tolist() != few.stage_widths.tolist()


def test_too_short_a_time_says_what_they_take(monkeypatch):
    monkeypatch.setattr("regnet_ds.designspace.latency.MOST_DRAWN", 1000)
    with pytest.raises(ValueError, match=r"only 0 of 1,000 networks of regnetx .* .they take"):
        sample_latency(SPACES["regnetx"], 2, MODEL, (0.1, 0.2))


def test_the_file_is_read_back_and_faults_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="make one with regnet-ds doctor --calibrate"):
        read_latency_model()
    path = tmp_path / "regnet-ds" / "latency.json"
    path.parent.mkdir()
    path.write_text(MODEL.to_json())
    assert read_latency_model() == MODEL
    path.write_text('{"fixed": 1}')
    with pytest.raises(ValueError, match="is no calibration"):
        read_latency_model()


def test_the_file_is_in_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert default_path() == tmp_path / ".cache" / "regnet-ds" / "latency.json"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("5ms", (4.75, 5.25)), ("4ms:6ms", (4, 6)), ("0.1s", (95, 105)), ("500us:1ms", (0.5, 1))],
)
def test_times_are_read(text, wanted):
    assert read_latency(text, 0.05) == pytest.approx(wanted)


@pytest.mark.parametrize("text", ["5", "5ms:", "a", "1ms:2ms:3ms", "6ms:5ms"])
def test_bad_times(text):
    with pytest.raises(ValueError, match="latency"):
        read_latency(text, 0.05)
