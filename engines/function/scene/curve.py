"""Curves with exact parameters, in data units: x to the right, y up.

A curve is known everywhere; a window shows a part of it. Values are integers and fractions; floats serve drawing and
the margins between curves.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

Number = int | Fraction
CONICS = ("ellipse", "sideways")  # not graphs of a function of x


@dataclass(frozen=True)
class Curve:
    """One curve.

    | family | numbers |
    |---|---|
    | polynomial | coefficients of 1, x, x^2, ... |
    | pieces | x0, y0, x1, y1, ...: corners from left to right, joined by straight pieces |
    | sine | amplitude, half period, start, middle: y = middle + amplitude sin(pi (x - start) / half period) |
    | exponential | factor, base, shift, level: y = level + factor base^(x - shift) |
    | hyperbola | factor, pole, level: y = level + factor / (x - pole) |
    | branches | x0, y0, x1, y1, c0, c1 per straight piece, left to right; c: 1 if that end belongs to it, else 0 |
    | ellipse | x, y of the centre, horizontal and vertical radius |
    | sideways | x, y of the turning point, bend: x' = x + bend (y' - y)^2 |
    """

    family: str
    numbers: tuple[Number, ...]
    colour: str
    dashed: bool = False

    @property
    def corners(self) -> tuple[tuple[Number, Number], ...]:
        """The corners (x, y) of a curve of pieces, left to right; none for the others."""
        return tuple(zip(self.numbers[::2], self.numbers[1::2], strict=True)) if self.family == "pieces" else ()

    @property
    def branches(self) -> tuple[tuple[Number, ...], ...]:
        """The straight pieces (x0, y0, x1, y1, c0, c1) of a curve of branches; none for the others."""
        return _sixes(self.numbers) if self.family == "branches" else ()

    def at(self, x: Number) -> Number:
        """The exact value at x. `ValueError` where it is irrational, not unique or there is none."""
        if self.family == "polynomial":
            value: Number = 0
            for coefficient in reversed(self.numbers):
                value = value * x + coefficient
            return value
        if self.family == "pieces":
            return next(_between(*a, *b, x) for a, b in itertools.pairwise(self.corners) if a[0] <= x <= b[0])
        if self.family == "sine":
            amplitude, half_period, start, middle = self.numbers
            quarters = 2 * Fraction(x - start) / Fraction(half_period)
            if quarters.denominator == 1:
                return middle + amplitude * (0, 1, 0, -1)[quarters.numerator % 4]
        if self.family == "exponential":
            factor, base, shift, level = self.numbers
            power = Fraction(x - shift)
            if power.denominator == 1:
                return level + factor * Fraction(base) ** power.numerator
        if self.family == "hyperbola" and x != self.numbers[1]:
            factor, pole, level = self.numbers
            return level + Fraction(factor) / (x - pole)
        for x0, y0, x1, y1, c0, c1 in self.branches:
            if x0 < x < x1 or (x == x0 and c0) or (x == x1 and c1):
                return y0 if x == x0 else _between(x0, y0, x1, y1, x)
        raise ValueError(f"{self.family} has no exact value at {x}")

    def heights(self, xs: np.ndarray) -> np.ndarray:
        """Values of a graph at xs, float [n]; not a number where there is none. Not for conics."""
        numbers = [float(number) for number in self.numbers]
        if self.family == "polynomial":
            ys = np.full(len(xs), numbers[-1])
            for number in numbers[-2::-1]:
                ys = ys * xs + number
            return ys
        if self.family == "pieces":
            return np.interp(xs, numbers[::2], numbers[1::2])
        if self.family == "sine":
            amplitude, half_period, start, middle = numbers
            return middle + amplitude * np.sin(np.pi / half_period * (xs - start))
        if self.family == "exponential":
            factor, base, shift, level = numbers
            return level + factor * np.exp(math.log(base) * (xs - shift))
        if self.family == "hyperbola":
            factor, pole, level = numbers
            away = xs - pole
            away[away == 0] = np.nan
            return level + factor / away
        ys = np.full(len(xs), np.nan)
        for x0, y0, x1, y1, *_ in _sixes(numbers):
            inside = (xs > x0) & (xs < x1)
            ys[inside] = y0 + (y1 - y0) * (xs[inside] - x0) / (x1 - x0)
        return ys

    def height(self, x: float) -> float:
        """The value of a graph at x in floating point."""
        return float(self.heights(np.array([float(x)]))[0])

    def raised(self, slope: Number, intercept: Number) -> "Curve":
        """A polynomial or pieces with the line slope x + intercept added."""
        if self.family == "pieces":
            corners = ((x, y + slope * x + intercept) for x, y in self.corners)
            return Curve("pieces", tuple(itertools.chain(*corners)), self.colour, self.dashed)
        a, b, *rest = (*self.numbers, 0)[: max(2, len(self.numbers))]
        return Curve("polynomial", (a + intercept, b + slope, *rest), self.colour, self.dashed)

    def to_json(self) -> dict[str, Any]:
        """The curve as JSON-ready data; fractions are written "p/q"."""
        numbers = [str(number) for number in self.numbers]
        return {"family": self.family, "numbers": numbers, "colour": self.colour, "dashed": self.dashed}

    def describe(self) -> str:
        """The curve in words."""
        numbers = self.numbers
        if self.family == "polynomial":
            return "y = " + formula(numbers)
        if self.family == "pieces":
            return "straight pieces through " + ", ".join(f"({x}, {y})" for x, y in self.corners)
        if self.family == "branches":
            ends = ("open", "filled")
            parts = (
                f"({a}, {b}) {ends[int(c)]}" if a == x else f"({a}, {b}) {ends[int(c)]} to ({x}, {y}) {ends[int(d)]}"
                for a, b, x, y, c, d in self.branches
            )
            return "separate pieces: " + "; ".join(parts)
        template = {
            "sine": "y = {3} + {0} sin(pi (x - {2}) / {1}), where {2} may be negative",
            "exponential": "y = {3} + {0} ({1})^(x - {2}), where {2} may be negative",
            "hyperbola": "y = {2} + {0} / (x - {1}), where {1} may be negative",
            "ellipse": "a closed curve around ({0}, {1}) with horizontal radius {2} and vertical radius {3}",
            "sideways": "x = {0} + {2} (y - {1})^2, where {1} may be negative",
        }[self.family]
        return template.format(*numbers)


def line(slope: Number, intercept: Number, colour: str) -> Curve:
    """The line y = slope * x + intercept."""
    return Curve("polynomial", (intercept, slope), colour)


def parabola(x: Number, y: Number, bend: Number, colour: str) -> Curve:
    """The parabola with vertex (x, y) and leading coefficient `bend`."""
    return Curve("polynomial", (y + bend * x * x, -2 * bend * x, bend), colour)


def absolute(x: Number, y: Number, bend: Number, low: int, high: int, colour: str) -> Curve:
    """The corner y + bend * |X - x| as two straight pieces from low to high."""
    return Curve("pieces", (low, y + bend * (x - low), x, y, high, y + bend * (high - x)), colour)


def formula(coefficients: tuple[Number, ...]) -> str:
    """A polynomial as text, highest power first: "x^2 - 1/2 x + 3"."""
    text = ""
    for power in range(len(coefficients) - 1, -1, -1):
        number = coefficients[power]
        if number == 0:
            continue
        size = abs(number)
        factor = "" if size == 1 and power else f"{size} " if power and Fraction(size).denominator > 1 else str(size)
        term = factor + ("", "x", f"x^{power}")[min(power, 2)]
        sign = "-" if number < 0 else "+"
        text += f" {sign} {term}" if text else term if number > 0 else f"-{term}"
    return text or "0"


def _sixes(numbers: Sequence[Number | float]) -> tuple[tuple[Any, ...], ...]:
    return tuple(zip(*[iter(numbers)] * 6, strict=True))


def _between(x0: Number, y0: Number, x1: Number, y1: Number, x: Number) -> Number:
    """The value at x of the straight piece between two points."""
    return y0 + (y1 - y0) * Fraction(x - x0) / Fraction(x1 - x0)
