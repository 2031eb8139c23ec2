"""Second opinions on small boards: plain search through all fillings, which must find one solution and no other.

Walls of sums are solved as linear equations.
"""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction

from engines.base import Sample

Board = dict[tuple[int, int], int]
Rule = Callable[[Board], bool]  # false if the numbers that are there so far break it


def _only(found: Iterator):
    """The only item. Raises `ValueError` if there are none or more."""
    one, other = next(found, None), next(found, None)
    if one is None or other is not None:
        raise ValueError("a board must have one solution")
    return one


def _fillings(side: int, board: Board, rules: dict[tuple[int, int], list[Rule]]) -> Iterator[Board]:
    """Every way to fill a board so that rows and columns repeat nothing and all rules hold; rules by cell."""
    free = [(r, c) for r in range(1, side + 1) for c in range(1, side + 1) if (r, c) not in board]
    if not free:
        yield dict(board)
        return
    options = {
        cell: [n for n in range(1, side + 1) if all(board.get(x) != n for x in _line(cell, side))] for cell in free
    }
    cell = min(free, key=lambda cell: len(options[cell]))
    for number in options[cell]:
        board[cell] = number
        if all(rule(board) for rule in rules.get(cell, ())):
            yield from _fillings(side, board, rules)
        del board[cell]


def _line(cell: tuple[int, int], side: int) -> list[tuple[int, int]]:
    row, column = cell
    return [(row, c) for c in range(1, side + 1)] + [(r, column) for r in range(1, side + 1)]


def _less(small: tuple[int, int], large: tuple[int, int]) -> Rule:
    return lambda board: small not in board or large not in board or board[small] < board[large]


def _gives(cells: list[tuple[int, int]], operation: str, number: int) -> Rule:
    def rule(board: Board) -> bool:
        values = [board[cell] for cell in cells if cell in board]
        return len(values) < len(cells) or _result(operation, values) == number

    return rule


def _result(operation: str, values: list[int]) -> Fraction:
    if operation in ("", "+"):
        return Fraction(sum(values))
    if operation == "x":
        return Fraction(math.prod(values))
    return Fraction(max(values) - min(values)) if operation == "-" else Fraction(max(values), min(values))


def _latin(sample: Sample) -> str:
    scene = sample.scene
    side, rules = scene["side"], {}
    board = {(i // side + 1, i % side + 1): number for i, number in enumerate(scene["cells"]) if number}
    for r, c, s, d in scene["signs"]:
        for cell in ((r, c), (s, d)):
            rules.setdefault(cell, []).append(_less((r, c), (s, d)))
    for cells, operation, number in scene["cages"]:
        inside = [tuple(cell) for cell in cells]
        for cell in inside:
            rules.setdefault(cell, []).append(_gives(inside, operation, number))
    solved = _only(_fillings(side, board, rules))
    return str(solved[sample.query["row"], sample.query["column"]])


def _contradiction(sample: Sample) -> str:
    scene, side = sample.scene, sample.scene["side"]
    board = {(i // side + 1, i % side + 1): number for i, number in enumerate(scene["cells"])}
    wrong = [min((r, c), (s, d)) for r, c, s, d in scene["signs"] if board[r, c] >= board[s, d]]
    wrong += [
        tuple(cells[0])
        for cells, operation, number in scene["cages"]
        if _result(operation, [board[tuple(cell)] for cell in cells]) != number
    ]
    ((row, column),) = wrong
    return f"({row}, {column})"


def _runs(line: tuple[int, ...]) -> list[int]:
    return [len(part) for part in "".join(map(str, line)).split("0") if part] or [0]


def _row(runs: list[int], width: int) -> Iterator[tuple[int, ...]]:
    """Every row with some runs, the first of them placed first."""
    if not runs or runs == [0]:
        yield (0,) * width
        return
    for gap in range(width - sum(runs) - len(runs) + 2):
        head = (0,) * gap + (1,) * runs[0] + ((0,) if len(runs) > 1 else ())
        for rest in _row(runs[1:], width - len(head)):
            yield head + rest


def _boards(scene: dict, done: tuple[tuple[int, ...], ...] = ()) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every board whose rows and columns have their runs, row after row."""
    if len(done) == len(scene["rows"]):
        if all(_runs(column) == runs for column, runs in zip(zip(*done, strict=True), scene["columns"], strict=True)):
            yield done
        return
    for row in _row(scene["rows"][len(done)], len(scene["columns"])):
        board = (*done, row)
        if all(
            _may_go_on(column, runs) for column, runs in zip(zip(*board, strict=True), scene["columns"], strict=True)
        ):
            yield from _boards(scene, board)


def _may_go_on(column: tuple[int, ...], runs: list[int]) -> bool:
    """Say whether the upper cells of a column can belong to its runs."""
    found, wanted = [n for n in _runs(column) if n], [n for n in runs if n]
    whole = found if not column[-1] else found[:-1]
    if wanted[: len(whole)] != whole or len(found) > len(wanted):
        return False
    return not column[-1] or found[-1] <= wanted[len(found) - 1]


def _nonogram(sample: Sample) -> str:
    return ", ".join(map(str, _only(_boards(sample.scene))[sample.query["row"] - 1]))


def _queens(scene: dict, done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Every set of queens, columns by row, row after row."""
    side, row = scene["side"], len(done)
    if row == side:
        yield done
        return
    shown = dict(scene["shown"])
    used = {scene["regions"][r * side + c - 1] for r, c in enumerate(done)}
    for column in [shown[row + 1]] if row + 1 in shown else range(1, side + 1):
        is_free = column not in done and scene["regions"][row * side + column - 1] not in used
        if is_free and (not done or abs(done[-1] - column) > 1):
            yield from _queens(scene, (*done, column))


def _wall(sample: Sample) -> str:
    size = len(sample.scene["layers"])
    rows = []
    for height, layer in enumerate(sample.scene["layers"]):
        for place, number in enumerate(layer):
            if number is not None:
                rows.append([*_weights(size, height, place), Fraction(number)])
    height, place = sample.scene["asked"]
    goal = _weights(size, height, place)
    # Every known brick is taken off the asked one by Gaussian elimination; what is left must be a number.
    left = [*goal, Fraction(0)]
    for column in range(size):
        pivot = next((row for row in rows if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        pivot = [value / pivot[column] for value in pivot]
        rows = [[a - row[column] * b for a, b in zip(row, pivot, strict=True)] for row in rows]
        left = [a - left[column] * b for a, b in zip(left, pivot, strict=True)]
    if any(left[:-1]):
        raise ValueError("the asked brick must follow from those shown")
    return str(-left[-1])


def _weights(size: int, height: int, place: int) -> list[Fraction]:
    """How often a brick counts each brick of the base: binomial coefficients."""
    return [Fraction(math.comb(height, i - place)) if 0 <= i - place <= height else Fraction(0) for i in range(size)]


ORACLES = {
    "nonogram": _nonogram,
    "futoshiki": _latin,
    "cages": _latin,
    "queens": lambda sample: str(_only(_queens(sample.scene))[sample.query["row"] - 1]),
    "contradiction": _contradiction,
    "wall": _wall,
}
