"""What lies behind tf.io.gfile (``gs://``), by TensorFlow's file system in memory (``ram://``)."""

import numpy as np
import pytest
from regnet_ds.search.data.batches import Evaluation
from regnet_ds.search.data.datasets import load_dataset
from regnet_ds.search.data.sources import places
from regnet_ds.search.data.sources.checking import check_shards
from regnet_ds.search.data.sources.folders import read_folder
from regnet_ds.search.data.sources.shards import write_shards
from regnet_ds.search.data.sources.tfrecords import read_shards
from regnet_ds.search.learning.checkpoints import Progress, load_checkpoint, save_checkpoint

BUCKET = "ram://bucket"


@pytest.fixture(scope="module")
def records(tmp_path_factory, write_folder):
    folder = write_folder(tmp_path_factory.mktemp("photos"), 20)
    write_shards(read_folder(str(folder)), f"{BUCKET}/records", images_per_shard=10)
    return folder


def test_records_are_written_read_and_checked_there(records):
    local = load_dataset(str(records), resolution=32)
    remote = load_dataset(f"{BUCKET}/records", resolution=32)
    assert remote.class_names == local.class_names
    for part in ("train", "val", "test"):
        assert len(remote.split(part)) == len(local.split(part))
    (images, labels), *_ = Evaluation(remote, "val")
    assert images.shape[1:] == (32, 32, 3) and len(labels) == len(local.val)
    assert check_shards(read_shards(f"{BUCKET}/records")) == (40, [])
    assert write_shards(read_folder(str(records)), f"{BUCKET}/records", images_per_shard=10) == 0


def test_checkpoints_are_written_and_replaced_there():
    path = f"{BUCKET}/run/c.npz"
    assert load_checkpoint(path, {}, []) is None
    for value in (1.0, 2.0):
        save_checkpoint(path, {"seed": 0}, Progress(step=3), [np.full(2, value)])
    progress, (array,) = load_checkpoint(path, {"seed": 0}, [(2,)])
    assert progress.step == 3 and array.tolist() == [2.0, 2.0]
    assert [name for name, _, _ in places.listing(f"{BUCKET}/run")] == ["c.npz"]


def test_what_is_missing_there_is_one_line():
    with pytest.raises(ValueError, match="neither a file or folder nor a name"):
        load_dataset(f"{BUCKET}/nothing")


def test_trials_of_a_study_spread_over_mirrors(records, tmp_path, monkeypatch):
    """The trial's number chooses the copy; the resolution is the study's."""
    import shutil

    from regnet_ds.designspace import RegNetParams
    from regnet_ds.designspace.record import to_record
    from regnet_ds.search.learning import training
    from regnet_ds.search.queue import tasks

    copy = shutil.copytree(records, tmp_path / "copy")
    name = f"{records},{copy}"
    seen = []
    monkeypatch.setattr(training, "train", lambda spec, recipe, data, **_: seen.append(data))
    spec = RegNetParams(depth=3, w0=8, wa=8.0, wm=2.0, group_width=8).to_spec()
    for trial in range(3):
        task = tasks.Task(
            trial=trial,
            index=trial,
            record=to_record(spec, resolution=64, classes=2),
            recipe={},
            data=name,
            data_fingerprint=load_dataset(name).fingerprint,
            seed=0,
            threads=1,
            classes=2,
        )
        tasks.train_task(task, lambda *_: None)
    assert [data.train.folder for data in seen] == [str(records), str(copy), str(records)]
    assert {data.image_size for data in seen} == {(64, 64)}
