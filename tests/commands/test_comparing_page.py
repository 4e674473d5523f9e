"""What docs/comparing.md shows is what the commands print.

With REGNET_DS_REWRITE=1 the page is written anew instead. What it shows of the ladder is true of
the data that it names; after newer ones are packed, write it anew.
"""

import hashlib
import os
import re
import shlex
from pathlib import Path

import pytest
from regnet_ds.analysis.examples import example_path

PAGE = Path(__file__).parents[2] / "docs" / "comparing.md"
BLOCKS = re.findall(
    r"^```console\n\$ regnet-ds (.*)\n((?:(?!```).*\n)*)```$",
    PAGE.read_text(encoding="utf-8"),
    re.MULTILINE,
)
LADDER = hashlib.sha256(example_path("ladder").read_bytes()).hexdigest()[:12]


def test_the_page_has_its_blocks():
    assert {command.split()[0] for command, _ in BLOCKS} == {"compare", "refine"}
    assert len(BLOCKS) >= 5


@pytest.mark.parametrize(("command", "shown"), BLOCKS, ids=[str(i) for i in range(len(BLOCKS))])
def test_the_output_is_true(call, command, shown):
    rewrite = os.environ.get("REGNET_DS_REWRITE")
    named = re.findall(r"<!-- ladder.parquet: (\w+) -->", PAGE.read_text(encoding="utf-8"))
    if "ladder" in command and not rewrite and named != [LADDER]:
        pytest.skip("the page is of an older ladder: write it anew with REGNET_DS_REWRITE=1")
    _, out, err = call(*shlex.split(command))
    printed = err + out  # the sentences come first
    if rewrite:
        text = PAGE.read_text(encoding="utf-8").replace(
            f"parquet: {named[0]}", f"parquet: {LADDER}"
        )
        block = f"$ regnet-ds {command}\n"
        PAGE.write_text(text.replace(f"{block}{shown}```", f"{block}{printed}```"), "utf-8")
    else:
        assert printed == shown
