"""Questions about special points and lines: midpoint, perpendicular's foot, centre, crossing; diameter, chord, tangent.

What is asked for is built exactly; then every other lettered point or segment is held against the definition, in whole
numbers, and must fail it by a margin.
"""

import itertools
import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.geometry.exact import Point, Side, cross, dot, minus, on_segment, segment_distance
from engines.geometry.layout import (
    CIRCLES,
    DIRECTIONS,
    LETTERS,
    MAX_TRIES,
    Room,
    line_in,
    pick,
    some,
    spread,
    units,
    whole,
)
from engines.geometry.questions.make import fitted, letters, mixed, name_of, posed
from engines.geometry.scene import FRAME, INK, GeometryScene, Mark, Shape
from engines.marks import Apart

SIZES = (140, 140, 168, 224, 224, 224, 280, 280, 336, 336)
PART_SIZES = (168, 168, 224, 224, 224, 280, 280, 280, 336, 336)
OFF_PX = 12.0  # at 448 px: a foil is so far from where it would qualify
EDGE = 50

# By level.
FOILS = (2, 2, 3, 3, 3, 4, 4, 5, 5, 6)
KINDS = (2, 2, 3, 3, 4, 4, 4, 4, 4, 4)  # of `SPECIAL`, the first ones
PARTS = (2, 2, 3, 3, 3, 4, 4, 4, 5, 5)  # of `PART_NAMES` drawn in one circle

SPECIAL = ("midpoint", "centre", "crossing", "foot")
TEXTS = {
    "midpoint": (
        "Which point is the midpoint of {name}?",
        "Which point lies halfway from {first} to {last}?",
        "Find the midpoint of segment {name}.",
        "Which letter marks the middle of {name}?",
    ),
    "centre": (
        "Which point is the centre of the circle?",
        "Which letter marks the centre of the circle?",
        "Find the centre of the circle.",
        "The middle of the circle is which point?",
    ),
    "crossing": (
        "At which point do {name} and {other} cross?",
        "Which point lies on both {name} and {other}?",
        "Find the point that {name} and {other} share.",
        "Which letter marks where {name} meets {other}?",
    ),
    "foot": (
        "Which point is the foot of the perpendicular from {top} to {name}?",
        "From {top} to which point on {name} is the line perpendicular?",
        "Which line from {top} meets {name} at a right angle? Give its other end.",
        "Find the point on {name} where the perpendicular from {top} ends.",
    ),
}


def holds(kind: str, at: Point, given: tuple) -> bool:
    """Say exactly whether a point is what is asked for."""
    if kind == "midpoint":
        (a, b) = given
        return 2 * at[0] == a[0] + b[0] and 2 * at[1] == a[1] + b[1]
    if kind == "centre":
        return at == given[0]
    if kind == "crossing":
        return all(on_segment(at, *side) for side in given)
    (a, b), top = given
    return cross(minus(b, a), minus(at, a)) == 0 and dot(minus(b, a), minus(top, at)) == 0


def pose_special(rng: np.random.Generator, level: int) -> Posed:
    """The one point that is the midpoint, the centre, the crossing or the foot; foils nearly are."""
    kind = SPECIAL[int(rng.integers(KINDS[level]))]
    apart = units(level, 27 if level < 3 else 34, SIZES)
    for _ in range(MAX_TRIES):
        built = BUILD[kind](rng, level, apart)
        if built is None:
            continue
        shapes, named, answer_at, foils, given = built
        missing, taken = FOILS[level] - len(foils), [*named, answer_at, *foils]
        more = spread(rng, missing, EDGE, apart, taken, _free(shapes, apart / 2))
        if more is None:
            continue
        foils = [*foils, *more]
        if any(holds(kind, at, given) for at in (*named, *foils)) or not holds(kind, answer_at, given):
            continue
        names = letters(rng, len(named) + 1 + len(foils))
        marks = [Mark(at, letter) for at, letter in zip([*named, answer_at, *foils], names, strict=True)]
        margins = tuple(Apart(at, answer_at, OFF_PX) for at in foils)
        scene = fitted(GeometryScene(shapes, mixed(rng, marks), margins=margins), level, SIZES)
        if scene is None:
            continue
        words, query = _words(kind, names), {"ask": "special", "kind": kind}
        answer = Answer.choice(names[len(named)], sorted(names[len(named) :]))
        query |= {key: word for key, word in words.items() if key in ("name", "other", "top")}
        return posed(rng, TEXTS[kind], words, scene, answer, 1 / (len(LETTERS) - len(named)), query)
    raise RuntimeError(f"no room for a {kind} at level {level}")


def _words(kind: str, names: list[str]) -> dict[str, str]:
    if kind == "centre":
        return {}
    first, last = sorted(names[:2])
    words = {"name": first + last, "first": first, "last": last}
    if kind == "crossing":
        words["other"] = name_of(names[2:4])
    if kind == "foot":
        words["top"] = names[2]
    return words


def _free(shapes: tuple[Shape, ...], gap: float):
    return lambda at: all(shape.distance(at) >= gap for shape in shapes)


def _frame(inset: int) -> Room:
    return Room(0, 0, FRAME, FRAME)._replace(x=inset, y=inset, width=FRAME - 2 * inset, height=FRAME - 2 * inset)


def _stops(rng: np.random.Generator, line: Side, apart: float, count: int, taken: list[Point]) -> list[Point]:
    """Up to `count` further whole points on a segment, apart from each other and from those taken."""
    (a, b), found = line, []
    step = minus(b, a)
    parts = math.gcd(*step)
    for i in rng.permutation(np.arange(1, parts)).tolist():
        at = (a[0] + step[0] // parts * i, a[1] + step[1] // parts * i)
        if len(found) < count and all(math.dist(at, other) >= apart for other in (a, b, *taken, *found)):
            found.append(at)
    return found


def _midpoint(rng: np.random.Generator, level: int, apart: float):
    step = pick(rng, DIRECTIONS)
    line = line_in(rng, (2 * step[0], 2 * step[1]), _frame(EDGE), 0)
    (a, b) = line
    middle = ((a[0] + b[0]) // 2, (a[1] + b[1]) // 2)
    foils = _stops(rng, line, apart, 1 if level < 3 else 2, [middle])
    if math.dist(a, b) < 3.2 * apart or not foils:
        return None
    return (Shape("segment", line, INK),), [a, b], middle, foils, line


def _centre(rng: np.random.Generator, level: int, apart: float):
    radius = whole(rng, max(110, int(1.8 * apart)), 180)
    low, high = radius + 24, FRAME - radius - 24
    at = whole(rng, low, high), whole(rng, low, high)
    circle = Shape("circle", (at,), INK, radius)
    angle, away = math.tau * rng.random(), apart * (1.05 + 0.2 * rng.random())
    foil = round(at[0] + away * math.cos(angle)), round(at[1] + away * math.sin(angle))
    foils = [foil] if circle.distance(foil) >= 0.4 * apart else []
    return (circle,), [], at, foils, (at,)


def _crossing(rng: np.random.Generator, level: int, apart: float):
    at = whole(rng, 160, FRAME - 160), whole(rng, 160, FRAME - 160)
    steps = some(rng, DIRECTIONS, 2)
    if abs(cross(*steps)) < 0.5 * math.hypot(*steps[0]) * math.hypot(*steps[1]):
        return None
    lines = []
    for step in steps:
        size = math.hypot(*step)
        low = math.ceil(1.3 * apart / size)
        back, on = whole(rng, low, low + int(90 / size)), whole(rng, low, low + int(90 / size))
        ends = (at[0] - step[0] * back, at[1] - step[1] * back), (at[0] + step[0] * on, at[1] + step[1] * on)
        if not all(EDGE <= value <= FRAME - EDGE for end in ends for value in end):
            return None
        lines.append(ends)
    foils = [stop for line in lines for stop in _stops(rng, line, apart, 1, [at])][: FOILS[level]]
    if not foils or any(math.dist(a, b) < apart for a, b in itertools.pairwise(foils)):
        return None
    return tuple(Shape("segment", line, INK) for line in lines), [*lines[0], *lines[1]], at, foils, tuple(lines)


def _foot(rng: np.random.Generator, level: int, apart: float):
    step = pick(rng, DIRECTIONS)
    line = line_in(rng, step, _frame(EDGE), 0)
    (a, b), size = line, math.hypot(*step)
    feet = _stops(rng, line, apart, 3, [])
    if len(feet) < 2 or math.dist(a, b) < 3.4 * apart:
        return None
    least = math.ceil(1.6 * apart / size)
    foot, up = feet[0], pick(rng, (-1, 1)) * whole(rng, least, max(least, int(230 / size)))
    top = foot[0] - step[1] * up, foot[1] + step[0] * up
    if not all(EDGE <= value <= FRAME - EDGE for value in top):
        return None
    foils = feet[1 : 1 + min(2, FOILS[level])]
    shapes = [Shape("segment", line, INK), *(Shape("segment", (top, at), INK) for at in (foot, *foils))]
    return tuple(shapes), [a, b, top], foot, foils, (line, top)


BUILD = {"midpoint": _midpoint, "centre": _centre, "crossing": _crossing, "foot": _foot}

PART_NAMES = ("diameter", "radius", "chord", "tangent", "secant")
PART_TEXTS = (
    "Which segment is a {kind} of the circle? Name its ends.",
    "Name the {kind} of the circle by its two letters.",
    "Find the {kind} and give its two ends.",
    "Which two letters are the ends of the {kind}?",
)
CHORD_TEXTS = (
    "Which segment is a chord, but no diameter? Name its ends.",
    "Name the chord that is no diameter by its two letters.",
    "Find the chord that misses the centre and give its ends.",
    "Which two letters are the ends of the chord that is no diameter?",
)


def pose_circle_part(rng: np.random.Generator, level: int) -> Posed:
    """The segment that is a diameter, a radius, a chord, a tangent or a secant of the circle."""
    kinds = _part_kinds(rng, level)
    apart = units(level, 26 if level < 3 else 30, PART_SIZES)
    for _ in range(MAX_TRIES):
        radius = pick(rng, (130, 145) if level < 6 else (125, 130, 145))
        low, high = radius + 60, FRAME - radius - 60
        centre = whole(rng, low, high), whole(rng, low, high)
        sides: list[Side] = []
        points = [centre]
        for kind in kinds:
            for _ in range(12):
                side = _part(rng, kind, centre, radius)
                new = [end for end in side if end != centre]
                inside = all(EDGE <= value <= FRAME - EDGE for end in new for value in end)
                if inside and all(math.dist(a, b) >= apart for a in new for b in points):
                    break
            else:
                break
            points += new
            sides.append(side)
        if len(sides) < len(kinds):
            continue
        near = 0.4 * apart
        passed = [at for side in sides for at in points if at not in side and segment_distance(at, *side) < near]
        if passed != [centre] * ("diameter" in kinds):  # no segment goes past a letter that is not its own
            continue
        names = dict(zip(points, letters(rng, len(points)), strict=True))
        shapes = (Shape("circle", (centre,), INK, radius), *(Shape("segment", side, INK) for side in sides))
        scene = GeometryScene(shapes, mixed(rng, [Mark(*item) for item in names.items()]))
        scene = fitted(scene, level, PART_SIZES)
        if scene is None:
            continue
        texts, words = CHORD_TEXTS if kinds[0] == "chord" else PART_TEXTS, {"kind": kinds[0]}
        answer = Answer.name(name_of([names[end] for end in sides[0]]))
        return posed(rng, texts, words, scene, answer, 0.01, {"ask": "circle_part", "kind": kinds[0]})
    raise RuntimeError(f"no room for {kinds} at level {level}")


def _part_kinds(rng: np.random.Generator, level: int) -> list[str]:
    """What is drawn in one circle, the first of it asked for: no diameter beside a radius, which its halves are too."""
    asked, *others = mixed(rng, PART_NAMES[: max(3, PARTS[level])])
    if asked == "radius":
        others = [kind if kind != "diameter" else "chord" for kind in others]
    return [asked, *others][: PARTS[level]]


def _part(rng: np.random.Generator, kind: str, centre: Point, radius: int) -> Side:
    """A segment of a kind, exactly; chords keep away from the centre."""
    (x, y), (dx, dy) = centre, pick(rng, CIRCLES[radius])
    at = x + dx, y + dy
    if kind == "diameter":
        return at, (x - dx, y - dy)
    if kind == "radius":
        return centre, at
    if kind == "tangent":
        common = math.gcd(dx, dy)
        step = -dy // common, dx // common
        times = max(1, round((70 + 40 * rng.random()) / math.hypot(*step)))
        return (at[0] - step[0] * times, at[1] - step[1] * times), (at[0] + step[0] * times, at[1] + step[1] * times)
    others = [(p, q) for p, q in CIRCLES[radius] if -0.6 * radius**2 < p * dx + q * dy < 0.45 * radius**2]
    p, q = pick(rng, others)
    end = x + p, y + q
    if kind == "chord":
        return at, end
    # A secant goes on beyond both points by whole steps of its own direction.
    step = minus(end, at)
    common = math.gcd(*step)
    unit = step[0] // common, step[1] // common
    times = max(1, round((30 + 25 * rng.random()) / math.hypot(*unit)))
    return (at[0] - unit[0] * times, at[1] - unit[1] * times), (end[0] + unit[0] * times, end[1] + unit[1] * times)
