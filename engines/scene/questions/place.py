"""Putting things on a floor: what a level has, where each thing stands, and how far one may hide another."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.scene.scene import SHAPES, SIZES, SURFACES, Floor, Thing, overlap

COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "pink")  # that keep their names where they are shaded
COUNTS = (3, 3, 4, 5, 5, 6, 7, 8, 9, 10)
FORMS = (3, 3, 3, 3, 4, 4, 4, 4, 4, 4)  # the first ones of `SHAPES`
TWO_SIZES_FROM_LEVEL = 1
SURFACES_FROM_LEVEL = 2
LEAST, MOST = 0.14, 0.45  # share of a thing that another one hides on purpose
MOST_HIDDEN = (0.0, 0.0, 0.0, 0.2, 0.2, 0.25, 0.3, 0.35, 0.4, 0.4)  # of a thing that may be asked for
GAPS = (40, 40, 30, 30, 28, 26, 22, 20, 18, 16)  # between things, across and in depth, so that no two seem level
SHIFT = 0.8  # of its radius, by which the middle of what is seen of a thing may move, per share that is hidden
CLEAR = 9  # between the boxes of things that hide nothing of each other
LEFT, RIGHT, FAR, NEAR = 40, 960, 340, 930  # of the floor
REACH = {
    "cube": (1.13, 1.61, 0.41),
    "sphere": (1.0, 1.82, 0.18),
    "cylinder": (1.0, 2.06, 0.36),
    "cone": (1.0, 2.2, 0.36),
}
AREAS = {"cube": 2.7, "sphere": 3.1, "cylinder": 4.5, "cone": 2.7}  # of outlines, in squared radii, rounded down
TURNS = (15, 25, 35, 55, 65, 75)
TRIES = 400


class Kind(NamedTuple):
    """What a thing is, before it has a place."""

    colour: str
    shape: str
    size: str
    surface: str


Box = tuple[float, float, float, float]


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


def values(level: int) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Colours, shapes, sizes and surfaces of a level."""
    sizes = SIZES if level >= TWO_SIZES_FROM_LEVEL else ("large",)
    surfaces = SURFACES if level >= SURFACES_FROM_LEVEL else ("matte",)
    return COLOURS, SHAPES[: FORMS[level]], sizes, surfaces


def kinds(rng: np.random.Generator, level: int, count: int, *, unlike: bool = False) -> list[Kind]:
    """So many random kinds; `unlike`: no two of one colour."""
    named = values(level)
    dice = rng.random((4, count)).tolist()
    drawn = [[options[int(x * len(options))] for x in row] for options, row in zip(named, dice, strict=True)]
    if unlike:
        drawn[0] = [COLOURS[i] for i in rng.permutation(len(COLOURS))[:count].tolist()]
    return [Kind(*parts) for parts in zip(*drawn, strict=True)]


def _large(count: int) -> int:
    """Radius of a large thing half-way back, where so many stand around."""
    return 88 if count <= 5 else 74 if count <= 7 else 62


def standing(kind: Kind, x: float, y: float, turn: int, count: int) -> Thing:
    """A thing at a place, as large as it looks from there."""
    base = _large(count) * (1.0 if kind.size == "large" else 0.5)
    return Thing(*kind, round(x), round(y), round(base * (0.82 + 0.36 * (y - FAR) / (NEAR - FAR))), turn)


def box(thing: Thing) -> Box:
    """The box around a thing: left, top, right, bottom."""
    wide, high, low = (part * thing.radius for part in REACH[thing.shape])
    return thing.x - wide, thing.y - high, thing.x + wide, thing.y + low


def area(thing: Thing) -> float:
    """About how large an outline is, rather too small."""
    return AREAS[thing.shape] * thing.radius**2


def shared(one: Box, other: Box, gap: float = 0.0) -> float:
    """The area that two boxes share, each made larger by half a gap."""
    wide = min(one[2], other[2]) - max(one[0], other[0]) + gap
    high = min(one[3], other[3]) - max(one[1], other[1]) + gap
    return wide * high if wide > 0 and high > 0 else 0.0


class Yard:
    """Things put down one after the other, none of which hides another unless it is told to."""

    def __init__(self, rng: np.random.Generator, level: int, count: int):
        self.rng, self.gap, self.count = rng, GAPS[level], count
        self.things: list[Thing] = []
        self.boxes: list[Box] = []
        self._dice = iter(())

    def roll(self, low: float, high: float) -> float:
        """A number between two, from a block: single draws from numpy cost more than all else here."""
        share = next(self._dice, None)
        if share is None:
            self._dice = iter(self.rng.random(128).tolist())
            share = next(self._dice)
        return low + (high - low) * share

    def put(self, kind: Kind, before: int | None = None) -> bool:
        """Put a thing down where it is clear of all, or so that it hides a part of thing `before` alone."""
        for _ in range(30):
            if before is None:
                x, y = self.roll(LEFT + 60, RIGHT - 60), self.roll(FAR, NEAR)
            else:
                back = self.things[before]
                side = 1 if self.roll(0, 1) < 0.5 else -1
                x = back.x + side * self.roll(0.5, 1.3) * back.radius
                y = back.y + self.roll(max(self.gap, 0.45 * back.radius), 1.3 * back.radius)
            if y > NEAR:
                continue
            thing = standing(kind, x, y, TURNS[int(self.roll(0, len(TURNS)))], self.count)
            around = box(thing)
            if around[0] < LEFT or around[2] > RIGHT or not self._is_apart(thing):
                continue
            if any(shared(around, other, CLEAR) for i, other in enumerate(self.boxes) if i != before):
                continue
            if before is not None and not LEAST < shared(around, self.boxes[before]) / area(self.things[before]) < 0.9:
                continue
            if before is not None and not LEAST <= overlap(self.things[before], thing) <= MOST:
                continue
            self.things.append(thing)
            self.boxes.append(around)
            return True
        return False

    def _is_apart(self, thing: Thing) -> bool:
        """Say whether no other thing is level with it, across or in depth."""
        return all(abs(thing.x - o.x) >= self.gap and abs(thing.y - o.y) >= self.gap for o in self.things)


def clear(rng: np.random.Generator, level: int, wanted: Sequence[Kind]) -> Floor:
    """A floor with these things, none hidden. Raises `RuntimeError` if they find no room."""
    for _ in range(TRIES):
        yard = Yard(rng, level, len(wanted))
        if all(yard.put(kind) for kind in wanted):
            return Floor(tuple(yard.things))
    raise RuntimeError(f"no room for {len(wanted)} things at level {level} in {TRIES} tries")


def spread(rng: np.random.Generator, level: int, wanted: Sequence[Kind]) -> Floor:
    """A floor with these things all over it, each hidden by no more than the level allows."""
    most, count, gap = MOST_HIDDEN[level], len(wanted), GAPS[level]
    if not most:
        return clear(rng, level, wanted)
    for _ in range(TRIES):
        ranks = [rng.permutation(count).tolist() for _ in range(2)]
        moves = rng.random((2, count)).tolist()
        turns = rng.integers(len(TURNS), size=count).tolist()
        steps = (RIGHT - LEFT - 140) / count, (NEAR - FAR) / count
        things = []
        for i, kind in enumerate(wanted):
            x = LEFT + 70 + steps[0] * ranks[0][i] + (steps[0] - gap) * moves[0][i]
            y = FAR + steps[1] * ranks[1][i] + (steps[1] - gap) * moves[1][i]
            things.append(standing(kind, x, y, TURNS[turns[i]], count))
        if _hides_little(things, most, gap):
            return Floor(tuple(things))
    raise RuntimeError(f"no floor with {count} things at level {level} in {TRIES} tries")


def _hides_little(things: Sequence[Thing], most: float, gap: float) -> bool:
    """Say whether no thing can be hidden by more than a share, judged by boxes, which are larger than outlines."""
    boxes = [box(thing) for thing in things]
    if any(left < LEFT - 15 or right > RIGHT + 15 for left, _, right, _ in boxes):
        return False
    for i, thing in enumerate(things):
        covered = sum(shared(boxes[i], boxes[j]) for j, other in enumerate(things) if other.y > thing.y) / area(thing)
        if covered > most:
            return False
        # The middle of what is seen of it lies on the same side of all others as its own.
        if covered and any(0 < abs(thing.x - other.x) < gap + SHIFT * covered * thing.radius for other in things):
            return False
    return True
