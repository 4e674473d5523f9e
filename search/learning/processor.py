"""What a processor is: its name, and what numerical libraries choose their kernels by."""

from __future__ import annotations

import os
import platform
from functools import cache
from pathlib import Path

_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
# Of the instruction sets that oneDNN, Eigen and OpenBLAS look for, in this order.
_VECTORS = (
    "sse4_2", "avx", "avx2", "fma", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_bf16", "amx_int8", "avx10",
    "asimd", "asimddp", "bf16", "i8mm", "sve", "sve2",
)  # fmt: skip
# By which users choose other kernels than those of the processor.
_CHOICES = (
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "ONEDNN_DEFAULT_FPMATH_MODE",
    "TF_ENABLE_ONEDNN_OPTS",
)


@cache
def machine() -> str:
    """Return the architecture and the processor's name."""
    name = _facts().get("model name") or platform.processor()
    return " ".join(part for part in (platform.machine(), name) if part)


@cache
def kernels() -> str:
    """Return what kernels are chosen by: model, instruction sets, caches and the user's choice.

    Hypervisors give different processors one name (`machine`), and kernels sum in an order that
    follows from instruction sets and the sizes of caches. Empty where the system does not tell.
    """
    facts = _facts()
    model = "-".join(facts[key] for key in ("cpu family", "model", "stepping") if key in facts)
    flags = set((facts.get("flags") or facts.get("Features", "")).split())
    chosen = [f"{name}={os.environ[name]}" for name in _CHOICES if name in os.environ]
    return " ".join(
        [*filter(None, [model]), *(v for v in _VECTORS if v in flags), *_caches(), *chosen]
    )


@cache
def _facts() -> dict[str, str]:
    """Return what Linux says of the first processor."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8").partition("\n\n")[0]
    except OSError:
        return {}
    pairs = (line.partition(":") for line in first.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _caches() -> list[str]:
    found: list[str] = []
    for index in sorted(_CACHES.glob("index*")):
        try:
            level, kind, size = (
                (index / name).read_text(encoding="utf-8").strip()
                for name in ("level", "type", "size")
            )
        except OSError:
            continue
        if kind != "Instruction":
            found.append(f"L{level}={size}")
    return found
