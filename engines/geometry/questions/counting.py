"""Questions that count: crossings, sides, triangles, and the parts into which lines cut a shape."""

import itertools
import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Line, Point, Spot, cut, line_through, place_of, same_spot, spot_of
from engines.geometry.layout import (
    CIRCLES,
    COLOURS,
    EDGE,
    GROUPS,
    MAX_TRIES,
    aimed,
    is_clear,
    pick,
    place_on,
    polygon,
    rooms,
    some,
    units,
    whole,
)
from engines.geometry.questions.make import clear_colours, mixed, posed
from engines.geometry.scene import FRAME, GeometryScene, Shape, common_points
from engines.marks import Apart

TRIANGLE_SIZES = (112, 112, 112, 168, 168, 224, 224, 224, 280, 280)
PART_SIZES = (112, 112, 112, 168, 168, 224, 224, 280, 280, 336)

# By level.
MOST_SIDES = (6, 6, 7, 7, 7, 8, 8, 9, 9, 10)
CROSSED = (2, 3, 3, 3, 4, 4, 4, 5, 5, 6)  # segments of the crossing count
CROSSED_REACH = (190, 170, 160, 150, 130, 120, 110, 110, 105, 100)  # units that a segment goes on beyond a crossing
MOST_CROSSINGS = (1, 2, 2, 3, 3, 4, 5, 6, 6, 7)
MOST_TRIANGLES = (3, 6, 8, 9, 10, 12, 15, 18, 21, 27)
CHORDS = ((1, 2), (1, 3), (1, 3), (2, 4), (2, 4), (3, 5), (3, 5), (3, 6), (4, 6), (4, 6))
CUTS = (2, 2, 2, 3, 3, 4, 4, 4, 5, 5)

SIDES = (
    "What is the number of sides of {name}?",
    "Count the sides of {name}.",
    "How many sides does {name} have?",
    "Give the number of sides of {name}.",
)


def pose_sides(rng: np.random.Generator, level: int) -> Posed:
    """Number of sides of a polygon."""
    count, most = GROUPS[level], MOST_SIDES[level]
    numbers, colours = [whole(rng, 3, most) for _ in range(count)], clear_colours(rng, count)
    filled, dented = bool(rng.integers(2)), level >= 6
    shapes = [
        Shape("polygon", polygon(rng, number, room, int(dented and number > 5)), colour, filled=filled)
        for number, room, colour in zip(numbers, rooms(rng, count), colours, strict=True)
    ]
    name = f"the {colours[0]} shape" if count > 1 else "the shape"
    query = {"ask": "sides"} | ({"colour": colours[0]} if count > 1 else {})
    scene = GeometryScene(mixed(rng, shapes))
    return posed(rng, SIDES, {"name": name}, scene, Answer.integer(numbers[0]), 1 / (most - 2), query)


CROSSINGS = (
    "In how many points do the lines cross?",
    "Count the points where lines cross.",
    "How many crossing points do the lines have?",
    "How many points are there where lines cross?",
)
WITH_CIRCLE = (
    "In how many points does a line cross another line or the circle?",
    "Count all points where a line crosses another line or the circle.",
    "How many crossing points are there, of lines with lines and of lines with the circle?",
    "Count the crossings of lines with each other and with the circle, all together.",
)


def pose_crossings(rng: np.random.Generator, level: int) -> Posed:
    """Number of points where the drawn lines (from level 6 with a circle) cross."""
    count, most, is_circle = CROSSED[level], MOST_CROSSINGS[level], level >= 6
    wanted = whole(rng, 0, most)
    for _ in range(MAX_TRIES):
        shapes: list[Shape] = []
        if is_circle:
            centre = whole(rng, 160, FRAME - 160), whole(rng, 160, FRAME - 160)
            shapes.append(Shape("circle", (centre,), pick(rng, COLOURS), whole(rng, 80, 130)))
        missing = wanted
        for left in range(count - 1, -1, -1):
            most_here = min(missing, 2, len(shapes) + is_circle)
            hits = whole(rng, min(max(0, missing - 2 * left), most_here), most_here)
            new = _crossing(rng, level, shapes, hits)
            if new is None:
                break
            shapes.append(new)
            missing -= hits
        if not missing and len(shapes) == count + is_circle:
            break
    else:
        raise RuntimeError(f"no {count} lines with {wanted} crossings at level {level}")
    texts = WITH_CIRCLE if is_circle else CROSSINGS
    scene, answer = GeometryScene(tuple(shapes)), Answer.integer(wanted)
    return posed(rng, texts, {}, scene, answer, 1 / (most + 1), {"ask": "crossings"})


def _crossing(rng: np.random.Generator, level: int, shapes: list[Shape], hits: int) -> Shape | None:
    """A segment that crosses the shapes in so many points (at most two, through which it is aimed), or None."""
    gap, apart = units(level, 7), units(level, 10)
    for _ in range(40):
        targets = some(rng, shapes, hits) if hits <= len(shapes) else shapes * hits
        through = [place_on(rng, target) for target in targets]
        new = aimed(rng, through, CROSSED_REACH[level], pick(rng, COLOURS))
        if new and is_clear(new, shapes, gap, apart) and sum(len(common_points(new, s)) for s in shapes) == hits:
            return new
    return None


def triangles(lines: list[Line], inside: list[tuple[Point, Point]]) -> int:
    """How many triples of segments meet pairwise in three different points, exactly."""
    spots: dict[tuple[int, int], Spot] = {}
    for (i, (one, ends)), (j, (other, others)) in itertools.combinations(enumerate(zip(lines, inside, strict=True)), 2):
        spot = spot_of(one, other)
        if spot and _reaches(spot, ends) and _reaches(spot, others):
            spots[i, j] = spot
    found = 0
    for i, j, k in itertools.combinations(range(len(lines)), 3):
        three = [spots.get(pair) for pair in ((i, j), (i, k), (j, k))]
        found += all(three) and not any(same_spot(a, b) for a, b in itertools.combinations(three, 2))
    return found


def _reaches(spot: Spot, ends: tuple[Point, Point]) -> bool:
    (x, y, w), ((a, b), (c, d)) = spot, ends
    return min(a, c) * w <= x <= max(a, c) * w and min(b, d) * w <= y <= max(b, d) * w


def _cevians(count: int, other: int, across: int) -> int:
    """Triangles in a triangle with lines from one corner, from another one, and parallel to the first's side.

    In general position; lines from the second corner and parallels do not go together here.
    """
    if not other:
        return math.comb(count + 2, 2) * (across + 1)
    a, b = count + 1, other + 1
    return a * b * (a + b) // 2


FIGURES = [(a, b, 0) for a in range(4) for b in range(1, 4) if a and a + b <= 4]
FIGURES += [(a, 0, p) for a in range(4) for p in range(3)]
BY_NUMBER = {n: [f for f in FIGURES if _cevians(*f) == n] for n in sorted({_cevians(*f) for f in FIGURES})}
BY_NUMBER = {n: found for n, found in BY_NUMBER.items() if n <= 27}

TRIANGLES = (
    "How many triangles are in the figure? Count those made of several parts too.",
    "Count all triangles in the figure, small ones and those made of parts.",
    "How many triangles can you find in the figure, in all sizes?",
    "How many triangles have all three sides drawn? Count all sizes.",
)


def pose_triangles(rng: np.random.Generator, level: int) -> Posed:
    """Number of triangles, of all sizes, in a triangle with lines from its corners or parallel to a side."""
    most = MOST_TRIANGLES[level]
    numbers = [n for n in BY_NUMBER if most // 3 <= n <= most]
    wanted = pick(rng, numbers)
    figure = pick(rng, BY_NUMBER[wanted])
    gap = units(level, 9, TRIANGLE_SIZES)
    for _ in range(MAX_TRIES):
        sides = _figure(rng, *figure)
        if sides is None:
            continue
        lines = [line_through(*side) for side in sides]
        places = _meetings(lines, sides)
        if min((math.dist(a, b) for a, b in itertools.combinations(places, 2)), default=gap) < gap:
            continue
        if triangles(lines, sides) == wanted:
            break
    else:
        raise RuntimeError(f"no figure {figure} with {wanted} triangles at level {level}")
    colour = pick(rng, COLOURS)
    shapes = tuple(Shape("segment", side, colour) for side in mixed(rng, sides))
    scene = GeometryScene(shapes, margins=_apart(places))
    return posed(rng, TRIANGLES, {}, scene, Answer.integer(wanted), 1 / len(numbers), {"ask": "triangles"})


def _figure(rng: np.random.Generator, count: int, other: int, across: int) -> list[tuple[Point, Point]] | None:
    """The sides of a triangle whose corners differ by multiples of 12, and lines between whole points of its sides."""
    unit = 12 if not across else 24
    span = (FRAME - 2 * EDGE - 4) // unit
    nodes = rng.integers(0, span + 1, size=(3, 2)).tolist()
    a, b, c = ((EDGE + 2 + unit * x, EDGE + 2 + unit * y) for x, y in nodes)
    twice = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
    longest = max(math.dist(a, b), math.dist(b, c), math.dist(c, a))
    if twice < 62000 or twice / longest < 190:
        return None
    sides = [(a, b), (b, c), (c, a)]
    sides += [(a, _stop(b, c, unit, share)) for share in _shares(rng, count, unit)]
    sides += [(b, _stop(c, a, unit, share)) for share in _shares(rng, other, unit)]
    for share in _shares(rng, across, unit):
        sides.append((_stop(a, b, unit, share), _stop(a, c, unit, share)))
    return [side if rng.integers(2) else side[::-1] for side in sides]


def _shares(rng: np.random.Generator, count: int, unit: int) -> list[int]:
    """Different places along a side, in unit-ths, spread out."""
    cuts = [(i + 1 + 0.5 * (rng.random() - 0.5)) / (count + 1) for i in range(count)]
    return [min(max(round(unit * share), 2), unit - 2) for share in cuts]


def _stop(start: Point, end: Point, unit: int, share: int) -> Point:
    return start[0] + (end[0] - start[0]) // unit * share, start[1] + (end[1] - start[1]) // unit * share


def _meetings(lines: list[Line], sides: list[tuple[Point, Point]]) -> list[tuple[float, float]]:
    """Different points in which two of the sides meet; equal ones are taken once, exactly."""
    found: list[Spot] = []
    for (one, ends), (other, others) in itertools.combinations(zip(lines, sides, strict=True), 2):
        spot = spot_of(one, other)
        is_met = spot and _reaches(spot, ends) and _reaches(spot, others)
        if is_met and not any(same_spot(spot, old) for old in found):
            found.append(spot)
    return [place_of(spot) for spot in found]


def _apart(places: list[tuple[float, float]]) -> tuple[Apart, ...]:
    """The margin of the two meeting points that are nearest to each other."""
    pairs = sorted(itertools.combinations(places, 2), key=lambda pair: math.dist(*pair))
    return tuple(Apart(*pair, 5.0) for pair in pairs[:3])


REGIONS = (
    "Into how many parts do the lines cut the circle?",
    "Count the parts into which the circle is cut.",
    "How many parts does the circle have, as cut by the lines?",
    "The lines divide the disc. Into how many parts?",
)


def pose_regions(rng: np.random.Generator, level: int) -> Posed:
    """Number of parts into which chords cut a circle: one more than chords and crossings together."""
    low, high = CHORDS[level]
    gap, reach = units(level, 10), 1 + high + min(high, math.comb(high, 2))
    wanted = whole(rng, low + 1, reach)
    for _ in range(MAX_TRIES):
        chords = whole(rng, low, high)
        crossings = wanted - 1 - chords
        if not 0 <= crossings <= math.comb(chords, 2):
            continue
        radius = pick(rng, (170, 195))
        centre = whole(rng, EDGE + radius, FRAME - EDGE - radius), whole(rng, EDGE + radius, FRAME - EDGE - radius)
        shapes = _chords(rng, centre, radius, chords, crossings, gap)
        if shapes:
            break
    else:
        raise RuntimeError(f"no circle in {wanted} parts at level {level}")
    colours = some(rng, COLOURS, 2)
    circle = Shape("circle", (centre,), colours[0], radius)
    lines = tuple(Shape("segment", chord, colours[1]) for chord in shapes)
    places = [place for a, b in itertools.combinations(lines, 2) for place in common_points(a, b)]
    scene = GeometryScene((circle, *lines), margins=_apart(places))
    rate = 1 / (reach - low)
    return posed(rng, REGIONS, {}, scene, Answer.integer(wanted), rate, {"ask": "regions"})


def _chords(rng, centre: Point, radius: int, count: int, crossings: int, gap: float):
    """Chords between whole points of a circle with so many crossings, all clear of each other, or None."""
    (x, y), rim = centre, CIRCLES[radius]
    shapes: list[Shape] = []
    places: list[tuple[float, float]] = []
    for i in range(count):
        for _ in range(14):
            (a, b), (c, d) = pick(rng, rim), pick(rng, rim)
            new = Shape("segment", ((x + a, y + b), (x + c, y + d)), "")
            if math.dist((a, b), (c, d)) < 0.9 * radius:
                continue
            if any(math.dist(p, q) < 1.6 * gap for other in shapes for p in new.points for q in other.points):
                continue
            met = [place for other in shapes for place in common_points(new, other)]
            left = crossings - len(places) - len(met)
            if left < 0 or left > math.comb(count, 2) - math.comb(i + 1, 2):
                continue
            if all(math.dist(p, q) >= 1.5 * gap for k, p in enumerate(met) for q in (*places, *met[:k])):
                shapes.append(new)
                places += met
                break
        else:
            return None
    return [shape.points for shape in shapes] if len(places) == crossings else None


KINDS = {"triangles": 3, "quadrilaterals": 4, "pentagons": 5}
RANGES = {  # how many parts of a kind are asked for, by the number of cuts: what comes up often enough
    2: {"triangles": (0, 2), "quadrilaterals": (0, 2)},
    3: {"triangles": (1, 3), "quadrilaterals": (0, 4)},
    4: {"triangles": (2, 4), "quadrilaterals": (1, 5), "pentagons": (0, 2)},
    5: {"triangles": (2, 5), "quadrilaterals": (2, 6), "pentagons": (0, 3)},
}
PARTS = (
    "Lines cut the shape into parts. How many of the parts are {kind}?",
    "How many of the parts of the shape are {kind}?",
    "Count the {kind} among the parts into which the shape is cut.",
    "The shape is cut into parts. How many are {kind}? Do not join parts.",
)


def pose_part_shapes(rng: np.random.Generator, level: int) -> Posed:
    """How many of the parts of a cut quadrilateral have three (four, five) corners; parts are found exactly."""
    kind = pick(rng, tuple(RANGES[CUTS[level]]))
    low, high = RANGES[CUTS[level]][kind]
    wanted = whole(rng, low, high)
    gap = units(level, 9, PART_SIZES)
    for _ in range(MAX_TRIES):
        corners = _quadrilateral(rng)
        sides = list(zip(corners, (*corners[1:], corners[0]), strict=True))
        chords, parts = _cuts(rng, sides, CUTS[level], gap)
        if chords and sum(len(part) == KINDS[kind] for part in parts) == wanted:
            break
    else:
        raise RuntimeError(f"no {wanted} {kind} in {CUTS[level]} cuts at level {level}")
    colours = some(rng, COLOURS, 2)
    shapes = (Shape("polygon", corners, colours[0]), *(Shape("segment", chord, colours[1]) for chord in chords))
    ends = [tuple(place_of(spot)) for part in parts for spot in part]
    scene = GeometryScene(shapes, margins=_apart(list(dict.fromkeys(ends))))
    rate = 1 / (high - low + 1)
    return posed(rng, PARTS, {"kind": kind}, scene, Answer.integer(wanted), rate, {"ask": "part_shapes", "kind": kind})


def _quadrilateral(rng: np.random.Generator) -> tuple[Point, ...]:
    """A convex quadrilateral whose corners differ by multiples of 12, clockwise as seen."""
    low, high = EDGE, EDGE + 12 * ((FRAME - 2 * EDGE) // 12)
    play = 12 * rng.integers(0, 8, size=8)
    a, b, c, d, e, f, g, h = play.tolist()
    return (low + a, low + b), (high - c, low + d), (high - e, high - f), (low + g, high - h)


def _cuts(rng, sides, count: int, gap: float):
    """Cuts between whole points of different sides, and the parts that they leave; nothing if any is too small."""
    chords: list[tuple[Point, Point]] = []
    parts: list[list[Spot]] = [[(x, y, 1) for (x, y), _ in sides]]
    for _ in range(5 * count):
        one, other = some(rng, range(4), 2)
        ends = tuple(_stop(*sides[i], 12, whole(rng, 1, 11)) for i in (one, other))
        if any(math.dist(p, q) < 1.6 * gap for old in chords for p in ends for q in old):
            continue
        line = line_through(*ends)
        new: list[list[Spot]] = []
        for part in parts:
            pieces = cut(part, line)
            if len(pieces) > 1 and not all(_is_wide(piece, gap) for piece in pieces):
                break
            new += pieces
        else:
            chords.append(ends)
            parts = new
        if len(chords) == count:
            return chords, parts
    return [], []


def _is_wide(part: list[Spot], gap: float) -> bool:
    """Say whether neighbouring corners of a part are apart, and the part is no sliver."""
    twice, (x, y) = 0.0, place_of(part[-1])
    for spot in part:
        p, q = place_of(spot)
        if abs(p - x) + abs(q - y) < 1.4 * gap:
            return False
        twice += x * q - y * p
        x, y = p, q
    return abs(twice) > 6 * gap * gap
