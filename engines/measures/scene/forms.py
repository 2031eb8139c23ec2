"""Forms of figures: where their points are, from whole degrees or lengths. Floating point serves drawing only."""

import math
from collections.abc import Callable
from typing import NamedTuple

Spot = tuple[float, float]  # y upwards


class Shape(NamedTuple):
    """What is drawn of a form."""

    points: dict[str, Spot]
    lines: tuple[str, ...]  # "AB"
    equal: tuple[str, ...] = ()  # lines that bear one short stroke: they are as long as each other
    parallel: tuple[str, ...] = ()  # lines that bear an arrow
    right: tuple[str, ...] = ()  # right angles that are marked
    circle: float = 0.0  # its radius around O


class Form(NamedTuple):
    """A kind of figure."""

    make: Callable[..., Shape]
    words: str
    steps: int  # of reasoning


def _ray(degrees: float, length: float = 1.0, start: Spot = (0.0, 0.0)) -> Spot:
    angle = math.radians(degrees)
    return start[0] + length * math.cos(angle), start[1] + length * math.sin(angle)


def _apex(b: int, c: int) -> Spot:
    """The top of a triangle over a side from (0, 0) to (1, 0) with these angles."""
    length = math.sin(math.radians(c)) / math.sin(math.radians(b + c))
    return _ray(b, length)


def _triangle(b: int, c: int) -> Shape:
    return Shape({"A": _apex(b, c), "B": (0, 0), "C": (1, 0)}, ("AB", "BC", "CA"))


def _isosceles(b: int) -> Shape:
    return _triangle(b, b)._replace(equal=("AB", "CA"))


def _exterior(b: int, c: int) -> Shape:
    shape = _triangle(b, c)
    return shape._replace(points=shape.points | {"D": (1.5, 0)}, lines=("AB", "BC", "CA", "CD"))


def _quadrilateral(a: int, b: int, d: int) -> Shape:
    """Angles at A, B and D; AB is 1 long, AD 0.9."""
    corner = _ray(a, 0.9)
    toward = a - 180 + d  # direction of DC
    # D + s * u meets B + t * v.
    ux, uy = _ray(toward)
    vx, vy = _ray(180 - b)
    s = ((1 - corner[0]) * vy + corner[1] * vx) / (ux * vy - uy * vx)
    third = (corner[0] + s * ux, corner[1] + s * uy)
    return Shape({"A": (0, 0), "B": (1, 0), "C": third, "D": corner}, ("AB", "BC", "CD", "DA"))


def _bend(p: int, q: int) -> Shape:
    """Parallels AB and CD, and E between them, to which A and C lead."""
    right = 0.5 / math.tan(math.radians(p))
    left = right - 0.5 / math.tan(math.radians(q))
    points = {"A": (0, 1), "B": (right + 0.55, 1), "C": (left, 0), "D": (right + 0.55, 0), "E": (right, 0.5)}
    return Shape(points, ("AB", "CD", "AE", "CE"), parallel=("AB", "CD"))


def _strip(b: int, c: int) -> Shape:
    """A triangle between parallels: DE passes through A."""
    top = _apex(b, c)
    points = {"A": top, "B": (0, 0), "C": (1, 0), "D": (top[0] - 0.6, top[1]), "E": (top[0] + 0.6, top[1])}
    return Shape(points, ("AB", "CA", "BC", "DA", "AE"), parallel=("DA", "BC"))


def _split(b: int, c: int) -> Shape:
    """D on BC is as far from A as from B."""
    top = _apex(b, c)
    foot = math.hypot(*top) / (2 * math.cos(math.radians(b)))
    points = {"A": top, "B": (0, 0), "C": (1, 0), "D": (foot, 0)}
    return Shape(points, ("AB", "CA", "BD", "DC", "AD"), equal=("AD", "BD"))


def _ladder(b: int) -> Shape:
    """As `split`, and AC is as long again."""
    return _split(b, 2 * b)._replace(equal=("AD", "BD", "CA"))


def _thales(a: int) -> Shape:
    points = {"A": (-1, 0), "B": (1, 0), "C": _ray(2 * a), "O": (0, 0)}
    return Shape(points, ("AB", "CA", "BC"), circle=1)


def _spoke(a: int) -> Shape:
    return _thales(a)._replace(lines=("AB", "CA", "BC", "OC"))


def _centre(g: int, lean: int) -> Shape:
    points = {"A": _ray(270 - g), "B": _ray(270 + g), "C": _ray(90 + lean), "O": (0, 0)}
    return Shape(points, ("OA", "OB", "CA", "BC"), circle=1)


def _chord(g: int, lean: int) -> Shape:
    return _centre(g, lean)._replace(lines=("OA", "OB", "AB", "CA", "BC"))


def _cyclic(b: int, lean: int) -> Shape:
    """ABCD around a circle, with angle b at B."""
    points = {"A": _ray(90 + b), "B": _ray(270 + lean), "C": _ray(90 - b), "D": _ray(90 + lean), "O": (0, 0)}
    # From A over D to C is the arc that B sees: it has 2 b degrees.
    return Shape(points, ("AB", "BC", "CD", "DA"), circle=1)


def _kite(p: int, q: int) -> Shape:
    """ABCD around a circle with diagonal AC, angles p at A and q at C beside it."""
    shape = _cyclic(180 - p - q, q - p)
    return shape._replace(lines=("AB", "BC", "CD", "DA", "CA"))


def _tangent(p: int) -> Shape:
    far = 1 / math.sin(math.radians(p))
    points = {"O": (0, 0), "A": _ray(90 - p), "P": (far, 0)}
    return Shape(points, ("OA", "AP", "OP"), circle=1)


def _touch(p: int) -> Shape:
    """A tangent PA with angle 2 p at P, and B where OP meets the circle."""
    shape = _tangent(2 * p)
    return shape._replace(points=shape.points | {"B": (1, 0)}, lines=("OA", "AP", "OP", "AB"))


def _right(a: int, b: int) -> Shape:
    return Shape({"A": (0, b), "B": (a, 0), "C": (0, 0)}, ("AB", "BC", "CA"), right=("ACB",))


def _double(p: int, q: int, h: int) -> Shape:
    points = {"A": (0, h), "B": (-p, 0), "C": (q, 0), "D": (0, 0)}
    return Shape(points, ("AB", "CA", "BD", "DC", "AD"), right=("ADB",))


def _stair(a: int, b: int, d: int) -> Shape:
    """ABC is right at B, and ACD at C."""
    long = math.hypot(a, b)
    corner = (-d * b / long, b + d * a / long)
    points = {"A": (-a, 0), "B": (0, 0), "C": (0, b), "D": corner}
    return Shape(points, ("AB", "BC", "CA", "CD", "DA"), right=("ABC", "ACD"))


def _beam(a: int, b: int, c: int, x: int, angle: int) -> Shape:
    """Rays from A: D and B at a and a + b on one, E and C at c and c + x on the other."""
    points = {"A": (0, 0), "D": (a, 0), "B": (a + b, 0), "E": _ray(angle, c), "C": _ray(angle, c + x)}
    return Shape(points, ("AD", "DB", "AE", "EC", "DE", "BC"), parallel=("DE", "BC"))


def _base(a: int, b: int, c: int, m: int) -> Shape:
    """As `beam`, by the lengths AD, DB, AE and DE."""
    angle = math.degrees(math.acos((a * a + c * c - m * m) / (2 * a * c)))
    return _beam(a, b, c, 0, 0)._replace(
        points={
            "A": (0, 0),
            "D": (a, 0),
            "B": (a + b, 0),
            "E": _ray(angle, c),
            "C": _ray(angle, c * (a + b) / a),
        }
    )


FORMS = {
    "triangle": Form(_triangle, "A triangle ABC.", 1),
    "isosceles": Form(_isosceles, "A triangle ABC, AB as long as AC.", 2),
    "exterior": Form(_exterior, "A triangle ABC; BC goes on to D.", 2),
    "quadrilateral": Form(_quadrilateral, "A quadrilateral ABCD.", 2),
    "bend": Form(_bend, "AB and CD are parallel; E lies between them; lines AE and CE.", 3),
    "strip": Form(_strip, "A triangle ABC; DE is parallel to BC and passes through A.", 3),
    "split": Form(_split, "A triangle ABC with D on BC; AD is as long as BD.", 4),
    "ladder": Form(_ladder, "A triangle ABC with D on BC; AD, BD and AC are equally long.", 5),
    "thales": Form(_thales, "A, B and C on a circle with centre O, which lies on AB.", 1),
    "spoke": Form(_spoke, "A, B and C on a circle with centre O, which lies on AB; line OC.", 2),
    "centre": Form(_centre, "A, B and C on a circle with centre O; lines OA, OB, AC, BC.", 2),
    "chord": Form(_chord, "A, B and C on a circle with centre O; lines OA, OB, AB, AC, BC.", 4),
    "cyclic": Form(_cyclic, "ABCD has its corners on a circle.", 2),
    "kite": Form(_kite, "ABCD has its corners on a circle; line AC.", 3),
    "tangent": Form(_tangent, "PA touches a circle with centre O at A; line OP.", 2),
    "touch": Form(_touch, "PA touches a circle with centre O at A; OP meets the circle at B; line AB.", 5),
    "right": Form(_right, "A triangle ABC with a right angle at C.", 1),
    "double": Form(_double, "A triangle ABC with D on BC; AD is at right angles to BC.", 2),
    "stair": Form(_stair, "ABC has a right angle at B, ACD has one at C.", 2),
    "beam": Form(_beam, "D lies on AB and E on AC; DE and BC are parallel.", 2),
    "base": Form(_base, "D lies on AB and E on AC; DE and BC are parallel.", 3),
}
