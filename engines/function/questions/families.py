"""Questions about a family's parameters: those of an equation, period, amplitude, asymptotes, centre and radius."""

from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.function.questions.curves import finished, named
from engines.function.questions.levels import (
    HALF,
    SLOPES,
    coordinate,
    curve_colours,
    pick,
    signed,
    whole,
    window,
)
from engines.function.scene import Curve, FunctionScene, Number, absolute, line, parabola

FACTORS = (Fraction(1), Fraction(2), Fraction(3), Fraction(1, 2))
FORMS = {  # what is asked, and the equation
    "parabola": ("ahk", "y = a(x - h)^2 + k"),
    "absolute": ("ahk", "y = a|x - h| + k"),
    "line": ("mc", "y = m x + c"),
    "exponential": ("k", "y = 2^x + k"),
}
FORMS_OF = (1, 2, 2, 3, 3, 4, 4, 4, 4, 4)  # by level, so many of them
LEAST_WAVES = Fraction(3, 2)  # periods that show
HALF_TOLERANCE = Fraction(1, 5)  # of answers that are multiples of a half


def _roomy(rng: np.random.Generator, view: FunctionScene, x: int, y: int, size: Fraction) -> Fraction:
    """The size with a sign such that the first node beside (x, y) on the curve shows."""
    step = size.denominator
    signs = [s for s in (-1, 1) if view.shows(x, y + s * size * step * step)] or [1]
    return size * pick(rng, signs)


def pose_parameter(rng: np.random.Generator, level: int) -> Posed:
    """Read one number of an equation off its graph."""
    kind = pick(rng, list(FORMS)[: FORMS_OF[level]])
    letters, equation = FORMS[kind]
    letter, colours = pick(rng, letters), curve_colours(rng, level)
    h, k = coordinate(rng, level), coordinate(rng, level)
    if kind == "exponential":
        h, k = 0, whole(rng, 2 - HALF[level], HALF[level] - 3)
    h = 0 if kind == "line" else h
    view = window(rng, level, (h,), (k,))
    a = signed(rng, FACTORS)
    if letter != "a" and kind in ("parabola", "absolute"):
        a = _roomy(rng, view, h, k, abs(a))
    m = signed(rng, SLOPES[:8])
    asked = {
        "parabola": lambda: parabola(h, k, a, colours[0]),
        "absolute": lambda: absolute(h, k, a, view.x_low, view.x_high, colours[0]),
        "line": lambda: line(m, k, colours[0]),
        "exponential": lambda: Curve("exponential", (1, 2, 0, k), colours[0]),
    }[kind]()
    if letter == "a":  # the answer comes first: the window is moved to where it can be read
        view = _around(view, h, k, a)
        if kind == "absolute":
            asked = absolute(h, k, a, view.x_low, view.x_high, colours[0])
    scene = finished(rng, level, view, [asked], colours, [(h, k)] if kind != "exponential" else [(0, k + 1)])
    gold: Number = {"a": a, "h": h, "k": k, "m": m, "c": k}[letter]
    rate = {"a": 1 / 8, "m": 1 / 16}.get(letter, 1 / (2 * HALF[level] - (4 if kind == "exponential" else 1)))
    name = named(scene, asked)
    texts = (
        f"The equation of {name} is {equation}. What is {letter}?",
        f"{name.capitalize()} has the equation {equation}. Find {letter}.",
        f"Read {letter} off {name}, whose equation is {equation}.",
        f"What is {letter} if {name} has the equation {equation}?",
    )
    query = {"ask": "parameter", "form": kind, "of": letter, "curve": asked.colour}
    return Posed(scene, pick(rng, texts), Answer.fraction(Fraction(gold)), guess_rate=rate, query=query)


def _around(view: FunctionScene, x: int, y: int, bend: Fraction) -> FunctionScene:
    """A window of the same size in which (x, y) and the nodes beside it on the curve show, and the axes."""
    step, half = bend.denominator, (view.x_high - view.x_low) // 2
    reach = int(bend * step * step)
    low_y, high_y = min(y, y + reach, 0), max(y, y + reach, 0)
    up = (view.y_low + view.y_high) // 2
    up = min(max(up, high_y + 1 - half), low_y - 1 + half)
    right = (view.x_low + view.x_high) // 2
    right = min(max(right, max(x + step, 0) - half), min(x - step, 0) + half)
    return FunctionScene(right - half, right + half, up - half, up + half)


def _periods(level: int) -> list[int]:
    """Whole periods of which enough shows."""
    return [period for period in range(2, 2 * HALF[level]) if period * LEAST_WAVES <= 2 * HALF[level]]


def _wave(
    rng: np.random.Generator,
    level: int,
    view: FunctionScene,
    period: int,
    amplitude: Number,
    middle: Number,
    colour: str,
) -> Curve:
    """A sine, or (from level 2 on) straight pieces that repeat."""
    half, sign = Fraction(period, 2), pick(rng, (-1, 1))
    if level >= 2 and rng.integers(3) == 0:
        first = view.x_low - whole(rng, 0, period - 1)
        corners, x, side = [], Fraction(first), sign
        while True:
            corners.append((x, middle + side * amplitude))
            if x >= view.x_high:
                break
            x, side = x + half, -side
        return Curve("pieces", _cut(corners, view.x_low, view.x_high), colour)
    start = whole(rng, 0, period - 1) + half / 2 if rng.integers(2) else Fraction(whole(rng, 0, period - 1))
    return Curve("sine", (sign * amplitude, half, start, middle), colour)


def _cut(corners: list[tuple[Number, Number]], low: int, high: int) -> tuple[Number, ...]:
    """Corners between two x; the pieces that cross those begin and end there."""
    wide = Curve("pieces", tuple(number for corner in corners for number in corner), "")
    kept = [(low, wide.at(low)), *(corner for corner in corners if low < corner[0] < high), (high, wide.at(high))]
    return tuple(number for corner in kept for number in corner)


def pose_period(rng: np.random.Generator, level: int) -> Posed:
    """Read after how many units a wave repeats."""
    options, colours = _periods(level), curve_colours(rng, level)
    period, half = pick(rng, options), HALF[level]
    view = window(rng, level)
    amplitude = Fraction(whole(rng, 2, min(8, half, 2 * period)), 2)
    middle = whole(rng, view.y_low + int(amplitude) + 1, view.y_high - int(amplitude) - 1)
    asked = _wave(rng, level, view, period, amplitude, middle, colours[0])
    scene = finished(rng, level, view, [asked], colours)
    name = named(scene, asked)
    texts = (
        f"What is the period of {name}?",
        f"After how many units of x does {name} repeat?",
        f"How long is one full wave of {name}, along x?",
        f"Find the period of {name}.",
    )
    query = {"ask": "period", "curve": asked.colour}
    return Posed(scene, pick(rng, texts), Answer.integer(period), guess_rate=1 / len(options), query=query)


def pose_amplitude(rng: np.random.Generator, level: int) -> Posed:
    """Read the amplitude of a wave, or the height of its middle line."""
    half, colours, view = HALF[level], curve_colours(rng, level), window(rng, level)
    of, top = pick(rng, ("amplitude", "middle line")), 2 * half - 2
    doubled = whole(rng, 1, top)  # twice the amplitude
    low, high = view.y_low + 1, view.y_high - 1
    if of == "middle line":  # the answer comes first
        twice = whole(rng, 2 * (2 - half), 2 * (half - 2))
        middle = Fraction(twice, 2)
        view = window(rng, level, (0,), (middle - 1, middle + 1))
        room = int(2 * min(view.y_high - middle, middle - view.y_low))
        doubled = pick(rng, [size for size in range(1, room + 1) if (size + twice) % 2 == 0])
        options = 4 * (half - 2) + 1
    else:
        middle = whole(rng, low, high - doubled) + Fraction(doubled, 2)
        options = top
    amplitude = Fraction(doubled, 2)
    period = pick(rng, [period for period in _periods(level) if period >= min(amplitude, _periods(level)[-1])])
    asked = _wave(rng, level, view, period, amplitude, middle, colours[0])
    scene = finished(rng, level, view, [asked], colours)
    name = named(scene, asked)
    texts = (
        (
            f"What is the amplitude of {name}?",
            f"How far does {name} rise above its middle line?",
            f"Find the amplitude of {name}.",
            f"Give half the height difference between the peaks and the valleys of {name}.",
        )
        if of == "amplitude"
        else (
            f"At which y is the middle line of {name}?",
            f"Around which y does {name} swing?",
            f"Which y is half-way between the peaks and the valleys of {name}?",
            f"Find the y of the middle line of {name}.",
        )
    )
    query = {"ask": "amplitude", "of": of, "curve": asked.colour}
    answer = Answer.decimal(amplitude if of == "amplitude" else middle, HALF_TOLERANCE)
    question = pick(rng, texts) + (" It is a multiple of 0.5." if level >= 1 else "")
    return Posed(scene, question, answer, guess_rate=1 / options, query=query)


def pose_asymptote(rng: np.random.Generator, level: int) -> Posed:
    """Read the line that a curve comes ever closer to; it is drawn at the first levels."""
    is_vertical = bool(rng.integers(2))
    colours, gold = curve_colours(rng, level), coordinate(rng, level)
    other = coordinate(rng, level)
    pole, height = (gold, other) if is_vertical else (other, gold)
    view, sign = window(rng, level, (pole,), (height,)), pick(rng, (-1, 1))
    if is_vertical or rng.integers(2):
        asked = Curve("hyperbola", (sign * pick(rng, (1, 2, 3)), pole, height), colours[0])
        guides = (("x", pole), ("y", height))
    else:
        room = view.y_high - height if sign > 0 else height - view.y_low
        sign = sign if room >= 3 else -sign
        base = pick(rng, (Fraction(2), Fraction(1, 2)))
        middle = (view.x_low + view.x_high) // 2
        asked = Curve("exponential", (sign, base, middle + whole(rng, -1, 1), height), colours[0])
        guides = (("y", height),)
    scene = finished(rng, level, view, [asked], colours, [(pole + 1, asked.height(pole + 1))])
    if level < 2:
        scene = FunctionScene(scene.x_low, scene.x_high, scene.y_low, scene.y_high, scene.curves, guides=guides)
    name, axis, way = named(scene, asked), "x" if is_vertical else "y", "vertical" if is_vertical else "horizontal"
    texts = (
        f"At which {axis} is the {way} asymptote of {name}?",
        f"Give the {axis} of the {way} asymptote of {name}.",
        f"Which {way} line {axis} = ? does {name} come ever closer to? Give {axis}.",
        f"Find the {way} asymptote of {name}. Give its {axis}.",
    )
    query = {"ask": "asymptote", "axis": axis, "curve": asked.colour}
    return Posed(scene, pick(rng, texts), Answer.integer(gold), guess_rate=1 / (2 * HALF[level] - 1), query=query)


def pose_centre(rng: np.random.Generator, level: int) -> Posed:
    """Read the centre of a circle or an ellipse."""
    half, colour = HALF[level], curve_colours(rng, 0)[0]
    reach = half - 2
    x, y = whole(rng, -reach, reach), whole(rng, -reach, reach)
    view = window(rng, level, (x - 1, x + 1), (y - 1, y + 1))
    room_x = min(x - view.x_low, view.x_high - x)
    room_y = min(y - view.y_low, view.y_high - y)
    across = Fraction(whole(rng, 2, 2 * room_x), 2)
    up = Fraction(whole(rng, 2, 2 * room_y), 2)
    is_circle = level < 3 or bool(rng.integers(2))
    if is_circle:
        across = up = Fraction(whole(rng, 2, 2 * min(room_x, room_y)), 2)
    curve = Curve("ellipse", (x, y, across, up), colour)
    scene = FunctionScene(view.x_low, view.x_high, view.y_low, view.y_high, (curve,))
    what = "circle" if across == up else "ellipse"
    texts = (
        f"What is the centre of the {what}? Answer (x, y).",
        f"Give the centre of the {what} as (x, y).",
        f"Where is the middle of the {what}? Answer (x, y).",
        f"Find the centre (x, y) of the {what}.",
    )
    query = {"ask": "centre", "curve": colour}
    rate = 1 / (2 * reach + 1) ** 2
    return Posed(scene, pick(rng, texts), Answer.pair(x, y), guess_rate=rate, query=query)


def pose_radius(rng: np.random.Generator, level: int) -> Posed:
    """Read the radius of a circle."""
    half, colour = HALF[level], curve_colours(rng, 0)[0]
    doubled = whole(rng, 2, 2 * half - 2)
    radius = Fraction(doubled, 2)
    low = int(np.ceil(float(radius)))
    view = window(rng, level)
    x = whole(rng, view.x_low + low, view.x_high - low)
    y = whole(rng, view.y_low + low, view.y_high - low)
    curve = Curve("ellipse", (x, y, radius, radius), colour)
    scene = FunctionScene(view.x_low, view.x_high, view.y_low, view.y_high, (curve,))
    texts = (
        "What is the radius of the circle? It is a multiple of 0.5.",
        "Find the radius of the circle, a multiple of 0.5.",
        "How far is it from the centre of the circle to its edge? Give a multiple of 0.5.",
        "Give the radius of the circle. It is a multiple of 0.5.",
    )
    query = {"ask": "radius", "curve": colour}
    answer = Answer.decimal(radius, HALF_TOLERANCE)
    return Posed(scene, pick(rng, texts), answer, guess_rate=1 / (2 * half - 3), query=query)
