"""Files that appear whole or not at all, and names of files from names that people give."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from regnet_ds.designspace.atomic import LONGEST, as_file_name, whole_file


@given(
    st.text(max_size=400) | st.sampled_from(["..", ".", "../../evil", "a/..", "~", "/etc", "\0"])
)
def test_a_name_stays_in_its_folder_and_fits(name: str) -> None:
    made = as_file_name(name)
    assert made not in ("", ".", "..")
    assert not set(made) & set("/\\\0\n~*?")
    assert len(made.encode("utf-8", "surrogatepass")) <= LONGEST
    root = Path("/root")
    assert (root / made).parent == root
    assert made == as_file_name(name)


def test_names_stay_readable_and_apart() -> None:
    assert as_file_name("tune/RegNetX-200MF") == "tune-RegNetX-200MF"
    assert as_file_name("population#17") == "population-17"
    names = ["..", ".", "", "...", "a" * 500, "a" * 501]
    assert len({as_file_name(name) for name in names}) == len(names)


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    with pytest.raises(RuntimeError), whole_file(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]
    with pytest.raises(ValueError, match="it is a folder"), whole_file(tmp_path):
        pass
