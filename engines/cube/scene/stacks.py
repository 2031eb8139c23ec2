"""Stacks of cubes on a floor.

Cell (row, column) of the floor: rows run from the far corner to the lower left, columns to the lower right, so the
onlooker faces the near sides of the last row and of the last column. Heights are in cubes. Rows are named A, B, C…
and columns 1, 2, 3… from the far corner on, whether or not that is written in the picture.
"""

from dataclasses import dataclass
from typing import Any, Literal

Heights = tuple[tuple[int, ...], ...]
Arrow = Literal["", "left", "right"]


@dataclass(frozen=True)
class StackScene:
    """Columns of cubes.

    `stacks[row][column]` names the colours of a column from the floor upwards; `dot` is the cell whose top cube carries
    a dot, `letters` are (letter, row, column) written on tops. An `arrow` at the lower left points along the columns of
    the floor, one at the lower right along the rows. `lettered` writes the names of rows and columns at their near
    ends. `zoom` (0..3) and `shift` (0..7 each way) place the drawing in its frame.
    """

    stacks: tuple[tuple[tuple[str, ...], ...], ...]
    dot: tuple[int, int] | None = None
    zoom: int = 0
    shift: tuple[int, int] = (0, 0)
    lettered: bool = False
    letters: tuple[tuple[str, int, int], ...] = ()
    arrow: Arrow = ""

    def __post_init__(self):
        """Check that the floor is a rectangle."""
        if len({len(row) for row in self.stacks}) != 1:
            raise ValueError(f"cube.stacks must have rows of one length, got {[len(row) for row in self.stacks]}")

    @property
    def heights(self) -> Heights:
        """Cubes per cell."""
        return tuple(tuple(len(stack) for stack in row) for row in self.stacks)

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": "stacks",
            "stacks": [[list(stack) for stack in row] for row in self.stacks],
            "dot": None if self.dot is None else list(self.dot),
            "zoom": self.zoom,
            "shift": list(self.shift),
            "lettered": self.lettered,
            "letters": [list(letter) for letter in self.letters],
            "arrow": self.arrow,
        }

    def describe(self) -> str:
        """The scene in words: every column, its colours from the floor upwards."""
        rows, columns = len(self.stacks), len(self.stacks[0])
        lines = [
            f"A floor of {rows} rows and {columns} columns, seen from the front corner. Row A and column 1 are the "
            "farthest; rows come nearer towards the lower left, columns towards the lower right."
        ]
        for row, line in enumerate(self.stacks):
            places = (f"{cell_name(row, column)} {_stack_words(stack)}" for column, stack in enumerate(line))
            lines.append("; ".join(places) + ".")
        if self.dot is not None:
            lines.append(f"A dot is on top of {cell_name(*self.dot)}.")
        lines += [f"The letter {letter} is on top of {cell_name(row, c)}." for letter, row, c in self.letters]
        if self.arrow:
            lines.append(
                f"An arrow points into the picture from the lower {self.arrow}: along it, the view from left to right "
                f"is that of {'columns 1 and up' if self.arrow == 'left' else 'the rows, the last one first'}."
            )
        if self.lettered:
            lines.append("The names of rows and columns are written at the near edges.")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells, cubes and letters."""
        flat = [height for row in self.heights for height in row]
        return len(flat) + sum(flat) + len(self.letters)


@dataclass(frozen=True)
class ViewScene:
    """Stacks with an arrow, and lettered outlines (A, B, …) of which one is what is seen along the arrow."""

    stack: StackScene
    options: tuple[tuple[int, ...], ...]  # of each outline, cubes high from left to right

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {"kind": "view", "stack": self.stack.to_json(), "options": [list(option) for option in self.options]}

    def describe(self) -> str:
        """The scene in words: the stacks, then the outlines."""
        lines = [
            f"Outline {chr(65 + place)}: {', '.join(map(str, option))} squares high from left to right."
            for place, option in enumerate(self.options)
        ]
        return "\n".join([self.stack.describe(), *lines])

    def complexity(self) -> float:
        """What there is in the stacks, and the places of all outlines."""
        return self.stack.complexity() + sum(map(len, self.options))


def cell_name(row: int, column: int) -> str:
    """A cell by its row and column, counted from 0: B3."""
    return f"{chr(65 + row)}{column + 1}"


def profile(heights: Heights, arrow: Arrow) -> tuple[int, ...]:
    """Largest heights of what lies behind each other along an arrow, from left to right as seen along it."""
    if arrow == "left":
        return tuple(max(column) for column in zip(*heights, strict=True))
    return tuple(max(row) for row in reversed(heights))


def _stack_words(stack: tuple[str, ...]) -> str:
    return " ".join(stack) if stack else "empty"
