"""What a trained ladder says of the papers' findings: a page of Markdown, and its figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ..intervals import default_m, expected_best, mean_interval, median_interval
from ..noise import Noise
from ..plots import ranges_figure
from ..style import check_picture, save_figure
from ..tables.groups import Group
from .answers import FAILS, HOLDS, OPEN, Answer, answer_lines, ends
from .rungs import Step, ladder_groups, ladder_steps, seed_noise
from .rungs_figure import ladder_figure, steps_figure
from .widths import (
    Fits,
    bottleneck_answer,
    depth_answer,
    fit_answers,
    group_width_answer,
    width_fits,
    wm_answer,
)
from .widths_figure import fits_figure

REGNETX = "RegNetX"
SHOWN = ("bottleneck_ratio", "wm", "group_width", "depth", "w0", "wa")


@dataclass(frozen=True, eq=False)
class Ladder:
    """A trained ladder and everything that is computed of it."""

    groups: Sequence[Group]
    noise: Noise
    steps: Sequence[Step]
    fits: Sequence[Fits]

    @classmethod
    def of(cls, table: pd.DataFrame, *, rng: int = 0) -> Ladder:
        """Return the ladder of a table that has all spaces, and some models of several seeds."""
        groups = ladder_groups(table)
        found = seed_noise(table)
        steps = ladder_steps(groups, found.over_seeds, rng=rng)
        return cls(groups, found, steps, width_fits(groups))

    @property
    def populations(self) -> list[str]:
        """The table of the populations and the noise over seeds, as lines of Markdown."""
        return [*_populations(self.groups), "", _noise(self.noise)]

    def answers(self) -> dict[str, list[Answer]]:
        """Return what the ladder says of the findings, by heading."""
        parts = {
            "The ladder": [step.answer() for step in self.steps],
            "Widths on a line": fit_answers(self.fits),
        }
        parameters = self.parameter_answers()
        return {**parts, "Good parameters": parameters} if parameters else parts

    def parameter_answers(self) -> list[Answer]:
        """Return what the RegNetX of the ladder say of b, g, wm and depth."""
        return [
            answer(group)
            for group in self.groups
            if group.name == REGNETX
            for answer in (bottleneck_answer, group_width_answer, wm_answer, depth_answer)
        ]

    def draw(self, folder: Path, suffix: str = ".png") -> list[Path]:
        """Draw the figures into a folder; return their files."""
        check_picture(Path(f"x{suffix}"))
        figures = {
            "ladder": ladder_figure(self.groups, self.steps),
            "steps": steps_figure(self.groups, self.steps),
            "fits": fits_figure(self.fits),
        }
        for group in self.groups:
            if group.name == REGNETX:
                figures["ranges"] = ranges_figure(group, SHOWN)
        for name, figure in figures.items():
            save_figure(figure, folder / f"{name}{suffix}")
        return [folder / f"{name}{suffix}" for name in figures]


def markdown(populations: Sequence[str], answers: Mapping[str, Sequence[Answer]]) -> str:
    """Return a page: how many findings hold, the populations, and the answers by heading."""
    everything = [answer for part in answers.values() for answer in part]
    counts = Counter(answer.verdict for answer in everything)
    said = ", ".join(f"{counts[verdict]} {words}" for verdict, words in _WORDS.items())
    lines = [f"Of {len(everything)} findings {said}.", "", "### The populations", "", *populations]
    for heading, part in answers.items():
        lines += ["", f"### {heading}", "", *answer_lines(part)]
    return "\n".join(lines)


_WORDS = {HOLDS: "hold", FAILS: "do not hold", OPEN: "are open"}


def _populations(groups: Sequence[Group]) -> list[str]:
    """Return a table of the populations, every estimate with its 95% interval."""
    m = default_m(*(len(group.rows) for group in groups))
    lines = [
        f"| space | models | mean error, % | median error, % | expected best of {m}, % |"
        " lowest error, % |",
        "|---|---|---|---|---|---|",
    ]
    for group in groups:
        errors = group.rows["error"]
        estimates = (mean_interval(errors), median_interval(errors), expected_best(errors, m))
        cells = [f"{one.value:.2f} ({ends(one)})" for one in estimates]
        lowest = f"{errors.min():.2f}"
        lines.append("| " + " | ".join([group.name, str(len(errors)), *cells, lowest]) + " |")
    return lines


def _noise(found: Noise) -> str:
    return (
        f"The standard deviation over models is {found.over_models:.2f} points "
        f"({ends(found.models_interval())}), over seeds {found.over_seeds:.2f} "
        f"({ends(found.interval())}; {found.n_repeated} models with several seeds): "
        f"{found.ratio:.1f} ({ends(found.ratio_interval(), 1)}) times the noise."
    )
