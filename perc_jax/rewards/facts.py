"""A description against all facts of its picture: which of its statements are true, which false, and what is missing.

Both are read in one small language, that of the engines' scene texts; a table may have such texts of its own.

| text | statements |
|---|---|
| `Row 1: red circle, empty.` | of `row 1`: the 1st is "red circle", the 2nd "empty" |
| `Series 1: orange: 3, cyan: 1` | of `series 1, orange`: "3"; of `series 1, cyan`: "1" |
| `Points: (1, 2), (3, 4).` | of `points`: that "(1, 2)" is one, and "(3, 4)" |
| `A bar chart.` | that it says "a bar chart" |
| `Left:`, then lines of `#` and `.` | of `left`: each line by its number |

A statement ends with its line, at a semicolon, or at a full stop before a space. Case and further spaces say nothing,
nor does the order of statements; saying one again adds nothing. To say more of one place than there is to say of it is
to say nothing true of it.

The value is (true - false) / all facts, at least 0: another statement pays if it is more likely true than false. So
neither silence nor the list of all that might be there earns anything.
"""

import re
from collections import defaultdict
from typing import NamedTuple

MOST_CHARS = 2**16  # of a description that is read
_ART = re.compile(r"[#.]{1,200}")
_END = re.compile(r";|\.(?=\s|$)|:(?=\s*$)")
_TUPLE = re.compile(r"\([^()]*\)")
_SPLIT = re.compile(r",(?![^()]*\))")

Place = tuple[str, str]  # a label, and which of its entries


class Facts(NamedTuple):
    """What a description comes to."""

    value: float  # 0 to 1
    precision: float  # share of its statements that are true; 0 if it makes none
    recall: float  # share of the facts that it states


def judge(description: str, gold: str) -> Facts:
    """Compare a description with the text of all facts. A gold text without facts gives zeros.

    Worked example, gold "Row 1: red, blue.": "Row 1: red, green" has one true and one false statement of two: value 0,
    precision and recall 1/2.
    """
    facts, said = read(gold), read(description[:MOST_CHARS])
    stated = sum(len(entries) for entries in said.values())
    if not facts or not stated:
        return Facts(0.0, 0.0, 0.0)
    total = sum(len(entries) for entries in facts.values())
    true = sum(_true(place, entries, facts) for place, entries in said.items())
    return Facts(max(0.0, (2 * true - stated) / total), true / stated, true / total)


def _true(place: Place, entries: set[str], facts: dict[Place, set[str]]) -> int:
    """How many entries of a place are true; none where more are said than there are."""
    right = facts.get(place, set())
    return len(entries & right) if not place[1] or len(entries) <= len(right) else 0


def read(text: str) -> dict[Place, set[str]]:
    """The statements of a text by their place; where the place has no entry of its own, all that are said of it."""
    found: dict[Place, set[str]] = defaultdict(set)
    heading, number = "", 0  # of the lines of a drawing
    for line in text.splitlines():
        if _ART.fullmatch(line := line.strip()):
            number += 1
            found[heading, str(number)].add(line)
            continue
        heading, number = "", 0
        for statement in _END.sub("\n", line).split("\n"):
            label, entries = _parts(statement)
            for place, entry in entries:
                found[label, place].add(entry)
        if line.endswith(":"):
            heading = _folded(line[:-1])
    return dict(found)


def _parts(statement: str) -> tuple[str, list[tuple[str, str]]]:
    """A statement's label, and its entries with their places."""
    label, found, rest = statement.partition(": ")
    if not found:
        whole = _folded(statement)
        return "", [("", whole)] if whole else []
    entries = []
    for number, entry in enumerate(_SPLIT.split(rest), 1):
        name, named, value = entry.partition(": ")
        if named:
            entries.append((_folded(name), _folded(value)))
        else:
            entries.append(("" if _TUPLE.fullmatch(entry.strip()) else str(number), _folded(entry)))
    return _folded(label), [(place, entry) for place, entry in entries if entry]


def _folded(text: str) -> str:
    """A text without case and further spaces."""
    return " ".join(text.casefold().split())
