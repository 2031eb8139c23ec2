"""A maze: cells in rows and columns with walls or ways between them, gates in some ways, things in some cells.

Rows count from the top and columns from the left, both from 1. The place of an exit lies just outside: in row or column
0, or in one more than there are.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

Cell = tuple[int, int]  # row, column

WORDS = {(0, 0): "none", (1, 0): "right", (0, 1): "down", (1, 1): "right and down"}


class Gate(NamedTuple):
    """A coloured gate in the way between a cell and the next one to the right or below."""

    row: int
    column: int
    is_right: bool
    colour: str


@dataclass(frozen=True)
class Maze:
    """Ways between cells; `right` and `down` say for each cell, row by row, whether the next one is open from it."""

    rows: int
    columns: int
    right: tuple[int, ...]
    down: tuple[int, ...]
    start: Cell
    goal: Cell | None = None
    letters: tuple[tuple[Cell, str], ...] = ()  # inside cells
    exits: tuple[tuple[Cell, str], ...] = ()  # gaps in the outer wall
    gates: tuple[Gate, ...] = ()

    def __post_init__(self):
        """Check that every cell is given."""
        if not len(self.right) == len(self.down) == self.rows * self.columns:
            raise ValueError(
                f"maze.right and maze.down must have {self.rows * self.columns} entries, got {len(self.right)} and "
                f"{len(self.down)}"
            )

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "maze",
            "rows": self.rows,
            "columns": self.columns,
            "right": list(self.right),
            "down": list(self.down),
            "start": list(self.start),
            "goal": self.goal and list(self.goal),
            "letters": [[*cell, letter] for cell, letter in self.letters],
            "exits": [[*place, letter] for place, letter in self.exits],
            "gates": [list(gate) for gate in self.gates],
        }

    def describe(self) -> str:
        """The scene in words: for each cell, in which of the directions right and down it is open."""
        ways = [WORDS[pair] for pair in zip(self.right, self.down, strict=True)]
        lines = [f"A maze of {self.rows} rows and {self.columns} columns."]
        for row in range(self.rows):
            lines.append(f"Row {row + 1}: " + ", ".join(ways[row * self.columns : (row + 1) * self.columns]) + ".")
        lines.append(f"Dot: ({self.start[0]}, {self.start[1]}).")
        if self.goal:
            lines.append(f"Square: ({self.goal[0]}, {self.goal[1]}).")
        lines += [f"Letter {letter}: ({row}, {column})." for (row, column), letter in self.letters]
        lines += [f"Exit {letter}: ({row}, {column})." for (row, column), letter in self.exits]
        for gate in self.gates:
            side = "right" if gate.is_right else "below"
            lines.append(f"Gate {side} of ({gate.row}, {gate.column}): {gate.colour}.")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells, letters and gates."""
        return len(self.right) + 2 * (len(self.letters) + len(self.exits)) + len(self.gates)
