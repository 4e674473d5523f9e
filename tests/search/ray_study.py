"""A study on a Ray cluster of two nodes of this machine: python ray_study.py URL MODE.

``kill`` loses one of the nodes once workers of both have trained something, ``drain`` gets SIGINT,
``run`` has its peace.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"}
FAKE = f"{Path(__file__).parent / 'fake_trainer.py'}:train"


def main(url: str, mode: str) -> None:
    from optuna.trial import TrialState
    from ray.cluster_utils import Cluster
    from regnet_ds.analysis.storages.storage import load_study, open_storage
    from regnet_ds.search.populations.studies import run_study
    from regnet_ds.search.queue.counts import status
    from regnet_ds.search.queue.ray_cluster import RayCluster

    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 100_000_000},
    )
    second = cluster.add_node(num_cpus=1, resources={"TPU": 4}, object_store_memory=100_000_000)
    cluster.wait_for_nodes()
    lost: list[float] = []

    def both_trained() -> bool:
        trials = load_study(open_storage(url), "p").get_trials(states=(TrialState.COMPLETE,))
        return len({trial.user_attrs["worker"].partition("-")[0] for trial in trials}) == 2

    def look(counts: dict[str, int]) -> None:
        if counts["complete"] < 3 or lost or (mode == "kill" and not both_trained()):
            return
        lost.append(time.monotonic())
        if mode == "kill":
            threading.Thread(target=cluster.remove_node, args=(second, False)).start()
        if mode == "drain":
            os.kill(os.getpid(), signal.SIGINT)

    place = RayCluster(cluster.address)
    done = run_study(url, "p", 2, trainer=FAKE, cluster=place, on_progress=look)
    study = load_study(open_storage(url), "p")
    workers = sorted({t.user_attrs["worker"] for t in study.trials if "worker" in t.user_attrs})
    print(json.dumps({"done": done, "status": status(study), "workers": workers}))
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
