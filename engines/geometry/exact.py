"""Plane geometry with whole numbers: what is decided, is decided exactly; lengths and angles are floats for layout.

Points are (x, y) with y downwards; a `Place` may be a float. A line a x + b y + c = 0 and a point of intersection
(x, y, w), which stands for (x / w, y / w) with w > 0, are whole numbers too, so cutting a figure never rounds.
"""

import math
from collections.abc import Sequence

Point = tuple[int, int]
Place = tuple[float, float]
Side = tuple[Point, Point]
Line = tuple[int, int, int]
Spot = tuple[int, int, int]  # x, y, w


def minus(first: Point, second: Point) -> Point:
    """The vector from `second` to `first`."""
    return first[0] - second[0], first[1] - second[1]


def dot(first: Point, second: Point) -> int:
    """The scalar product; 0 when perpendicular."""
    return first[0] * second[0] + first[1] * second[1]


def cross(first: Point, second: Point) -> int:
    """The signed area of the parallelogram; 0 when parallel, positive when the turn is clockwise as seen."""
    return first[0] * second[1] - first[1] * second[0]


def degrees_between(first: Point, second: Point) -> float:
    """The angle of two vectors, 0 to 180."""
    return math.degrees(math.atan2(abs(cross(first, second)), dot(first, second)))


def lean_between(first: Point, second: Point) -> float:
    """The angle of the lines along two vectors, 0 to 90."""
    turn = degrees_between(first, second)
    return min(turn, 180 - turn)


def nearest(at: Place, start: Place, end: Place) -> Place:
    """The place of a segment that is nearest to another place."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    share = ((at[0] - start[0]) * dx + (at[1] - start[1]) * dy) / (dx * dx + dy * dy)
    share = min(max(share, 0.0), 1.0)
    return start[0] + share * dx, start[1] + share * dy


def segment_distance(at: Place, start: Place, end: Place) -> float:
    """Distance of a place from a segment."""
    return math.dist(at, nearest(at, start, end))


def line_distance(at: Point, start: Point, end: Point) -> float:
    """Distance of a point from the endless line through two others."""
    return abs(cross(minus(end, start), minus(at, start))) / math.dist(start, end)


def on_segment(at: Point, start: Point, end: Point) -> bool:
    """Say exactly whether a point lies on a segment."""
    return cross(minus(end, start), minus(at, start)) == 0 and dot(minus(start, at), minus(end, at)) <= 0


def cross_properly(first: Side, second: Side) -> bool:
    """Say exactly whether two segments cross at one point inside both."""
    (a, b), (c, d) = first, second
    ab, cd = minus(b, a), minus(d, c)
    sides = cross(ab, minus(c, a)), cross(ab, minus(d, a)), cross(cd, minus(a, c)), cross(cd, minus(b, c))
    return sides[0] * sides[1] < 0 and sides[2] * sides[3] < 0


def meeting(first: Side, second: Side) -> Place:
    """Where the endless lines of two segments that are not parallel meet."""
    (a, b), (c, d) = first, second
    ab, cd = minus(b, a), minus(d, c)
    share = cross(minus(c, a), cd) / cross(ab, cd)
    return a[0] + share * ab[0], a[1] + share * ab[1]


def line_through(start: Point, end: Point) -> Line:
    """The endless line through two points."""
    a, b = start[1] - end[1], end[0] - start[0]
    return a, b, -a * start[0] - b * start[1]


def spot_of(first: Line, second: Line) -> Spot | None:
    """The point that two lines share, or None if they are parallel."""
    (a, b, c), (d, e, f) = first, second
    w = a * e - b * d
    if not w:
        return None
    x, y = b * f - c * e, c * d - a * f
    return (x, y, w) if w > 0 else (-x, -y, -w)


def same_spot(first: Spot, second: Spot) -> bool:
    """Say exactly whether two intersections are the same point."""
    return first[0] * second[2] == second[0] * first[2] and first[1] * second[2] == second[1] * first[2]


def place_of(spot: Spot) -> Place:
    """An intersection as floats."""
    return spot[0] / spot[2], spot[1] / spot[2]


def cut(part: Sequence[Spot], line: Line) -> list[list[Spot]]:
    """The convex part(s) into which a line cuts a convex polygon, exactly."""
    a, b, c = line
    values = [a * x + b * y + c * w for x, y, w in part]
    if min(values) >= 0 or max(values) <= 0:
        return [list(part)]
    halves: tuple[list[Spot], list[Spot]] = ([], [])
    for i, (spot, value) in enumerate(zip(part, values, strict=True)):
        after, then = part[(i + 1) % len(part)], values[(i + 1) % len(part)]
        if value >= 0:
            halves[0].append(spot)
        if value <= 0:
            halves[1].append(spot)
        if value * then < 0:
            # Weighted so that the value at the new point is 0: then - value has the sign of then.
            x, y, w = (then * p - value * q for p, q in zip(spot, after, strict=True))
            x, y, w = (x, y, w) if w > 0 else (-x, -y, -w)
            common = math.gcd(x, y, w)
            halves[0].append((x // common, y // common, w // common))
            halves[1].append(halves[0][-1])
    return list(halves)


def twice_area(points: Sequence[Point]) -> int:
    """Twice the area of a simple polygon: positive when its corners run clockwise as seen."""
    return sum(cross(a, b) for a, b in zip(points, (*points[1:], points[0]), strict=True))


def is_simple(points: Sequence[Point]) -> bool:
    """Say exactly whether the sides of a polygon meet in its corners only."""
    sides = list(zip(points, (*points[1:], points[0]), strict=True))
    for i, (a, b) in enumerate(sides):
        if any(on_segment(p, a, b) for p in points if p not in (a, b)):
            return False
        if any(cross_properly((a, b), other) for other in sides[i + 1 :]):
            return False
    return True
