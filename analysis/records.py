"""The names of the columns of a table of results, of trial attributes and of statuses.

A row is one trained network: the record keys of its architecture (``designspace.record``) and
the result keys below. Errors are top-1 errors in percent on the validation split.
"""

from __future__ import annotations

from enum import StrEnum

from ..designspace.record import PARAMETER_KEYS, RECORD_KEYS, SCHEMA, STAGE_KEYS

RESULT_KEYS = (
    "study",
    "trial",
    "index",
    "space",
    "seed",
    "threads",
    "epochs",
    "status",
    "error",
    "test_error",
    "best_epoch",
    "seconds",
    "images_per_second",
    "attempts",
    "worker",
    "reason",
    "fingerprint",
)
TABLE_COLUMNS = (*RECORD_KEYS, *RESULT_KEYS)
TEXT_COLUMNS = (
    *("block", "stem_type", "activation", "study", "space"),
    *("status", "worker", "reason", "fingerprint"),
)
PRIVATE = "rds:"  # begins the names of attributes that are not columns of a table


class Status(StrEnum):
    """How a trial ended, or where it is."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    FAILED = "failed"
    RUNNING = "running"
    WAITING = "waiting"


__all__ = [
    "PARAMETER_KEYS",
    "PRIVATE",
    "RECORD_KEYS",
    "RESULT_KEYS",
    "SCHEMA",
    "STAGE_KEYS",
    "TABLE_COLUMNS",
    "TEXT_COLUMNS",
    "Status",
]
