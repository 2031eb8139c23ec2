"""Answers about tiles found by another way: arrays and complex numbers, laying pieces, walking cells through folds."""

import itertools
from typing import Any

import numpy as np

from engines.base import Sample

ARRAYS = {
    "quarter": lambda a: np.rot90(a, -1),
    "three": lambda a: np.rot90(a, 1),
    "half": lambda a: np.rot90(a, 2),
    "upright": lambda a: a[:, ::-1],
    "level": lambda a: a[::-1],
    "falling": lambda a: a.T,
    "rising": lambda a: a[::-1, ::-1].T,
}
SHIFTS = [lambda a, s=s, x=x: np.roll(a, s, x) for s in (1, -1) for x in (0, 1)]


def _options(sample: Sample) -> list[np.ndarray]:
    return [np.array(pattern) for pattern in sample.scene["options"]]


def _given(sample: Sample) -> list[np.ndarray]:
    return [np.array(pattern) for pattern in sample.scene["given"]]


def _letter(sample: Sample, wanted: np.ndarray) -> str:
    """The only option that is this pattern."""
    found = [i for i, option in enumerate(_options(sample)) if option.tolist() == wanted.tolist()]
    if len(found) != 1:
        raise ValueError(f"one option must be right, got {found}")
    return "ABCDEF"[found[0]]


def _image(sample: Sample) -> str:
    (pattern,) = _given(sample)
    for move in sample.query["moves"]:
        pattern = ARRAYS[move](pattern)
    return _letter(sample, pattern)


def _spots(pattern: np.ndarray) -> np.ndarray:
    """Filled cells as complex numbers around their middle, times their count: whole, and free of place."""
    rows, columns = np.nonzero(pattern)
    spots = columns - 1j * rows
    return np.rint(len(spots) * spots - spots.sum())


def _is_turned(one: np.ndarray, other: np.ndarray, powers: tuple[int, ...] = (0, 1, 2, 3)) -> bool:
    """Say whether a turn by right angles makes one figure the other."""
    goal = set(_spots(other).tolist())
    return any({complex(z) for z in np.rint(_spots(one) * 1j**power)} == goal for power in powers)


def _copies(sample: Sample) -> str:
    (figure,) = _given(sample)
    found = [letter for letter, o in zip("ABCDEF", _options(sample), strict=False) if _is_turned(figure, o)]
    return ", ".join(found) or "none"


def _gap(sample: Sample) -> str:
    hole = 1 - _given(sample)[0]
    powers = (0, 1, 2, 3) if sample.query["turned"] else (0,)
    found = [letter for letter, o in zip("ABCD", _options(sample), strict=True) if _is_turned(o, hole, powers)]
    if len(found) != 1:
        raise ValueError(f"one piece must fit, got {found}")
    return found[0]


def _laid(board: np.ndarray, piece: np.ndarray, is_turned: bool) -> list[np.ndarray]:
    """A board for each way to lay a piece on it."""
    rows, columns = np.nonzero(piece)
    piece = piece[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    found = []
    for turns in range(4 if is_turned else 1):
        shape = np.rot90(piece, turns)
        for top in range(board.shape[0] - shape.shape[0] + 1):
            for left in range(board.shape[1] - shape.shape[1] + 1):
                laid = np.zeros_like(board)
                laid[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
                found.append(laid)
    return found


def _join(sample: Sample) -> str:
    (board,) = _given(sample)
    ways = [_laid(board, piece, sample.query["turned"]) for piece in _options(sample)]
    found = [
        (one, other)
        for one, other in itertools.combinations(range(len(ways)), 2)
        if any((a + b == board).all() for a in ways[one] for b in ways[other])
    ]
    if len(found) != 1:
        raise ValueError(f"one pair of pieces must make the rectangle, got {found}")
    return ", ".join("ABCDEF"[i] for i in found[0])


def _punched(scene: dict[str, Any]) -> np.ndarray:
    """The flat sheet with its holes: every cell's middle is carried through the folds."""
    side, holes = scene["side"], {tuple(hole) for hole in scene["holes"]}
    sheet = np.zeros((side, side), int)
    for row, column in itertools.product(range(side), repeat=2):
        y, x = row + 0.5, column + 0.5
        low, high = [0.0, 0.0], [float(side), float(side)]
        for way, width in scene["folds"]:
            axis = 0 if way in ("up", "down") else 1
            at = (y, x)[axis]
            if way in ("right", "down"):
                low[axis] += width
                at = max(at, 2 * low[axis] - at)
            else:
                high[axis] -= width
                at = min(at, 2 * high[axis] - at)
            y, x = (at, x) if axis == 0 else (y, at)
        sheet[row, column] = (int(y), int(x)) in holes
    return sheet


def _rule(sample: Sample) -> str:
    *shown, last = _given(sample)
    moves = [lambda a: a, *ARRAYS.values(), *SHIFTS]
    found = set()
    count = len(sample.scene["colours"])
    for move, paint in itertools.product(moves, itertools.permutations(range(1, count + 1))):
        colours = np.array([0, *paint])
        if all((colours[move(a)] == b).all() for a, b in zip(shown[::2], shown[1::2], strict=True)):
            found.add(colours[move(last)].tobytes())
            wanted = colours[move(last)]
    if len(found) != 1:
        raise ValueError(f"the pairs must leave one result, got {len(found)}")
    return _letter(sample, wanted)


def _combine(sample: Sample) -> str:
    given = _given(sample)
    table = {}
    for row in range(2):
        a, b, c = (part.ravel().tolist() for part in given[3 * row : 3 * row + 3])
        for pair, result in zip(zip(a, b, strict=True), c, strict=True):
            if table.setdefault(pair, result) != result:
                raise ValueError("two rows must have one rule")
    a, b = given[6:]
    return _letter(
        sample, np.array([[table[x, y] for x, y in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)])
    )


def _tally(sample: Sample) -> str:
    """Sums of multiples that the first two rows leave, and the colour that the last row lacks."""
    given = _given(sample)
    counts = [int((pattern > 0).sum()) for pattern in given]
    factors = np.linalg.solve(np.array([counts[0:2], counts[3:5]], float), np.array([counts[2], counts[5]], float))
    number = round(float(factors @ np.array(counts[6:8])))
    colours = [int(pattern.max()) for pattern in given]
    if len(set(colours)) == 1:
        colour = colours[0]
    else:
        (colour,) = {*colours[:3]} - {*colours[6:]}
    found = [i for i, o in enumerate(_options(sample)) if (o > 0).sum() == number and o.max() == colour]
    if len(found) != 1:
        raise ValueError(f"one option must have {number} dots, got {found}")
    return "ABCD"[found[0]]


def _march(sample: Sample) -> str:
    """Angles of the marks around the middle: the turn of the first row is made once more in the last."""
    given = _given(sample)

    def angle(pattern: np.ndarray, colour: int) -> int:
        ((row, column),) = np.argwhere(pattern == colour)
        return round(np.degrees(np.arctan2(row - 1, column - 1)) / 45) % 8

    found = []
    for place, option in enumerate(_options(sample)):
        steps_fit = []
        for colour in range(1, len(sample.scene["colours"]) + 1):
            steps = {(angle(given[i + 1], colour) - angle(given[i], colour)) % 8 for i in (0, 1, 3, 4, 6)}
            steps.add((angle(option, colour) - angle(given[7], colour)) % 8)
            steps_fit.append(len(steps) == 1)
        if all(steps_fit):
            found.append("ABCD"[place])
    if len(found) != 1:
        raise ValueError(f"one option must go on, got {found}")
    return found[0]


ORACLES = {
    "image": _image,
    "copies": _copies,
    "gap": _gap,
    "join": _join,
    "unfold": lambda sample: _letter(sample, _punched(sample.scene)),
    "holes": lambda sample: str(int(_punched(sample.scene).sum())),
    "rule": _rule,
    "combine": _combine,
    "tally": _tally,
    "march": _march,
}
