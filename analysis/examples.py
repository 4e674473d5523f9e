"""Real measured populations that come with the package; their sources: ``data/README.md``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from .metrics import nearest

if TYPE_CHECKING:
    import pandas as pd

EXAMPLES = {
    "imagenet": "imagenet.csv",
    "ladder": "ladder.parquet",
    "ladder-more": "ladder-more.parquet",
}
PREFIX = "example:"  # of a source: example:imagenet


def load_example(name: str = "imagenet") -> pd.DataFrame:
    """Return a population that comes with the package, as `table.load_table` does.

    ``imagenet``: 766 networks without extra data and their top-1 errors on ImageNet, from pycls,
    timm, torchvision, the Keras training and DDS (column ``population``). Complexities of timm
    count more operations than those of the others: compare within a population.

    ``ladder``: networks of AnyNetX A to E and RegNetX, trained by ``regnet-ds reproduce ladder``
    on MNIST, one budget and one short recipe (columns ``space``, ``curve``: the error after each
    epoch, ``seed``, ``recipe``, ``seconds``). ``ladder-more``: those of
    ``reproduce more``, a ``study`` each.

    Raises
    ------
    ValueError
        If there is no such example.
    """
    from .tables.table import load_table

    return load_table(example_path(name))


def example_path(name: str) -> Path:
    """Return the file of an example."""
    if name not in EXAMPLES:
        raise ValueError(f"unknown example {name!r} (nearest: {nearest(name, EXAMPLES)})")
    return Path(__file__).with_name("data") / EXAMPLES[name]
