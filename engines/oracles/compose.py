"""Answers question programs over rows of attributes by trying every thing against every clause.

Reads the JSON form of a program (`engines.compose.program` has its grammar) and knows nothing else of how it was made.
"""

from collections.abc import Sequence
from typing import Any

Row = dict[str, Any]


def answer(program: Sequence[Any], rows: Sequence[Row]) -> str:
    """The answer's text. Raises `ValueError` if a thing in the program is not exactly one of the rows."""
    head, *rest = program
    if head == "read":
        return str(_one(rest[1], rows)[rest[0]])
    if head in ("gap", "sum"):
        first, second = (_one(part, rows)[rest[0]] for part in rest[1:])
        return str(first - second if head == "gap" else first + second)
    counts = [sum(_fits(row, part, rows) for row in rows) for part in rest]
    if head == "compare":
        return "equal" if counts[0] == counts[1] else ("first", "second")[counts[1] > counts[0]]
    return str({"count": counts[0], "difference": counts[0] - counts[-1], "total": sum(counts)}[head])


def _fits(row: Row, part: Sequence[Any], rows: Sequence[Row]) -> bool:
    """Say whether a row is in a set."""
    if part[0] == "all":
        return True
    kind, attribute, key, inner = part
    if not _fits(row, inner, rows):
        return False
    if kind == "is":
        return row[attribute] == key
    other = _one(key, rows)
    if kind == "same":
        return row is not other and row[attribute] == other[attribute]
    return row[attribute] > other[attribute] if kind == "more" else row[attribute] < other[attribute]


def _one(part: Sequence[Any], rows: Sequence[Row]) -> Row:
    """The only row that a part means."""
    inside = [row for row in rows if _fits(row, part[-1], rows)]
    if part[0] != "the" and inside:
        extreme = (max if part[0] == "most" else min)(row[part[1]] for row in inside)
        inside = [row for row in inside if row[part[1]] == extreme]
    if len(inside) != 1:
        raise ValueError(f"{part[0]} must mean one thing, got {len(inside)}")
    return inside[0]
