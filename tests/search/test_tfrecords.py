import json
import shutil
import struct

import numpy as np
import pytest
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.data.sources import shards as shards_module
from regnet_ds.search.data.sources.checking import check_folder, check_shards
from regnet_ds.search.data.sources.folders import read_folder
from regnet_ds.search.data.sources.shards import plan_shards, record, write_shards
from regnet_ds.search.data.sources.tfrecords import (
    HEADER,
    find_shards,
    masked_crc,
    offsets,
    read_shards,
)

CLASSES = ("china", "flower")


@pytest.fixture(scope="module")
def photos(tmp_path_factory, write_folder):
    folder = tmp_path_factory.mktemp("photos")
    write_folder(folder, 30)
    write_folder(folder, 3, suffix="png", seed=1)
    return folder


@pytest.fixture(scope="module")
def written(photos, tmp_path_factory):
    out = tmp_path_factory.mktemp("records") / "made"
    write_shards(read_folder(str(photos)), str(out), images_per_shard=10)
    return out


@pytest.fixture
def copy(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


def records_of(path):
    import tensorflow as tf

    found = []
    for raw in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        found.append(tf.train.Example.FromString(raw).features.feature)
    return found


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_records_have_the_layout_of_the_post(photos, written):
    import tensorflow as tf

    names = []
    for path in sorted(written.glob("*.tfrecord")):
        for feature in records_of(path):
            assert set(feature) == {"image", "height", "width", "filename", "label", "synset"}
            name = feature["filename"].bytes_list.value[0].decode()
            image = feature["image"].bytes_list.value[0]
            shape = [feature[key].int64_list.value[0] for key in ("height", "width")]
            assert tf.io.decode_jpeg(image).shape.as_list() == [*shape, 3]
            synset = feature["synset"].bytes_list.value[0].decode()
            assert name.split("/")[0] == synset == CLASSES[feature["label"].int64_list.value[0]]
            original = (photos / name).read_bytes()
            assert (image == original) == name.endswith(".jpg")  # a JPEG keeps its bytes
            names.append(name)
    assert sorted(names) == sorted(str(path.relative_to(photos)) for path in photos.glob("*/*"))


def test_shards_mix_the_classes_and_are_of_equal_size(photos):
    plan = plan_shards(read_folder(str(photos)), 10)
    assert plan["train"][0].name == "train_0000_of_0005.tfrecord"
    assert {len(shard.images) for shard in plan["train"]} <= {10, 11}
    for shard in plan["train"]:
        assert {label for _, label in shard.images} == {0, 1}


def test_a_data_set_of_records_equals_that_of_its_folder(photos, written):
    folder, records = load_dataset(str(photos)), load_dataset(str(written))
    assert records.class_names == folder.class_names == CLASSES
    for part in ("train", "val", "test"):
        assert len(records.split(part)) == len(folder.split(part))
    jpegs = [
        sorted(c for c, _ in data.train.read().as_numpy_iterator() if c in all_jpegs(photos))
        for data in (folder, records)
    ]
    assert jpegs[0] == jpegs[1] and len(jpegs[0]) > 30


def all_jpegs(photos):
    return {path.read_bytes() for path in photos.glob("*/*.jpg")}


def test_reading_shuffles_by_the_seed_and_can_skip(written):
    data = load_dataset(str(written))

    def read(*arguments):
        return [content for content, _ in data.train.read(*arguments).as_numpy_iterator()]

    first = read((1, 2))
    assert len(first) == len(data.train)
    assert first == read((1, 2)) and first != read((1, 3)) and sorted(first) == sorted(read())
    assert read((1, 2), 7) == first[7:]


def test_the_number_of_workers_decides_nothing(photos, written, tmp_path):
    write_shards(read_folder(str(photos)), str(tmp_path), images_per_shard=10, workers=1)
    assert contents(tmp_path) == contents(written)


def test_an_interrupted_run_is_continued(photos, written, tmp_path, monkeypatch):
    """Shards that are there are not written again, and nothing reads what is unfinished."""
    folder, real, calls = read_folder(str(photos)), shards_module._write_shard, []

    def dies(folder, out, shard):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(shard.name)
        return real(folder, out, shard)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shards_module, "_write_shard", dies)
        write_shards(folder, str(tmp_path), images_per_shard=10, workers=1)
    with pytest.raises(ValueError, match="unfinished: run the same regnet-ds data tfrecords"):
        load_dataset(str(tmp_path))
    total = len(list(written.glob("*.tfrecord")))
    assert write_shards(folder, str(tmp_path), images_per_shard=10) == total - 3
    assert contents(tmp_path) == contents(written)
    assert write_shards(folder, str(tmp_path), images_per_shard=10) == 0


def test_other_images_are_not_written_among_these(photos, copy):
    with pytest.raises(ValueError, match="holds TFRecords of other images"):
        write_shards(read_folder(str(photos)), str(copy), images_per_shard=20)
    (copy / "index.json").unlink()
    with pytest.raises(ValueError, match=r"holds TFRecords without an index.json"):
        write_shards(read_folder(str(photos)), str(copy), images_per_shard=10)


def test_damaged_images_stop_the_writing_and_are_all_named(photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "damaged")
    for name in ("china/0001.jpg", "flower/0002.png"):
        (folder / name).write_bytes(b"nothing")
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"2 images of .*china/0001.jpg, flower/0002.png; mend"):
        write_shards(read_folder(str(folder)), str(out), images_per_shard=10)
    assert not list(out.glob(".*"))  # no half-written file


def test_records_of_others_need_the_number_of_classes(copy):
    (copy / "index.json").unlink()
    for path in copy.glob("val*"):
        path.rename(
            path.with_name(path.name.replace("val", "validation").replace("record", "record-a"))
        )
    with pytest.raises(ValueError, match=r"say how many classes, as .*\?classes=1000"):
        load_dataset(str(copy))
    data = load_dataset(f"{copy}?classes=2")
    assert data.class_names == ("0", "1") and len(data.val) and len(data.train) > 40
    for path in copy.glob("val*"):
        path.unlink()
    with pytest.raises(ValueError, match="has no TFRecords of val images"):
        load_dataset(f"{copy}?classes=2")


def test_a_missing_shard_is_noticed(copy):
    (copy / "train_0001_of_0005.tfrecord").unlink()
    with pytest.raises(ValueError, match=r"lacks shards .*: train_0001_of_0005.tfrecord"):
        load_dataset(str(copy))
    index = json.loads((copy / "index.json").read_text())
    (copy / "index.json").write_text(json.dumps({**index, "schema": 99}))
    with pytest.raises(ValueError, match="newer version"):
        load_dataset(str(copy))


def test_sound_data_have_no_faults(photos, written):
    assert check_folder(read_folder(str(photos))) == (66, [])
    assert check_shards(read_shards(str(written))) == (66, [])


def test_every_fault_of_a_shard_is_named(copy):
    """A wrong checksum, label, size, key and image in one shard; the others are sound."""
    import tensorflow as tf

    path = copy / "train_0000_of_0005.tfrecord"
    raw = [bytes(r) for r in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    image = records_of(path)[0]["image"].bytes_list.value[0]
    height, width, _ = tf.io.decode_jpeg(image).shape
    raw[1] = record(image, height, width, "b.jpg", 7, "x")
    raw[2] = record(image, 5, 6, "c.jpg", 1, "x")
    raw[3] = tf.train.Example().SerializeToString()
    raw[4] = record(image[:300], height, width, "d.jpg", 1, "x")
    raw[5] = record(b"", height, width, "e.jpg", 1, "x")
    raw[6] = b"\xff\xff\xff"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for one in raw:
            writer.write(one)
    content = bytearray(path.read_bytes())
    place, length = list(offsets(str(path)))[8]
    content[place + length // 2] ^= 1
    path.write_bytes(content)
    read, faults = check_shards(read_shards(str(copy)))
    assert read == 66
    assert [str(fault) for fault in faults] == [
        f"{path.name}#1 (b.jpg): label 7 is not in 0 to 1",
        f"{path.name}#2 (c.jpg): is {height} x {width}, the record says [5, 6]",
        f"{path.name}#3: lacks image, height, width, filename, label, synset",
        f"{path.name}#4 (d.jpg): not an image that can be decoded, or cut short",
        f"{path.name}#5 (e.jpg): empty",
        f"{path.name}#6: not a tf.train.Example",
        f"{path.name}#8: checksum wrong",
    ]


def test_a_shard_without_its_end_or_with_a_damaged_header(copy):
    first, second = copy / "train_0000_of_0005.tfrecord", copy / "train_0001_of_0005.tfrecord"
    first.write_bytes(first.read_bytes()[:-7])
    content = bytearray(second.read_bytes())
    place, _ = list(offsets(str(second)))[4]
    content[place - HEADER] ^= 1
    second.write_bytes(content)
    _, faults = check_shards(read_shards(str(copy)))
    assert [fault.where for fault in faults] == [first.name, second.name]
    assert "cut short: the record at byte" in faults[0].what
    assert f"damaged at byte {place - HEADER:,}" in faults[1].what
    assert "nothing after it can be read" in faults[1].what
    (copy / "index.json").unlink()
    with pytest.raises(ValueError, match="is cut short"):
        load_dataset(f"{copy}?classes=2")


def test_the_checksum_is_that_of_the_format(written):
    assert masked_crc(b"123456789") == ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32
    path = written / find_shards(str(written))["train"][0]
    place, length = next(offsets(str(path)))
    head = path.read_bytes()[:place]
    assert struct.unpack("<QI", head) == (length, masked_crc(head[:8]))


def test_labels_out_of_range_are_refused_while_reading(photos, tmp_path):
    import tensorflow as tf
    from regnet_ds.search.data.batches import Evaluation

    content = next(iter(all_jpegs(photos)))
    for part in ("train", "val"):
        with tf.io.TFRecordWriter(str(tmp_path / f"{part}_0.tfrecord")) as writer:
            for label in (0, 1, 5):
                writer.write(record(content, 60, 80, "a.jpg", label, "x"))
    data = load_dataset(f"{tmp_path}?classes=2", resolution=32)
    message = r"cannot read .*: labels must be 0 to 1; regnet-ds data check .* names what"
    with pytest.raises(ValueError, match=message):
        list(Evaluation(data, "val"))
    assert np.array_equal([label for _, label in data.val.read().as_numpy_iterator()], [0, 1, 5])
