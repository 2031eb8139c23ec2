"""Questions about what a board shows: reading, counting, comparing its rows, columns and boxes."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.sudoku.questions.board import KNOBS, Board, pick
from engines.sudoku.scene import BOXES, NOUNS, SudokuScene

READ = (
    "Which {noun} is in row {row}, column {column}?",
    "What {noun} is in row {row}, column {column}?",
    "Look at row {row}, column {column}. Which {noun} is there?",
    "Name the {noun} in row {row}, column {column}.",
)
COUNT_EMPTY = (
    "How many cells are empty?",
    "Count the empty cells.",
    "How many empty cells are there?",
    "How many cells hold nothing?",
)
COUNT_LINE = (
    "How many {noun}s are in {line}?",
    "Count the {noun}s in {line}.",
    "How many cells in {line} are filled?",
    "Look at {line}. How many {noun}s are there?",
)
COUNT_SYMBOL = (
    "How many times does {name} appear?",
    "How many cells hold {name}?",
    "Count the cells that hold {name}.",
    "How often is {name} on the board?",
)
REPEATED = (
    "Which {noun} appears twice in {line}?",
    "Which {noun} is repeated in {line}?",
    "Look at {line}. Which {noun} is there twice?",
    "Name the {noun} that appears twice in {line}.",
)
REPEATING = (
    "Which {word} holds a {noun} twice? Answer with its number.",
    "One {word} repeats a {noun}. Which {word}? Answer with its number.",
    "In which {word} does a {noun} appear twice? Answer with its number.",
    "Find the {word} with a repeated {noun}. Answer with its number.",
)
MISSING = (
    "Which {noun} out of {listed} is missing in {line}?",
    "One {noun} out of {listed} is missing in {line}. Which one?",
    "Look at {line}. Which {noun} out of {listed} is missing?",
    "Name the {noun} out of {listed} that is missing in {line}.",
)
LACKING = (
    "Which box lacks {name}? Boxes are numbered from left to right, then from top to bottom.",
    "{name} is in every box but one. Which? Boxes are numbered row by row from the top left.",
    "Boxes are numbered from left to right, then from top to bottom. Which box does not hold {name}?",
    "Number the boxes row by row from the top left. In which box is {name} missing?",
)
TRANSCRIBE = (
    "Write down row {row} from left to right, {empty} for an empty cell.",
    "What does row {row} hold, from left to right? Write {empty} for an empty cell.",
    "Copy row {row} from left to right as a list. An empty cell is {empty}.",
    "List the cells of row {row} from left to right, with {empty} where a cell is empty.",
)
FIND_COLUMN = (
    "In which column of row {row} is {name}?",
    "Row {row} has {name} once. In which column is it?",
    "Find {name} in row {row}. Which column is it in?",
    "Which column of row {row} holds {name}?",
)


def pose_read(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the symbol of a cell."""
    board = Board(rng, level)
    row, column = (int(i) for i in rng.integers(board.side, size=2))
    board.fix(row, column)
    scene = board.fill()
    question = pick(rng, READ).format(noun=board.noun, row=row + 1, column=column + 1)
    query = {"ask": "read", "row": row + 1, "column": column + 1}
    return Posed(scene, question, board.answer(board.numbers[row, column]), guess_rate=1 / board.side, query=query)


def pose_count_empty(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of empty cells."""
    board, count = Board(rng, level), int(rng.integers(1, KNOBS[level].most_empty + 1))
    scene, guess_rate = board.fill(board.side**2 - count), 1 / KNOBS[level].most_empty
    question, query = pick(rng, COUNT_EMPTY), {"ask": "count_empty"}
    return Posed(scene, question, Answer.integer(count), guess_rate=guess_rate, query=query)


def pose_count_line(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of symbols in a row or column."""
    board = Board(rng, level)
    word, number, cells = board.line(level)
    count = int(rng.integers(board.side + 1))
    for place, cell in enumerate(rng.permutation(cells).tolist()):
        board.fix(*cell, is_shown=place < count)
    scene = board.fill()
    question = pick(rng, COUNT_LINE).format(noun=board.noun, line=f"{word} {number}")
    query = {"ask": "count_line", "line": word, "number": number}
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (board.side + 1), query=query)


def pose_count_symbol(rng: np.random.Generator, level: int) -> Posed:
    """Ask how often a symbol is on the board."""
    board = Board(rng, level)
    number, count = int(rng.integers(1, board.side + 1)), int(rng.integers(board.side + 1))
    cells = np.argwhere(board.numbers == number)
    for place, cell in enumerate(rng.permutation(cells).tolist()):
        board.fix(*cell, is_shown=place < count)
    scene = board.fill()
    question = pick(rng, COUNT_SYMBOL).format(name=_called(board, number))
    query = {"ask": "count_symbol", "symbol": board.name(number)}
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (board.side + 1), query=query)


def _called(board: Board | SudokuScene, number: int) -> str:
    """A symbol as a sentence names it: the digit 3, the colour red, a star."""
    name, kind = board.symbols[number - 1], board.kind
    return f"a {name}" if kind == "shapes" else f"the {NOUNS[kind]} {name}"


def pose_repeated(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the symbol that stands twice in a row or column; all else in it is different."""
    board = Board(rng, level)
    word, number, cells = board.line(level)
    first, second, *others = rng.permutation(cells).tolist()
    wanted = int(board.numbers[*first])
    board.numbers[*second] = wanted
    board.fix(*first)
    board.fix(*second)
    for cell in others[: int(rng.integers(1, len(others) + 1))]:
        board.fix(*cell)
    scene = board.fill()
    question = pick(rng, REPEATED).format(noun=board.noun, line=f"{word} {number}")
    query = {"ask": "repeated", "line": word, "number": number}
    return Posed(scene, question, board.answer(wanted), guess_rate=1 / board.side, query=query)


def pose_repeating(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the only row (or column) that holds a symbol twice."""
    board = Board(rng, level)
    word, number, cells = board.line(level)
    first, second, *_ = rng.permutation(cells).tolist()
    board.numbers[*second] = board.numbers[*first]
    board.fix(*first)
    board.fix(*second)
    scene = board.fill()
    question = pick(rng, REPEATING).format(noun=board.noun, word=word)
    query = {"ask": "repeating", "line": word}
    return Posed(scene, question, Answer.integer(number), guess_rate=1 / board.side, query=query)


def pose_missing(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the symbol of the only empty cell of a row or column."""
    board = Board(rng, level)
    word, number, cells = board.line(level)
    gap = pick(rng, cells)
    for cell in cells:
        board.fix(*cell, is_shown=cell != gap)
    scene = board.fill()
    question = pick(rng, MISSING).format(noun=board.noun, line=f"{word} {number}", listed=board.listed())
    query = {"ask": "missing", "line": word, "number": number}
    return Posed(scene, question, board.answer(board.numbers[*gap]), guess_rate=1 / board.side, query=query)


def pose_lacking(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the only box without a given symbol."""
    board = Board(rng, level, only_boxes=True)
    number, box = int(rng.integers(1, board.side + 1)), int(rng.integers(board.side))
    for row, column in np.argwhere(board.numbers == number).tolist():
        board.fix(row, column, is_shown=board.regions[row, column] != box)
    scene = board.fill()
    name = _called(board, number)
    question = pick(rng, LACKING).format(name=name)
    question = question[0].upper() + question[1:]
    query = {"ask": "lacking", "symbol": board.name(number)}
    return Posed(scene, question, Answer.integer(box + 1), guess_rate=1 / board.side, query=query)


def pose_transcribe(rng: np.random.Generator, level: int) -> Posed:
    """Ask for all cells of a row."""
    board = Board(rng, level)
    row, count = int(rng.integers(board.side)), int(rng.integers(2, board.side + 1))
    for place, column in enumerate(rng.permutation(board.side).tolist()):
        board.fix(row, column, is_shown=place < count)
    scene, is_digits = board.fill(), board.kind == "digits"
    numbers = scene.row(row + 1)
    if is_digits:
        answer = Answer.listing(numbers)
    else:
        answer = Answer.listing(map(scene.name, numbers), (*board.symbols, "empty"))
    question = pick(rng, TRANSCRIBE).format(row=row + 1, empty="0" if is_digits else "empty")
    return Posed(scene, question, answer, guess_rate=0.01, query={"ask": "transcribe", "row": row + 1})


def pose_find_column(rng: np.random.Generator, level: int) -> Posed:
    """Ask where in a row a symbol is."""
    board = Board(rng, level)
    row, column = (int(i) for i in rng.integers(board.side, size=2))
    board.fix(row, column)
    scene = board.fill()
    number = int(board.numbers[row, column])
    question = pick(rng, FIND_COLUMN).format(row=row + 1, name=_called(board, number))
    query = {"ask": "find_column", "row": row + 1, "symbol": board.name(number)}
    return Posed(scene, question, Answer.integer(column + 1), guess_rate=1 / board.side, query=query)


def facts(scene: SudokuScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: empty cells, a row's filled cells, a symbol's count, the shape of the boxes."""
    row, number = int(rng.integers(scene.side)) + 1, int(rng.integers(scene.side)) + 1
    in_row = sum(cell > 0 for cell in scene.row(row))
    found = [
        Fact("How many cells are empty?", Answer.integer(scene.cells.count(0))),
        Fact(f"How many cells of row {row} are filled?", Answer.integer(in_row)),
        Fact(f"How many cells hold {_called(scene, number)}?", Answer.integer(scene.cells.count(number))),
        Fact("How many rows does the board have?", Answer.integer(scene.side)),
    ]
    if len(set(scene.regions)) == scene.side and scene.regions[0] == scene.regions[BOXES[scene.side][1] - 1]:
        found.append(Fact("How many outlined regions does the board have?", Answer.integer(scene.side)))
    return tuple(found)
