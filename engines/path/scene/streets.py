"""A map of streets: blocks between crossings in rows and columns, some of them closed, some one-way."""

from dataclasses import dataclass
from typing import Any

Place = tuple[int, int]  # row, column of a crossing, from 1


@dataclass(frozen=True)
class Streets:
    """Blocks between neighbouring crossings, each usable in one direction or in both."""

    rows: int
    columns: int
    one_way: tuple[tuple[Place, Place], ...]  # from, to
    two_way: tuple[tuple[Place, Place], ...]
    letters: tuple[tuple[Place, str], ...]

    def __post_init__(self):
        """Check that every block lies between neighbours, once."""
        seen = set()
        for block in (*self.one_way, *self.two_way):
            (r, c), (s, d) = block
            if abs(r - s) + abs(c - d) != 1 or frozenset(block) in seen:
                raise ValueError(f"streets must have blocks between neighbouring crossings, each once, got {block}")
            seen.add(frozenset(block))

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "streets",
            "rows": self.rows,
            "columns": self.columns,
            "one_way": [[*a, *b] for a, b in self.one_way],
            "two_way": [[*a, *b] for a, b in self.two_way],
            "letters": [[*place, letter] for place, letter in self.letters],
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [f"A map of {self.rows} x {self.columns} crossings."]
        lines += [f"One-way from ({r}, {c}): ({s}, {d})." for (r, c), (s, d) in self.one_way]
        lines += [f"Both ways between ({r}, {c}) and: ({s}, {d})." for (r, c), (s, d) in self.two_way]
        lines += [f"Letter {letter}: ({row}, {column})." for (row, column), letter in self.letters]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Blocks, those with an arrow twice, and letters."""
        return 2 * len(self.one_way) + len(self.two_way) + len(self.letters)
