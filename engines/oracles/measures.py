"""Measures found by another way: sides rebuilt from what is written, shapely's areas, equations solved by SymPy."""

import math
from fractions import Fraction
from typing import Any

from engines.base import Sample

# What holds of the angles of each form, as sums that are zero. Equal radii make isosceles triangles; that is all that
# is known of circles, but that opposite corners see the whole rim and that a tangent is at right angles to its radius.
ANGLES = {
    "triangle": ("ABC + ACB + BAC - 180",),
    "isosceles": ("ABC + ACB + BAC - 180", "ABC - ACB"),
    "exterior": ("ABC + ACB + BAC - 180", "ACB + ACD - 180"),
    "quadrilateral": ("ABC + BCD + ADC + BAD - 360",),
    "bend": ("AEC - BAE - DCE",),
    "strip": ("BAD - ABC", "ABC + ACB + BAC - 180"),
    "split": ("DAB - ABC", "ADC - DAB - ABC", "ADC + ACB + CAD - 180"),
    "ladder": ("DAB - ABC", "ADC - DAB - ABC", "ADC - ACB", "ADC + ACB + CAD - 180"),
    "thales": ("BAC - ACO", "ABC - BCO", "ABC + BAC + ACO + BCO - 180"),
    "spoke": ("BAC - ACO", "BOC - BAC - ACO"),
    "centre": ("2*ACO + AOC - 180", "2*BCO + BOC - 180", "AOC + BOC + AOB - 360", "ACB - ACO - BCO"),
    "cyclic": ("2*ABC + 2*ADC - 360",),
    "kite": ("2*ABC + 2*ADC - 360", "ABC + BAC + ACB - 180"),
    "tangent": ("APO + AOP - 90",),
    "touch": ("APO + AOP - 90", "2*BAO + AOP - 180", "BAO + BAP - 90"),
}
ANGLES["chord"] = (*ANGLES["centre"], "2*BAO + AOB - 180")
# The same of the squares of lengths.
SQUARES = {
    "right": ("BC + CA - AB",),
    "double": ("BD + AD - AB", "AD + DC - CA"),
    "stair": ("AB + BC - AC", "AC + CD - DA"),
}


def _solved(equations: tuple[str, ...], known: dict[str, int], asked: str) -> Fraction:
    """The only value of one name that equations and known values leave."""
    import sympy

    sums = [sympy.sympify(text, locals={name: sympy.Symbol(name) for name in _names(text)}) for text in equations]
    sums += [sympy.Symbol(name) - value for name, value in known.items()]
    symbols = sorted({symbol for total in sums for symbol in total.free_symbols}, key=str)
    (found,) = sympy.linsolve(sums, symbols)
    value = found[symbols.index(sympy.Symbol(asked))]
    if value.free_symbols:
        raise ValueError(f"{asked} must follow from {known}")
    return Fraction(int(value.p), int(value.q))


def _names(text: str) -> set[str]:
    return {part.removeprefix("2*") for part in text.replace("-", "+").split() if part.removeprefix("2*").isalpha()}


def _figure(sample: Sample) -> str:
    form, labels = sample.scene["form"], dict(sample.scene["labels"])
    known = {name: int(text) for name, text in labels.items() if text != "x"}
    (asked,) = (name for name, text in labels.items() if text == "x")
    if form in ANGLES:
        return str(_solved(ANGLES[form], known, asked))
    if form in SQUARES:
        square = _solved(SQUARES[form], {name: number**2 for name, number in known.items()}, asked)
        return str(math.isqrt(int(square)))
    if form == "beam":
        return str(Fraction(known["AE"] * known["DB"], known["AD"]))
    return str(Fraction(known["DE"] * (known["AD"] + known["DB"]), known["AD"]))


def _rebuilt(scene: dict[str, Any]) -> tuple[list[tuple[int, int]], int]:
    """Steps around an outline of right angles from what is written, and the side that is marked x, by its place.

    Only the directions of sides are taken from the drawing. In each way steps to and fro must add up to nothing.
    """
    ring = [tuple(spot) for spot in scene["outline"]]
    written = {frozenset(((a, b), (c, d))): text for a, b, c, d, text in scene["lengths"]}
    steps: list[list[int | None]] = []
    ways, asked = [], -1
    for place, (start, end) in enumerate(zip(ring, ring[1:] + ring[:1], strict=True)):
        axis = 0 if start[1] == end[1] else 1
        text = written.get(frozenset((start, end)))
        asked = place if text == "x" else asked
        ways.append((axis, 1 if end[axis] > start[axis] else -1))
        steps.append(None if text in (None, "x") else int(text))
    for axis in (0, 1):
        own = [i for i, way in enumerate(ways) if way[0] == axis]
        unknown = [i for i in own if steps[i] is None]
        if len(unknown) > 1:
            raise ValueError(f"at most one side of a way may be unknown, got {len(unknown)}")
        total = sum(ways[i][1] * steps[i] for i in own if steps[i] is not None)
        for i in unknown:
            steps[i] = -total * ways[i][1]
        if total and not unknown:
            raise ValueError("written sides must close the outline")
    return [
        (length * sign * (axis == 0), length * sign * (axis == 1))
        for length, (axis, sign) in zip(steps, ways, strict=True)
    ], asked


def _area(sample: Sample) -> str:
    steps, _ = _rebuilt(sample.scene)
    x = y = total = 0
    for right, up in steps:
        total += y * right
        x, y = x + right, y + up
    return str(abs(total))


def _perimeter(sample: Sample) -> str:
    return str(sum(abs(right) + abs(up) for right, up in _rebuilt(sample.scene)[0]))


def _side(sample: Sample) -> str:
    steps, asked = _rebuilt(sample.scene)
    return str(sum(map(abs, steps[asked])))


def _shaded(sample: Sample) -> str:
    import shapely

    shape = shapely.Polygon(sample.scene["outline"])
    for ring in sample.scene["cuts"]:
        shape = shape.difference(shapely.Polygon(ring))
    for a, b, c, d, text in sample.scene["lengths"]:
        if math.dist((a, b), (c, d)) != int(text):
            raise ValueError(f"a length of {math.dist((a, b), (c, d))} is written {text}")
    return str(round(shape.area))


ORACLES = {
    "area": _area,
    "perimeter": _perimeter,
    "side": _side,
    "shaded": _shaded,
    "angle": _figure,
    "circle_angle": _figure,
    "right": _figure,
    "parallel": _figure,
}
