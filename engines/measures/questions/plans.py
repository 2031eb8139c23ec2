"""Questions about figures with written sides: area, perimeter, a side that is not written, what is shaded."""

import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.measures.questions.pick import PAINTS, pick
from engines.measures.scene.plan import Length, Plan, Spot

COLUMNS = (2, 2, 2, 2, 3, 3, 3, 4, 4, 4)  # of which the figure is made
HIDDEN_FROM_LEVEL = 2  # from here on one side of each way is not written
LONGEST = (6, 7, 7, 8, 7, 7, 8, 7, 7, 8)  # height
SIDES_ASKED = (2, 9)
MIN_SIZE_PX = (112, 112, 112, 140, 168, 168, 196, 224, 224, 252)
SHADED = (
    *(("frame",), ("frame",), ("frame", "corner"), ("corner",), ("corner", "roof"), ("roof",)),
    *(("strip",), ("strip", "step"), ("step",), ("step",)),
)
SHADED_MIN_SIZE_PX = (140, 140, 140, 168, 168, 168, 196, 196, 224, 224)
# How often the commonest answer is right, by level: measured.
AREA_GUESS = (0.09, 0.065, 0.06, 0.06, 0.05, 0.045, 0.045, 0.04, 0.035, 0.04)
SHADED_GUESS = (0.05, 0.05, 0.05, 0.045, 0.085, 0.13, 0.04, 0.03, 0.04, 0.04)
PERIMETER_GUESS = (0.2, 0.2, 0.2, 0.2, 0.18, 0.17, 0.15, 0.15, 0.15, 0.13)
TRIES = 300

AREA = (
    "What is the area of the figure in square cm? Lengths are in cm, all corners are right angles.",
    "All corners are right angles and lengths are in cm. Find the area of the figure in square cm.",
    "How many square cm does the figure cover? Lengths are in cm, all corners are right angles.",
    "Calculate the area of the figure in square cm. All corners are right angles, lengths are in cm.",
)
PERIMETER = (
    "What is the perimeter of the figure in cm? All corners are right angles.",
    "All corners are right angles and lengths are in cm. Find the perimeter of the figure.",
    "How many cm is it once around the figure? All corners are right angles.",
    "Calculate the perimeter of the figure. All corners are right angles, lengths are in cm.",
)
SIDE = (
    "How many cm long is the side marked x? All corners are right angles.",
    "All corners are right angles and lengths are in cm. What is x?",
    "Find x, the length of one side in cm. All corners are right angles.",
    "Which length belongs to the side x? Lengths are in cm, all corners are right angles.",
)
SHADE = (
    "What is the area of the {0} part in square cm? Lengths are in cm.",
    "Lengths are in cm. Find the area of the {0} part in square cm.",
    "How many square cm are {0}? Lengths are in cm.",
    "Calculate the area of the {0} part in square cm; lengths are in cm.",
)


def outline(widths: list[int], heights: list[int]) -> list[Spot]:
    """Corners, clockwise from the origin, of columns that stand side by side."""
    spots, x, last = [(0, 0)], 0, 0
    for width, height in zip(widths, heights, strict=True):
        if height != last:
            spots.append((x, height))
        x += width
        spots.append((x, height))
        last = height
    return [*spots, (x, 0)]


def _turned(spots: list[Spot], turns: int, is_mirrored: bool) -> list[Spot]:
    """Corners after quarter turns and perhaps a reflection, clockwise and moved to the origin."""
    for _ in range(turns):
        spots = [(y, -x) for x, y in spots]
    if is_mirrored:
        spots = [(-x, y) for x, y in spots][::-1]
    left, low = min(x for x, _ in spots), min(y for _, y in spots)
    return [(x - left, y - low) for x, y in spots]


def _sides(spots: list[Spot]) -> list[tuple[Spot, Spot]]:
    return list(zip(spots, [*spots[1:], spots[0]], strict=True))


def _length(side: tuple[Spot, Spot]) -> int:
    (x, y), (u, v) = side
    return abs(x - u) + abs(y - v)


def _is_upright(side: tuple[Spot, Spot]) -> bool:
    return side[0][0] == side[1][0]


def _columns(rng: np.random.Generator, count: int, longest: int) -> list[Spot]:
    """A figure of columns whose neighbours differ by 2 or more in height."""
    for _ in range(TRIES):
        widths = rng.integers(2, 6, size=count).tolist()
        heights = rng.integers(2, longest + 1, size=count).tolist()
        if all(abs(a - b) >= 2 for a, b in itertools.pairwise(heights)):
            return _turned(outline(widths, heights), int(rng.integers(4)), bool(rng.integers(2)))
    raise RuntimeError(f"no {count} columns in {TRIES} tries")


def _plan(rng: np.random.Generator, spots: list[Spot], hidden: set[int], asked: int = -1) -> Plan:
    """A figure with its sides written, but for those hidden; the one asked for is marked x."""
    lengths = tuple(
        Length(*side, "x" if place == asked else str(_length(side)))
        for place, side in enumerate(_sides(spots))
        if place not in hidden
    )
    return Plan(tuple(spots), (), lengths, pick(rng, PAINTS))


def _hidden(rng: np.random.Generator, spots: list[Spot], level: int) -> set[int]:
    """A side of each way that follows from the others; none at low levels."""
    if level < HIDDEN_FROM_LEVEL:
        return set()
    sides = _sides(spots)
    ways = [[i for i, (a, b) in enumerate(sides) if _is_upright((a, b)) == flag] for flag in (False, True)]
    return {pick(rng, way) for way in ways}


def _clear(rng: np.random.Generator, level: int) -> Plan:
    """A figure of the level whose texts are clear of each other."""
    for _ in range(TRIES):
        spots = _columns(rng, COLUMNS[level], LONGEST[level])
        scene = _plan(rng, spots, _hidden(rng, spots, level))
        if scene.is_clear():
            return scene
    raise RuntimeError(f"no legible figure at level {level} in {TRIES} tries")


def pose_area(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the area of a figure of rectangles."""
    scene = _clear(rng, level)
    total = area(list(scene.outline)) // 2
    return Posed(scene, pick(rng, AREA), Answer.integer(total), guess_rate=AREA_GUESS[level], query={"ask": "area"})


def pose_perimeter(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the perimeter of a figure of rectangles."""
    scene = _clear(rng, level)
    total = sum(map(_length, _sides(list(scene.outline))))
    rate = PERIMETER_GUESS[level]
    return Posed(scene, pick(rng, PERIMETER), Answer.integer(total), guess_rate=rate, query={"ask": "perimeter"})


def pose_side(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a side that follows from the others of its way; every length is as likely."""
    low, high = SIDES_ASKED
    wanted = int(rng.integers(low, high + 1))
    for _ in range(TRIES):
        spots = _columns(rng, COLUMNS[level], high)
        fitting = [i for i, side in enumerate(_sides(spots)) if _length(side) == wanted]
        if fitting:
            asked = pick(rng, fitting)
            hidden = _hidden(rng, spots, level)
            # Of the way of the side that is asked for, all others are written.
            hidden = {i for i in hidden if _is_upright(_sides(spots)[i]) != _is_upright(_sides(spots)[asked])}
            scene = _plan(rng, spots, hidden, asked)
            if not scene.is_clear():
                continue
            rate = 1 / (high - low + 1)
            return Posed(scene, pick(rng, SIDE), Answer.integer(wanted), guess_rate=rate, query={"ask": "side"})
    raise RuntimeError(f"no figure with a side of {wanted} at level {level} in {TRIES} tries")


def _frame(rng: np.random.Generator) -> tuple[list[Spot], list[list[Spot]], list[Length]]:
    """A rectangle with a rectangular window."""
    w, h = int(rng.integers(7, 13)), int(rng.integers(6, 11))
    a, b = int(rng.integers(3, w - 3)), int(rng.integers(3, h - 2))
    x, y = int(rng.integers(1, w - a)), int(rng.integers(1, h - b))
    window = [(x, y), (x, y + b), (x + a, y + b), (x + a, y)]
    own = [Length((x, y + b), (x + a, y + b), str(a), True), Length((x, y), (x, y + b), str(b), True)]
    return _box(w, h), [window], [*_around(w, h), *own]


def _box(w: int, h: int) -> list[Spot]:
    return [(0, 0), (0, h), (w, h), (w, 0)]


def _around(w: int, h: int) -> list[Length]:
    """Width and height of a rectangle, written below and to the left."""
    return [Length((w, 0), (0, 0), str(w)), Length((0, 0), (0, h), str(h))]


def _corner(rng: np.random.Generator) -> tuple[list[Spot], list[list[Spot]], list[Length]]:
    """A rectangle without a triangle at its upper right corner."""
    w, h = int(rng.integers(7, 13)), int(rng.integers(6, 11))
    a, b = 2 * int(rng.integers(2, (w - 2) // 2 + 1)), int(rng.integers(3, h - 1))
    cut = [(w - a, h), (w, h), (w, h - b)]
    own = [Length((w - a, h), (w, h), str(a)), Length((w, h), (w, h - b), str(b))]
    return _box(w, h), [cut], [*_around(w, h), *own]


def _roof(rng: np.random.Generator) -> tuple[list[Spot], list[list[Spot]], list[Length]]:
    """A rectangle without the triangle over its lower side, whose height is a dashed line's."""
    w, h = 2 * int(rng.integers(4, 7)), int(rng.integers(6, 11))
    top, x = int(rng.integers(4, h - 1)), int(rng.integers(3, w - 2))
    cut = [(0, 0), (x, top), (w, 0)]
    own = [Length((x, 0), (x, top), str(top), True)]
    return _box(w, h), [cut], [*_around(w, h), *own]


def _strip(rng: np.random.Generator) -> tuple[list[Spot], list[list[Spot]], list[Length]]:
    """A slanted band: a rectangle without triangles at two opposite corners."""
    w, h = int(rng.integers(8, 13)), int(rng.integers(6, 11))
    a, b = 2 * int(rng.integers(2, w // 4 + 2)), int(rng.integers(3, h - 1))
    c, d = 2 * int(rng.integers(2, w // 4 + 2)), int(rng.integers(3, h - 1))
    cuts = [[(w - a, h), (w, h), (w, h - b)], [(0, 0), (0, d), (c, 0)]]
    own = [
        *(Length((w - a, h), (w, h), str(a)), Length((w, h), (w, h - b), str(b))),
        *(Length((0, 0), (0, d), str(d)), Length((c, 0), (0, 0), str(c))),
        *(Length((0, d), (0, h), str(h - d)), Length((w, 0), (c, 0), str(w - c))),
    ]
    return _box(w, h), cuts, own


def _step(rng: np.random.Generator) -> tuple[list[Spot], list[list[Spot]], list[Length]]:
    """A rectangle without a triangle at one corner and a rectangle at another."""
    w, h = int(rng.integers(10, 14)), int(rng.integers(8, 12))
    a, b = 2 * int(rng.integers(2, 4)), int(rng.integers(3, h - 4))
    c, d = int(rng.integers(2, 4)), int(rng.integers(3, h - 3))
    cuts = [[(w - a, h), (w, h), (w, h - b)], [(0, 0), (0, d), (c, d), (c, 0)]]
    own = [
        *(Length((w - a, h), (w, h), str(a)), Length((w, h), (w, h - b), str(b))),
        *(Length((0, 0), (0, d), str(d)), Length((0, d), (0, h), str(h - d))),
        *(Length((c, 0), (0, 0), str(c)), Length((w, 0), (c, 0), str(w - c))),
    ]
    return _box(w, h), cuts, own


MAKERS = {"frame": _frame, "corner": _corner, "roof": _roof, "strip": _strip, "step": _step}


def area(spots: list[Spot]) -> int:
    """Twice the area within corners."""
    return abs(sum(x * v - u * y for (x, y), (u, v) in _sides(spots)))


def _moved(spots: list[Spot], turns: int, is_mirrored: bool, box: Spot) -> list[Spot]:
    """Spots of a box after a reflection, if wanted, and quarter turns clockwise."""
    found = []
    for x, y in spots:
        x, y = (box[0] - x, y) if is_mirrored else (x, y)
        for turn in range(turns):
            x, y = y, box[turn % 2] - x
        found.append((x, y))
    return found[::-1] if is_mirrored else found


def pose_shaded(rng: np.random.Generator, level: int) -> Posed:
    """Ask for what is left of a rectangle without its cut parts."""
    for _ in range(TRIES):
        ring, cuts, lengths = MAKERS[pick(rng, SHADED[level])](rng)
        move = (int(rng.integers(4)), bool(rng.integers(2)), ring[2])
        rings = [tuple(_moved(part, *move)) for part in (ring, *cuts)]
        lines = [Length(*_moved([line.start, line.end], *move), line.text, line.is_inside) for line in lengths]
        colour = pick(rng, PAINTS)
        scene = Plan(rings[0], tuple(rings[1:]), tuple(lines), colour)
        if scene.is_clear():
            break
    else:
        raise RuntimeError(f"no legible rectangle at level {level} in {TRIES} tries")
    total = area(ring) - sum(map(area, cuts))
    question = pick(rng, SHADE).format(colour)
    answer = Answer.integer(total // 2)
    return Posed(scene, question, answer, guess_rate=SHADED_GUESS[level], query={"ask": "shaded", "colour": colour})


def facts(scene: Plan, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: what is written, and how the outline looks."""
    numbers = [int(line.text) for line in scene.lengths if line.text != "x"]
    return (
        Fact("How many numbers are written?", Answer.integer(len(numbers))),
        Fact("Which is the largest number written?", Answer.integer(max(numbers))),
        Fact("Which is the smallest number written?", Answer.integer(min(numbers))),
        Fact("What is the sum of all numbers written?", Answer.integer(sum(numbers))),
        Fact("What colour is the figure?", Answer.word(scene.colour, PAINTS)),
    )
