"""Questions about a trail of arrows: at which letter it leaves the grid, how many arrows it has."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.grid.scene import STEPS, Cell, TrailScene

SIDES = ((3, 3), (3, 4), (4, 4), (4, 5), (5, 5), (5, 6), (6, 6), (6, 7), (7, 8), (8, 9))  # of the grid, per level
LENGTHS = ((2, 4), (2, 5), (3, 7), (3, 8), (4, 10), (5, 12), (6, 14), (7, 17), (9, 20), (10, 24))  # arrows of the trail
EXITS = (3, 3, 4, 4, 5, 5, 6, 6, 7, 8)  # letters around the grid
FILLED = (0.0, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.0)  # share of the other cells that hold an arrow too
MIN_SIZE_PX = (112, 112, 112, 112, 140, 140, 168, 196, 224, 252)
LETTERS = "ABCDEFGH"
TRIES = 300
BACK = {"up": "down", "down": "up", "left": "right", "right": "left"}


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _walk(rng: np.random.Generator, side: int, length: int) -> tuple[Cell, list[tuple[Cell, str]]] | None:
    """A trail of `length` arrows that crosses no cell twice, made backwards from its exit; None at a dead end."""
    way, place = _pick(rng, tuple(STEPS)), int(rng.integers(side)) + 1
    outside = {"up": (0, place), "down": (side + 1, place), "left": (place, 0), "right": (place, side + 1)}[way]
    arrows: list[tuple[Cell, str]] = []
    seen, cell = set(), outside
    for _ in range(length):
        down, right = STEPS[way]
        cell = (cell[0] - down, cell[1] - right)
        arrows.append((cell, way))
        seen.add(cell)
        before = {w: (cell[0] - d, cell[1] - r) for w, (d, r) in STEPS.items()}
        free = [w for w, (r, c) in before.items() if 1 <= r <= side and 1 <= c <= side and (r, c) not in seen]
        if not free and len(arrows) < length:
            return None
        way = _pick(rng, free) if free else way
    return outside, arrows


def _scene(rng: np.random.Generator, level: int) -> tuple[TrailScene, str, int]:
    """A scene, the letter at which its trail ends, and the trail's number of arrows; both drawn evenly."""
    low, high = SIDES[level]
    length = int(rng.integers(LENGTHS[level][0], LENGTHS[level][1] + 1))
    letters = LETTERS[: EXITS[level]]
    letter = _pick(rng, letters)
    for _ in range(TRIES):
        side = int(rng.integers(low, high + 1))
        found = _walk(rng, side, length)
        if found is None:
            continue
        outside, arrows = found
        taken = {cell for cell, _ in arrows}
        for row in range(1, side + 1):
            for column in range(1, side + 1):
                if (row, column) not in taken and rng.random() < FILLED[level]:
                    arrows.append(((row, column), _pick(rng, tuple(STEPS))))
        edge = [(0, i) for i in range(1, side + 1)] + [(side + 1, i) for i in range(1, side + 1)]
        edge += [(column, row) for row, column in edge]
        edge.remove(outside)
        others = [edge[i] for i in rng.permutation(len(edge))[: len(letters) - 1].tolist()]
        names = [name for name in letters if name != letter]
        exits = sorted([(outside, letter), *zip(others, names, strict=True)], key=lambda item: item[1])
        start = arrows[length - 1][0]
        return TrailScene(side, tuple(sorted(arrows)), start, tuple(exits)), letter, length
    raise RuntimeError(f"no trail of {length} arrows at level {level} in {TRIES} tries")


EXIT = (
    "Follow the arrows from the red dot. At which letter do you leave the grid?",
    "Start at the red dot and follow the arrows. Which letter do you reach?",
    "Where does the trail of arrows from the red dot lead? Answer with a letter.",
    "Go from the red dot along the arrows. At which letter do you come out?",
)


def pose_exit(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the letter at the end of the trail."""
    scene, letter, _ = _scene(rng, level)
    letters = LETTERS[: EXITS[level]]
    answer = Answer.choice(letter, letters)
    return Posed(scene, _pick(rng, EXIT), answer, guess_rate=1 / len(letters), query={"ask": "exit"})


LENGTH = (
    "Follow the arrows from the red dot until you leave the grid. How many arrows do you follow?",
    "How many arrows does the trail from the red dot to the edge have?",
    "Start at the red dot and follow the arrows out of the grid. Count the arrows on your way.",
    "Count the arrows on the trail from the red dot to the outside.",
)


def pose_length(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of arrows of the trail."""
    scene, _, length = _scene(rng, level)
    low, high = LENGTHS[level]
    guess_rate, query = 1 / (high - low + 1), {"ask": "trail_length"}
    return Posed(scene, _pick(rng, LENGTH), Answer.integer(length), guess_rate=guess_rate, query=query)


def facts(scene: TrailScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: where the dot is, where an arrow points, how many there are."""
    (row, column), way = _pick(rng, scene.arrows)
    return (
        Fact("In which row is the red dot? Rows count from the top.", Answer.integer(scene.start[0])),
        Fact("In which column is the red dot? Columns count from the left.", Answer.integer(scene.start[1])),
        Fact(f"Which way does the arrow in row {row}, column {column} point?", Answer.word(way, tuple(STEPS))),
        Fact("How many letters stand around the grid?", Answer.integer(len(scene.exits))),
    )
