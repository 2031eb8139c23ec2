"""Answers question programs over rows of attributes by trying every thing against every clause.

Reads the JSON form of a program (`engines.compose.program` has its grammar) and knows nothing else of how it was made.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]
CLAUSES = ("is", "same", "more", "less")
LINES = {"row": "column", "column": "row"}


class Manner(NamedTuple):
    """How words are read that can be read in two ways."""

    with_itself: bool = False  # what is the same as a thing may be that thing
    in_line: bool = False  # below a thing is below it in its own column, and right of it in its own row


PLAIN = Manner()


def answer(program: Sequence[Any], rows: Sequence[Row], manner: Manner = PLAIN) -> str:
    """The answer's text. Raises `ValueError` if a thing in the program is not exactly one of the rows."""
    head, *rest = program
    if head == "read":
        return str(_one(rest[1], rows, manner)[rest[0]])
    if head in ("gap", "sum"):
        first, second = (_one(part, rows, manner)[rest[0]] for part in rest[1:])
        return str(first - second if head == "gap" else first + second)
    counts = [sum(_fits(row, part, rows, manner) for row in rows) for part in rest]
    if head == "compare":
        return "equal" if counts[0] == counts[1] else ("first", "second")[counts[1] > counts[0]]
    return str({"count": counts[0], "difference": counts[0] - counts[-1], "total": sum(counts)}[head])


def shorter(program: Sequence[Any]) -> Iterator[list]:
    """The program with one of its operations left out, for each of them."""
    head, *rest = program
    if head in CLAUSES:
        yield list(rest[-1])
    if head in ("most", "least"):
        yield ["the", rest[-1]]
    for place, part in enumerate(program):
        if isinstance(part, list | tuple):
            for less in shorter(part):
                yield [*program[:place], less, *program[place + 1 :]]


def _fits(row: Row, part: Sequence[Any], rows: Sequence[Row], manner: Manner) -> bool:
    """Say whether a row is in a set."""
    if part[0] == "all":
        return True
    kind, attribute, key, inner = part
    if not _fits(row, inner, rows, manner):
        return False
    if kind == "is":
        return row[attribute] == key
    other = _one(key, rows, manner)
    if kind == "same":
        return (manner.with_itself or row is not other) and row[attribute] == other[attribute]
    if manner.in_line and attribute in LINES and row[LINES[attribute]] != other[LINES[attribute]]:
        return False
    return row[attribute] > other[attribute] if kind == "more" else row[attribute] < other[attribute]


def _one(part: Sequence[Any], rows: Sequence[Row], manner: Manner) -> Row:
    """The only row that a part means."""
    inside = [row for row in rows if _fits(row, part[-1], rows, manner)]
    if part[0] != "the" and inside:
        extreme = (max if part[0] == "most" else min)(row[part[1]] for row in inside)
        inside = [row for row in inside if row[part[1]] == extreme]
    if len(inside) != 1:
        raise ValueError(f"{part[0]} must mean one thing, got {len(inside)}")
    return inside[0]
