"""Second opinions on boards and patterns: arrays counted by numpy, deductions by or-tools, patterns by trying all."""

import itertools
import re
from functools import lru_cache

import numpy as np

from engines.base import Sample
from engines.oracles import compose

EIGHT_WAYS = [(a, b) for a in (-1, 0, 1) for b in (-1, 0, 1) if a or b]


def _board(sample: Sample) -> np.ndarray:
    return np.array(sample.scene["cells"]).reshape(sample.scene["side"], -1)


def _name(sample: Sample, number: int) -> str:
    return sample.scene["symbols"][int(number) - 1] if number else "empty"


def _number(sample: Sample) -> int:
    return sample.scene["symbols"].index(sample.query["symbol"]) + 1


def _line(sample: Sample) -> np.ndarray:
    board = _board(sample) if sample.query["line"] == "row" else _board(sample).T
    return board[sample.query["number"] - 1]


def _read(sample: Sample) -> str:
    return _name(sample, _board(sample)[sample.query["row"] - 1, sample.query["column"] - 1])


def _twice(line: np.ndarray) -> list[int]:
    values, counts = np.unique(line[line > 0], return_counts=True)
    return values[counts > 1].tolist()


def _repeated(sample: Sample) -> str:
    (number,) = _twice(_line(sample))
    return _name(sample, number)


def _repeating(sample: Sample) -> str:
    board = _board(sample) if sample.query["line"] == "row" else _board(sample).T
    (place,) = (i for i, line in enumerate(board, 1) if _twice(line))
    return str(place)


def _missing(sample: Sample) -> str:
    (number,) = set(range(1, sample.scene["side"] + 1)) - set(_line(sample).tolist())
    return _name(sample, number)


def _boxes(sample: Sample) -> list[np.ndarray]:
    """The boxes in reading order, cut out of the board."""
    side = sample.scene["side"]
    tall, wide = {4: (2, 2), 6: (2, 3), 9: (3, 3)}[side]
    board = _board(sample)
    return [board[r : r + tall, c : c + wide] for r in range(0, side, tall) for c in range(0, side, wide)]


def _lacking(sample: Sample) -> str:
    (place,) = (i for i, box in enumerate(_boxes(sample), 1) if _number(sample) not in box)
    return str(place)


def _transcribe(sample: Sample) -> str:
    row = _board(sample)[sample.query["row"] - 1].tolist()
    if sample.scene["kind"] == "digits":
        return ", ".join(map(str, row))
    return ", ".join(_name(sample, number) for number in row)


def _find_column(sample: Sample) -> str:
    (place,) = np.flatnonzero(_board(sample)[sample.query["row"] - 1] == _number(sample))
    return str(place + 1)


def _candidates(sample: Sample) -> str:
    board, regions = _board(sample), np.array(sample.scene["regions"]).reshape(_board(sample).shape)
    row, column = sample.query["row"] - 1, sample.query["column"] - 1
    seen = {*board[row], *board[:, column], *board[regions == regions[row, column]]}
    return ", ".join(_name(sample, n) for n in range(1, len(board) + 1) if n not in seen)


@lru_cache(maxsize=64)
def _every_value(cells: tuple[int, ...], regions: tuple[int, ...], place: int) -> tuple[int, ...]:
    """The values that a cell takes in solutions of a board, by constraint programming."""
    from ortools.sat.python import cp_model

    side, found = round(len(cells) ** 0.5), []
    model = cp_model.CpModel()
    values = [model.new_int_var(n or 1, n or side, str(i)) for i, n in enumerate(cells)]
    for number in range(side):
        model.add_all_different(values[number * side : (number + 1) * side])
        model.add_all_different(values[number::side])
        model.add_all_different([v for v, region in zip(values, regions, strict=True) if region == number])
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    while solver.solve(model) in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        found.append(solver.value(values[place]))
        model.add(values[place] != found[-1])
    return tuple(found)


def _forced(sample: Sample) -> str:
    scene = sample.scene
    place = (sample.query["row"] - 1) * scene["side"] + sample.query["column"] - 1
    (number,) = _every_value(tuple(scene["cells"]), tuple(scene["regions"]), place)
    return _name(sample, number)


def rows(scene: dict) -> list[compose.Row]:
    """The digits of a board, for question programs."""
    side = scene["side"]
    tall, wide = {4: (2, 2), 6: (2, 3), 9: (3, 3)}[side]
    return [
        {
            "value": n,
            "row": place // side + 1,
            "column": place % side + 1,
            "box": (place // side // tall, place % side // wide),
        }
        for place, n in enumerate(scene["cells"])
        if n
    ]


def _compose(sample: Sample) -> str:
    return compose.answer(sample.query["program"], rows(sample.scene))


def _pattern(sample: Sample) -> str:
    """The place whose change makes the tiles repeat with some period: every tile is tried in every place."""
    scene = sample.scene
    names = [tuple(tile) for tile in scene["tiles"]]
    kinds = sorted(set(names))
    tiles = np.array([kinds.index(name) for name in names]).reshape(scene["rows"], scene["columns"])
    periods = itertools.product(range(1, min(3, tiles.shape[0] // 2) + 1), range(1, min(3, tiles.shape[1] // 2) + 1))
    found = set()
    for tall, wide in periods:
        down, right = tiles[tall:] != tiles[:-tall], tiles[:, wide:] != tiles[:, :-wide]
        if down.sum() + right.sum() > 4:  # one tile touches at most two pairs each way
            continue
        for place in np.ndindex(tiles.shape):
            for kind in range(len(kinds)):
                trial = tiles.copy()
                trial[place] = kind
                if (
                    kind != tiles[place]
                    and (trial[tall:] == trial[:-tall]).all()
                    and (trial[:, wide:] == trial[:, :-wide]).all()
                ):
                    found.add(place)
    ((row, column),) = found
    return f"({row + 1}, {column + 1})"


def _matrix(sample: Sample) -> str:
    """The option whose every attribute is what the rows, or the columns, that are complete foretell."""
    tiles, wanted = sample.scene["tiles"], []
    for part in range(3):
        grid = [[tiles[3 * r + c][part] if 3 * r + c < 8 else None for c in range(3)] for r in range(3)]
        guesses = set()
        for lines in (grid, [list(line) for line in zip(*grid, strict=True)]):
            if all(len(set(line)) == 1 for line in lines[:2]) and lines[2][0] == lines[2][1]:
                guesses.add(lines[2][0])
            if all(len(set(line)) == 3 for line in lines[:2]) and set(lines[0]) == set(lines[1]):
                guesses |= set(lines[0]) - set(lines[2][:2])
        (guess,) = guesses
        wanted.append(guess)
    return "ABCD"[sample.scene["options"].index(wanted)]


def _runs(sample: Sample) -> str:
    scene, row = sample.scene, sample.query["row"]
    line = "".join(map(str, scene["shaded"][(row - 1) * scene["columns"] : row * scene["columns"]]))
    return ", ".join(str(len(part)) for part in re.findall("1+", line))


def _word(sample: Sample) -> str:
    side, word = sample.scene["side"], sample.query["word"]
    letters = np.array(list(sample.scene["letters"])).reshape(side, side)
    found = []
    for row, column in np.argwhere(letters == word[0]).tolist():
        for down, right in EIGHT_WAYS:
            cells = [(row + i * down, column + i * right) for i in range(len(word))]
            if all(0 <= r < side and 0 <= c < side for r, c in cells) and word == "".join(letters[x] for x in cells):
                found.append((row + 1, column + 1))
    ((row, column),) = found
    return f"({row}, {column})"


ORACLES = {
    "read": _read,
    "count_empty": lambda sample: str(int((_board(sample) == 0).sum())),
    "count_line": lambda sample: str(int((_line(sample) > 0).sum())),
    "count_symbol": lambda sample: str(int((_board(sample) == _number(sample)).sum())),
    "repeated": _repeated,
    "repeating": _repeating,
    "missing": _missing,
    "lacking": _lacking,
    "transcribe": _transcribe,
    "find_column": _find_column,
    "candidates": _candidates,
    "single": _candidates,
    "deduce": _forced,
    "compose": _compose,
    "pattern": _pattern,
    "matrix": _matrix,
    "runs": _runs,
    "word": _word,
}
