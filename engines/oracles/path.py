"""Second opinions on ways: mazes painted as small pictures and flooded, lines followed by where they change sides, and
street maps as matrices."""

import itertools

import cv2
import numpy as np

from engines.base import Sample


def _plan(scene: dict, closed: str = "") -> np.ndarray:
    """A maze as a picture, uint8 [2 rows + 1, 2 columns + 1]: 1 where one may stand, exits included."""
    rows, columns = scene["rows"], scene["columns"]
    plan = np.zeros((2 * rows + 1, 2 * columns + 1), np.uint8)
    plan[1::2, 1::2] = 1
    right = np.array(scene["right"], np.uint8).reshape(rows, columns)
    down = np.array(scene["down"], np.uint8).reshape(rows, columns)
    plan[1::2, 2:-1:2] = right[:, :-1]
    plan[2:-1:2, 1::2] = down[:-1]
    for row, column, is_right, colour in scene["gates"]:
        if colour == closed:
            plan[(2 * row - 1, 2 * column) if is_right else (2 * row, 2 * column - 1)] = 0
    for row, column, _ in scene["exits"]:
        plan[_spot(scene, row, column)] = 1
    return plan


def _spot(scene: dict, row: int, column: int) -> tuple[int, int]:
    """Where a cell, or the gap of an exit, lies in the plan."""
    height, width = 2 * scene["rows"], 2 * scene["columns"]
    return min(max(2 * row - 1, 0), height), min(max(2 * column - 1, 0), width)


def _labels(sample: Sample) -> np.ndarray:
    """Connected parts of the plan, int [h, w]."""
    return cv2.connectedComponents(_plan(sample.scene, sample.query["closed"]), connectivity=4)[1]


def _within_reach(sample: Sample, key: str) -> list[str]:
    labels = _labels(sample)
    own = labels[_spot(sample.scene, *sample.scene["start"])]
    return [letter for row, column, letter in sample.scene[key] if labels[_spot(sample.scene, row, column)] == own]


def _exit(sample: Sample) -> str:
    (letter,) = _within_reach(sample, "exits")
    return letter


def _reach(sample: Sample) -> str:
    return ", ".join(_within_reach(sample, "letters")) or "none"


def _waves(sample: Sample) -> np.ndarray:
    """How many times the flood from the dot grew before it covered each spot of the plan; -1 where it never does."""
    plan = _plan(sample.scene)
    reached = np.zeros_like(plan)
    reached[_spot(sample.scene, *sample.scene["start"])] = 1
    times = np.where(reached > 0, 0, -1)
    for time in range(1, plan.size):
        grown = cv2.dilate(reached, cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))) & plan
        if (grown == reached).all():
            break
        times[(grown > 0) & (reached == 0)] = time
        reached = grown
    return times


def _length(sample: Sample) -> str:
    steps = int(_waves(sample)[_spot(sample.scene, *sample.scene["goal"])])
    if steps < 0:
        raise ValueError("the square must be within reach")
    return str(steps // 2)


def _turns(sample: Sample) -> str:
    times = _waves(sample)
    at, ways = _spot(sample.scene, *sample.scene["goal"]), []
    while times[at]:
        row, column = at
        before = [
            (r, c)
            for r, c in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1))
            if times[r, c] == times[at] - 1
        ]
        (before,) = before
        ways.append((row - before[0], column - before[1]))
        at = before
    return str(sum(a != b for a, b in itertools.pairwise(ways)))


def _heights(sample: Sample) -> tuple[np.ndarray, list[str]]:
    """The lane of every line after each layer, int [lines, layers + 1], and their letters."""
    scene = sample.scene
    count = len(scene["starts"])
    heights, total = [np.arange(count)], np.eye(count, dtype=int)
    for layer in scene["layers"]:
        swap = np.eye(count, dtype=int)
        for upper in layer:
            swap[[upper, upper + 1]] = swap[[upper + 1, upper]]
        total = swap @ total
        heights.append(total.argmax(0))
    return np.stack(heights, 1), scene["starts"]


def _crossings(sample: Sample) -> dict[str, int]:
    """Crossings on each line: how often it passes from above another to below it, or back."""
    heights, letters = _heights(sample)
    signs = np.sign(heights[:, None] - heights[None])
    changes = (np.abs(np.diff(signs, axis=2)) == 2).sum(2)
    return dict(zip(letters, changes.sum(1).tolist(), strict=True))


def _end(sample: Sample) -> str:
    heights, letters = _heights(sample)
    return sample.scene["ends"][heights[letters.index(sample.query["letter"]), -1]]


def _most(sample: Sample) -> str:
    counts = _crossings(sample)
    (letter,) = [letter for letter, count in counts.items() if count == max(counts.values())]
    return letter


def _blocks(sample: Sample) -> tuple[np.ndarray, dict[str, int]]:
    """Fewest blocks between all crossings by Floyd and Warshall, float [n, n], and where the letters are."""
    scene = sample.scene
    columns, count = scene["columns"], scene["rows"] * scene["columns"]
    far = np.full((count, count), np.inf)
    np.fill_diagonal(far, 0)
    for r, c, s, d in scene["one_way"] + scene["two_way"]:
        far[(r - 1) * columns + c - 1, (s - 1) * columns + d - 1] = 1
    for r, c, s, d in scene["two_way"]:
        far[(s - 1) * columns + d - 1, (r - 1) * columns + c - 1] = 1
    for middle in range(count):
        far = np.minimum(far, far[:, middle, None] + far[None, middle])
    return far, {letter: (r - 1) * columns + c - 1 for r, c, letter in scene["letters"]}


def _drive(sample: Sample) -> str:
    far, places = _blocks(sample)
    return str(int(far[places[sample.query["from"]], places[sample.query["to"]]]))


def _drive_reach(sample: Sample) -> str:
    far, places = _blocks(sample)
    own = places[sample.query["from"]]
    return (
        ", ".join(sorted(x for x, place in places.items() if place != own and np.isfinite(far[own, place]))) or "none"
    )


ORACLES = {
    "maze_exit": _exit,
    "maze_reach": _reach,
    "maze_length": _length,
    "maze_turns": _turns,
    "tangle_end": _end,
    "tangle_cross": lambda sample: str(_crossings(sample)[sample.query["letter"]]),
    "tangle_most": _most,
    "drive_blocks": _drive,
    "drive_reach": _drive_reach,
}
