"""Ray as an executor, on a real cluster of two nodes; SLURM's on processes of this machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from regnet_ds.analysis.storages.storage import load_study, open_storage
from regnet_ds.search.populations.studies import create_population_study, run_study
from regnet_ds.search.queue.leases import LEASE
from regnet_ds.search.queue.ray_cluster import RayCluster, _require_shared, read_resources

SCRIPT = Path(__file__).with_name("ray_study.py")
N = 14


@pytest.fixture
def made(url, population, settings, monkeypatch, tmp_path):
    """Return the URL of a study whose trainings take a while and write in a ledger."""
    monkeypatch.setenv("FAKE_SECONDS", "0.6")
    monkeypatch.setenv("FAKE_LEDGER", str(tmp_path / "ledger"))
    create_population_study(url, "p", population(N), settings)
    return url


def run(url: str, mode: str) -> dict:
    pytest.importorskip("ray")
    made = subprocess.run(
        [sys.executable, str(SCRIPT), url, mode], capture_output=True, text=True, timeout=240
    )
    assert made.returncode == 0, made.stderr[-3000:]
    return json.loads(made.stdout.splitlines()[-1])


def values(url: str) -> list[tuple]:
    return [(t.value, t.intermediate_values) for t in load_study(open_storage(url), "p").trials]


@pytest.fixture
def meeting(monkeypatch, tmp_path):
    """Trainings end only once both workers train, however late the second one starts."""
    folder = tmp_path / "meeting"
    folder.mkdir()
    monkeypatch.setenv("FAKE_MEET", str(folder))
    return folder


@pytest.mark.slow
def test_a_node_that_is_lost_costs_nothing(
    made, meeting, tmp_path, population, settings, fake_trainer, monkeypatch
):
    found = run(made, "kill")
    monkeypatch.delenv("FAKE_MEET")
    assert found["done"] and found["status"]["complete"] == N
    assert {worker.partition("-")[0] for worker in found["workers"]} == {"w1", "w2"}
    trained = [int(line.split()[0]) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert sorted(set(trained)) == list(range(N)) and len(trained) <= N + 1
    local = made + "2"
    create_population_study(local, "p", population(N), settings)
    assert run_study(local, "p", 2, trainer=fake_trainer)
    assert values(local) == values(made)


@pytest.mark.slow
def test_on_a_server_a_lost_node_costs_a_lease(
    database, population, settings, fake_trainer, monkeypatch, tmp_path, meeting
):
    monkeypatch.chdir(tmp_path)  # where the logs of studies on a server go
    monkeypatch.setenv("FAKE_SECONDS", "0.6")
    monkeypatch.setenv("FAKE_LEDGER", str(tmp_path / "ledger"))
    create_population_study(database, "p", population(N), settings).set_user_attr(LEASE, 2.0)
    found = run(database, "kill")
    monkeypatch.delenv("FAKE_MEET")
    assert found["done"] and found["status"]["complete"] == N
    assert {worker.partition("-")[0] for worker in found["workers"]} == {"w1", "w2"}
    trained = [int(line.split()[0]) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert sorted(set(trained)) == list(range(N)) and len(trained) <= N + 1
    local = f"journal:{tmp_path}/local"
    create_population_study(local, "p", population(N), settings)
    assert run_study(local, "p", 2, trainer=fake_trainer)
    assert values(local) == values(database)


@pytest.mark.slow
def test_sigint_drains_the_actors(made):
    found = run(made, "drain")
    assert not found["done"]
    counts = found["status"]
    assert counts["running"] == 0 and counts["complete"] + counts["waiting"] == N
    assert counts["waiting"] > 0
    attempts = [
        t.user_attrs["attempts"] for t in load_study(open_storage(made), "p").trials
        if t.user_attrs.get("attempts") is not None
    ]  # fmt: skip
    assert sum(attempts) == counts["complete"]
    assert run(made, "run")["status"]["complete"] == N


def test_a_file_does_not_serve_other_hosts(url):
    nodes = [{"NodeManagerHostname": "elsewhere", "Alive": True}]
    with pytest.raises(ValueError, match=r"the cluster has others \(elsewhere\): use postgresql"):
        _require_shared(url, nodes)
    _require_shared(url, [{"NodeManagerHostname": "elsewhere", "Alive": False}])
    _require_shared("postgresql://host/db", nodes)


def test_resources():
    assert read_resources("TPU=4, GPU=0.5") == {"TPU": 4.0, "GPU": 0.5}
    assert read_resources("accelerator_type:A100=1") == {"accelerator_type:A100": 1.0}
    assert read_resources("") == {}
    for text in ("TPU", "TPU=", "=4", "TPU=0", "TPU=many"):
        with pytest.raises(ValueError, match="cannot read the resources"):
            read_resources(text)


def test_without_ray_one_line_says_what_to_install(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ValueError, match=r"pip install 'regnet-ds\[ray\]'"):
        run_study(made, "p", 1, cluster=RayCluster())


@pytest.mark.slow
def test_jobs_of_submitit_share_a_study(made, tmp_path, fake_trainer):
    pytest.importorskip("submitit")
    from regnet_ds.search.queue.slurm import submit

    with pytest.raises(ValueError, match="is a file of this host: use postgresql"):
        submit(made, ["p"], 2, folder=tmp_path / "jobs")
    jobs = submit(
        made, ["p"], 2, folder=tmp_path / "jobs", trainer=fake_trainer, cluster="local", minutes=5
    )
    assert [job.result() for job in jobs] == [True, True]
    trained = [int(line.split()[0]) for line in (tmp_path / "ledger").read_text().splitlines()]
    assert sorted(trained) == list(range(N))
    workers = {t.user_attrs["worker"] for t in load_study(open_storage(made), "p").trials}
    assert workers == {"job1-1", "job2-1"}
