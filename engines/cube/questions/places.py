"""Questions about which cubes touch, and which columns stand nearer to the front corner of the floor."""

import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.cube.questions.make import (
    COLOURS,
    TALLEST,
    TOPS_SHOWN,
    TRIES,
    between,
    drafts,
    finish,
    painted,
    palette,
    pick,
    random_heights,
    spread,
)
from engines.cube.scene.sight import SEEN, cube_shares, top_shares

TOUCHED = (2, 2, 3, 3, 3, 4, 4, 4, 4, 4)  # most colours that touch the cube asked about, per level
TOUCH_COLOURS = (4, 4, 5, 5, 6, 6, 7, 7, 7, 7)  # of all other cubes
LETTERS = "ABCDEFGH"
NEAREST = (3, 4, 4, 5, 6, 6, 7, 7, 8, 8)  # letters of which one is the nearest or the farthest
ORDERED = (3, 3, 4, 4, 4, 5, 5, 6, 6, 7)  # letters to be put in order
LETTER_FLOORS = (((2, 3), (3, 2)), ((3, 3),), ((3, 3),), ((3, 4), (4, 3)), ((4, 4),), ((4, 4),), ((4, 5), (5, 4)),
                 ((5, 5),), ((5, 5),), ((5, 6), (6, 5)))  # fmt: skip
LETTER_SHARE = 0.999  # of a top that carries a letter
LETTERED_MIN_SIZE_PX = (112, 112, 112, 140, 168, 196, 224, 252, 252, 336)
STEPS = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))

TOUCHING = (
    "Which colours touch the {colour} cube face to face?",
    "Name the colours of the cubes that share a face with the {colour} cube.",
    "A whole face in common is a touch. Which colours touch the {colour} cube?",
    "What are the colours of the cubes that lie against a face of the {colour} cube?",
)


def _touched(shares: np.ndarray) -> dict[int, list]:
    """Cubes of a floor that show, with the cubes against their faces if all of those show too; by how many they are."""
    there = {tuple(place) for place in np.argwhere(shares >= 0).tolist()}
    seen = {tuple(place) for place in np.argwhere(shares >= SEEN).tolist()}
    found: dict[int, list] = {}
    for cube in seen:
        near = {(cube[0] + a, cube[1] + b, cube[2] + c) for a, b, c in STEPS} & there
        if near and near <= seen:
            found.setdefault(len(near), []).append((cube, sorted(near)))
    return {count: sorted(cubes) for count, cubes in found.items()}


def pose_touching(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colours of the cubes against the only cube of some colour; all of them show."""
    count = between(rng, 1, TOUCHED[level])
    for _ in range(TRIES):
        floor, values = random_heights(rng, level)
        if sum(values) <= count:
            continue
        options: list = []
        for heights in drafts(rng, floor, values, TOPS_SHOWN[level]):
            options = _touched(cube_shares(heights[None])[0]).get(count, [])
            if options:
                break
        if options:
            break
    else:
        raise RuntimeError(f"no cube with {count} neighbours that show, in {TRIES} tries")
    cube, near = pick(rng, options)
    asked, *others = palette(rng, 1 + TOUCH_COLOURS[level])
    stacks = [[[pick(rng, others) for _ in range(height)] for height in line] for line in heights.tolist()]
    touching = [others[place] for place in rng.permutation(len(others))[:count].tolist()]
    for (row, column, z), colour in zip([cube, *near], [asked, *touching], strict=True):
        stacks[row][column][z] = colour
    question, query = pick(rng, TOUCHING).format(colour=asked), {"ask": "touching", "colour": asked}
    guess_rate = 1 / TOUCHED[level] / (len(COLOURS) - 1)
    return Posed(finish(rng, stacks), question, Answer.set_of(touching, COLOURS), (), guess_rate, query)


def _lettered(rng: np.random.Generator, level: int, count: int, is_strict: bool) -> tuple[np.ndarray, list]:
    """Heights, and cells with whole tops, the nearest first; with `is_strict` no two are equally near, else the ends.

    How near is told by row + column, and the straight distance to the front corner agrees with it.
    """
    for _ in range(TRIES):
        floor = pick(rng, LETTER_FLOORS[level])
        cells = floor[0] * floor[1]
        total = between(rng, cells // 2 + 1, cells * TALLEST[level] * 3 // 5)
        for heights in drafts(rng, floor, spread(rng, cells, total, TALLEST[level]), TOPS_SHOWN[level]):
            whole = np.argwhere((top_shares(heights[None])[0] > LETTER_SHARE) & (heights > 0))
            chosen = _by_distance(whole[rng.permutation(len(whole))], floor, count, is_strict)
            if chosen:
                return heights, chosen
    raise RuntimeError(f"no {count} whole tops at different distances in {TRIES} tries")


def _by_distance(cells: np.ndarray, floor: tuple[int, int], count: int, is_strict: bool) -> list:
    """Some of the cells, the nearest first, or none if they are not as wanted."""
    steps: dict[int, tuple] = {}
    chosen = []
    for row, column in cells.tolist():
        away = (floor[0] - 1 - row, floor[1] - 1 - column)
        if is_strict and sum(away) in steps:
            continue
        steps[sum(away)] = away
        chosen.append((sum(away), away[0] ** 2 + away[1] ** 2, row, column))
        if len(chosen) == count:
            break
    chosen.sort()
    pairs = list(itertools.pairwise(chosen))
    if not is_strict:  # the first one against all others, and all others against the last one
        pairs = [(chosen[0], other) for other in chosen[1:]] + [(other, chosen[-1]) for other in chosen[:-1]]
    is_apart = all(one[0] < two[0] and one[1] < two[1] for one, two in pairs)
    if len(chosen) < count or not is_apart:
        return []
    return [(row, column) for _, _, row, column in chosen]


FRONT = "The lowest corner of the floor is the front."
NEAREST_TEXTS = (
    "Which lettered column is {word} the front?",
    "Which letter stands {word} the front?",
    "Which of the letters is {word} the front?",
    "Name the letter of the column {word} the front.",
)


def pose_nearest(rng: np.random.Generator, level: int) -> Posed:
    """Ask which lettered column is the nearest to the front (from level 2 on also: the farthest from it)."""
    count, is_near = NEAREST[level], level < 2 or rng.random() < 0.5
    heights, cells = _lettered(rng, level, count, False)
    letters = [LETTERS[place] for place in rng.permutation(count).tolist()]
    marks = sorted((letter, *cell) for letter, cell in zip(letters, cells, strict=True))
    word = "nearest to" if is_near else "farthest from"
    answer = Answer.choice(letters[0] if is_near else letters[-1], LETTERS[:count])
    scene = finish(rng, painted(rng, heights, level), letters=marks)
    question, query = f"{FRONT} {pick(rng, NEAREST_TEXTS).format(word=word)}", {"ask": "nearest", "by": word}
    return Posed(scene, question, answer, (), 1 / count, query)


ORDER_TEXTS = (
    "Order the letters from the front to the back.",
    "List the letters, the nearest to the front first.",
    "Write the letters from the nearest to the farthest.",
    "Sort the lettered columns by their distance from the front.",
)


def pose_depth_order(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the order of lettered columns from the front to the back."""
    count = ORDERED[level]
    heights, cells = _lettered(rng, level, count, True)
    letters = [LETTERS[place] for place in rng.permutation(count).tolist()]
    marks = sorted((letter, *cell) for letter, cell in zip(letters, cells, strict=True))
    scene = finish(rng, painted(rng, heights, level), letters=marks)
    question, orders = f"{FRONT} {pick(rng, ORDER_TEXTS)}", int(np.prod(range(1, count + 1)))
    return Posed(scene, question, Answer.permutation(letters), (), 1 / orders, {"ask": "depth_order"})
