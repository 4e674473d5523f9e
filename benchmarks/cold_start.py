"""Claim: `regnet-ds sample --flops 4G` takes at most 2.5 times `import numpy, typer`, cold."""

from __future__ import annotations

import sys

from side_by_side import compare, report

if __name__ == "__main__":
    report(
        "regnet-ds sample --flops 4G / python -c 'import numpy, typer'   (target: at most 2.5)",
        compare(
            [sys.executable, "-m", "regnet_ds", "sample", "--flops", "4G"],
            [sys.executable, "-c", "import numpy, typer"],
        ),
    )
