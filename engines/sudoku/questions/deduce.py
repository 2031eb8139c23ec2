"""Questions that follow from the rule of a board: what may go into a cell, what must."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.sudoku.questions.board import Board, pick
from engines.sudoku.solver import solutions

MOST_CANDIDATES = (2, 2, 3, 3, 3, 3, 4, 4, 5, 5)
GIVENS = {4: (7, 9), 6: (17, 22)}  # side -> shown cells of a puzzle with one solution
TRIES = 300

RULE = "Each row, column and {region} has {listed} once."
CANDIDATES = (
    "Which of {listed} are missing in the row, the column and the {region} of row {row}, column {column}?",
    "Row {row}, column {column} is empty. Which of {listed} are not in its row, its column or its {region}?",
    "Which of {listed} could row {row}, column {column} hold without a repeat in its row, column or {region}?",
    "List which of {listed} fit row {row}, column {column} without repeating one in its row, column or {region}.",
)
MUST = (
    RULE + " Which {noun} goes in row {row}, column {column}?",
    RULE + " What must be in row {row}, column {column}?",
    RULE + " Name the {noun} for row {row}, column {column}.",
    RULE + " Find the {noun} of row {row}, column {column}.",
)


def _say(rng: np.random.Generator, phrasings: tuple[str, ...], board: Board, row: int, column: int) -> str:
    return pick(rng, phrasings).format(
        region=board.region_word, listed=board.listed(), noun=board.noun, row=row + 1, column=column + 1
    )


def pose_candidates(rng: np.random.Generator, level: int) -> Posed:
    """Ask for all symbols that a cell's row, column and region leave open."""
    board, most = Board(rng, level), MOST_CANDIDATES[level]
    row, column = (int(i) for i in rng.integers(board.side, size=2))
    own = int(board.numbers[row, column])
    others = [number for number in rng.permutation(board.side) + 1 if number != own]
    free = {own, *map(int, others[: int(rng.integers(most))])}
    peers = board.peers(row, column)
    board.fix(row, column, is_shown=False)
    for number in range(1, board.side + 1):
        places = np.argwhere(peers & (board.numbers == number)).tolist()
        if number in free:
            for place in places:
                board.fix(*place, is_shown=False)
        else:
            board.fix(*pick(rng, places))
    scene = board.fill()
    if board.kind == "digits":
        answer = Answer.set_of(free)
    else:
        answer = Answer.set_of(map(board.name, sorted(free)), board.symbols)
    guess_rate = 1 / most / min(math.comb(board.side, size) for size in range(1, most + 1))
    query = {"ask": "candidates", "row": row + 1, "column": column + 1}
    question = _say(rng, CANDIDATES, board, row, column)
    return Posed(scene, question, answer, guess_rate=guess_rate, query=query)


def pose_single(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the symbol of an empty cell whose row, column and region show all the others."""
    board = Board(rng, level)
    row, column = (int(i) for i in rng.integers(board.side, size=2))
    peers, own = board.peers(row, column), int(board.numbers[row, column])
    board.fix(row, column, is_shown=False)
    for other in range(1, board.side + 1):
        if other != own:
            board.fix(*pick(rng, np.argwhere(peers & (board.numbers == other)).tolist()))
    scene, query = board.fill(), {"ask": "single", "row": row + 1, "column": column + 1}
    question = _say(rng, MUST, board, row, column)
    return Posed(scene, question, board.answer(own), guess_rate=1 / board.side, query=query)


def pose_deduce(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a cell of a puzzle with one solution; from level 2 its own lines leave it open."""
    side = 4 if level < 5 else 6
    for _ in range(TRIES):
        board = Board(rng, level, side=side)
        low, high = GIVENS[side]
        scene = board.fill(high - (high - low) * (level % 5) // 4)
        empty = np.argwhere(~board.shown)
        row, column = pick(rng, empty.tolist())
        seen = set(board.numbers[board.peers(row, column) & board.shown].tolist())
        if (level < 2 or len(seen) < side - 1) and len(solutions(scene.cells, scene.regions)) == 1:
            query = {"ask": "deduce", "row": row + 1, "column": column + 1}
            answer = board.answer(int(board.numbers[row, column]))
            question = _say(rng, MUST, board, row, column)
            return Posed(scene, question, answer, guess_rate=1 / side, query=query)
    raise RuntimeError(f"no puzzle with one solution at level {level} in {TRIES} tries")
