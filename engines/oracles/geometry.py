"""Second opinions on geometry pictures: figures rebuilt from the scene's JSON with shapely, SymPy or complex numbers,
and questions answered by measuring all candidates instead of by construction."""

import cmath
import functools
import math

import cv2
import numpy as np

from engines.base import Sample
from engines.oracles import geometry_figures as figures

SLACK = 1e-6  # of distances that are 0 by construction
FRAME = 448


def _at(mark: dict) -> complex:
    return complex(*mark["at"])


def _by_letter(sample: Sample) -> dict[str, complex]:
    return {mark["letter"]: _at(mark) for mark in sample.scene["marks"] if mark["letter"]}


def _named(mark: dict) -> str:
    return mark["letter"] or mark["colour"]


def _ends(shape: dict) -> tuple[complex, complex]:
    first, last = shape["points"]
    return complex(*first), complex(*last)


def _of(sample: Sample, kind: str) -> list[dict]:
    return [shape for shape in sample.scene["shapes"] if shape["kind"] == kind]


def _only(found: list):
    """The one thing that was found."""
    if len(found) != 1:
        raise ValueError(f"one must qualify, got {found!r}")
    return found[0]


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def _segments(sample: Sample) -> dict[str, tuple[complex, complex]]:
    """Segments by the letters at their ends, in the order of the alphabet."""
    letters = {at: letter for letter, at in _by_letter(sample).items()}
    found = {}
    for shape in _of(sample, "segment"):
        ends = _ends(shape)
        if all(end in letters for end in ends):
            found["".join(sorted(letters[end] for end in ends))] = ends
    return found


# Angles


def _asked_angle(sample: Sample) -> dict:
    query, angles = sample.query, sample.scene["angles"]
    if "colour" in query:
        return _only([angle for angle in angles if angle["colour"] == query["colour"]])
    if "name" in query:
        points = _by_letter(sample)
        return _only([angle for angle in angles if complex(*angle["vertex"]) == points[query["name"][1]]])
    return _only(angles)


def _squares(angle: dict) -> tuple[float, float, float]:
    """Squared lengths of the two arms and of what is between their ends."""
    a, b, c = (complex(*angle[key]) for key in ("first", "second", "vertex"))
    return abs(a - c) ** 2, abs(b - c) ** 2, abs(a - b) ** 2


def _angle(sample: Sample) -> str:
    one, two, across = _squares(_asked_angle(sample))
    excess = round(one) + round(two) - round(across)
    return "right" if excess == 0 else "acute" if excess > 0 else "obtuse"


def _angle_size(sample: Sample) -> str:
    one, two, across = _squares(_asked_angle(sample))
    return str(round(math.degrees(math.acos((one + two - across) / (2 * math.sqrt(one * two))))))


def _measure(sample: Sample) -> str:
    """The number as written, if it is also true to the drawing: one scale for all sides, angles by the cosine rule."""
    points = _by_letter(sample)
    if "corner" in sample.query:
        at = points[sample.query["corner"]]
        angle = _only([a for a in sample.scene["angles"] if complex(*a["vertex"]) == at])
        one, two, across = _squares(angle)
        if abs(math.degrees(math.acos((one + two - across) / (2 * math.sqrt(one * two)))) - int(angle["note"])) > 0.51:
            raise ValueError("the angle is not as written")
        return angle["note"]
    notes = [({complex(*n["start"]), complex(*n["end"])}, int(n["text"])) for n in sample.scene["notes"]]
    lows = [(number - 0.51) / abs(np.subtract(*ends)) for ends, number in notes]
    highs = [(number + 0.51) / abs(np.subtract(*ends)) for ends, number in notes]
    if max(lows) > min(highs):
        raise ValueError("no scale fits the written lengths")
    asked = {points[letter] for letter in sample.query["side"]}
    return str(_only([number for ends, number in notes if ends == asked]))


# Straight lines


def _longest(sample: Sample) -> str:
    if sample.query["by"] == "colour":
        lengths = {shape["colour"]: abs(np.subtract(*_ends(shape))) for shape in _of(sample, "segment")}
    else:
        lengths = {name: abs(a - b) for name, (a, b) in _segments(sample).items()}
    first, second, *_ = sorted(lengths.values(), reverse=True)
    if first < 1.1 * second:
        raise ValueError("two are of nearly the same length")
    return max(lengths, key=lengths.__getitem__)


def _lie(one: tuple[complex, complex], other: tuple[complex, complex]) -> str:
    """How two lines lie, by the quotient of their directions: real, imaginary, or neither by 5 degrees at least."""
    quotient = (one[1] - one[0]) * (other[1] - other[0]).conjugate()
    if quotient.imag == 0 or quotient.real == 0:
        return "parallel" if quotient.imag == 0 else "perpendicular"
    turn = math.degrees(cmath.phase(quotient)) % 90
    if min(turn, 90 - turn) < 5:
        raise ValueError(f"{turn} degrees are too near to parallel or perpendicular")
    return "neither"


def _relation(sample: Sample) -> str:
    lines = {shape["colour"]: _ends(shape) for shape in _of(sample, "segment")}
    return _lie(lines[sample.query["one"]], lines[sample.query["other"]])


def _parallel(sample: Sample) -> str:
    lines = {shape["letter"]: _ends(shape) for shape in _of(sample, "segment")}
    asked = lines.pop(sample.query["line"])
    turns = {name: _slope_gap(asked, line) for name, line in lines.items()}
    if any(SLACK < turn < 6 for turn in turns.values()):
        raise ValueError("a line is nearly parallel")
    return _listed([name for name, turn in turns.items() if turn < SLACK])


def _slope_gap(one: tuple[complex, complex], other: tuple[complex, complex]) -> float:
    """Degrees between two lines, 0 to 90."""
    turns = [math.degrees(cmath.phase(b - a)) % 180 for a, b in (one, other)]
    gap = abs(turns[0] - turns[1])
    return min(gap, 180 - gap)


def _perpendicular(sample: Sample) -> str:
    lines = _segments(sample)
    asked = lines.pop(sample.query["line"])
    turns = {name: 90 - _slope_gap(asked, line) for name, line in lines.items()}
    if any(SLACK < turn < 6 for turn in turns.values()):
        raise ValueError("a line is nearly perpendicular")
    return _only([name for name, turn in turns.items() if turn < SLACK])


def _tick_partner(sample: Sample) -> str:
    letters = {at: letter for letter, at in _by_letter(sample).items()}
    ticks = {}
    for note in sample.scene["notes"]:
        name = "".join(sorted(letters[complex(*note[end])] for end in ("start", "end")))
        ticks[name] = note["ticks"]
    asked = ticks.pop(sample.query["side"])
    return _only([name for name, count in ticks.items() if count == asked])


# Points


def _stroke(shape: dict):
    from shapely import LinearRing, LineString

    return LineString(shape["points"]) if shape["kind"] == "segment" else LinearRing(shape["points"])


def _off(at: complex, shape: dict) -> float:
    """Distance of a point from a stroke."""
    from shapely import Point

    if shape["kind"] == "circle":
        return abs(abs(at - complex(*shape["points"][0])) - shape["radius"])
    return _stroke(shape).distance(Point(at.real, at.imag))


def _lying_on(sample: Sample, shape: dict, besides: str = "") -> list[str]:
    """Names of the points on a stroke; all others are clearly off it."""
    gaps = {_named(mark): _off(_at(mark), shape) for mark in sample.scene["marks"] if _named(mark) not in besides}
    if any(SLACK < gap < 5 for gap in gaps.values()):
        raise ValueError("a point is nearly on the stroke")
    return [name for name, gap in gaps.items() if gap <= SLACK]


def _on(sample: Sample) -> str:
    kind = {"line": "segment", "circle": "circle"}[sample.query["shape"]]
    return _only(_lying_on(sample, _only([s for s in _of(sample, kind) if s["colour"] == sample.query["colour"]]), "-"))


def _points_on_line(sample: Sample) -> str:
    return _listed(_lying_on(sample, _only(_of(sample, "segment")), sample.query["line"]))


def _points_on_circle(sample: Sample) -> str:
    return _listed(_lying_on(sample, _only(_of(sample, "circle"))))


def _special(sample: Sample) -> str:
    """The lettered point that is nearest to where the definition puts it, which it meets; no other comes near."""
    points, query = _by_letter(sample), sample.query
    given = set(query.get("name", "") + query.get("other", "") + query.get("top", ""))
    if query["kind"] == "midpoint":
        goal = sum(points[letter] for letter in query["name"]) / 2
    elif query["kind"] == "centre":
        goal = complex(*_only(_of(sample, "circle"))["points"][0])
    else:
        goal = _solved(points, query)
    gaps = sorted((abs(at - goal), letter) for letter, at in points.items() if letter not in given)
    if gaps[0][0] > SLACK or gaps[1][0] < 10:
        raise ValueError(f"just one point must be there, got {gaps[:2]}")
    return gaps[0][1]


def _solved(points: dict[str, complex], query: dict) -> complex:
    """Where two lines meet, or a perpendicular ends, by linear equations."""
    a, b = (points[letter] for letter in query["name"])
    if query["kind"] == "crossing":
        c, d = (points[letter] for letter in query["other"])
    else:
        c = points[query["top"]]
        d = c + (b - a) * 1j
    system = np.array([[(b - a).real, (c - d).real], [(b - a).imag, (c - d).imag]])
    share, _ = np.linalg.solve(system, [(c - a).real, (c - a).imag])
    return a + share * (b - a)


# Circles


@functools.cache
def _common(centre: tuple[int, int], radius: int, start: tuple[int, int], end: tuple[int, int]) -> int:
    """Common points of a circle and a segment: whole solutions of the quadratic by its discriminant, then by shares."""
    (x, y), (p, q) = np.subtract(end, start).tolist(), np.subtract(start, centre).tolist()
    a, b, c = x * x + y * y, x * p + y * q, p * p + q * q - radius * radius
    discriminant = b * b - a * c
    if discriminant < 0:
        return 0
    roots = {(-b + sign * math.sqrt(discriminant)) / a for sign in (-1, 1)}
    if discriminant and (min(roots) < 0.005 or max(roots) > 0.995) and any(0 < root < 1 for root in roots):
        raise ValueError("a line ends at the circle")
    return sum(0 < root < 1 for root in roots)


def _contacts(sample: Sample) -> list[tuple[dict, int]]:
    circle = _only(_of(sample, "circle"))
    centre = tuple(circle["points"][0])
    return [(line, _common(centre, circle["radius"], *map(tuple, line["points"]))) for line in _of(sample, "segment")]


def _line_circle(sample: Sample) -> str:
    return str(sum(count for _, count in _contacts(sample)))


def _tangent(sample: Sample) -> str:
    return _only([line for line, count in _contacts(sample) if count == 1])[sample.query["by"]]


def _circle_circle(sample: Sample) -> str:
    circles = {shape["colour"]: shape for shape in _of(sample, "circle")}
    one, other = circles[sample.query["one"]], circles[sample.query["other"]]
    (x, y), r, s = np.subtract(one["points"][0], other["points"][0]).tolist(), one["radius"], other["radius"]
    square = x * x + y * y
    if square in ((r + s) ** 2, (r - s) ** 2):
        return "touching"
    return "apart" if square > (r + s) ** 2 else "inside" if square < (r - s) ** 2 else "crossing"


def _circle_part(sample: Sample) -> str:
    """The segment that the definition fits, out of all with letters at their ends."""
    circle, kind = _only(_of(sample, "circle")), sample.query["kind"]
    centre, radius = complex(*circle["points"][0]), circle["radius"]

    def kind_of(a: complex, b: complex) -> str:
        ends = [abs(abs(end - centre) - radius) < SLACK for end in (a, b)]
        if all(ends):
            return "diameter" if abs(abs(a - b) - 2 * radius) < SLACK else "chord"
        if any(ends):
            return "radius" if centre in (a, b) else "other"
        nearest = abs(((centre - a) * (b - a).conjugate()).imag) / abs(b - a)
        return "tangent" if abs(nearest - radius) < SLACK else "secant" if nearest < radius - 5 else "other"

    return _only([name for name, ends in _segments(sample).items() if kind_of(*ends) == kind])


def _painted(shape: dict) -> np.ndarray:
    """The inside of a shape, painted: uint8 [448, 448]."""
    paper = np.zeros((FRAME, FRAME), np.uint8)
    if shape["kind"] == "circle":
        cv2.circle(paper, shape["points"][0], shape["radius"], 1, -1)
    else:
        cv2.fillPoly(paper, [np.array(shape["points"], np.int32)], 1)
    return paper


def _around(sample: Sample) -> list[str]:
    x, y = _only(sample.scene["marks"])["at"]
    return [shape["colour"] for shape in sample.scene["shapes"] if _painted(shape)[y, x]]


ORACLES = {
    "angle": _angle,
    "angle_size": _angle_size,
    "measure": _measure,
    "longest": _longest,
    "relation": _relation,
    "parallel": _parallel,
    "perpendicular": _perpendicular,
    "tick_partner": _tick_partner,
    "on_line": _on,
    "on_circle": _on,
    "points_on_line": _points_on_line,
    "points_on_circle": _points_on_circle,
    "special": _special,
    "circle_part": _circle_part,
    "line_circle": _line_circle,
    "tangent": _tangent,
    "circle_circle": _circle_circle,
    "containing": lambda sample: _listed(_around(sample)),
    "inside": lambda sample: _only(_around(sample)),
    **figures.ORACLES,
}
