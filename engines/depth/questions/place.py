"""Putting bodies and marks into a hall, so that the height of a mark in the picture tells nothing of its depth.

The order of the marks by their height in the picture is drawn first, all orders equally likely and whatever the order
in depth; so is how many of the others' bodies are taller than that of the point in question and end higher in the
picture. Then places are drawn until all of it holds. Bodies stand in lanes side by side, in any order.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.depth.scene import SHAPES, Body, Hall, Point, near_row
from engines.relief import FLAT

COLOURS = ("red", "blue", "green", "yellow", "purple", "orange", "pink")  # that keep their names where they are shaded
LETTERS = "ABCDE"
MARKS = (48, 48, 48, 26, 26, 26, 26, 26, 26, 26)  # about the radius of a mark, at the smallest size of each level
GAPS = (120, 100, 90, 80, 70, 60, 55, 50, 45, 40)  # in depth, between marked points
EXTRAS = (0, 0, 1, 1, 1, 2, 2, 2, 3, 4)  # bodies without a mark
OVERLAP_FROM_LEVEL = 4  # one body may hide a part of another
WIDEST = 95  # radius
FAR, NEAR, TOP, SIDE = 340, 935, 40, 45  # rows and columns between which all stands
CEILING = TOP + 2 * FLAT * WIDEST  # no near side of a body ends higher
ROW_GAP = 24  # between marks in the picture
DIFFERENT = 12  # between the heights of bodies, and between their upper ends
LIFT = FLAT**2 / (1 - FLAT**2)  # how much nearer to the eye a point is for each unit of its height
TURNS = (15, 25, 35, 55, 65, 75)
BATCHES, TRIES = (0, 0, 48, 96, 256, 400), 200  # drafts drawn at once, by how many points are marked
PATIENCE, FURNISHED = 60, 4  # tries to find a draft for rare orders, and to furnish it


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


class Draft(NamedTuple):
    """Depths and heights of marks, from the nearest on; the near sides of their bodies reach up to `tops`."""

    places: list[float]  # rows of the floor
    rows: list[float]  # of the picture; as in `places` for a mark on the floor
    tops: list[float]


def marked(rng: np.random.Generator, level: int, count: int, asked: int, rivals: Sequence[int] | None = None) -> Hall:
    """A hall with so many marked points, of which the `asked`, from the nearest on, is compared to others or to all.

    Raises `RuntimeError` if there is none.
    """
    rivals = [other for other in range(count) if other != asked] if rivals is None else list(rivals)
    letters = [LETTERS[i] for i in rng.permutation(count).tolist()]
    for _ in range(TRIES):
        order = rng.permutation(count)  # by depth, from the nearest on: how many marks are lower in the picture
        taller = int(rng.integers(len(rivals) + 1))  # rivals whose bodies are taller than its own, and end higher
        for _ in range(PATIENCE):
            draft = _drafted(rng, level, order, asked, rivals, taller)
            for _ in range(0 if draft is None else FURNISHED):
                hall = _furnished(rng, level, letters, draft)
                if hall is not None:
                    return hall
    raise RuntimeError(f"no hall with {count} marked points at level {level} in {TRIES} tries")


def _drafted(
    rng: np.random.Generator, level: int, order: np.ndarray, asked: int, rivals: list[int], taller: int
) -> Draft | None:
    """Marks with their heights in the given order, and bodies of which so many rivals are taller than the asked one."""
    count, mark, gap = len(order), MARKS[level], GAPS[level]
    dice, steps = rng.random((BATCHES[count], 2 * count + 3)), np.arange(count - 1, -1, -1)
    room = NEAR - FAR - (count - 1) * gap
    spread = room * dice[:, -1:] ** 2
    places = FAR + (room - spread) * dice[:, -2:-1] ** 0.7 + spread * np.sort(dice[:, :count], 1)[:, ::-1] + gap * steps
    high = CEILING + 1.15 * mark + 10
    reach = (NEAR - high - (count - 1) * ROW_GAP) * dice[:, -3:-2]
    rows = (high + reach * np.sort(dice[:, count:-3], 1)[:, ::-1] + ROW_GAP * steps)[:, order]
    is_floor = abs(places - rows) < 1.2 * mark
    rows = np.where(is_floor, places, rows)
    falling = np.empty_like(rows)
    falling[:, order] = rows
    eye = places + LIFT * (places - rows)  # the same order for whoever measures from the eye and not along the floor
    is_right = (places >= rows).all(1) & (np.diff(falling, axis=1) <= -ROW_GAP).all(1)
    is_right &= (np.diff(eye, axis=1) <= -0.6 * gap).all(1)
    tops, has_tops = _topped(rng, places, np.where(is_floor, rows, rows - 1.15 * mark), is_floor, asked, rivals, taller)
    is_right &= has_tops
    first = int(is_right.argmax())
    return Draft(*(part[first].tolist() for part in (places, rows, tops))) if is_right[first] else None


def _topped(
    rng: np.random.Generator,
    places: np.ndarray,
    lowest: np.ndarray,
    is_floor: np.ndarray,
    asked: int,
    rivals: list[int],
    taller: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Where bodies end, float [n, count], no lower than `lowest`, and whether so many rivals are taller, bool [n].

    A taller rival also ends higher in the picture than the asked body, and a shorter one lower.
    """
    dice = rng.random((*places.shape, 2))
    own = np.where(is_floor, lowest, CEILING + (lowest - CEILING) * dice[..., 0])[:, asked, None]
    ahead = places - places[:, asked, None]
    low, high = np.full_like(places, CEILING), lowest.copy()
    is_taller = np.zeros(places.shape, bool)
    is_taller[:, rivals] = dice[:, rivals, 0].argsort(1).argsort(1) < taller
    is_shorter = np.zeros(places.shape, bool)
    is_shorter[:, rivals] = ~is_taller[:, rivals]
    high = np.where(is_taller, np.minimum(high, own + np.minimum(ahead, 0) - DIFFERENT), high)
    low = np.where(is_shorter, own + np.maximum(ahead, 0) + DIFFERENT, low)
    tops = np.where(is_floor, lowest, low + (high - low) * dice[..., 1])
    tops[:, asked] = own[:, 0]
    is_right = np.where(is_floor, ~is_taller & (~is_shorter | (low <= lowest)), low <= high)
    is_right[:, asked] = True
    return tops, is_right.all(1)


def _furnished(rng: np.random.Generator, level: int, letters: Sequence[str], draft: Draft) -> Hall | None:
    """Bodies under the marks, and others, in lanes; nothing if one would hide a mark."""
    count, mark, lanes = len(letters), MARKS[level], len(letters) + EXTRAS[level]
    dice, spots = rng.random((lanes, 6)).tolist(), _lanes(rng, level, lanes, mark)
    # What is taller is wider, too, and so the larger one.
    heights = [place - top for place, top in zip(draft.places, draft.tops, strict=True)]
    by_height = sorted(range(count), key=heights.__getitem__)
    spots[:count] = (sorted(spots[:count], key=lambda spot: spot[1])[by_height.index(i)] for i in range(count))
    bodies, points = [], []
    for i, (x, radius) in enumerate(spots):
        colour = COLOURS[int(dice[i][0] * len(COLOURS))]
        if i >= count:
            bodies.append(_loose(dice[i], colour, (x, radius)))
            continue
        if draft.rows[i] < draft.places[i]:
            body = Body(colour, SHAPES[int(dice[i][1] * 2)], x, 0, radius, 0, TURNS[int(dice[i][2] * len(TURNS))])
            x += round((2 * dice[i][3] - 1) * max(min(0.4 * radius, radius - 1.15 * mark), 0))
            y, height = round(draft.places[i] - near_row(body, x)), round(draft.places[i] - draft.tops[i])
            bodies.append(body._replace(y=y, height=height))
            points.append(Point(letters[i], x, round(draft.rows[i]), len(bodies)))
        else:
            points.append(Point(letters[i], x, round(draft.rows[i])))
    return _shuffled(rng, Hall(tuple(bodies), tuple(points))) if not _hides(bodies, points, mark) else None


def unmarked(rng: np.random.Generator, level: int, colours: Sequence[str], lanes: int) -> Hall:
    """A hall without marks, with a body of each of these colours in some of so many lanes."""
    for _ in range(TRIES):
        spots = _lanes(rng, level, lanes, MARKS[level] / 1.3)
        dice = rng.random((len(colours), 6)).tolist()
        bodies = [_loose(*parts) for parts in zip(dice, colours, spots, strict=False)]
        if not _hides_much(bodies):
            return Hall(tuple(bodies))
    raise RuntimeError(f"no room for {len(colours)} things in {lanes} lanes at level {level} in {TRIES} tries")


def _lanes(rng: np.random.Generator, level: int, lanes: int, least: float) -> list[tuple[int, int]]:
    """Middles and radii of what stands in each lane, in any order."""
    width = (1000 - 2 * SIDE) / lanes
    low = 1.3 * least
    high = max(low, min(WIDEST, (0.54 if level >= OVERLAP_FROM_LEVEL else 0.42) * width))
    dice, found = rng.random((2, lanes)).tolist(), []
    for place, lane in enumerate(rng.permutation(lanes).tolist()):
        radius = low + (high - low) * dice[0][place]
        room = max(width / 2 - radius, 0.16 * width if level >= OVERLAP_FROM_LEVEL else 0.0)
        x = SIDE + width * (lane + 0.5) + room * (2 * dice[1][place] - 1)
        found.append((round(min(max(x, SIDE + radius), 1000 - SIDE - radius)), round(radius)))
    return found


def _loose(dice: Sequence[float], colour: str, spot: tuple[int, int]) -> Body:
    """A body of any form anywhere in depth, out of numbers within 0..1."""
    (x, radius), shape = spot, SHAPES[int(dice[1] * len(SHAPES))]
    y = round(FAR + (NEAR - FAR) * dice[2] - FLAT * radius)
    most = y - FLAT * radius - TOP
    height = 2 * radius if shape == "ball" else min(round(radius * (1.2 + 4.5 * dice[3] ** 2)), int(most))
    return Body(colour, shape, x, y, radius, height, TURNS[int(dice[4] * len(TURNS))])


def _hides(bodies: Sequence[Body], points: Sequence[Point], mark: float) -> bool:
    """Say whether a body stands before a mark, or before most of another body."""
    for body in bodies:
        for point in points:
            owner = bodies[point.on - 1] if point.on else None
            if owner is body:
                continue
            is_before = body.y > (point.y if owner is None else owner.y)
            if abs(body.x - point.x) < mark + (body.radius if is_before or owner is None else 0):
                return True
    return _hides_much(bodies)


def _hides_much(bodies: Sequence[Body]) -> bool:
    """Say whether a body stands before the middle of a farther one, or is as far back as a neighbour."""
    for front in bodies:
        for back in bodies:
            if front.y > back.y and abs(front.x - back.x) < front.radius + 0.35 * back.radius:
                return True
            if front is not back and front.y == back.y:
                return True
    return False


def _shuffled(rng: np.random.Generator, hall: Hall) -> Hall:
    """The same hall with its bodies and points in any order."""
    order = rng.permutation(len(hall.bodies)).tolist()
    number = {old: new for new, old in enumerate(order, 1)}
    points = [point._replace(on=number[point.on - 1]) if point.on else point for point in hall.points]
    return Hall(tuple(hall.bodies[i] for i in order), tuple(sorted(points)))
