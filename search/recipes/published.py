"""The published recipes of the canonical networks.

``paper_recipe``: DDS section 5 and pycls's configurations. ``post_recipe``: "Training RegNets
for tf.keras.applications", whose settings changed with the size of the network.
"""

from __future__ import annotations

from ...designspace import canonical, canonical_name, complexity
from .recipe import Recipe

PAPER_LR, PAPER_LR_BATCH = 0.1, 128
SMALL_BATCH = ("RegNetX-32GF", "RegNetY-16GF", "RegNetY-32GF")
POST_LOW_DECAY = ("RegNetY-200MF", "RegNetY-400MF")


def gigaflops(name: str) -> float:
    """Return the size of a canonical network in 10^9 multiply-adds at 224 px, 1000 classes."""
    return complexity(canonical(name), resolution=224, channels=3, classes=1000).flops / 1e9


def paper_recipe(name: str) -> Recipe:
    """Return pycls's recipe of a canonical network: 100 epochs, lr = 0.1 batch / 128.

    The batch is 1024 images up to 1.6 GF, 512 from 3.2 GF, 256 for the three of ``SMALL_BATCH``.
    DDS figure 16 says 512 for RegNetY-16GF; pycls's configuration and model zoo, followed here,
    say 256.

    Raises
    ------
    ValueError
        If there is no such network; the nearest is named.
    """
    name = canonical_name(name)
    batch_size = 1024 if gigaflops(name) < 2 else 512
    if name in SMALL_BATCH:
        batch_size = 256
    return Recipe(
        epochs=100,
        lr=PAPER_LR * batch_size / PAPER_LR_BATCH,
        batch_size=batch_size,
        warmup_epochs=5,
    )


def post_recipe(name: str) -> Recipe:
    """Return the post's recipe of a canonical network: AdamW, 100 epochs, lr 0.008 at batch 1024.

    Minimum crop area, mixup and weight decay follow the post's tables: larger networks get more
    augmentation, never more weight decay.

    Raises
    ------
    ValueError
        If there is no such network; the nearest is named.
    """
    name = canonical_name(name)
    return Recipe(
        epochs=100,
        optimizer="adamw",
        lr=0.008,
        batch_size=1024,
        weight_decay=1e-5 if name in POST_LOW_DECAY else 5e-5,
        warmup_epochs=5,
        area_factor=_post_area_factor(name),
        mixup_alpha=_post_mixup_alpha(name),
    )


def _post_area_factor(name: str) -> float:
    if name == "RegNetX-200MF":
        return 0.25
    return 0.16 if "Y-" in name and gigaflops(name) < 1 else 0.08


def _post_mixup_alpha(name: str) -> float:
    size = gigaflops(name)
    if size < 1:
        return 0.2 if "Y-" in name else 0.0
    for limit, alpha in ((5, 0.2), (10, 0.3)):
        if size < limit:
            return alpha
    return 0.4
