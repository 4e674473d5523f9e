"""What is said to the user holds no control characters and no passwords."""

import pytest
from regnet_ds.messages import one_line, visible, without_passwords

MASKED = [
    ("postgresql://me:secret@host/db", "postgresql://me:***@host/db"),
    ("to postgresql+psycopg://me:se/cr@et@host:5432/db now", None),
    ("postgresql:/me:secret@host/db/run.json: no such file", "postgresql:/me:***@host/db/"),
    ("'postgresql://h/db?user=me&password=secret&a=b'", "?user=me&password=***&a=b'"),
    ("connection to 'user=me PASSWORD=secret host=h' failed", "PASSWORD=*** host=h'"),
    ("cannot read me:secret@host/db", "cannot read me:***@host/db"),
]


@pytest.mark.parametrize(("text", "shown"), MASKED)
def test_passwords_are_masked(text: str, shown: str | None) -> None:
    made = without_passwords(text)
    assert "secret" not in made
    assert "cr@et" not in made
    assert "***" in made
    assert shown is None or shown in made


@pytest.mark.parametrize(
    "text", ["study#17 at 12:30", "https://keras.io/api", "journal:runs/a.journal", "a@b", "x: y@z"]
)
def test_other_texts_stay(text: str) -> None:
    assert without_passwords(text) == text


def test_messages_are_one_line_of_printable_characters() -> None:
    assert one_line("a\n  b\r\nc") == "a b c"
    assert one_line("name \x1b[2J\x07\u202e\udcff") == "name \\x1b[2J\\x07\\u202e\\udcff"
    assert visible("RegNetX é 🙂") == "RegNetX é 🙂"
