"""A board in coloured regions, one for each queen, some of whose queens are shown."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Queens:
    """Regions 0 to side - 1 of the cells, row by row, and the columns of the queens that are shown, by row."""

    side: int
    regions: tuple[int, ...]
    shown: tuple[tuple[int, int], ...]  # row, column

    def __post_init__(self):
        """Check that every cell has a region."""
        if len(self.regions) != self.side**2 or set(self.regions) != set(range(self.side)):
            raise ValueError(f"queens.regions must be {self.side**2} cells of regions 0..{self.side - 1}")

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        shown = [list(cell) for cell in self.shown]
        return {"kind": "queens", "side": self.side, "regions": list(self.regions), "shown": shown}

    def describe(self) -> str:
        """The scene in words: the region of each cell by a letter."""
        letters = ["ABCDEFGHIJ"[region] for region in self.regions]
        lines = [f"A board of {self.side} rows, columns and regions."]
        for row in range(self.side):
            lines.append(f"Row {row + 1}: {', '.join(letters[row * self.side : (row + 1) * self.side])}.")
        lines += [f"Queen of row {row}: {column}." for row, column in self.shown]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells, and queens to be found."""
        return len(self.regions) + 4 * (self.side - len(self.shown))
