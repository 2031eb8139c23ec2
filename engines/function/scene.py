"""What there is in a function graph: a window of whole numbers and curves with exact parameters.

Everything is in data units, x to the right and y up. A curve is known everywhere; the window shows a part of it.
"""

import itertools
import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

Number = int | Fraction
FAMILIES = ("polynomial", "pieces", "sine")


@dataclass(frozen=True)
class Curve:
    """One curve y = f(x).

    | family | numbers |
    |---|---|
    | polynomial | coefficients of 1, x, x^2, x^3; at most four |
    | pieces | x0, y0, x1, y1, …: corners from left to right, joined by straight pieces |
    | sine | amplitude, half period, start, middle: y = middle + amplitude * sin(pi * (x - start) / half period) |
    """

    family: str
    numbers: tuple[Number, ...]
    colour: str
    dashed: bool = False

    @property
    def corners(self) -> tuple[tuple[Number, Number], ...]:
        """The corners (x, y) of a curve of pieces, left to right; none for the others."""
        return tuple(zip(self.numbers[::2], self.numbers[1::2], strict=True)) if self.family == "pieces" else ()

    def at(self, x: Number) -> Number:
        """The exact value at x. `ValueError` for a sine away from its quarter periods, where it is irrational."""
        if self.family == "polynomial":
            value: Number = 0
            for coefficient in reversed(self.numbers):
                value = value * x + coefficient
            return value
        if self.family == "pieces":
            left = min(max(bisect_right(self.numbers[::2], x) - 1, 0), len(self.numbers) // 2 - 2)
            x0, y0, x1, y1 = self.numbers[2 * left : 2 * left + 4]
            return y0 + (y1 - y0) * Fraction(x - x0) / Fraction(x1 - x0)
        amplitude, half_period, start, middle = self.numbers
        quarters = 2 * Fraction(x - start) / Fraction(half_period)
        if quarters.denominator != 1:
            raise ValueError(f"x must be a quarter period of the sine, got {x}")
        return middle + amplitude * (0, 1, 0, -1)[quarters.numerator % 4]

    def height(self, x: float) -> float:
        """The value at x in floating point, for drawing and for margins."""
        if self.family == "sine":
            amplitude, half_period, start, middle = map(float, self.numbers)
            return middle + amplitude * math.sin(math.pi * (x - start) / half_period)
        if self.family == "polynomial":
            value = 0.0
            for coefficient in reversed(self.numbers):
                value = value * x + float(coefficient)
            return value
        left = min(max(bisect_right(self.numbers[::2], x) - 1, 0), len(self.numbers) // 2 - 2)
        x0, y0, x1, y1 = map(float, self.numbers[2 * left : 2 * left + 4])
        return y0 + (y1 - y0) * (x - x0) / (x1 - x0)

    def slope_at(self, x: Number) -> Number:
        """The exact slope at x of a polynomial or inside a straight piece; `ValueError` at a corner or for a sine."""
        if self.family == "polynomial":
            return sum(
                power * coefficient * x ** (power - 1) for power, coefficient in enumerate(self.numbers) if power
            )
        if self.family == "sine" or x in self.numbers[2:-2:2]:
            raise ValueError(f"the slope of {self.family} at {x} is not rational")
        return (self.at(x + Fraction(1, 64)) - self.at(x - Fraction(1, 64))) * 32

    def turns(self, low: float, high: float) -> list[float]:
        """Places strictly between low and high where the slope is 0 or jumps, left to right."""
        if self.family == "pieces":
            found = [float(x) for x in self.numbers[::2]]
        elif self.family == "sine":
            _, half_period, start, _ = map(float, self.numbers)
            first = math.floor((low - start) / half_period - 0.5)
            found = [start + (first + i + 0.5) * half_period for i in range(int((high - low) / half_period) + 3)]
        else:
            found = _stationary([float(number) for number in self.numbers])
        return [x for x in found if low < x < high]

    def to_json(self) -> dict[str, Any]:
        """The curve as JSON-ready data; fractions are written "p/q"."""
        numbers = [str(Fraction(number)) for number in self.numbers]
        return {"family": self.family, "numbers": numbers, "colour": self.colour, "dashed": self.dashed}


@dataclass(frozen=True)
class FunctionScene:
    """Axes from x_low to x_high and y_low to y_high (0 inside both), curves in drawing order, marked grid nodes."""

    x_low: int
    x_high: int
    y_low: int
    y_high: int
    curves: tuple[Curve, ...]
    dots: tuple[tuple[int, int], ...] = ()

    def shows(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Say whether (x, y) lies in the window, at least `margin` units from its border."""
        return self.x_low + margin <= x <= self.x_high - margin and self.y_low + margin <= y <= self.y_high - margin

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "window": [self.x_low, self.x_high, self.y_low, self.y_high],
            "curves": [curve.to_json() for curve in self.curves],
            "dots": [list(dot) for dot in self.dots],
        }


ZERO = Curve("polynomial", (0,), "black")  # the x-axis


def line(slope: Number, intercept: Number, colour: str) -> Curve:
    """The line y = slope * x + intercept."""
    return Curve("polynomial", (intercept, slope), colour)


def parabola(x: Number, y: Number, bend: Number, colour: str) -> Curve:
    """The parabola with vertex (x, y) and leading coefficient `bend`."""
    return Curve("polynomial", (y + bend * x * x, -2 * bend * x, bend), colour)


def absolute(x: Number, y: Number, bend: Number, low: int, high: int, colour: str) -> Curve:
    """The corner y + bend * |X - x| as two straight pieces from low to high."""
    return Curve("pieces", (low, y + bend * (x - low), x, y, high, y + bend * (high - x)), colour)


def gap_turns(first: Curve, second: Curve, low: float, high: float) -> list[float]:
    """Where the gap between two curves may be extreme: [low, …, high], monotone in between.

    One of the two must be a polynomial or both must be pieces. `ValueError` for a sine against a sloping curve.
    """
    if first.family == second.family == "polynomial":
        inner = _stationary([float(a) - float(b) for a, b in _padded(first.numbers, second.numbers)])
        return [low, *(x for x in inner if low < x < high), high]
    if "sine" in (first.family, second.family):
        level = second if first.family == "sine" else first
        if level.family != "polynomial" or any(level.numbers[1:]):
            raise ValueError("a sine is compared with level lines only")
        return [low, *first.turns(low, high), *second.turns(low, high), high]
    joints = sorted({low, high, *(x for curve in (first, second) for x in curve.turns(low, high) if curve.corners)})
    places = []
    for left, right in itertools.pairwise(joints):
        places.append(left)
        for curve, other in ((first, second), (second, first)):
            if curve.family == "polynomial":
                slope = (other.height(right) - other.height(left)) / (right - left)
                inner = _stationary([float(a) - b for a, b in _padded(curve.numbers, (0.0, slope))])
                places.extend(x for x in inner if left < x < right)
    return [*places, high]


def crossings(first: Curve, second: Curve, low: float, high: float) -> tuple[list[float], float]:
    """Where two curves cross between low and high, and the smallest gap at ends and turns (data units).

    If that gap is well above 0, each monotone stretch holds one crossing or none, nothing touches, and no crossing
    is near an end: the count is exact although the places are floats.
    """
    places = gap_turns(first, second, low, high)
    gaps = [first.height(x) - second.height(x) for x in places]
    found = []
    for i, (left, right) in enumerate(itertools.pairwise(places)):
        if gaps[i] * gaps[i + 1] < 0:
            found.append(_bisect(first, second, left, right))
    return found, min(map(abs, gaps))


def _padded(first: tuple[Number, ...], second: tuple[Number, ...]) -> list[tuple[Number, Number]]:
    size = max(len(first), len(second))
    return list(zip((*first, *[0] * (size - len(first))), (*second, *[0] * (size - len(second))), strict=True))


def _stationary(coefficients: list[float]) -> list[float]:
    """Zeros of the slope of a polynomial of degree <= 3, left to right."""
    _, b, c, d = [*coefficients, 0.0, 0.0, 0.0][:4]
    if d == 0.0:
        return [-b / (2 * c)] if c else []
    inside = c * c - 3 * b * d
    if inside <= 0:
        return []
    return sorted((-c + sign * math.sqrt(inside)) / (3 * d) for sign in (-1, 1))


def _bisect(first: Curve, second: Curve, left: float, right: float) -> float:
    rising = first.height(left) < second.height(left)
    for _ in range(24):
        middle = (left + right) / 2
        if (first.height(middle) < second.height(middle)) == rising:
            left = middle
        else:
            right = middle
    return (left + right) / 2
