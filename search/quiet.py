"""Keep TensorFlow's own messages out of the processes that this package starts.

For worker processes and commands only, before TensorFlow is imported: importing this package as
a library changes no environment.
"""

from __future__ import annotations

import os
import sys

QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # C++ messages below fatal
    "TF_CPP_MIN_VLOG_LEVEL": "0",
    "ABSL_MIN_LOG_LEVEL": "3",
    "GRPC_VERBOSITY": "ERROR",
}


def silence_tensorflow() -> None:
    """Set the variables that silence TensorFlow, where the user has not set them."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)


def import_tensorflow() -> None:
    """Import TensorFlow without its greeting, which no variable silences."""
    silence_tensorflow()
    if "tensorflow" in sys.modules:
        return
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        import tensorflow  # noqa: F401
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
