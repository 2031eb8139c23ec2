"""Questions about curves of separate pieces: values and limits at jumps, how many jumps, where a curve begins and ends.

A filled dot belongs to the graph, an open one does not.
"""

import itertools
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.function.questions.levels import (
    HALF,
    coordinate,
    curve_colours,
    pair_of_coordinates,
    pairs_of_coordinates,
    pick,
    whole,
    window,
)
from engines.function.scene import Curve, FunctionScene

MOST_JUMPS = (2, 2, 3, 3, 4, 4, 4, 5, 5, 6)  # by level
JUMP = 2  # units between the two ends, at least
STEEPEST = 2
DOTS = "Filled dots belong to the graph, open dots do not."
LIST_FORM = "Give the two numbers, the smaller first."
SIDES = ("value", "left", "right")


def _other(rng: np.random.Generator, view: FunctionScene, but: list[int]) -> int:
    """A height at least a jump away from others."""
    options = [y for y in range(view.y_low + 1, view.y_high) if all(abs(y - other) >= JUMP for other in but)]
    return pick(rng, options)


def _next_height(rng: np.random.Generator, view: FunctionScene, y: int, gap: int) -> int:
    """Where a piece from height y may end after a gap in x."""
    low, high = max(view.y_low + 1, y - STEEPEST * gap), min(view.y_high - 1, y + STEEPEST * gap)
    return whole(rng, low, high)


def _scene(view: FunctionScene, pieces: list[tuple[int, ...]], colour: str) -> FunctionScene:
    curve = Curve("branches", tuple(number for piece in pieces for number in piece), colour)
    return FunctionScene(view.x_low, view.x_high, view.y_low, view.y_high, (curve,))


def _cuts(rng: np.random.Generator, view: FunctionScene, count: int) -> list[int]:
    """So many x inside the window, at least two units apart."""
    room = view.x_high - view.x_low - 2 - 2 * (count - 1)
    chosen = sorted(rng.integers(0, room + 1, size=count).tolist())
    return [view.x_low + 1 + place + 2 * i for i, place in enumerate(chosen)]


def pose_limit(rng: np.random.Generator, level: int) -> Posed:
    """Read what a graph tends to from one side of a jump."""
    return _at_jump(rng, level, pick(rng, SIDES[1:]))


def pose_jump_value(rng: np.random.Generator, level: int) -> Posed:
    """Read the value at a jump, which the filled dot tells."""
    return _at_jump(rng, level, "value")


def _at_jump(rng: np.random.Generator, level: int, of: str) -> Posed:
    x, y, half = coordinate(rng, level), coordinate(rng, level), HALF[level]
    view = window(rng, level, (x,), (y,))
    colour = curve_colours(rng, 0)[0]
    further = _other(rng, view, [y])
    is_left = bool(rng.integers(2)) if of == "value" else of == "left"  # the asked height is the left piece's end
    left, right = (y, further) if is_left else (further, y)
    owner = int(is_left) if of == "value" else whole(rng, 0, 1)  # 1: the left piece owns its end
    lone = None
    if level >= 4 and rng.integers(3) == 0:  # neither piece does: a dot of its own
        options = [h for h in range(view.y_low + 1, view.y_high) if min(abs(h - left), abs(h - right)) >= JUMP]
        if of == "value":
            lone, left = y, _other(rng, view, [y])
            right = _other(rng, view, [y, left])
        elif options:
            lone = pick(rng, options)
    closed = (0, 0) if lone is not None else (owner, 1 - owner)
    before = _leg(rng, view, x, left, view.x_low, closed[0])
    after = _leg(rng, view, x, right, view.x_high, closed[1])
    middle = [(x, lone, x, lone, 1, 1)] if lone is not None else []
    scene = _scene(view, [*before[::-1], *middle, *after], colour)
    texts = {
        "value": (
            f"What is y at x = {x}? {DOTS}",
            f"Read y at x = {x}. {DOTS}",
            f"{DOTS} What is the value at x = {x}?",
            f"{DOTS} How high is the graph at x = {x}?",
        ),
        "left": _limits("left", x),
        "right": _limits("right", x),
    }[of]
    query = {"ask": "limit", "of": of, "x": x, "curve": colour}
    return Posed(scene, pick(rng, texts), Answer.integer(y), guess_rate=1 / (2 * half - 1), query=query)


def _limits(side: str, x: int) -> tuple[str, ...]:
    return (
        f"Which y does the graph approach at x = {x} from the {side}?",
        f"What is the limit of the graph from the {side} at x = {x}?",
        f"Coming from the {side}, which y does the graph come close to at x = {x}?",
        f"Find the {side} limit of y at x = {x}.",
    )


def _leg(
    rng: np.random.Generator, view: FunctionScene, x: int, y: int, edge: int, closed: int
) -> list[tuple[int, ...]]:
    """Straight pieces from the jump at (x, y) to the edge of the window, the nearest first."""
    way, pieces = (1 if edge > x else -1), []
    while x != edge:
        left = abs(edge - x)
        gap = left if left < 4 else whole(rng, 2, 3)
        end, height = x + way * gap, _next_height(rng, view, y, gap)
        pieces.append((x, y, end, height, closed, 1) if way > 0 else (end, height, x, y, 1, closed))
        x, y, closed = end, height, 1
    return pieces


def pose_jumps(rng: np.random.Generator, level: int) -> Posed:
    """Count the jumps of a graph, some of whose pieces join without one."""
    most, view = MOST_JUMPS[level], window(rng, level)
    count = whole(rng, 0, most)
    cuts = _cuts(rng, view, count + whole(rng, 0, min(2, HALF[level] - most)))
    chosen = set(rng.permutation(len(cuts))[:count].tolist())
    edges = [view.x_low, *cuts, view.x_high]
    pieces, y, own = [], whole(rng, view.y_low + 1, view.y_high - 1), 1
    for index, (left, right) in enumerate(itertools.pairwise(edges)):
        end = _next_height(rng, view, y, right - left)
        jumps = index in chosen
        owner = whole(rng, 0, 1) if jumps else 1
        pieces.append((left, y, right, end, own, owner))
        y, own = (_other(rng, view, [end]), 1 - owner) if jumps else (end, 1)
    colour = curve_colours(rng, 0)[0]
    texts = (
        "How many jumps does the graph have?",
        "At how many places does the graph jump?",
        "Count the jumps of the graph.",
        "How often does the graph break off and go on at another height?",
    )
    query = {"ask": "jumps", "curve": colour}
    scene = _scene(view, pieces, colour)
    return Posed(scene, pick(rng, texts), Answer.integer(count), guess_rate=1 / (most + 1), query=query)


def pose_domain(rng: np.random.Generator, level: int) -> Posed:
    """Read from which x to which x, or from which y to which y, a graph runs."""
    of, colour = pick(rng, ("x", "y")), curve_colours(rng, 0)[0]
    low, high = pair_of_coordinates(rng, level, apart=2)
    view = window(rng, level, (low, high) if of == "x" else (0,), (low, high) if of == "y" else (0,))
    if level >= 2 and rng.integers(3) == 0:
        curve = _oval(rng, view, low, high, of, colour)
    else:
        curve = _stretch(rng, view, low, high, of, colour)
    scene = FunctionScene(view.x_low, view.x_high, view.y_low, view.y_high, (curve,))
    word = {"x": "domain", "y": "range"}[of]
    texts = (
        f"From which smallest {of} to which largest {of} does the graph reach? {LIST_FORM}",
        f"What are the smallest and the largest {of} of the graph? {LIST_FORM}",
        f"Find the smallest and the largest {of} on the graph. {LIST_FORM}",
        f"Between which two values of {of} does the graph lie? {LIST_FORM}",
    )
    query = {"ask": "domain", "of": word, "curve": colour}
    rate = 1 / pairs_of_coordinates(level, apart=2)
    return Posed(scene, pick(rng, texts), Answer.listing((low, high)), guess_rate=rate, query=query)


def _oval(rng: np.random.Generator, view: FunctionScene, low: int, high: int, of: str, colour: str) -> Curve:
    """An ellipse that spans an interval of one axis."""
    middle, reach = Fraction(low + high, 2), Fraction(high - low, 2)
    other_low, other_high = (view.y_low, view.y_high) if of == "x" else (view.x_low, view.x_high)
    other = Fraction(whole(rng, 2, other_high - other_low - 2), 2)
    centre = whole(rng, other_low + int(np.ceil(float(other))), other_high - int(np.ceil(float(other))))
    numbers = (middle, centre, reach, other) if of == "x" else (centre, middle, other, reach)
    return Curve("ellipse", numbers, colour)


def _stretch(rng: np.random.Generator, view: FunctionScene, low: int, high: int, of: str, colour: str) -> Curve:
    """Joined straight pieces that span an interval of one axis, with filled dots at both ends."""
    span = (view.x_low + 1, view.x_high - 1, view.y_low + 1, view.y_high - 1)
    if of == "x":
        xs, bottom, top = [low], span[2], span[3]
        while xs[-1] < high:
            left = high - xs[-1]
            xs.append(xs[-1] + (left if left < 4 else whole(rng, 2, 3)))
        ys = [whole(rng, bottom, top) for _ in xs]
    else:
        count = whole(rng, 3, min(5, (span[1] - span[0]) // 2 + 1))
        room = span[1] - span[0] - 2 * (count - 1)
        xs = [span[0] + 2 * i + shift for i, shift in enumerate(sorted(rng.integers(0, room + 1, size=count).tolist()))]
        ys = [whole(rng, low, high) for _ in xs]
        first, second = rng.permutation(count)[:2].tolist()
        ys[first], ys[second] = low, high
    pieces = [(a, b, c, d, 1, 1) for a, b, c, d in zip(xs, ys, xs[1:], ys[1:], strict=False)]
    return Curve("branches", tuple(number for piece in pieces for number in piece), colour)
