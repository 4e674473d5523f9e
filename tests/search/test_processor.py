import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from regnet_ds.search.learning.processor import kernels, machine

CODE = "from regnet_ds.search.learning.fingerprint import *; print(digest(environment()))"


def _digest(**variables: str) -> str:
    return subprocess.check_output(
        [sys.executable, "-c", CODE], env={**os.environ, **variables}, text=True
    ).strip()


@pytest.mark.skipif(sys.platform != "linux", reason="read from /proc and /sys")
def test_what_kernels_are_chosen_by():
    assert machine().startswith(platform.machine())
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    words = kernels().split()
    for name in ("avx2", "avx512f", "amx_bf16", "asimd"):
        assert (name in words) == (f" {name} " in text.replace("\n", " "))
    caches = [word for word in words if word[0] == "L"]
    assert len(caches) == len({c.partition("=")[0] for c in caches})  # one of data, a level


def test_the_users_choice_of_kernels_is_another_environment():
    assert _digest() == _digest()
    assert _digest(ONEDNN_MAX_CPU_ISA="AVX2") != _digest()
