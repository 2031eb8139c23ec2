"""How a complaint about a table is worded: file, row, column, rule, value, in one line."""

from typing import NamedTuple

LONGEST = 60  # characters of a value in a complaint
LONGEST_PATH = 200  # of a path from the root on


class Where(NamedTuple):
    """A row of a file."""

    file: str
    row: int
    unit: str  # "line", from 1 on, or "row", from 0 on

    def __str__(self) -> str:
        return f"{self.file} {self.unit} {self.row}"


def wrong(where: object, column: str, rule: str, value: object) -> ValueError:
    """The error that says which cell breaks which rule ("must be …")."""
    return ValueError(f"{where}: column {column} {rule}, got {short(value)}")


def clipped(text: str, most: int = LONGEST) -> str:
    """A text in one line of `most` characters at most, its beginning and its end where it is longer."""
    text = text if text.isprintable() else repr(text)[1:-1]
    begin = most // 3
    return text if len(text) <= most else f"{text[:begin]}…{text[len(text) - (most - begin - 1) :]}"


def short(value: object) -> str:
    """A value in one short line."""
    if isinstance(value, bytes | bytearray):
        return f"{len(value)} bytes"
    try:
        words = repr(value[: 2 * LONGEST] if isinstance(value, str) else value)
    except RecursionError:  # lists without end in each other
        words = type(value).__name__
    words = " ".join(words.split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"
