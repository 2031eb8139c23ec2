"""Second opinions on marked points: outlines built again as shapes of shapely, and what lies under each mark found."""

import math
from typing import Any

from engines.base import Sample

FLAT = 0.36  # height of a circle that lies on the floor, by its width: the sine of the angle from which it is seen
HALF_BOX = 0.8  # half an edge of a box, in radii


def _foot(thing: dict[str, Any]):
    """What a thing covers of the floor, as it is seen."""
    from shapely import MultiPoint, Point
    from shapely.affinity import scale

    x, y, r = thing["x"], thing["y"], thing["radius"]
    if thing["shape"] != "box":
        return scale(Point(x, y).buffer(r, quad_segs=90), 1, FLAT)
    spin = complex(math.cos(math.radians(thing["turn"])), math.sin(math.radians(thing["turn"])))
    corners = [spin * complex(a, b) * HALF_BOX * r for a in (-1, 1) for b in (-1, 1)]
    return MultiPoint([(x + at.real, y + FLAT * at.imag) for at in corners]).convex_hull


def outline(thing: dict[str, Any]):
    """The outline of a thing as a shapely polygon, in thousandths of the picture."""
    from shapely import Point
    from shapely.affinity import translate

    x, y, r = thing["x"], thing["y"], thing["radius"]
    if thing["shape"] == "ball":
        return Point(x, y - r * (1 - FLAT / 2)).buffer(r, quad_segs=90)
    foot = _foot(thing)
    lid = Point(x, y - thing["height"]) if thing["shape"] == "cone" else translate(foot, 0, -thing["height"])
    return foot.union(lid).convex_hull


def place(scene: dict[str, Any], at: tuple[float, float]) -> float:
    """The row of the floor over which the near side lies that is seen at a position; on the bare floor its own."""
    from shapely import LineString, Point

    before = [thing for thing in scene["things"] if outline(thing).contains(Point(at))]
    if not before:
        return float(at[1])
    thing = max(before, key=lambda thing: thing["y"])
    return LineString([(at[0], -1000), (at[0], 2000)]).intersection(_foot(thing)).bounds[3]


def _order(scene: dict[str, Any], lift: float = 0.0) -> list[str]:
    """The letters of the points from near to far; `lift` says how much nearer a point is for each unit of height."""
    found = []
    for point in scene["points"]:
        row = place(scene, (point["x"], point["y"]))
        found.append((row + lift * (row - point["y"]), point["letter"]))
    return [letter for _, letter in sorted(found, reverse=True)]


def answer(sample: Sample, order: list[str]) -> str:
    """The answer to a question about points in an order from near to far."""
    ask = sample.query["ask"]
    if ask == "order_points":
        return ", ".join(order)
    if ask == "count_nearer":
        return str(order.index(sample.query["letter"]))
    if ask == "nearer_of_two":
        return min(sample.query["letters"], key=order.index)
    return order[{"nearest_point": 0, "second_nearest": 1, "farthest_point": -1}[ask]]


def from_the_eye(sample: Sample) -> str:
    """The answer if distance is measured from the eye, far away and above, and not along the floor."""
    return answer(sample, _order(sample.scene, FLAT**2 / (1 - FLAT**2)))


def _point(sample: Sample) -> str:
    return answer(sample, _order(sample.scene))


def _nearest_parts(scene: dict[str, Any], lift: float = 0.0) -> list[tuple[float, str]]:
    """Where the part of each thing is that comes nearest, and its colour, from near to far."""
    found = []
    for thing in scene["things"]:
        foot = _foot(thing).bounds[3] if thing["shape"] != "ball" else thing["y"] + FLAT * thing["radius"]
        found.append((foot + lift * thing["height"], thing["colour"]))
    return sorted(found, reverse=True)


def _thing(sample: Sample, lift: float = 0.0) -> str:
    order = _nearest_parts(sample.scene, lift)
    return order[0 if sample.query["ask"] == "nearest_thing" else -1][1]


def thing_from_the_eye(sample: Sample) -> str:
    """The colour if distance is measured from the eye to the upper end of each thing, and not along the floor."""
    return _thing(sample, FLAT**2 / (1 - FLAT**2))


def _count(sample: Sample) -> str:
    colours = [thing["colour"] for thing in sample.scene["things"]]
    return str(colours.count(sample.query["colour"]) if "colour" in sample.query else len(colours))


THINGS = ("nearest_thing", "farthest_thing")
POINTS = ("nearest_point", "farthest_point", "nearer_of_two", "order_points", "second_nearest", "count_nearer")
ORACLES = {**dict.fromkeys(POINTS, _point), "count_things": _count, "count_colour": _count}
ORACLES |= dict.fromkeys(THINGS, _thing)
