"""Questions about circles: common points with lines, the one tangent, how two circles lie, what contains a dot."""

import math
from typing import NamedTuple

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Place, Point, cross, dot, minus
from engines.geometry.layout import (
    CIRCLES,
    CLEAR_COLOURS,
    COLOURS,
    EDGE,
    LETTERS,
    MAX_TRIES,
    PLAIN,
    Room,
    closed,
    pick,
    rooms,
    some,
    units,
    whole,
    within,
)
from engines.geometry.questions.make import beside, fitted, letters, mixed, posed, subset
from engines.geometry.scene import FRAME, INK, GeometryScene, Mark, Shape, common_points, contains
from engines.marks import Apart

CIRCLE_RELATIONS = ("apart", "touching", "crossing", "inside")
RADII = (85, 100, 125)
TANGENT_SIZES = (112, 112, 140, 168, 168, 224, 224, 280, 280, 280)

# By level.
GAP_PX = (10, 9, 8, 8, 7, 7, 6, 6, 5, 5)  # in the smallest picture, from a touch to what is none
LINES = (1, 1, 2, 2, 2, 3, 3, 3, 4, 4)
CANDIDATES = (2, 3, 3, 4, 4, 4, 5, 5, 6, 6)
RINGS = (2, 2, 2, 3, 3, 3, 4, 4, 5, 5)
NESTED = (2, 2, 3, 3, 3, 4, 4, 4, 5, 5)
INSIDE = (2, 2, 2, 2, 2, 3, 3, 3, 4, 4)


class _Rim(NamedTuple):
    """How lines are laid around a circle."""

    gap: float  # units from a touch to what is none
    reach: tuple[float, float]  # units that a line goes on beyond its common points
    nearest: float  # least distance of a line that cuts the circle from its centre, in radii


def _hit(rng: np.random.Generator, circle: Shape, foot: Point, points: int, rim: _Rim) -> Shape | None:
    """A segment with so many points in common with a circle (1 is a touch), or None if it leaves the frame.

    Its middle part is nearest to the centre, towards `foot`, a whole point of the circle relative to the centre.
    """
    (x, y), radius, gap = circle.points[0], circle.radius, rim.gap
    common = math.gcd(*foot)
    step, size = (-foot[1] // common, foot[0] // common), radius / common
    share = 1.0
    if points == 0:
        share = 1 + (gap + (20 + gap) * rng.random()) / radius
    elif points == 2:
        most = 1 - 1.15 * gap / radius
        share = min(rim.nearest, most) + max(most - rim.nearest, 0) * rng.random()
    near = x + round(foot[0] * share), y + round(foot[1] * share)
    least = rim.reach[0] + (math.sqrt(1 - share**2) * radius + gap if points == 2 else gap)
    one, two = (math.ceil((least + (rim.reach[1] - rim.reach[0]) * part) / size) for part in rng.random(2).tolist())
    start, end = (near[0] - step[0] * one, near[1] - step[1] * one), (near[0] + step[0] * two, near[1] + step[1] * two)
    is_inside = all(EDGE <= value <= FRAME - EDGE for value in (*start, *end))
    return Shape("segment", (start, end), INK) if is_inside else None


def touches(line: Shape, circle: Shape) -> bool:
    """Say exactly whether the endless line through a segment touches a circle."""
    (start, end), centre = line.points, circle.points[0]
    step = minus(end, start)
    return cross(step, minus(centre, start)) ** 2 == circle.radius**2 * dot(step, step)


def _meets(rng: np.random.Generator, wanted: list[int], rim: _Rim):
    """A circle and a segment for each number of common points, which do not cross near the circle; or None."""
    gap, radius = rim.gap, pick(rng, RADII)
    low, high = EDGE + radius + int(gap) + 12, FRAME - EDGE - radius - int(gap) - 12
    circle = Shape("circle", ((whole(rng, low, high), whole(rng, low, high)),), INK, radius)
    around = sorted(CIRCLES[radius], key=lambda at: math.atan2(at[1], at[0]))
    start, share = int(rng.integers(len(around))), len(around) / len(wanted)
    lines: list[Shape] = []
    met: list[Place] = []
    for i, number in enumerate(wanted):  # each line faces its own sector of the circle
        for _ in range(8):
            foot = around[(start + int((i + rng.random()) * share)) % len(around)]
            new = _hit(rng, circle, foot, number, rim)
            if new is None or (number != 1 and touches(new, circle)):
                continue
            places = _common(new, circle, number)
            crossings = [place for other in lines for place in common_points(new, other)]
            is_clear = all(circle.distance(place) > 2 * gap for place in crossings) and _spread(new, lines, 1.5 * gap)
            if is_clear and all(math.dist(a, b) > 2 * gap for a in places for b in met):
                break
        else:
            return None
        lines.append(new)
        met += places
    return circle, lines


def _spread(new: Shape, lines: list[Shape], gap: float) -> bool:
    """Say whether a segment's ends are off the other segments, and theirs off it."""
    return all(
        min(min(other.distance(end) for end in new.points), min(new.distance(end) for end in other.points)) > gap
        for other in lines
    )


def _common(line: Shape, circle: Shape, number: int) -> list[tuple[float, float]]:
    if number == 1:
        (x, y), (start, end) = circle.points[0], line.points
        step = minus(end, start)
        share = dot(step, (x - start[0], y - start[1])) / dot(step, step)
        return [(start[0] + share * step[0], start[1] + share * step[1])]
    return common_points(line, circle)


def _gaps(circle: Shape, lines: list[Shape], numbers: list[int]) -> tuple[Apart, ...]:
    """Margins: what misses the circle is off it, and what cuts it does so at two points apart."""
    found = []
    (x, y) = circle.points[0]
    for line, number in zip(lines, numbers, strict=True):
        if number == 0:
            at = Shape("segment", line.points, INK).nearest((x, y))
            found.append(Apart(at, circle.nearest(at), 5.0))
        elif number == 2:
            at = line.nearest((x, y))
            found.append(Apart(at, circle.nearest(at), 5.0))
    return tuple(found)


ONE_LINE = (
    "In how many points does the line meet the circle?",
    "How many points do the line and the circle share?",
    "Count the points that the line has in common with the circle.",
    "How often does the line touch or cross the circle?",
)
SOME_LINES = (
    "In how many points do the lines meet the circle? A touch counts once.",
    "How many points of the circle lie on a line? A touch is one point.",
    "Count the points that the lines have in common with the circle, one for a touch.",
    "How often do the lines cross or touch the circle in all? Count each common point.",
)


def pose_line_circle(rng: np.random.Generator, level: int) -> Posed:
    """How many points lines have in common with a circle: none, one or two each."""
    count, gap = LINES[level], max(units(level, GAP_PX[level]), 6.5)
    wanted = whole(rng, 0, 2 * count)
    for _ in range(MAX_TRIES):
        numbers = [pick(rng, (0, 1, 2)) for _ in range(count - 1)]
        last = wanted - sum(numbers)
        if not 0 <= last <= 2:
            continue
        numbers.append(last)
        found = _meets(rng, numbers, _Rim(gap, (14, 50), 0.1))
        if found:
            break
    else:
        raise RuntimeError(f"no {wanted} common points at level {level}")
    circle, lines = found
    colours = some(rng, COLOURS, count + 1)
    shapes = [shape._replace(colour=colour) for shape, colour in zip((circle, *lines), colours, strict=True)]
    scene = GeometryScene(tuple(shapes), margins=_gaps(circle, lines, numbers))
    texts, rate = ONE_LINE if count == 1 else SOME_LINES, 1 / (2 * count + 1)
    return posed(rng, texts, {}, scene, Answer.integer(wanted), rate, {"ask": "line_circle"})


TANGENT = (
    "Which line is tangent to the circle?",
    "Which line touches the circle in just one point?",
    "One line is a tangent of the circle. Which one?",
    "Find the line that only touches the circle.",
)
TANGENT_COLOUR = tuple(f"{text} Give its colour." for text in TANGENT)


def pose_tangent(rng: np.random.Generator, level: int) -> Posed:
    """The one line that touches the circle; others cut or miss it. By colour up to level 1, by letter above."""
    count, by_colour = CANDIDATES[level], level < 2
    gap = max(units(level, GAP_PX[level], TANGENT_SIZES), 6.5)
    for _ in range(MAX_TRIES):
        numbers = [1, *(pick(rng, (0, 0, 2)) for _ in range(count - 1))]
        found = _meets(rng, numbers, _Rim(gap, (26, 48), 0.65))
        if found is None:
            continue
        circle, lines = found
        margins = _gaps(circle, lines, numbers)
        if by_colour:
            colours = some(rng, COLOURS[:CLEAR_COLOURS], count)
            lines = [line._replace(colour=colour) for line, colour in zip(lines, colours, strict=True)]
            scene = GeometryScene((circle, *mixed(rng, lines)), margins=margins)
            answer, rate = Answer.word(colours[0], COLOURS[:CLEAR_COLOURS]), 1 / CLEAR_COLOURS
            return posed(rng, TANGENT_COLOUR, {}, scene, answer, rate, {"ask": "tangent", "by": "colour"})
        names = letters(rng, count)
        lines = [line._replace(letter=letter) for line, letter in zip(lines, names, strict=True)]
        scene = fitted(GeometryScene((circle, *mixed(rng, lines)), margins=margins), level, TANGENT_SIZES)
        if scene:
            answer, query = Answer.choice(names[0], sorted(names)), {"ask": "tangent", "by": "letter"}
            return posed(rng, TANGENT, {}, scene, answer, 1 / len(LETTERS), query)
    raise RuntimeError(f"no tangent among {count} lines at level {level}")


TWO_CIRCLES = (
    "The {one} and the {other} circle: apart, touching (also from inside), crossing, or inside without a touch?",
    "Are the {one} and {other} circles apart, touching (also from inside), crossing, or one inside without touching?",
    "How do the {one} and {other} circles lie: apart, touching (also from inside), crossing, or inside untouched?",
    "Choose for the {one} and {other} circles: apart, touching (also from inside), crossing, or inside untouched.",
)
SLOPES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (20, 21, 29), (1, 0, 1), (0, 1, 1))


def pose_circle_circle(rng: np.random.Generator, level: int) -> Posed:
    """How two circles lie; a touch is exact, from outside or from inside."""
    relation, count = pick(rng, CIRCLE_RELATIONS), RINGS[level]
    gap = max(GAP_PX[level] * FRAME / PLAIN[level], 6.5)
    colours = some(rng, COLOURS[:CLEAR_COLOURS], count)
    for _ in range(MAX_TRIES):
        pair = _two_circles(rng, relation, gap)
        if pair is None:
            continue
        shapes = [Shape("circle", (at,), colour, r) for (at, r), colour in zip(pair, colours, strict=False)]
        for colour in colours[2:]:
            for _ in range(30):
                radius = whole(rng, 40, 75)
                low, high = EDGE + radius, FRAME - EDGE - radius
                at = whole(rng, low, high), whole(rng, low, high)
                slack = [_slack(at, radius, shape.points[0], shape.radius) for shape in shapes]
                if min(slack) >= gap and min(math.dist(at, shape.points[0]) for shape in shapes) > 2 * gap:
                    shapes.append(Shape("circle", (at,), colour, radius))
                    break
        if len(shapes) == count:
            break
    else:
        raise RuntimeError(f"no circles that are {relation} at level {level}")
    one, other = sorted(colours[:2])
    margins = () if relation == "touching" else (_ring_gap(*shapes[:2]),)
    query = {"ask": "circle_circle", "one": one, "other": other}
    scene = GeometryScene(mixed(rng, shapes), margins=margins)
    answer = Answer.word(relation, CIRCLE_RELATIONS)
    return posed(rng, TWO_CIRCLES, {"one": one, "other": other}, scene, answer, 1 / 4, query)


def _slack(at: Point, radius: float, other: Point, other_radius: float) -> float:
    """How far two circles are from touching, from outside or from inside."""
    between = math.dist(at, other)
    return min(abs(between - radius - other_radius), abs(between - abs(radius - other_radius)))


def _two_circles(rng: np.random.Generator, relation: str, gap: float):
    """Two circles in a relation, as (centre, radius), or None."""
    first, second = whole(rng, 60, 150), whole(rng, 45, 130)
    a, b, size = pick(rng, SLOPES)
    if relation == "apart":
        between = first + second + gap * (1 + 1.2 * rng.random())
    elif relation == "touching":
        outside = bool(rng.integers(2))
        times = max(1, round((first + second if outside else max(first - second, 35)) / size))
        between = size * times
        second = between - first if outside else first - between
    elif relation == "crossing":
        low, high = abs(first - second) + gap, first + second - gap
        between = low + (high - low) * rng.random()
    else:
        first = max(first, 90)
        second = min(second, int(first - gap) - 8)
        between = (first - second - gap) * rng.random()
    if second < 30:
        return None
    times = between / size
    ways = (a, b) if rng.integers(2) else (b, a)
    step = tuple(round(part * times) * pick(rng, (-1, 1)) for part in ways)
    at = []
    for part in step:
        low = EDGE + max(first, second - part)
        high = FRAME - EDGE - max(first, second + part)
        if low > high:
            return None
        at.append(whole(rng, low, high))
    centre = at[0] + step[0], at[1] + step[1]
    slack = _slack(tuple(at), first, centre, second)
    is_right = slack == 0 if relation == "touching" else slack >= gap - 1
    return ((tuple(at), first), (centre, second)) if is_right else None


def _ring_gap(one: Shape, other: Shape) -> Apart:
    """The margin of two circles that do not touch: where they come nearest to it, on the line of the centres."""
    (x, y), (p, q) = one.points[0], other.points[0]
    away = math.dist((x, y), (p, q))
    ux, uy = ((p - x) / away, (q - y) / away) if away else (1.0, 0.0)
    ends = [
        ((x + a * one.radius * ux, y + a * one.radius * uy), (p + b * other.radius * ux, q + b * other.radius * uy))
        for a, b in ((1, -1), (1, 1), (-1, -1))
    ]
    return Apart(*min(ends, key=lambda pair: math.dist(*pair)), 5.0)


CONTAINING = (
    "Which shapes have the dot inside? Give all their colours.",
    "Inside which shapes is the dot? List their colours.",
    "List the colours of all shapes that contain the dot.",
    "Give the colours of the shapes around the dot, all of them.",
)


def pose_containing(rng: np.random.Generator, level: int) -> Posed:
    """All shapes that have the dot inside; shapes overlap."""
    count, gap = NESTED[level], max(units(level, 7), 7.0)
    number = subset(rng, count, count)
    for _ in range(MAX_TRIES):
        at, shapes = (whole(rng, 120, FRAME - 120), whole(rng, 120, FRAME - 120)), []
        colours = some(rng, COLOURS, count)
        for i, colour in enumerate(colours):
            for _ in range(20):
                side = whole(rng, 150, 300)
                low = EDGE, FRAME - EDGE - side
                new = closed(rng, Room(whole(rng, *low), whole(rng, *low), side, side), colour)
                if contains(new, at) == (i < number) and new.distance(at) >= gap:
                    shapes.append(new)
                    break
        if len(shapes) == count:
            break
    else:
        raise RuntimeError(f"no {count} shapes around a dot at level {level}")
    scene = GeometryScene(mixed(rng, shapes), (Mark(at),), margins=beside([at], shapes))
    answer = Answer.set_of(colours[:number], COLOURS)
    rate = 1 / count / math.comb(len(COLOURS), 1)
    return posed(rng, CONTAINING, {}, scene, answer, rate, {"ask": "containing"})


INSIDE_TEXTS = (
    "Which shape has the dot inside? Give its colour.",
    "What colour is the shape around the dot?",
    "The dot lies inside which shape? Give the colour.",
    "Find the colour of the shape that contains the dot.",
)


def pose_inside(rng: np.random.Generator, level: int) -> Posed:
    """The one shape that has the dot inside; shapes stand apart."""
    count, gap = INSIDE[level], units(level, 7)
    colours = some(rng, COLOURS[:CLEAR_COLOURS], count)
    for _ in range(MAX_TRIES):
        shapes = [closed(rng, room, colour) for room, colour in zip(rooms(rng, count), colours, strict=True)]
        at = within(rng, shapes[0], gap)
        if at:
            break
    else:
        raise RuntimeError(f"no room in the {colours[0]} shape at level {level}")
    scene = GeometryScene(mixed(rng, shapes), (Mark(at),), margins=beside([at], shapes))
    answer = Answer.word(colours[0], COLOURS[:CLEAR_COLOURS])
    return posed(rng, INSIDE_TEXTS, {}, scene, answer, 1 / CLEAR_COLOURS, {"ask": "inside"})
