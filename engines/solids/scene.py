"""What pictures of solids show: panels of numbers, each drawn as a stack, as a plan, as a view or as a cut."""

import functools
import itertools
from dataclasses import dataclass
from typing import Any, NamedTuple

Table = tuple[tuple[int, ...], ...]  # rows from the back, each from the left; of views from the top
LOOKS = ("stack", "plan", "view", "cut")
LETTERS = "ABCD"
Face = tuple[str, int, int, int]  # "top", "front" or "right"; row, column, height of the lower edge


class Panel(NamedTuple):
    """One drawing and what is written under it."""

    look: str  # of `LOOKS`
    table: Table  # heights of a stack and a plan, filled cells of a view and a cut
    caption: str = ""


@dataclass(frozen=True)
class Solids:
    """Panels above, and options of one look below."""

    given: tuple[Panel, ...]
    look: str
    options: tuple[Table, ...]
    colour: str
    steps: int  # of thought that the question takes, in all

    def __post_init__(self):
        """Check that looks are known and tables rectangles."""
        if not {self.look, *(panel.look for panel in self.given)} <= set(LOOKS):
            raise ValueError(f"solids looks must be of {', '.join(LOOKS)}, got {self.look!r}")
        for table in (*self.options, *(panel.table for panel in self.given)):
            if len({len(row) for row in table}) != 1 or min(map(min, table)) < 0:
                raise ValueError(f"solids tables must be rectangles of numbers >= 0, got {table}")

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "solids",
            "given": [[panel.look, [list(row) for row in panel.table], panel.caption] for panel in self.given],
            "look": self.look,
            "options": [[list(row) for row in table] for table in self.options],
            "colour": self.colour,
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [_told(f"{look.capitalize()} {caption}".strip(), table) for look, table, caption in self.given]
        lines += [f"Each option is a {self.look}."] * bool(self.options)
        lines += [_told(f"Option {x}", table) for x, table in zip(LETTERS, self.options, strict=False)]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells that are drawn, and steps of thought."""
        tables = (*self.options, *(panel.table for panel in self.given))
        return sum(len(table) * len(table[0]) for table in tables) / 4 + 12 * self.steps


def _told(what: str, table: Table) -> str:
    """A table in words, each row by its number."""
    return " ".join(f"{what} row {number}: {', '.join(map(str, row))}." for number, row in enumerate(table, 1))


@functools.cache
def _order(rows: int, columns: int) -> tuple[tuple[int, int], ...]:
    """Rows and columns of a stack, the farther ones first."""
    return tuple(sorted(itertools.product(range(rows), range(columns)), key=sum))


def faces(heights: Table) -> list[Face]:
    """Faces of a stack towards the viewer, the farther ones first; the floor's free cells are tops of height 0."""
    rows, columns = len(heights), len(heights[0])
    found: list[Face] = []
    for row, column in _order(rows, columns):
        height = heights[row][column]
        before = heights[row + 1][column] if row + 1 < rows else 0
        beside = heights[row][column + 1] if column + 1 < columns else 0
        found += [("front", row, column, k) for k in range(before, height)]
        found += [("right", row, column, k) for k in range(beside, height)]
        found.append(("top", row, column, height))
    return found


def seen(heights: Table) -> dict[tuple[int, int], Face]:
    """What is seen of a stack from the corner between its front and its right side, with equal angles of the axes.

    Each face covers two triangles of a lattice: upright strips, and in each a triangle by the sum of its corners' rows.
    """
    found: dict[tuple[int, int], Face] = {}
    for face in faces(heights):
        kind, row, column, k = face
        strip, low = column - row, 3 * (row + column) - 6 * k
        if kind == "top":
            found[strip - 1, low + 3] = found[strip, low + 3] = face
        elif kind == "front":
            found[strip - 1, low + 3] = found[strip - 1, low] = face
        else:
            found[strip, low + 3] = found[strip, low] = face
    return found


def picture(heights: Table) -> dict[int, str]:
    """What a picture of a stack tells: by triangle of `seen`, numbered, which way the face there looks."""
    rows, columns = len(heights), len(heights[0])
    found: dict[int, str] = {}
    for row, column in _order(rows, columns):
        height, foot = heights[row][column], 1000 * (column - row) + 3 * (row + column)
        before = heights[row + 1][column] if row + 1 < rows else 0
        beside = heights[row][column + 1] if column + 1 < columns else 0
        for place in range(foot - 6 * before, foot - 6 * height, -6):
            found[place - 997] = found[place - 1000] = "front"
        for place in range(foot - 6 * beside, foot - 6 * height, -6):
            found[place + 3] = found[place] = "right"
        found[foot - 6 * height - 997] = found[foot - 6 * height + 3] = "top"
    return found


def apart(one: dict[int, str], other: dict[int, str]) -> int:
    """How unlike two pictures are: triangles that only one has, and twice those that look another way in the other."""
    return len(one.items() ^ other.items())


def is_open(heights: Table) -> bool:
    """Say whether at least half the top of every column is seen, so that the picture tells the stack."""
    tops = {face[1:3] for face in seen(heights).values() if face[0] == "top"}
    return len(tops) == len(heights) * len(heights[0])


Scene = Solids
