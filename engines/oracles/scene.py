"""Second opinions on things on a floor: outlines built again as shapes of shapely, cut by what stands before them."""

import math
from typing import Any

from engines.base import Sample
from engines.oracles import compose

FLAT = 0.36  # height of a circle that lies on the floor, by its width
HEIGHTS = {"cylinder": 1.7, "cone": 2.2}  # in radii
HALF_CUBE, CUBE_HEIGHT = 0.8, 1.2  # in radii: half an edge, and the height
PARTLY = 0.05  # share of a thing that must be covered to count as partly hidden; the engine keeps clear of it


def rows(scene: dict[str, Any]) -> list[compose.Row]:
    """The things of a scene, for question programs."""
    names = ("colour", "shape", "size", "surface", "x")
    return [{name: thing[name] for name in names} | {"depth": 1000 - thing["y"]} for thing in scene["things"]]


def _outline(thing: dict[str, Any]):
    """The outline of a thing as a shapely polygon, in thousandths of the picture."""
    from shapely import MultiPoint, Point
    from shapely.affinity import scale
    from shapely.ops import unary_union

    x, y, r = thing["x"], thing["y"], thing["radius"]
    if thing["shape"] == "sphere":
        return Point(x, y - r * (1 - FLAT / 2)).buffer(r, quad_segs=48)
    if thing["shape"] == "cube":
        spin = complex(math.cos(math.radians(thing["turn"])), math.sin(math.radians(thing["turn"])))
        base = [spin * complex(a, b) * HALF_CUBE * r for a in (-1, 1) for b in (-1, 1)]
        corners = [(x + at.real, y - FLAT * at.imag - up) for at in base for up in (0, CUBE_HEIGHT * r)]
        return MultiPoint(corners).convex_hull
    foot = scale(Point(x, y).buffer(r, quad_segs=48), 1, FLAT)
    rise = HEIGHTS[thing["shape"]] * r
    if thing["shape"] == "cone":
        return unary_union([foot, Point(x, y - rise)]).convex_hull
    return unary_union([foot, scale(Point(x, y - rise).buffer(r, quad_segs=48), 1, FLAT)]).convex_hull


def _seen(scene: dict[str, Any]) -> list[tuple[Any, Any]]:
    """By thing: its whole outline, and the part that no nearer thing covers."""
    outlines = [_outline(thing) for thing in scene["things"]]
    found = []
    for thing, whole in zip(scene["things"], outlines, strict=True):
        part = whole
        for other, cover in zip(scene["things"], outlines, strict=True):
            if other["y"] > thing["y"]:
                part = part.difference(cover)
        found.append((whole, part))
    return found


def seen_middles(scene: dict[str, Any]) -> list[float]:
    """How far to the right the middle of what is seen of each thing lies."""
    return [part.centroid.x for _, part in _seen(scene)]


def nearest_outline(scene: dict[str, Any], colour: str) -> str:
    """The colour of the thing whose foot is nearest to that of the only thing of a colour, measured edge to edge."""
    feet = {t["colour"]: (t["x"], t["y"] / FLAT, t["radius"]) for t in scene["things"]}
    x, y, r = feet.pop(colour)
    return min(feet, key=lambda name: math.hypot(feet[name][0] - x, feet[name][1] - y) - feet[name][2] - r)


def _count(sample: Sample) -> str:
    wanted = {name: value for name, value in sample.query.items() if name != "ask"}
    return str(sum(wanted.items() <= thing.items() for thing in sample.scene["things"]))


def _ordered(sample: Sample, place: str, sign: int) -> str:
    found = [
        (sign * thing[place], thing["colour"])
        for thing in sample.scene["things"]
        if thing["shape"] == sample.query["shape"]
    ]
    return ", ".join(colour for _, colour in sorted(found))


def _covered(sample: Sample) -> str:
    return str(sum(1 - part.area / whole.area > PARTLY for whole, part in _seen(sample.scene)))


def _hider(sample: Sample) -> str:
    things = sample.scene["things"]
    (own,) = (thing for thing in things if thing["colour"] == sample.query["colour"])
    outline = _outline(own)
    before = [t for t in things if t["y"] > own["y"] and _outline(t).intersection(outline).area > PARTLY * outline.area]
    (thing,) = before
    return thing["colour"]


def _nearest(sample: Sample) -> str:
    places = {thing["colour"]: complex(thing["x"], thing["y"] / FLAT) for thing in sample.scene["things"]}
    own = places.pop(sample.query["colour"])
    return min(places, key=lambda colour: abs(places[colour] - own))


def _area(sample: Sample) -> str:
    areas = {t["colour"]: part.area for t, (_, part) in zip(sample.scene["things"], _seen(sample.scene), strict=True)}
    return max(areas, key=areas.__getitem__)


ORACLES = {
    "count": _count,
    "compose": lambda sample: compose.answer(sample.query["program"], rows(sample.scene)),
    "order": lambda sample: _ordered(sample, "x", 1),
    "depth": lambda sample: _ordered(sample, "y", -1),
    "nearest": _nearest,
    "covered": _covered,
    "hider": _hider,
    "area": _area,
}
