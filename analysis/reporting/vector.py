"""Inline SVG for a page: figures whose ids are their own, and small diagrams of stages.

The colours of figures become variables of the page's style sheet, so that figures follow its
light and dark theme; their text stays text, which screen readers and searches find.
"""

from __future__ import annotations

import io
import re
from collections import Counter

import numpy as np
from markupsafe import Markup, escape
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.style import context

from ...designspace.arrays import Ints
from ..style import STYLE

MANY = 1_500  # points of one set from which they are embedded as pixels
_FONTS = "'DejaVu Sans', Verdana, Arial, sans-serif"
# Colours of the figures -> variables of the style sheet (report.css).
_THEME = {
    "#ffffff": "var(--paper)",
    "#000000": "var(--ink)",
    "#dddddd": "var(--grid)",
    "#444444": "var(--soft)",
    "#555555": "var(--soft)",
    "#0072b2": "var(--blue)",
    "#56b4e9": "var(--sky)",  # on dark it must stay apart from the lightened blue
}
_REPEATED = 8  # uses from which a style becomes a class


def inline_svg(figure: Figure, prefix: str, label: str) -> Markup:
    """Return a figure as an ``<svg>`` element for a page.

    Parameters
    ----------
    figure
        Drawn without pyplot; sets of more than `MANY` points are embedded as pixels.
    prefix
        Letters and digits that begin every id and class, unique on the page.
    label
        What the figure shows, for those who do not see it.

    Raises
    ------
    ValueError
        If a text of the figure is a formula that cannot be read.
    """
    for axes in figure.axes:
        for points in axes.collections:
            if isinstance(points, PathCollection) and np.size(points.get_offsets()) > 2 * MANY:
                points.set_rasterized(True)
    made = io.StringIO()
    empty = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with context(["default", {**STYLE, "svg.fonttype": "none"}]):
        figure.savefig(made, format="svg", metadata=empty, dpi=160, transparent=True)
    text = made.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->|<defs/>", "", text, flags=re.DOTALL)
    head = re.search(r'<svg\b[^>]*viewBox="([^"]+)"[^>]*>', text)
    if head is None:
        raise ValueError("the drawing is not an SVG")
    width = float(head[1].split()[2])
    body = _smaller(_own_ids(text[head.end() :], prefix), prefix)
    # Points to CSS pixels: 72 of the one, 96 of the other are an inch.
    opening = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="{head[1]}" role="img" '
        f'aria-label="{escape(label)}" style="--wide:{width * 96 / 72:.0f}px">'
    )
    return Markup(opening + body.strip())


def _own_ids(text: str, prefix: str) -> str:
    text = re.sub(r'(<[^<>]*?\s)id="([^"]+)"', rf'\1id="{prefix}-\2"', text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#{prefix}-\1"', text)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)


def _smaller(text: str, prefix: str) -> str:
    """Return the drawing with themed colours, short numbers, and repeated styles as classes."""
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    # Coordinates, not what the figure says.
    text = re.sub(r"<[^<>]*>", lambda tag: re.sub(r"(\d+\.\d\d)\d+", r"\1", tag[0]), text)
    text = re.sub(r"\n\s*", "\n", text)
    text = text.replace("'DejaVu Sans'", _FONTS)
    styles = Counter(re.findall(r' style="([^"]*)"', text))
    often = {style: i for i, (style, n) in enumerate(styles.items()) if n >= _REPEATED}

    def short(found: re.Match[str]) -> str:
        style = found[1]
        return (
            f' class="{prefix}-{often[style]}"' if style in often else f' style="{_dress(style)}"'
        )

    text = re.sub(r' style="([^"]*)"', short, text)
    rules = "".join(f".{prefix}-{i}{{{_dress(style)}}}" for style, i in often.items())
    return f"<style>{rules}</style>{text}"


def _dress(style: str) -> str:
    for colour, variable in _THEME.items():
        style = style.replace(colour, variable)
    return style


def stage_diagram(stages: tuple[Ints, Ints], widest: int, deepest: int) -> Markup:
    """Return the bars of a network's stages: as wide as their blocks, high as their channels.

    Parameters
    ----------
    stages
        Widths (channels) and depths (blocks) of the stages, shape (stages,) each.
    widest, deepest
        The largest width of a stage and the most blocks of a network among those compared: a bar
        is as high as the square root of its share of ``widest``.
    """
    widths, depths = stages
    unit = 88 / max(1, deepest)
    x, path = 0.0, ""
    for width, depth in zip(widths.tolist(), depths.tolist(), strict=True):
        high = 22 * (width / max(1, widest)) ** 0.5
        path += f"M{x:.1f} 24v{-high:.1f}h{unit * depth:.1f}v{high:.1f}z"
        x += unit * depth + 1.5
    said = ", ".join(say_stages(stages))
    return Markup(
        '<svg class="stages" viewBox="0 0 100 24" role="img"><title>{}</title><path d="{}"/></svg>'
    ).format(said, path)


def say_stages(stages: tuple[Ints, Ints]) -> tuple[str, str]:
    """Return widths and depths in words: "widths 24 56" and "depths 1 4"."""
    widths, depths = (" ".join(map(str, one.tolist())) for one in stages)
    return f"widths {widths}", f"depths {depths}"
