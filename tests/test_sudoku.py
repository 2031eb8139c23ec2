"""Sudoku: boards are valid, and a second reading from the words and the scene's JSON gives the same answer."""

import re

import numpy as np
import pytest

from engines.base import Style, make_rng
from engines.sudoku import ENGINE
from engines.sudoku.draw import draw
from engines.sudoku.scene import SudokuScene, solved

BOX = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
KINDS = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)


def board_of(item):
    scene = item.scene.to_json()
    return np.array(scene["cells"]).reshape(scene["side"], scene["side"])


def line_of(board, question):
    """The digits of the row or column that a question names."""
    word, number = re.search(r"(row|column) (\d+)", question).groups()
    line = board[int(number) - 1] if word == "row" else board[:, int(number) - 1]
    return [int(digit) for digit in line if digit]


def clashes(board):
    """Pairs of equal digits that share a row, column or box."""
    tall, wide = BOX[len(board)]
    filled = [(r, c) for r, c in np.argwhere(board).tolist()]
    return [
        (a, b)
        for i, a in enumerate(filled)
        for b in filled[:i]
        if board[a] == board[b]
        and (a[0] == b[0] or a[1] == b[1] or (a[0] // tall, a[1] // wide) == (b[0] // tall, b[1] // wide))
    ]


def oracle(kind, question, board):
    side = len(board)
    numbers = [int(n) for n in re.findall(r"\d+", question)]
    if kind == "read_digit":
        return board[numbers[0] - 1, numbers[1] - 1]
    if kind == "count_empty":
        return (board == 0).sum()
    if kind == "count_digit":
        return (board == numbers[0]).sum()
    if kind == "count_line":
        return len(line_of(board, question))
    if kind == "repeated":
        line = line_of(board, question)
        (digit,) = {d for d in line if line.count(d) > 1}
        return digit
    if kind == "missing":
        (digit,) = set(range(1, side + 1)) - set(line_of(board, question))
        return digit
    if kind == "find_column":
        row, digit = (int(re.search(rf"({words}) (\d)", question, re.I)[2]) for words in ("row", "the|one"))
        (place,) = np.flatnonzero(board[row - 1] == digit)
        return place + 1
    row, column = map(int, re.search(r"row (\d+), column (\d+)", question).groups())
    assert board[row - 1, column - 1] == 0
    fits = []
    for digit in range(1, side + 1):
        trial = board.copy()
        trial[row - 1, column - 1] = digit
        fits += [digit] * (not clashes(trial))
    (digit,) = fits
    return digit


@KINDS
def test_answers_agree_with_a_second_reading(kind):
    for level in range(10):
        for index in range(8):
            item = kind.pose(make_rng("sudoku", level, index), level)
            assert str(oracle(kind.name, item.question, board_of(item))) == item.answer.text(), item.question


@KINDS
def test_boards_keep_the_rule_but_for_the_repeated_line(kind):
    for level in range(10):
        item = kind.pose(make_rng("rule", level), level)
        board = board_of(item)
        assert len(board) == (4 if level < 5 else 6 if level < 7 else 9)
        if kind.name == "repeated":
            line = line_of(board, item.question)
            assert len(line) == len(set(line)) + 1
        else:
            assert not clashes(board)


@pytest.mark.parametrize("side", BOX)
def test_solutions_are_valid_and_various(side):
    boards = [solved(make_rng(side, index), side) for index in range(30)]
    assert all(not clashes(board) and (board > 0).all() for board in boards)
    assert len({board.tobytes() for board in boards}) >= 25


@pytest.mark.parametrize("theme", range(ENGINE.themes))
def test_digits_stand_in_their_cells_and_lines_between_them(theme):
    cells = tuple(int(digit) for digit in "1030020430100402")
    image = np.array(draw(SudokuScene(4, cells), 112, Style(theme, 3)).convert("L")).astype(int)
    for place, digit in enumerate(cells):
        y, x = 14 + 28 * (place // 4), 14 + 28 * (place % 4)
        inside = image[y - 7 : y + 8, x - 6 : x + 7]
        assert (inside.min() < inside.max() - 80) == bool(digit)


@pytest.mark.parametrize("side, cells", [(5, (0,) * 25), (4, (0,) * 15), (4, (5,) * 16)])
def test_a_scene_that_is_no_board_is_refused(side, cells):
    with pytest.raises(ValueError, match=r"^sudoku\.(side|cells) must be"):
        SudokuScene(side, cells)
