"""Questions about a sudoku board: reading, counting, comparing, and one-step deduction.

Every board is part of a valid solution, whose digits are a random permutation; so the asked digit is uniform. Only
`repeated` breaks the rule, in the one line it asks about.
"""

from typing import NamedTuple

import numpy as np

from engines.answer import Answer
from engines.base import Engine, Fact, Posed, QuestionType
from engines.sudoku.draw import draw
from engines.sudoku.scene import BOXES, SudokuScene, solved


class Knobs(NamedTuple):
    """How hard a level is."""

    side: int
    filled: tuple[int, int]  # digits on the board, least and most
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


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


class Board:
    """A solution and the set of its cells that are shown. Rows and columns count from 0 here."""

    def __init__(self, rng: np.random.Generator, level: int):
        self.rng, self.knobs = rng, KNOBS[level]
        self.side = self.knobs.side
        self.digits = solved(rng, self.side)
        self.shown = np.zeros((self.side, self.side), dtype=bool)
        self.is_fixed = np.zeros((self.side, self.side), dtype=bool)  # shown or hidden for good

    def fix(self, row: int, column: int, is_shown: bool = True) -> None:
        """Decide that a cell is shown, or that it is empty."""
        self.shown[row, column], self.is_fixed[row, column] = is_shown, True

    def fill(self, total: int | None = None) -> SudokuScene:
        """Show random undecided cells until `total` digits (by default as many as the level has) are on the board."""
        low, high = self.knobs.filled
        total = int(self.rng.integers(low, high + 1)) if total is None else total
        free = np.flatnonzero(~self.is_fixed)
        more = min(max(0, total - int(self.shown.sum())), len(free))
        self.shown.ravel()[self.rng.permutation(free)[:more]] = True
        cells = np.where(self.shown, self.digits, 0)
        return SudokuScene(self.side, tuple(cells.ravel().tolist()))

    def line(self, level: int) -> tuple[str, list[tuple[int, int]]]:
        """A random row (or column, from `LINES_FROM_LEVEL`): its name and its cells."""
        is_row, number = level < LINES_FROM_LEVEL or bool(self.rng.integers(2)), int(self.rng.integers(self.side))
        cells = [(number, i) if is_row else (i, number) for i in range(self.side)]
        return f"{'row' if is_row else 'column'} {number + 1}", cells


def _facts(scene: SudokuScene) -> tuple[Fact, ...]:
    return (
        Fact("How many cells are empty?", Answer.integer(scene.cells.count(0))),
        Fact("How many digits are in row 1?", Answer.integer(scene.side - scene.row(1).count(0))),
    )


READ_DIGIT = (
    "Which digit is in row {row}, column {column}?",
    "What digit is in row {row}, column {column}?",
    "Look at row {row}, column {column}. Which digit is there?",
    "Name the digit in row {row}, column {column}.",
)
COUNT_EMPTY = (
    "How many cells are empty?",
    "Count the empty cells.",
    "How many empty cells are there?",
    "How many cells have no digit?",
)
COUNT_LINE = (
    "How many digits are in {line}?",
    "Count the digits in {line}.",
    "How many cells in {line} hold a digit?",
    "Look at {line}. How many digits are there?",
)
COUNT_DIGIT = (
    "How many times does {digit} appear?",
    "How many cells hold a {digit}?",
    "Count the cells that hold a {digit}.",
    "How often is {digit} on the board?",
)
REPEATED = (
    "Which digit appears twice in {line}?",
    "Which digit is repeated in {line}?",
    "Look at {line}. Which digit is there twice?",
    "Name the digit that appears twice in {line}.",
)
MISSING = (
    "Which digit from 1 to {side} is missing in {line}?",
    "One digit from 1 to {side} is missing in {line}. Which one?",
    "Look at {line}. Which digit from 1 to {side} is missing?",
    "Name the digit from 1 to {side} that is missing in {line}.",
)
FIND_COLUMN = (
    "In which column of row {row} is the {digit}?",
    "Row {row} has one {digit}. In which column is it?",
    "Find the {digit} in row {row}. Which column is it in?",
    "Which column of row {row} holds the {digit}?",
)
SINGLE = (
    "Each row, column and box needs 1 to {side} once. Which digit goes in row {row}, column {column}?",
    "Each row, column and box has 1 to {side} once. What must be in row {row}, column {column}?",
    "Every row, column and box holds 1 to {side} once. Name the digit for row {row}, column {column}.",
    "Digits 1 to {side} appear once in each row, column and box. Which goes in row {row}, column {column}?",
)


def pose_read_digit(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the digit of a cell."""
    board = Board(rng, level)
    row, column = (int(i) for i in rng.integers(board.side, size=2))
    board.fix(row, column)
    scene = board.fill()
    question = _pick(rng, READ_DIGIT).format(row=row + 1, column=column + 1)
    return Posed(scene, question, Answer.integer(board.digits[row, column]), _facts(scene), 1 / board.side)


def pose_count_empty(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of empty cells."""
    board, count = Board(rng, level), int(rng.integers(1, KNOBS[level].most_empty + 1))
    scene = board.fill(board.side**2 - count)
    return Posed(scene, _pick(rng, COUNT_EMPTY), Answer.integer(count), guess_rate=1 / KNOBS[level].most_empty)


def pose_count_line(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of digits in a row or column."""
    board = Board(rng, level)
    name, cells = board.line(level)
    count = int(rng.integers(board.side + 1))
    for place, cell in enumerate(rng.permutation(cells).tolist()):
        board.fix(*cell, is_shown=place < count)
    scene = board.fill()
    question = _pick(rng, COUNT_LINE).format(line=name)
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (board.side + 1))


def pose_count_digit(rng: np.random.Generator, level: int) -> Posed:
    """Ask how often a digit is on the board."""
    board = Board(rng, level)
    digit, count = int(rng.integers(1, board.side + 1)), int(rng.integers(board.side + 1))
    cells = np.argwhere(board.digits == digit)
    for place, cell in enumerate(rng.permutation(cells).tolist()):
        board.fix(*cell, is_shown=place < count)
    scene = board.fill()
    question = _pick(rng, COUNT_DIGIT).format(digit=digit)
    return Posed(scene, question, Answer.integer(count), _facts(scene), 1 / (board.side + 1))


def pose_repeated(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the digit that stands twice in a row or column; all else in it is different."""
    board = Board(rng, level)
    name, cells = board.line(level)
    first, second, *others = rng.permutation(cells).tolist()
    digit = int(board.digits[*first])
    board.digits[*second] = digit
    board.fix(*first)
    board.fix(*second)
    for cell in others[: int(rng.integers(1, len(others) + 1))]:
        board.fix(*cell)
    scene = board.fill()
    question = _pick(rng, REPEATED).format(line=name)
    return Posed(scene, question, Answer.integer(digit), _facts(scene), 1 / board.side)


def pose_missing(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the digit of the only empty cell of a row or column."""
    board = Board(rng, level)
    name, cells = board.line(level)
    gap = _pick(rng, cells)
    for cell in cells:
        board.fix(*cell, is_shown=cell != gap)
    scene = board.fill()
    question = _pick(rng, MISSING).format(line=name, side=board.side)
    return Posed(scene, question, Answer.integer(board.digits[*gap]), _facts(scene), 1 / board.side)


def pose_find_column(rng: np.random.Generator, level: int) -> Posed:
    """Ask where in a row a digit is."""
    board = Board(rng, level)
    row, column = (int(i) for i in rng.integers(board.side, size=2))
    board.fix(row, column)
    scene = board.fill()
    question = _pick(rng, FIND_COLUMN).format(row=row + 1, digit=board.digits[row, column])
    return Posed(scene, question, Answer.integer(column + 1), _facts(scene), 1 / board.side)


def pose_single(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the digit of an empty cell whose row, column and box show all the others."""
    board = Board(rng, level)
    row, column = (int(i) for i in rng.integers(board.side, size=2))
    rows, columns = np.indices(board.digits.shape)
    box_rows, box_columns = BOXES[board.side]
    is_box = (rows // box_rows == row // box_rows) & (columns // box_columns == column // box_columns)
    is_peer = (rows == row) | (columns == column) | is_box
    digit = int(board.digits[row, column])
    board.fix(row, column, is_shown=False)
    for other in range(1, board.side + 1):
        if other != digit:
            board.fix(*_pick(rng, np.argwhere(is_peer & (board.digits == other)).tolist()))
    scene = board.fill()
    question = _pick(rng, SINGLE).format(row=row + 1, column=column + 1, side=board.side)
    return Posed(scene, question, Answer.integer(digit), _facts(scene), 1 / board.side)


ENGINE = Engine(
    name="sudoku",
    version=1,
    types=(
        QuestionType("read_digit", pose_read_digit, MIN_SIZE_PX),
        QuestionType("count_empty", pose_count_empty, MIN_SIZE_PX),
        QuestionType("count_line", pose_count_line, MIN_SIZE_PX),
        QuestionType("count_digit", pose_count_digit, MIN_SIZE_PX),
        QuestionType("repeated", pose_repeated, MIN_SIZE_PX),
        QuestionType("missing", pose_missing, MIN_SIZE_PX),
        QuestionType("find_column", pose_find_column, MIN_SIZE_PX, held_out=True),
        QuestionType("single", pose_single, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
)
