"""sample --latency and doctor --calibrate."""

import json

import pytest
from regnet_ds.designspace.latency import LatencyModel

MODEL = LatencyModel(1.0, 10.0, 0.5, 0.1, 0.08, 40, 224, 1000, 1, "a made-up device", "1")


@pytest.fixture
def calibrated(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    path = tmp_path / "regnet-ds" / "latency.json"
    path.parent.mkdir()
    path.write_text(MODEL.to_json())
    return path


@pytest.mark.usefixtures("calibrated")
def test_networks_within_a_time(call):
    code, out, err = call("sample", "--latency", "20ms", "-n", "4", "--format", "json")
    assert code == 0, err
    rows = json.loads(out)
    assert len(rows) == 4
    for row in rows:
        wanted = 1 + 1e-8 * row["flops"] + 0.5e-6 * row["acts"] + 0.1 * row["depth"]
        assert row["latency_ms"] == pytest.approx(wanted)
        assert 19 <= wanted <= 21
    assert "a made-up device" in err
    assert "within 8%" in err
    code, out, _ = call("sample", "--latency", "17ms", "--flops", "1G", "-n", "2")
    assert code == 0
    assert out.splitlines()[0].endswith("latency_ms")


@pytest.mark.usefixtures("calibrated")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--latency", "5"), "cannot read the latency '5': write 5ms or 4ms:6ms"),
        (("--latency", "5ms", "--resolution", "64"), "calibrated at 224 px and 1000 classes"),
        (("--latency", "5ms", "--flops", "1G,2G"), "takes one budget"),
    ],
)
def test_bad_input(call, options, message):
    code, out, err = call("sample", *options)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert message in err


def test_no_calibration(call, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, out, err = call("sample", "--latency", "5ms")
    assert (code, out) == (2, "")
    assert "make one with regnet-ds doctor --calibrate" in err


@pytest.mark.slow
def test_a_device_is_calibrated_and_used(regnet_ds, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    units = ("--resolution", "32", "--classes", "10")
    done = regnet_ds("doctor", "--calibrate", "--networks", "8", *units, timeout=400)
    assert done.returncode == 0, done.stderr
    model = json.loads((tmp_path / "regnet-ds" / "latency.json").read_text())
    assert (model["n"], model["resolution"], model["classes"]) == (8, 32, 10)
    assert min(model[key] for key in ("fixed", "flops", "acts", "blocks")) >= 0
    wide = regnet_ds("sample", "--latency", "0.1ms:1s", "-n", "2", "--format", "json", *units)
    assert wide.returncode == 0, wide.stderr
    wanted = json.loads(wide.stdout)[0]["latency_ms"]
    found = regnet_ds(
        "sample", "--latency", f"{wanted:.3f}ms", "-n", "2", "--format", "json", *units
    )
    assert found.returncode == 0, found.stderr
    for row in json.loads(found.stdout):
        terms = model["flops"] * row["flops"] / 1e9 + model["acts"] * row["acts"] / 1e6
        predicted = model["fixed"] + terms + model["blocks"] * row["depth"]
        assert row["latency_ms"] == pytest.approx(predicted)
        assert predicted == pytest.approx(wanted, rel=0.051)
