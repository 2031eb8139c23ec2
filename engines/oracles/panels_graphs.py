"""Second opinions on graphs, clouds, courses and maps: areas under slopes, normal sums, proportions, exact heights."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from engines.base import Sample

LETTERS = "ABCDE"
BOOLE = (7, 32, 12, 32, 7)  # weights, in ninetieths: exact for polynomials up to degree 5
ALONG = 41  # places of an arrow at which its heights are compared


def _value(numbers: list[str], x: Fraction) -> Fraction:
    return sum((Fraction(number) * x**power for power, number in enumerate(numbers)), Fraction(0))


def _is_slope(below: list[str], above: list[str], half: int) -> bool:
    """Say whether the area under one graph is the rise of the other, over every half square of the window."""
    edges = [Fraction(place, 2) for place in range(-2 * half, 2 * half + 1)]
    for left, right in itertools.pairwise(edges):
        places = [left + (right - left) * Fraction(part, 4) for part in range(5)]
        parts = (weight * _value(below, x) for weight, x in zip(BOOLE, places, strict=True))
        if (right - left) * sum(parts) / 90 != _value(above, right) - _value(above, left):
            return False
    return True


def _only(flags: list[bool]) -> str:
    if sum(flags) != 1:
        raise ValueError(f"one option must be right, got {sum(flags)}")
    return LETTERS[flags.index(True)]


def _derivative(sample: Sample) -> str:
    (given,), half = sample.scene["given"], sample.scene["half"]
    return _only([_is_slope(o["numbers"], given["numbers"], half) for o in sample.scene["options"]])


def _primitive(sample: Sample) -> str:
    (given,), half = sample.scene["given"], sample.scene["half"]
    return _only([_is_slope(given["numbers"], o["numbers"], half) for o in sample.scene["options"]])


def _orders(sample: Sample) -> str:
    graphs, half = sample.scene["options"], sample.scene["half"]
    found = [
        chain
        for chain in itertools.permutations(graphs, 3)
        if all(_is_slope(b["numbers"], a["numbers"], half) for a, b in itertools.pairwise(chain))
    ]
    if len(found) != 1:
        raise ValueError(f"one chain of f, f' and f'' must be shown, got {len(found)}")
    return ", ".join(graph["name"] for graph in found[0])


def _bends(sample: Sample) -> str:
    """Signs from f alone: of its differences over the halves of each strip."""
    slopes, query = sample.scene["slopes"], sample.query
    height, found = Fraction(0), []
    for letter, (a, b) in zip(LETTERS, itertools.pairwise(slopes), strict=False):
        # f over a strip of width 1 is the area under a straight line.
        middle = height + (Fraction(a) + Fraction(a + b, 2)) / 4
        end = height + Fraction(a + b, 2)
        first, second = middle - height, end - middle
        fits = (second - first) * query["second"] > 0
        if query["first"]:
            fits = fits and first * query["first"] > 0 and second * query["first"] > 0
        found += [letter] * fits
        height = end
    return ", ".join(found) or "none"


def _squares(points: list[list[int]], slope: Fraction, middle: Fraction, span: int) -> Fraction:
    """The sum of squared distances out of the sums of x, y and their products."""
    n = len(points)
    u = [Fraction(2 * x - span, 2) for x, _ in points]
    y = [Fraction(y) for _, y in points]
    uu, yy, uy = (sum(a * b for a, b in zip(*pair, strict=True)) for pair in ((u, u), (y, y), (u, y)))
    return yy + n * middle**2 + slope**2 * uu - 2 * middle * sum(y) - 2 * slope * uy + 2 * middle * slope * sum(u)


def _fit(sample: Sample) -> str:
    scene = sample.scene
    sums = [_squares(scene["cloud"], Fraction(a), Fraction(b), scene["span"]) for a, b in scene["options"]]
    least, second, *_ = sorted(sums)
    if 3 * least > 2 * second:
        raise ValueError("one line must fit far better than the others")
    return LETTERS[sums.index(least)]


def _correlation(sample: Sample) -> str:
    """Signed squares of correlations, exact."""
    sizes = {}
    for letter, points in zip(LETTERS, sample.scene["options"], strict=False):
        n, sx, sy = len(points), sum(x for x, _ in points), sum(y for _, y in points)
        both = n * sum(x * y for x, y in points) - sx * sy
        wide, tall = (n * sum(p[i] ** 2 for p in points) - s**2 for i, s in enumerate((sx, sy)))
        square = Fraction(both * both, wide * tall)
        sizes[letter] = square if both > 0 or sample.query["form"] == "strength" else -square
    order = sorted(sizes, key=sizes.__getitem__)
    if sample.query["form"] in ("positive", "negative"):
        return order[-1 if sample.query["form"] == "positive" else 0]
    return ", ".join(order)


def _on(points: list[list[int]], x: int, is_beyond: bool) -> Fraction:
    """The value at x by proportion of the triangle under two points."""
    if is_beyond:
        (a, b), (c, d) = points[-2:]
    else:
        place = next(i for i, point in enumerate(points) if point[0] >= x)
        if points[place][0] == x:
            return Fraction(points[place][1])
        (a, b), (c, d) = points[place - 1 : place + 1]
    return (Fraction(b) * (c - x) + Fraction(d) * (x - a)) / (c - a)


def _between(sample: Sample) -> str:
    courses = {course["name"]: course["points"] for course in sample.scene["courses"]}
    query = sample.query
    values = [_on(courses[name], query["x"], query["form"] == "beyond") for name in query["names"]]
    total = values[0] - (values[1] if len(values) > 1 else 0)
    if total.denominator != 1:
        raise ValueError(f"must be a whole number, got {total}")
    return str(total)


def _height(scene: dict[str, Any]) -> Callable[[Fraction, Fraction], Fraction]:
    def at(x: Fraction, y: Fraction) -> Fraction:
        total = Fraction(scene["base"])
        for a, b, tall, wide in scene["hills"]:
            total += Fraction(tall * wide**2) / (wide**2 + (x - a) ** 2 + (y - b) ** 2)
        return total

    return at


def _summit(sample: Sample) -> str:
    at, step = _height(sample.scene), sample.scene["step"]
    tall = {letter: at(*map(Fraction, point)) for letter, point in zip(LETTERS, sample.scene["points"], strict=False)}
    order = sorted(tall, key=tall.__getitem__)
    if len({value // step for value in tall.values()}) < len(tall):
        raise ValueError("points must lie between different lines")
    return {"highest": order[-1], "lowest": order[0]}.get(sample.query["ask"], ", ".join(order))


def _climb(sample: Sample) -> str:
    at, flags = _height(sample.scene), []
    for a, b, c, d in sample.scene["arrows"]:
        shares = [Fraction(i, ALONG - 1) for i in range(ALONG)]
        along = [at(a + (c - a) * share, b + (d - b) * share) for share in shares]
        flags.append(all(one < other for one, other in itertools.pairwise(along)))
    return _only(flags)


ORACLES = {
    "derivative": _derivative,
    "primitive": _primitive,
    "orders": _orders,
    "bends": _bends,
    "fit": _fit,
    "correlation": _correlation,
    "between": _between,
    "summit": _summit,
    "climb": _climb,
}
