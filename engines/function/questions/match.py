"""Questions about which graph is meant: by its equation, or as another graph moved or mirrored."""

import dataclasses
import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.function.questions.levels import (
    CLEAR_COLOURS,
    COLOURS,
    MAX_TRIES,
    pick,
    places,
    whole,
    window,
)
from engines.function.scene import LETTERS, Curve, FunctionScene, Number, PanelsScene, absolute, line, parabola

PANELS_HALF = (3, 3, 3, 3, 3, 4, 4, 5, 5, 6)  # by level, half the span of each panel
PANELS_SIZE_PX = (112,) * 5 + (168, 168, 224, 224, 280)
KINDS = ("line", "parabola", "absolute", "exponential", "sine", "hyperbola")
KINDS_OF = (2, 3, 3, 4, 4, 5, 5, 6, 6, 6)  # by level
ALIKE = (0, 0, 1, 1, 2, 2, 3, 3, 3, 3)  # by level: foils that are of the asked graph's kind
FAR = 1.0  # units by which two panels' graphs differ somewhere in the window

CANDIDATES = (2, 2, 2, 3, 3, 3, 4, 4, 4, 4)  # by level: coloured graphs beside the black one
SHAPES_OF = (2, 2, 2, 3, 3, 4, 4, 4, 4, 4)
MOVED_LEVEL = (4, 4, 4, 5, 5, 5, 6, 7, 8, 9)  # the level whose window is used
OPEN_APART = 0.34  # units: nearer than that, over a whole unit, two graphs run along each other

Move = tuple[str, int]  # what is done, by how much
MOVES = {
    "right": "moved {0} to the right",
    "left": "moved {0} to the left",
    "up": "moved up by {0}",
    "down": "moved down by {0}",
    "mirror x": "mirrored in the x-axis",
    "mirror y": "mirrored in the y-axis",
}


def _term(shift: int) -> str:
    """x - h, without needless signs."""
    return "x" if shift == 0 else f"(x {'-' if shift > 0 else '+'} {abs(shift)})"


def _plus(number: Number) -> str:
    return "" if number == 0 else f" {'-' if number < 0 else '+'} {abs(number)}"


def _times(factor: Number) -> str:
    return {1: "", -1: "-"}.get(factor, str(factor) if Fraction(factor).denominator == 1 else f"{factor} ")


def _equation(kind: str, a: Number, h: int, k: int) -> str:
    """The equation of a graph with three parameters."""
    if kind == "line":
        return f"y = {_times(a)}x{_plus(k)}"
    if kind == "parabola":
        return f"y = {_times(a)}{_term(h)}^2{_plus(k)}"
    if kind == "absolute":
        inner = _term(h).strip("()")
        return f"y = {_times(a)}|{inner}|{_plus(k)}"
    if kind == "exponential":
        return f"y = {_times(a)}2^{_term(h)}{_plus(k)}"
    if kind == "sine":
        return f"y = {_times(a)}sin(pi {_term(h)} / 2){_plus(k)}"
    return f"y = {a} / {_term(h)}{_plus(k)}"


def _curve(kind: str, a: Number, h: int, k: int, half: int, colour: str) -> Curve:
    """The graph of that equation."""
    if kind == "line":
        return line(a, k, colour)
    if kind == "parabola":
        return parabola(h, k, a, colour)
    if kind == "absolute":
        return absolute(h, k, a, -half, half, colour)
    if kind == "exponential":
        return Curve("exponential", (a, 2, h, k), colour)
    return Curve("sine", (a, 2, h, k), colour) if kind == "sine" else Curve("hyperbola", (a, h, k), colour)


def _parameters(rng: np.random.Generator, kind: str, half: int) -> tuple[Number, int, int]:
    """Parameters of a graph that shows well in a panel."""
    reach = half - 2
    sizes: tuple[Number, ...] = (1, 2) if kind in ("exponential", "sine", "hyperbola") else (Fraction(1, 2), 1, 2)
    a = pick(rng, sizes) * pick(rng, (-1, 1))
    h, k = whole(rng, -reach, reach), whole(rng, -reach, reach)
    if kind == "exponential":
        a = 1 if a > 0 else -1
    if kind == "sine":
        h = whole(rng, 0, 1)
    return a, 0 if kind == "line" else h, k


def _changed(rng: np.random.Generator, kind: str, given: tuple[Number, int, int], half: int) -> tuple[Number, int, int]:
    """The same graph with one parameter of a foil's: a sign, a shift, a factor."""
    a, h, k = given
    fresh = _parameters(rng, kind, half)
    which = whole(rng, 0, 4 if kind != "line" else 3)
    if which == 0:
        return -a, h, k
    if which == 1:
        return a, h, fresh[2]
    if which == 2:
        return (a, h, -k) if k else (fresh[0], h, k)
    if which == 3 or kind == "line":
        return fresh[0], h, k
    return (a, -h, k) if h and rng.integers(2) else (a, fresh[1], k)


def _differ(first: Curve, second: Curve, half: int) -> bool:
    """Say whether two graphs differ by `FAR` somewhere where at least one of them shows."""
    xs = places(-half, half)
    a, b = (np.clip(curve.heights(xs), -half, half) for curve in (first, second))
    return float(np.nanmax(np.abs(a - b))) >= FAR


def pose_match(rng: np.random.Generator, level: int) -> Posed:
    """Find the graph of an equation among four."""
    half, kinds = PANELS_HALF[level], KINDS[: KINDS_OF[level]]
    kind = pick(rng, kinds)
    given = _parameters(rng, kind, half)
    colours = [COLOURS[i] for i in rng.permutation(CLEAR_COLOURS)[:4].tolist()]
    if rng.integers(2):
        colours = colours[:1] * 4
    chosen = [(kind, given)]
    curves = [_curve(kind, *given, half, "red")]
    for _ in range(MAX_TRIES):
        if len(chosen) == 4:
            break
        is_alike = len(chosen) <= ALIKE[level]
        other = kind if is_alike else pick(rng, kinds)
        foil = _changed(rng, kind, given, half) if is_alike else _parameters(rng, other, half)
        curve = _curve(other, *foil, half, "red")
        if all(_differ(curve, known, half) for known in curves):
            chosen.append((other, foil))
            curves.append(curve)
    else:
        raise RuntimeError(f"no four different graphs at level {level}")
    # The others are like the first, so which one is asked for is left to chance: being like the others tells nothing.
    order = rng.permutation(4).tolist()
    chosen, curves = [chosen[i] for i in order], [curves[i] for i in order]
    winner = whole(rng, 0, 3)
    kind, given = chosen[winner]
    panels = tuple(dataclasses.replace(curve, colour=colour) for curve, colour in zip(curves, colours, strict=True))
    equation = _equation(kind, *given)
    texts = (
        f"Which graph shows {equation}? One grid step is 1.",
        f"Find the graph of {equation}. One grid step is 1. Answer with its letter.",
        f"One grid step is 1. Which panel shows {equation}?",
        f"One grid step is 1. Give the letter of the graph of {equation}.",
    )
    query = {"ask": "match", "form": kind, "numbers": [str(number) for number in given]}
    scene = PanelsScene(half, panels)
    return Posed(scene, pick(rng, texts), Answer.choice(LETTERS[winner], LETTERS[:4]), guess_rate=1 / 4, query=query)


def _shape(rng: np.random.Generator, level: int, view: FunctionScene) -> Callable[[int, int, int, int], Curve]:
    """A random curve as a function of its flips (1 or -1) in x and y, and its shifts."""
    kind = whole(rng, 0, SHAPES_OF[level] - 1)
    x, y = whole(rng, -2, 2), whole(rng, -2, 2)
    if kind == 0:
        bend = pick(rng, (Fraction(1, 2), Fraction(1), Fraction(2))) * pick(rng, (-1, 1))
        return lambda fx, fy, dx, dy: _corner_at(fx * x + dx, fy * y + dy, fy * bend, view)
    if kind == 1:
        bend = pick(rng, (Fraction(1, 2), Fraction(1))) * pick(rng, (-1, 1))
        return lambda fx, fy, dx, dy: parabola(fx * x + dx, fy * y + dy, fy * bend, "black")
    if kind == 2:
        sign, base = pick(rng, (-1, 1)), pick(rng, (Fraction(2), Fraction(1, 2)))
        return lambda fx, fy, dx, dy: Curve(
            "exponential", (fy * sign, base if fx > 0 else 1 / base, fx * x + dx, fy * y + dy), "black"
        )
    steps = rng.integers(-2, 3, size=4).tolist()
    heights = np.cumsum([y, *steps]).tolist()
    xs = [x - 4, x - 2, x, x + 2, x + 4]

    def bent(fx: int, fy: int, dx: int, dy: int) -> Curve:
        corners = sorted((fx * a + dx, fy * b + dy) for a, b in zip(xs, heights, strict=True))
        ends = tuple(part for i, (a, b) in enumerate(itertools.pairwise(corners)) for part in (*a, *b, 1, 1))
        return Curve("branches", ends, "black")

    return bent


def _corner_at(x: int, y: int, bend: Fraction, view: FunctionScene) -> Curve:
    low, high = min(view.x_low, x - 1), max(view.x_high, x + 1)
    return absolute(x, y, bend, low, high, "black")


def _moved(shape: Callable[[int, int, int, int], Curve], move: Move) -> Curve:
    kind, size = move
    if kind in ("mirror x", "mirror y"):
        return shape(1, -1, 0, 0) if kind == "mirror x" else shape(-1, 1, 0, 0)
    dx = {"right": size, "left": -size}.get(kind, 0)
    return shape(1, 1, dx, {"up": size, "down": -size}.get(kind, 0))


def _tells_apart(ys: np.ndarray, others: list[np.ndarray], view: FunctionScene) -> bool:
    """Say whether a graph shows well, leaves every other by a unit, and runs along none for long."""
    is_shown = (ys >= view.y_low) & (ys <= view.y_high)
    if np.count_nonzero(is_shown) < 0.25 * len(ys):
        return False
    for other in others:
        gap = np.abs(ys - other)
        both = is_shown & (other >= view.y_low) & (other <= view.y_high)
        near = (gap < OPEN_APART) & both
        if near[:-8].astype(int)[near[8:]].any() or not (gap[is_shown] >= FAR).any():
            return False
    return True


def pose_moved(rng: np.random.Generator, level: int) -> Posed:
    """Say which coloured graph is the black one moved or mirrored."""
    count, kinds = CANDIDATES[level], tuple(MOVES)
    wanted: Move = (pick(rng, kinds), whole(rng, 2, 3))
    colours = [COLOURS[i] for i in rng.permutation(CLEAR_COLOURS)[:count].tolist()]
    for _ in range(MAX_TRIES):
        view = window(rng, MOVED_LEVEL[level], (-2, 2), (-2, 2))
        found = _candidates(rng, level, view, wanted, count)
        if found is not None:
            break
    else:
        raise RuntimeError(f"no graphs to tell apart at level {level}")
    painted = [dataclasses.replace(curve, colour=colour) for curve, colour in zip(found[1:], colours, strict=True)]
    order = rng.permutation(count).tolist()
    scene = dataclasses.replace(view, curves=(found[0], *(painted[i] for i in order)))
    words = MOVES[wanted[0]].format(wanted[1])
    texts = (
        f"Which coloured graph is the black graph {words}?",
        f"The black graph is {words}. Which colour does the result have?",
        f"Which colour shows the black graph {words}?",
        f"Name the colour of the graph that is the black one {words}.",
    )
    answer = Answer.word(colours[0], COLOURS[:CLEAR_COLOURS])
    query = {"ask": "moved", "kind": wanted[0], "size": wanted[1]}
    return Posed(scene, pick(rng, texts), answer, guess_rate=1 / CLEAR_COLOURS, query=query)


def _candidates(
    rng: np.random.Generator, level: int, view: FunctionScene, wanted: Move, count: int
) -> list[Curve] | None:
    """The black graph, the wanted one and foils, all told apart; None if that fails."""
    shape, xs = _shape(rng, level, view), places(view.x_low, view.x_high)
    found = [shape(1, 1, 0, 0)]
    heights = [found[0].heights(xs)]
    if not _tells_apart(heights[0], [], view):
        return None
    foils = [(kind, size) for kind in MOVES for size in (2, 3) if (kind, size) != wanted]
    tried = [wanted, *(foils[i] for i in rng.permutation(len(foils)).tolist())]
    for place, move in enumerate(tried):
        if len(found) == count + 1:
            break
        curve = _moved(shape, move)
        ys = curve.heights(xs)
        if _tells_apart(ys, heights, view):
            found.append(curve)
            heights.append(ys)
        elif place == 0:
            return None
    return found if len(found) == count + 1 else None
