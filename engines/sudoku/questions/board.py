"""Boards being made: a solution, the cells of it that are shown, and the names of its symbols.

Every board is part of a valid solution, whose symbols are a random permutation; so an asked symbol is uniform.
"""

from typing import NamedTuple

import numpy as np

from engines.answer import Answer
from engines.style import COLOURS
from engines.sudoku.scene import NOUNS, SHAPES, SudokuScene, box_regions, solved, solved_irregular


class Knobs(NamedTuple):
    """How hard a level is."""

    side: int
    filled: tuple[int, int]  # symbols on the board, least and most
    most_empty: int  # largest count of empty cells that is asked for


KNOBS = (
    Knobs(4, (5, 8), 5),
    Knobs(4, (6, 10), 6),
    Knobs(4, (8, 12), 8),
    Knobs(4, (9, 13), 10),
    Knobs(4, (10, 14), 12),
    Knobs(6, (14, 22), 12),
    Knobs(6, (20, 30), 16),
    Knobs(9, (30, 45), 16),
    Knobs(9, (40, 58), 24),
    Knobs(9, (50, 70), 36),
)
MIN_SIZE_PX = (112,) * 5 + (168, 168, 224, 224, 224)
LINES_FROM_LEVEL = 2  # below it questions about a line name rows only
SYMBOLS_FROM_LEVEL = 2  # below it all symbols are digits
IRREGULAR_FROM_LEVEL = 3
SYMBOL_RATE, IRREGULAR_RATE = 0.5, 0.3
LETTERS = "ABCDEFGHK"
BOARD_COLOURS = tuple(colour for colour in COLOURS if colour != "cyan")  # beside no blue it may be called so


def pick(rng: np.random.Generator, options):
    """One of some options, all equally likely."""
    return options[int(rng.integers(len(options)))]


class Board:
    """A solution and the set of its cells that are shown. Rows and columns count from 0 here."""

    def __init__(self, rng: np.random.Generator, level: int, *, only_boxes: bool = False, side: int = 0):
        self.rng, self.knobs = rng, KNOBS[level]
        self.side = side or self.knobs.side
        is_irregular = not only_boxes and level >= IRREGULAR_FROM_LEVEL and rng.random() < IRREGULAR_RATE
        if is_irregular:
            self.numbers, self.regions = solved_irregular(rng, self.side)
        else:
            self.numbers = solved(rng, self.side)
            self.regions = np.array(box_regions(self.side)).reshape(self.side, self.side)
        self.region_word = "outlined region" if is_irregular else "box"
        self.kind, self.symbols = self._symbols(level)
        self.shown = np.zeros((self.side, self.side), dtype=bool)
        self.is_fixed = np.zeros((self.side, self.side), dtype=bool)  # shown or hidden for good

    def _symbols(self, level: int) -> tuple[str, tuple[str, ...]]:
        """A kind of symbol and the names of the numbers 1..side."""
        kinds = ("letters", "colours", "shapes") if self.side <= len(SHAPES) else ("letters", "colours")
        if level < SYMBOLS_FROM_LEVEL or self.rng.random() >= SYMBOL_RATE:
            return "digits", tuple(map(str, range(1, self.side + 1)))
        kind = pick(self.rng, kinds)
        names = {"letters": LETTERS, "colours": BOARD_COLOURS, "shapes": SHAPES}[kind]
        if kind == "letters":
            return kind, tuple(names[: self.side])
        return kind, tuple(names[i] for i in self.rng.permutation(len(names))[: self.side].tolist())

    @property
    def noun(self) -> str:
        """What a symbol is called."""
        return NOUNS[self.kind]

    def name(self, number: int) -> str:
        """A symbol's name."""
        return self.symbols[number - 1]

    def answer(self, number: int) -> Answer:
        """A symbol as an answer."""
        return Answer.integer(number) if self.kind == "digits" else Answer.word(self.name(number), self.symbols)

    def listed(self) -> str:
        """The symbols, as a rule names them."""
        return f"1 to {self.side}" if self.kind == "digits" else ", ".join(self.symbols)

    def fix(self, row: int, column: int, is_shown: bool = True) -> None:
        """Decide that a cell is shown, or that it is empty."""
        self.shown[row, column], self.is_fixed[row, column] = is_shown, True

    def peers(self, row: int, column: int) -> np.ndarray:
        """The other cells of a cell's row, column and region, bool [side, side]."""
        rows, columns = np.indices(self.numbers.shape)
        peers = (rows == row) | (columns == column) | (self.regions == self.regions[row, column])
        peers[row, column] = False
        return peers

    def fill(self, total: int | None = None) -> SudokuScene:
        """Show random undecided cells until `total` symbols (by default as many as the level has) are on the board."""
        low, high = self.knobs.filled
        total = int(self.rng.integers(low, high + 1)) if total is None else total
        free = np.flatnonzero(~self.is_fixed)
        more = min(max(0, total - int(self.shown.sum())), len(free))
        self.shown.ravel()[self.rng.permutation(free)[:more]] = True
        return self.scene()

    def scene(self) -> SudokuScene:
        """The board as it is."""
        cells = np.where(self.shown, self.numbers, 0).ravel().tolist()
        return SudokuScene(self.side, tuple(cells), self.symbols, self.kind, tuple(self.regions.ravel().tolist()))

    def line(self, level: int) -> tuple[str, int, list[tuple[int, int]]]:
        """A random row (or column, from `LINES_FROM_LEVEL`): its word, its number from 1, its cells."""
        is_row, number = level < LINES_FROM_LEVEL or bool(self.rng.integers(2)), int(self.rng.integers(self.side))
        cells = [(number, i) if is_row else (i, number) for i in range(self.side)]
        return "row" if is_row else "column", number + 1, cells
