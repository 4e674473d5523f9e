"""The answer to one published finding: its verdict, and a sentence with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..intervals import Interval

HOLDS, FAILS, OPEN = "holds", "does not hold", "open"


@dataclass(frozen=True)
class Answer:
    """What a population says of a finding.

    Attributes
    ----------
    finding : str
        The claim and its source, in a few words.
    verdict : str
        "holds" or "does not hold" where the data show it at 95%, else "open".
    sentence : str
        What was measured, every number with its 95% interval.
    """

    finding: str
    verdict: str
    sentence: str


def ends(one: Interval, digits: int = 2, scale: float = 1.0) -> str:
    """Return the ends of an interval: "1.20 to 3.40"."""
    return f"{scale * one.low:.{digits}f} to {scale * one.high:.{digits}f}"


def above(one: Interval, limit: float = 0.0) -> str:
    """Return the verdict on "it is above the limit"."""
    if one.low > limit:
        return HOLDS
    return FAILS if one.high < limit else OPEN


def answer_lines(answers: Sequence[Answer]) -> list[str]:
    """Return answers as a Markdown list: the verdict, the finding, what was measured."""
    return [f"- **{one.verdict}**: {one.finding}. {one.sentence}" for one in answers]
