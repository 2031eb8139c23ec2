"""Second opinions on graphs: curves evaluated anew from the scene's JSON and searched on dense grids, equations read
by SymPy from the question's text, and the picture's own pixels (`engines.oracles.function_pixels`).
"""

import functools
import re
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from engines.base import Sample
from engines.oracles import function_pixels

FINE = 64  # places per unit; turning points and zeros of all families stand on multiples of 1/8
SMALL = 1e-6


def _numbers(curve: dict) -> list[float]:
    return [float(Fraction(number)) for number in curve["numbers"]]


def heights(curve: dict, xs: np.ndarray) -> np.ndarray:
    """Values of a graph at xs; not a number where there is none."""
    numbers, family = _numbers(curve), curve["family"]
    if family == "polynomial":
        return np.polynomial.Polynomial(numbers)(xs)
    if family == "pieces":
        return np.interp(xs, numbers[::2], numbers[1::2])
    if family == "sine":
        size, half, start, middle = numbers
        return middle + size * np.cos(np.pi * (xs - start) / half - np.pi / 2)
    if family == "exponential":
        factor, base, shift, level = numbers
        return level + factor * base ** (xs - shift)
    if family == "hyperbola":
        factor, pole, level = numbers
        with np.errstate(divide="ignore"):
            return np.where(xs == pole, np.nan, level + factor / (xs - pole))
    ys = np.full(len(xs), np.nan)
    for x0, y0, x1, y1, closed0, closed1 in zip(*[iter(numbers)] * 6, strict=True):
        inside = (xs > x0) & (xs < x1) | ((xs == x0) & (closed0 > 0)) | ((xs == x1) & (closed1 > 0))
        ys[inside] = np.interp(xs[inside], [x0, x1], [y0, y1])
    return ys


def _asked(sample: Sample) -> dict:
    """The curve that the query means, checked against the words of the question."""
    curves, colour = sample.scene["curves"], sample.query["curve"]
    (index,) = (i for i, curve in enumerate(curves) if curve["colour"] == colour)
    if sample.scene["names"]:
        if not re.search(rf"\b{sample.scene['names'][index]}\b", sample.question):
            raise ValueError(f"the question must name the curve, got {sample.question!r}")
    elif len(curves) > 1 and colour not in sample.question:
        raise ValueError(f"the question must name the colour, got {sample.question!r}")
    return curves[index]


def _grid(sample: Sample) -> np.ndarray:
    low, high = sample.scene["window"][:2]
    return np.arange(low * FINE, high * FINE + 1) / FINE


def _changes(xs: np.ndarray, ys: np.ndarray, most: float) -> list[float]:
    """Where values change sign, not across a pole; linear between neighbours, exact at zeros on the grid."""
    zeros = xs[np.abs(ys) < SMALL].tolist()
    at = np.flatnonzero(ys[:-1] * ys[1:] < 0)
    at = [i for i in at if min(abs(ys[i]), abs(ys[i + 1])) >= SMALL and abs(ys[i] - ys[i + 1]) < most]
    for i in at:
        zeros.append(float(xs[i] - ys[i] * (xs[i + 1] - xs[i]) / (ys[i + 1] - ys[i])))
    for zero in zeros:  # simple: the sign is another on the other side
        near = np.interp([zero - 0.1, zero + 0.1], xs, ys)
        if near[0] * near[1] >= 0:
            raise ValueError(f"a graph touches without crossing at {zero}")
    return sorted(zeros)


def _where(found: list[float], is_whole: bool = True) -> list[int]:
    if is_whole and any(abs(x - round(x)) > 0.02 for x in found):
        raise ValueError(f"places must be whole, got {found}")
    return [round(x) for x in found]


def _against(sample: Sample, height: float = 0.0) -> list[float]:
    xs, window = _grid(sample), sample.scene["window"]
    return _changes(xs, heights(_asked(sample), xs) - height, window[3] - window[2])


def _pair(sample: Sample) -> list[float]:
    xs, window = _grid(sample), sample.scene["window"]
    one, two = (heights(c, xs) for c in sample.scene["curves"] if c["colour"] in sample.query["curves"])
    return _changes(xs, one - two, window[3] - window[2])


def _set(found: list[float]) -> str:
    return ", ".join(map(str, _where(found))) or "none"


def _value(sample: Sample) -> str:
    return f"{heights(_asked(sample), np.array([float(sample.query['x'])]))[0]:.6f}".rstrip("0").rstrip(".")


def _root(sample: Sample) -> str:
    (place,) = _where(_against(sample))
    return str(place)


def _slope_sign(sample: Sample) -> str:
    x = float(sample.query.get("x", 0.5))
    before, after = heights(_asked(sample), np.array([x - 1e-4, x + 1e-4]))
    rise = after - before
    return "zero" if abs(rise) < SMALL else "positive" if rise > 0 else "negative"


def _slope(sample: Sample) -> str:
    zero, one = heights(_asked(sample), np.array([0.0, 1.0]))
    return str(Fraction(float(one - zero)).limit_denominator(50))


def _turn_places(sample: Sample) -> list[float]:
    xs = _grid(sample)
    rises = np.diff(heights(_asked(sample), xs))
    rises[np.abs(rises) < 1e-9] = 0
    return [float(xs[i + 1]) for i in np.flatnonzero(rises[:-1] * rises[1:] < 0)] + [
        float((xs[i] + xs[i + 1]) / 2) for i in np.flatnonzero(rises == 0) if 0 < i < len(rises) - 1
    ]


def _vertex(sample: Sample) -> str:
    """SymPy's zero of the derivative; the middle corner of straight pieces."""
    import sympy

    curve = _asked(sample)
    if curve["family"] == "pieces":
        (x,) = _turn_places(sample)
        return f"({_where([x])[0]}, {round(float(heights(curve, np.array([x]))[0]))})"
    x = sympy.symbols("x")
    equation = sympy.Poly(curve["numbers"][::-1], x).as_expr()
    (place,) = sympy.solve(sympy.diff(equation, x), x)
    return f"({place}, {equation.subs(x, place)})"


def _stretch(sample: Sample) -> str:
    """The one stretch on which the graph does what is asked: from its first to its last place on the grid."""
    xs = _grid(sample)
    ys = heights(_asked(sample), xs)
    kind = sample.query["kind"]
    does = {
        "rising": lambda: np.diff(ys) > SMALL,
        "falling": lambda: np.diff(ys) < -SMALL,
        "above": lambda: (ys[1:] + ys[:-1]) / 2 > SMALL,
        "below": lambda: (ys[1:] + ys[:-1]) / 2 < -SMALL,
    }[kind]()
    at = np.flatnonzero(does)
    if not (np.diff(at) == 1).all() or does[0] or does[-1]:
        raise ValueError(f"the graph must be {kind} on one stretch inside the window")
    return ", ".join(map(str, _where([float(xs[at[0]]), float(xs[at[-1] + 1])])))


def _parameter(sample: Sample) -> str:
    """From the values at a few nodes, by differences."""
    curve, of = _asked(sample), sample.query["of"]
    xs = _grid(sample)
    ys = heights(curve, xs)
    if sample.query["form"] == "exponential":
        return str(round(float(heights(curve, np.array([-40.0]))[0])))
    if sample.query["form"] == "line":
        zero, one = heights(curve, np.array([0.0, 1.0]))
        return str(Fraction(float(one - zero if of == "m" else zero)).limit_denominator(50))
    outward = np.sign(ys[0] + ys[-1] - 2 * ys[len(ys) // 2])
    turn = int(np.argmin(outward * ys))
    step = FINE if turn + FINE < len(ys) else -FINE
    found = {"a": ys[turn + step] - ys[turn], "h": xs[turn], "k": ys[turn]}[of]
    return str(Fraction(float(found)).limit_denominator(50))


def _period(sample: Sample) -> str:
    xs = _grid(sample)
    ys = heights(_asked(sample), xs)
    whole = range(1, int(xs[-1] - xs[0]))
    return str(next(p for p in whole if np.abs(ys[p * FINE :] - ys[: -p * FINE]).max() < SMALL))


def _amplitude(sample: Sample) -> str:
    ys = heights(_asked(sample), _grid(sample))
    low, high = float(ys.min()), float(ys.max())
    found = (high - low) / 2 if sample.query["of"] == "amplitude" else (high + low) / 2
    return f"{found:.3f}"


def _asymptote(sample: Sample) -> str:
    """Far to the side where the curve flattens; or where it changes sign around its level by a pole."""
    curve = _asked(sample)
    if sample.query["axis"] == "y":
        ends = heights(curve, np.array([-60.0, -59.0, 59.0, 60.0]))
        flat = ends[:2] if abs(ends[1] - ends[0]) < abs(ends[3] - ends[2]) else ends[2:]
        return str(round(float(flat.mean())))
    xs = _grid(sample) + 1 / (3 * FINE)
    ys = heights(curve, xs)
    at = int(np.argmax(np.abs(np.diff(ys))))
    return str(round(float(xs[at])))


def _steepest(sample: Sample) -> str:
    (curve,) = sample.scene["curves"]
    slopes = {}
    for letter, x, y in sample.scene["points"]:
        x = float(Fraction(x))
        before, there, after = heights(curve, np.array([x - 1e-3, x, x + 1e-3]))
        if abs(there - float(Fraction(y))) > SMALL:
            raise ValueError(f"point {letter} must lie on the graph")
        slopes[letter] = abs(after - before)
    ranked = sorted(slopes, key=slopes.__getitem__, reverse=True)
    if slopes[ranked[0]] < 1.4 * slopes[ranked[1]]:
        raise ValueError("the steepest point must be clearly so")
    return ranked[0]


def _above(sample: Sample) -> str:
    (curve,), sign = sample.scene["curves"], {"above": 1, "below": -1}[sample.query["kind"]]
    points = [(letter, float(Fraction(x)), float(Fraction(y))) for letter, x, y in sample.scene["points"]]
    return ", ".join(n for n, x, y in points if sign * (y - heights(curve, np.array([x]))[0]) > 0) or "none"


def _limit(sample: Sample) -> str:
    x, of = float(sample.query["x"]), sample.query["of"]
    curve = _asked(sample)
    if of == "value":
        return str(round(float(heights(curve, np.array([x]))[0])))
    way = -1 if of == "left" else 1
    near = heights(curve, x + way * np.array([1e-4, 2e-4]))
    return str(round(float(2 * near[0] - near[1])))


def _jumps(sample: Sample) -> str:
    xs = _grid(sample)[1:-1]
    curve = _asked(sample)
    gap = np.abs(heights(curve, xs + 1e-5) - heights(curve, xs - 1e-5))
    return str(int(np.count_nonzero(gap > 0.5)))


def _domain(sample: Sample) -> str:
    curve = _asked(sample)
    numbers = _numbers(curve)
    if curve["family"] == "ellipse":
        turn = np.linspace(0, 2 * np.pi, 721)
        values = (
            numbers[0] + numbers[2] * np.cos(turn)
            if sample.query["of"] == "domain"
            else numbers[1] + numbers[3] * np.sin(turn)
        )
    else:
        xs = _grid(sample)
        ys = heights(curve, xs)
        values = (xs if sample.query["of"] == "domain" else ys)[~np.isnan(ys)]
    return f"{round(float(values.min()))}, {round(float(values.max()))}"


@functools.lru_cache(maxsize=4096)
def _equation(text: str) -> Callable[[np.ndarray], np.ndarray]:
    """The right side of an equation as it is written in a question."""
    import sympy
    from sympy.parsing import sympy_parser as parser

    text = re.sub(r"\|(.*?)\|", r"Abs(\1)", text.replace("^", "**"))
    rules = (*parser.standard_transformations, parser.implicit_multiplication)
    expression = parser.parse_expr(text, transformations=rules)
    return sympy.lambdify(sympy.symbols("x"), expression, "numpy")


def _match(sample: Sample) -> str:
    text = re.search(r"y = (.*?)(?:\?|\. |\.$)", sample.question)[1]
    half = sample.scene["half"]
    xs = np.arange(-half * FINE, half * FINE + 1) / FINE + 1 / (3 * FINE)
    wanted = _equation(text)(xs) + 0 * xs
    inside = np.abs(wanted) <= half
    found = [
        "ABCD"[i]
        for i, curve in enumerate(sample.scene["curves"])
        if np.abs(heights(curve, xs[:-22]) - wanted[:-22])[inside[:-22]].max() < 1e-6
    ]
    (letter,) = found
    return letter


def _moved(sample: Sample) -> str:
    """Each coloured graph, moved back, is compared with the black one where both are known."""
    kind, size = sample.query["kind"], sample.query["size"]
    low, high, bottom, top = sample.scene["window"]
    xs = np.linspace(low, high, 401)[:-1] + 0.0011
    black, *others = sorted(sample.scene["curves"], key=lambda curve: curve["colour"] != "black")
    back = {
        "right": lambda x: (x - size, 1, 0),
        "left": lambda x: (x + size, 1, 0),
        "up": lambda x: (x, 1, size),
        "down": lambda x: (x, 1, -size),
        "mirror x": lambda x: (x, -1, 0),
        "mirror y": lambda x: (-x, 1, 0),
    }[kind]
    source, sign, lift = back(xs)
    wanted = sign * heights(black, source) + lift
    if black["family"] == "pieces":  # known between its ends only
        wanted[(source < low) | (source > high)] = np.nan
    wanted[(wanted < bottom) | (wanted > top)] = np.nan
    gaps = {curve["colour"]: np.abs(heights(curve, xs) - wanted) for curve in others}
    (colour,) = (
        name for name, gap in gaps.items() if np.fmax.reduce(gap, initial=0.0) < 1e-3 and not np.isnan(gap).all()
    )
    return colour


ORACLES = {
    "value": _value,
    "root": _root,
    "slope_sign": _slope_sign,
    "y_intercept": function_pixels.y_intercept,
    "axis_crossings": lambda sample: str(len(_against(sample))),
    "extremum": function_pixels.extremum,
    "meetings": lambda sample: str(len(_pair(sample))),
    "zeros": lambda sample: _set(_against(sample)),
    "solve": lambda sample: _set(_against(sample, float(sample.query["y"]))),
    "intersections": lambda sample: _set(_pair(sample)),
    "turns": lambda sample: str(len(_turn_places(sample))),
    "monotone": _stretch,
    "positive": _stretch,
    "steepest": _steepest,
    "parameter": _parameter,
    "period": _period,
    "amplitude": _amplitude,
    "asymptote": _asymptote,
    "centre": function_pixels.centre,
    "radius": function_pixels.radius,
    "jump_value": _limit,
    "limit": _limit,
    "jumps": _jumps,
    "domain": _domain,
    "match": _match,
    "moved": _moved,
    "region": function_pixels.region,
    "above": _above,
    "vertex": _vertex,
    "slope": _slope,
}
