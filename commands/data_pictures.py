"""Pictures of data sets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..search.data.datasets import Dataset
    from ..search.data.sources.streams import StreamedDataset
    from ..search.recipes.recipe import Recipe

CELL = 1.1  # inches


def draw_views(
    data: Dataset | StreamedDataset, recipe: Recipe, out: Path, rows: int, views: int, seed: int
) -> None:
    """Draw a grid: an image a row, as evaluation sees it, augmented, and mixed up."""
    from ..analysis.style import add_caption, figure_style, new_figure, save_figure
    from ..search.data.views import make_views

    made = make_views(data, recipe, rows, views, seed)
    n, columns = made.images.shape[:2]
    titles = ["evaluation", *(f"view {i + 1}" for i in range(views))]
    if made.share is not None:
        titles.append(f"mixup {made.share:.2f}")
    with figure_style():
        figure = new_figure(CELL * columns + 0.9, CELL * n + 0.6)
        axes = figure.subplots(n, columns, squeeze=False)
        for i in range(n):
            for j in range(columns):
                one = axes[i, j]
                one.imshow(made.images[i, j], interpolation="nearest")
                one.set(xticks=[], yticks=[])
                one.grid(False)
                one.spines[:].set_visible(False)
                if i == 0:
                    one.set_title(titles[j])
            name = data.class_names[made.labels[i]]
            axes[i, 0].set_ylabel(name[:18], rotation=0, ha="right", va="center")
        add_caption(
            figure,
            f"{data.name}, {data.image_size[0]} px: smallest crop {recipe.area_factor:g} of the "
            f"area, flip {'on' if recipe.flip else 'off'}, PCA jitter {recipe.pca_std:g}, "
            f"mixup alpha {recipe.mixup_alpha:g}; seed {seed}",
        )
        save_figure(figure, out)
