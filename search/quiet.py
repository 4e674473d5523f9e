"""Keep TensorFlow's own messages out of the processes that this package starts.

For worker processes and commands only, before TensorFlow is imported: importing this package as
a library changes no environment.
"""

from __future__ import annotations

import os

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
