"""What pictures of tiles show: patterns of cells with lettered options, or a sheet of paper that is folded and punched.

A pattern is rows of cells from the top, each from the left; 0 is an empty cell, k the scene's k-th colour.
"""

from dataclasses import dataclass
from typing import Any

Pattern = tuple[tuple[int, ...], ...]
KINDS = ("figure", "copies", "gap", "join", "pairs", "matrix", "dots")
FOLDS = ("right", "left", "down", "up")  # where the part that is folded over goes
LETTERS = "ABCDEF"


@dataclass(frozen=True)
class Sheet:
    """Patterns that are given, and those to choose from."""

    kind: str  # of `KINDS`: what the given patterns are, and how they are laid out
    given: tuple[Pattern, ...]
    options: tuple[Pattern, ...]  # A, B, ... in order
    colours: tuple[str, ...]
    steps: int  # of thought that the question takes, in all

    def __post_init__(self):
        """Check that every pattern has rows of one length and colours that exist."""
        if self.kind not in KINDS:
            raise ValueError(f"sheet.kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        for pattern in (*self.given, *self.options):
            if len({len(row) for row in pattern}) != 1 or not all(
                0 <= cell <= len(self.colours) for row in pattern for cell in row
            ):
                raise ValueError(f"sheet patterns must be rectangles of 0..{len(self.colours)}, got {pattern}")

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data, its colours numbered as they come up: one picture has one numbering."""
        cells = (cell for pattern in (*self.given, *self.options) for row in pattern for cell in row)
        order = [cell for cell in dict.fromkeys(cells) if cell]
        number = {cell: place for place, cell in enumerate((0, *order))}
        given, options = (
            [[[number[cell] for cell in row] for row in pattern] for pattern in patterns]
            for patterns in (self.given, self.options)
        )
        colours = [self.colours[cell - 1] for cell in order]
        return {"kind": self.kind, "given": given, "options": options, "colours": colours}

    def describe(self) -> str:
        """The scene in words, each pattern row by row."""
        names = ("empty", *self.colours)
        lines = [_told(f"Picture {number}", pattern, names) for number, pattern in enumerate(self.given, 1)]
        lines += [_told(f"Option {letter}", p, names) for letter, p in zip(LETTERS, self.options, strict=False)]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells of the options and of what is given, those filled a little more, and steps of thought."""
        cells = [cell for pattern in (*self.given, *self.options) for row in pattern for cell in row]
        return len(cells) / 4 + sum(cell > 0 for cell in cells) / 32 + 12 * self.steps


@dataclass(frozen=True)
class Paper:
    """A square sheet of side x side cells that is folded step by step and punched through all its layers."""

    side: int
    folds: tuple[tuple[str, int], ...]  # where the part goes that is folded over, and how many cells wide it is
    holes: tuple[tuple[int, int], ...]  # row and column, from 0, on the sheet as it was first
    options: tuple[Pattern, ...] = ()  # unfolded sheets, 1 where there is a hole

    def __post_init__(self):
        """Check that folded parts lie on what is left, and that holes go through it."""
        top, left, bottom, right = self.rest(len(self.folds))
        if not all(top <= row < bottom and left <= column < right for row, column in self.holes):
            raise ValueError(f"paper.holes must lie on the folded sheet, got {self.holes}")

    def rest(self, folds: int) -> tuple[int, int, int, int]:
        """Top, left, bottom and right of the sheet after so many folds."""
        top, left, bottom, right = 0, 0, self.side, self.side
        for way, width in self.folds[:folds]:
            room = right - left if way in ("right", "left") else bottom - top
            if way not in FOLDS or not 0 < 2 * width <= room:
                raise ValueError(f"paper.folds must fold at most half of {room} cells over, got {way} {width}")
            left += width * (way == "right")
            right -= width * (way == "left")
            top += width * (way == "down")
            bottom -= width * (way == "up")
        return top, left, bottom, right

    def layers(self) -> dict[tuple[int, int], list[tuple[int, int]]]:
        """By cell of the folded sheet: the cells of the flat one that lie on each other there."""
        stacks = {(row, column): [(row, column)] for row in range(self.side) for column in range(self.side)}
        for number, (way, width) in enumerate(self.folds):
            top, left, bottom, right = self.rest(number)
            line = {"right": left + width, "left": right - width, "down": top + width, "up": bottom - width}[way]
            for row, column in list(stacks):
                is_over = {"right": column < line, "left": column >= line, "down": row < line, "up": row >= line}[way]
                if is_over:
                    moved = (row, 2 * line - 1 - column) if way in ("right", "left") else (2 * line - 1 - row, column)
                    stacks[moved] += stacks.pop((row, column))
        return stacks

    def unfolded(self) -> Pattern:
        """The flat sheet, 1 where there is a hole."""
        stacks = self.layers()
        punched = {cell for hole in self.holes for cell in stacks[hole]}
        return tuple(tuple(int((r, c) in punched) for c in range(self.side)) for r in range(self.side))

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "paper",
            "side": self.side,
            "folds": [list(fold) for fold in self.folds],
            "holes": [list(hole) for hole in self.holes],
            "options": [[list(row) for row in pattern] for pattern in self.options],
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [f"A square sheet of {self.side} x {self.side} cells."]
        part = {"right": "left", "left": "right", "down": "top", "up": "bottom"}
        lines += [f"Its {part[way]} part, {width} cells wide, is folded {way}." for way, width in self.folds]
        holes = ", ".join(f"({row + 1}, {column + 1})" for row, column in self.holes)
        lines.append(f"Holes at {holes}, counted on the whole sheet.")
        for letter, pattern in zip(LETTERS, self.options, strict=False):
            lines.append(_told(f"Option {letter}", pattern, ("whole", "hole")))
        return "\n".join(lines)

    def complexity(self) -> float:
        """Cells, holes, and folds, each of which doubles what is on it."""
        return self.side + len(self.holes) / 4 + 6 * len(self.folds) + len(self.options) * self._uneven()

    def _uneven(self) -> int:
        """Folds that are not in the middle."""
        found = 0
        for number, (way, width) in enumerate(self.folds):
            top, left, bottom, right = self.rest(number)
            found += 2 * width != (right - left if way in ("right", "left") else bottom - top)
        return found


def _told(what: str, pattern: Pattern, names: tuple[str, ...]) -> str:
    """A pattern in words, each row by its number."""
    rows = (", ".join(names[cell] for cell in row) for row in pattern)
    return " ".join(f"{what} row {number}: {row}." for number, row in enumerate(rows, 1))


Scene = Sheet | Paper
