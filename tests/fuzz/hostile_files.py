"""Files that nobody sends by intention, or only with a bad one: spoilt, foreign, of traps."""

from __future__ import annotations

import csv
import io
import json
import pickle
import zipfile
from typing import Any

import yaml
from hostile_values import HTML
from hypothesis import strategies as st
from judge import TRAP

DEEP = 5000
CELLS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, 2**64, 10**30, 1.5, -0.0, 1e308, 1e-300,
    float("nan"), float("inf"), float("-inf"), "", " ", "x", "nan", "1e400", "9" * 30, HTML,
    "\x1b[31m", "../../evil", "A" * 5000, [], [1], ["x"], [[1]], [2**63], {}, {"a": 1}, "24 56",
    "1 2 3 4", "\0", "complete", "diverged", "none", "=1+1", "y", "2026-01-01",
)  # fmt: skip
cells = st.sampled_from(CELLS) | st.integers() | st.floats() | st.text(max_size=8)


def spoilt_bytes(content: bytes) -> st.SearchStrategy[bytes]:
    """Return the content cut, flipped, doubled, with bytes put in, or another altogether."""
    place = st.integers(0, max(0, len(content) - 1))
    return st.one_of(
        place.map(lambda i: content[:i]),
        place.map(lambda i: content[i:]),
        st.tuples(place, st.integers(1, 255)).map(
            lambda at: (
                content[: at[0]] + bytes([content[at[0]] ^ at[1]]) + content[at[0] + 1 :]
                if content
                else b""
            )
        ),
        st.tuples(place, st.binary(min_size=1, max_size=9)).map(
            lambda at: content[: at[0]] + at[1] + content[at[0] :]
        ),
        st.tuples(place, st.integers(1, 64)).map(
            lambda at: content[: at[0]] + bytes(at[1]) + content[at[0] + at[1] :]
        ),
        st.just(content + content),
        st.sampled_from(FOREIGN),
        st.binary(max_size=40),
    )


def spoilt_tree(tree: Any) -> st.SearchStrategy[Any]:
    """Return a tree of lists and dicts in which one or two places hold something else."""
    places = list(_places(tree))

    def change(edits: list[tuple[int, Any, bool]]) -> Any:
        made = json.loads(json.dumps(tree))
        for i, value, drop in edits:
            _set(made, places[i], value, drop)
        return made

    edit = st.tuples(st.integers(0, len(places) - 1), cells, st.booleans())
    return st.lists(edit, min_size=1, max_size=2).map(change)


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Any:
    if at:
        yield at
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        if isinstance(value, dict | list):
            yield from _places(value, (*at, key))
        else:
            yield (*at, key)


def _set(tree: Any, place: tuple[Any, ...], value: Any, drop: bool) -> None:
    try:
        for key in place[:-1]:
            tree = tree[key]
        if drop:
            del tree[place[-1]]
        else:
            tree[place[-1]] = value
    except (KeyError, IndexError, TypeError):
        return  # the first edit has removed the place


def as_csv(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as CSV, whatever is in them."""
    names = list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_cell(row.get(n)) for n in names] for row in rows if isinstance(row, dict)])
    return buffer.getvalue().encode("utf-8", "surrogatepass")


def _cell(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, list) else value


def as_json(tree: Any) -> bytes:
    """Return a tree as JSON, with NaN."""
    return json.dumps(tree).encode()


def as_yaml(tree: Any) -> bytes:
    """Return a tree as YAML."""
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True).encode("utf-8", "replace")


class _Touch:
    def __reduce__(self) -> Any:
        return eval, (f"open({TRAP!r}, 'w')",)


def _zipped(name: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, content)
    return buffer.getvalue()


LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
FOREIGN = (
    b"", b"\n", b" ", b"\xff\xfe", b"\xef\xbb\xbf", b"\0" * 64, b"null", b"[]", b"{}", b"[[]]",
    b"0", b'""', b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b"- " * DEEP,
    b"{" * DEEP, b"!!python/object/apply:os.system ['touch trapped']\n",
    b'!!python/object/new:eval [\'open("trapped", "w")\']\n', b"name: !!python/name:os.system\n",
    b"a: &a [*a]\n", b"? [a]\n: 1\n", b"a: 1\na: 2\n", b"<<: 1\n", b"--- 1\n--- 2\n", b"\t- 1\n",
    b"2026-99-99", b"d: 2026-01-01\n", LAUGHS.encode(),
    LAUGHS.encode() + b"depth: *a11\nstage_widths: *a11\nlr: *a11\nerror: *a11\nname: *a11\n",
    pickle.dumps(_Touch()), _zipped("x/data.pkl", pickle.dumps(_Touch(), protocol=2)),
    _zipped("../../evil.npy", b"x"), _zipped("images.npy", pickle.dumps(_Touch())),
    _zipped("config.json", b"{}"), b"PK\x03\x04", b"PAR1PAR1", b"PAR1" + b"\0" * 20 + b"PAR1",
    b"SQLite format 3\0" + b"\0" * 84, b"\x89HDF\r\n\x1a\n" + b"\0" * 64,
    (2**62).to_bytes(8, "little") + b"{}", (2).to_bytes(8, "little") + b"{}",
    (10**5).to_bytes(8, "little") + b"[" * 10**5,
    b'{"op_code":0,"worker_id":"a","study_name":"population","directions":[1]}\n',
    b'{"op_code":' + b"9" * 30 + b"}\n", b'{"op_code":0}\n',
    b'{"op_code":4,"worker_id":"a","study_id":7}\n', b"error\n" + b"1" * 5000 + b"\n",
    b"error\n50\n\0\n", b'error\n"50\n', b"error,error\n50,60\n", b"a,b,c\n1,2\n", b"a,b\n1,2,3\n",
    b",\n,\n", b"depth,w0,wa,wm,group_width\n" + b"13,24,36.44,2.49,8\n13,24\n",
    b"depth,w0,wa,wm,group_width\n9223372036854775808,8,0,1.5,8\n",
    b"depth,w0,wa,wm,group_width,resolution\n13,24,36.44,2.49,8,9223372036854775807\n",
    b"stage_widths,stage_depths\n8 8,1 99999999999999999999\n", b"model,top1_err\nx,y\n",
)  # fmt: skip
