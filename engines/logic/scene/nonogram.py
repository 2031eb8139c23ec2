"""A nonogram: an empty board with the lengths of the runs of shaded cells at each row and column."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Nonogram:
    """Runs of shaded cells of each row from the left and each column from the top; (0,) where there are none."""

    rows: tuple[tuple[int, ...], ...]
    columns: tuple[tuple[int, ...], ...]
    rounds: int  # of reasoning along lines that the row asked about takes

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "nonogram",
            "rows": [list(runs) for runs in self.rows],
            "columns": [list(runs) for runs in self.columns],
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = ["A nonogram."]
        for name, all_runs in (("Row", self.rows), ("Column", self.columns)):
            lines += [f"{name} {place}: {', '.join(map(str, runs))}." for place, runs in enumerate(all_runs, 1)]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells, runs, and rounds of reasoning."""
        return len(self.rows) * len(self.columns) + sum(map(len, (*self.rows, *self.columns))) + 4 * self.rounds
