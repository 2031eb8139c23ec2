"""Questions about graphs and their derivatives: which belongs to which, and where a graph rises and bends."""

import functools
import itertools
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.panels.questions.draft import pick
from engines.panels.scene import HALF, LETTERS, Graph, Graphs, Strips

MIN_SIZE_PX = (224, 224, 224, 224, 224, 224, 280, 280, 280, 280)
# Where the derivative is 0, by level: so many places, twice the same where the graph touches its axis.
ROOTS = ("one", "one", "one", "two", "two", "two", "three", "three", "touch", "touch")
LEAST_SHIFT = 2  # between the places of two options, in sum
ORDER_ROOTS = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4)  # of f' where f, f' and f'' are to be told
DECOY_FROM_LEVEL = 4  # from here on there is a fourth graph: one of the three upside down
DOUBLED_FROM_LEVEL = 6  # of strips: from here on two things are asked of each
TRIES = 300
LEAST_BEND = Fraction(1, 40)  # of the height of a graph by which it leaves the straight line across a strip
STEEPEST = 3

DERIVATIVE = (
    "The graph of f is at the top. Which option is its derivative f'?",
    "Which option shows the derivative of the function at the top?",
    "The top graph is that of f. Which letter is the graph of f'?",
    "Which of the lettered graphs is the slope of the graph at the top?",
)
PRIMITIVE = (
    "The graph of f' is at the top. Which option can be f?",
    "Which option is a function whose derivative is at the top?",
    "The top graph is that of the derivative f'. Which letter can be the graph of f?",
    "Which of the lettered graphs has the slope that the top graph shows?",
)
SCALES = " Scales of height differ."
ORDERS = (
    "The graphs are f, f' and f''. Give their letters in this order.",
    "Which graph is f, which f', which f''? List the letters in this order.",
    "List the letters of f, f' and f'', in this order.",
    "Tell f, f' and f'' apart: give their letters in this order.",
)
ORDERS_OF_FOUR = (
    "Three of the four graphs are f, f' and f''. Give their letters in this order.",
    "Which graph is f, which f' and which f''? One of the four is none of them. Give three letters in this order.",
    "One graph is f, one its derivative f', one f'' and one has nothing to do with them. List f, f', f'' by letter.",
    "Three of the graphs are f, f' and f''. Find them and give their letters in this order.",
)
BENDS = (
    "The graph of {0} is shown. In which strips is {1}? List letters, or none.",
    "You see {0}. List the strips in which {1}, or none if there are none.",
    "In which lettered strips is {1}? The graph is that of {0}. Answer with letters or none.",
    "The picture shows {0}. Give the letters of the strips with {1}, or none.",
)
SIGNS = {(0, 1): "f'' > 0", (0, -1): "f'' < 0"}
SIGNS |= {(a, b): f"f' {'<>'[a > 0]} 0 and f'' {'<>'[b > 0]} 0" for a in (1, -1) for b in (1, -1)}


@functools.cache
def root_sets(kind: str) -> tuple[tuple[int, ...], ...]:
    """Places of a kind of `ROOTS` where a polynomial may be 0, two apart or more."""
    places = range(1 - HALF, HALF)
    if kind == "touch":
        return tuple((a, a, b) for a, b in itertools.permutations(places, 2) if abs(a - b) >= 3)
    count = ("one", "two", "three").index(kind) + 1
    every = itertools.combinations(places, count)
    return tuple(roots for roots in every if all(b - a >= 2 for a, b in itertools.pairwise(roots)))


@functools.cache
def root_pairs(kind: str) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
    """Two sets of places that are easily told apart."""
    pairs = itertools.permutations(root_sets(kind), 2)
    return tuple((a, b) for a, b in pairs if sum(abs(x - y) for x, y in zip(a, b, strict=True)) >= LEAST_SHIFT)


def product(roots: tuple[int, ...], factor: int = 1) -> tuple[Fraction, ...]:
    """Coefficients of factor (x - root) (x - root) ..."""
    numbers = [Fraction(factor)]
    for root in roots:
        shifted = [Fraction(0), *numbers]
        numbers = [a - root * b for a, b in zip(shifted, [*numbers, Fraction(0)], strict=True)]
    return tuple(numbers)


def slope(numbers: tuple[Fraction, ...]) -> tuple[Fraction, ...]:
    """Coefficients of the derivative."""
    return tuple(power * number for power, number in enumerate(numbers))[1:]


def rise(numbers: tuple[Fraction, ...], zero: int) -> tuple[Fraction, ...]:
    """Coefficients of the function with a derivative that is 0 at a place."""
    found = (Fraction(0), *(number / (power + 1) for power, number in enumerate(numbers)))
    return (-Graph("", found, 0, 0).at(Fraction(zero)), *found[1:])


def _middle(roots: tuple[int, ...]) -> tuple[int, int]:
    """The part of the window that is to be seen: the more bends there are, the closer around them."""
    spare = 1 if len(set(roots)) < 3 else 0
    return max(-HALF, min(roots) - spare), min(HALF, max(roots) + spare)


def _four(rng: np.random.Generator, level: int, is_rise: bool) -> tuple[Graphs, str]:
    """A graph and four options, and the letter of the right one.

    Two derivatives and the same upside down are options, or have them as theirs; any may be the right one.
    """
    pair = pick(rng, root_pairs(ROOTS[level]))
    zero = int(rng.integers(1 - HALF, HALF))
    graphs = []
    for roots, sign in itertools.product(pair, (1, -1)):
        below = product(roots, sign)
        low, high = _middle(roots)
        graphs.append((below, rise(below, min(high, max(low, zero))), low, high))
    order = rng.permutation(4).tolist()
    mine = int(rng.integers(4))
    below, above, low, high = graphs[order[mine]]
    options = []
    for letter, place in zip(LETTERS, order, strict=False):
        own = graphs[place]
        options.append(Graph(letter, own[1 if is_rise else 0], own[2], own[3]))
    given = Graph("f'", below, low, high) if is_rise else Graph("f", above, low, high)
    steps = 1 + ("one", "two", "three", "touch").index(ROOTS[level])
    return Graphs((given,), tuple(options), steps), LETTERS[mine]


def _pose_four(rng: np.random.Generator, level: int, ask: str) -> Posed:
    scene, mine = _four(rng, level, ask == "primitive")
    question = pick(rng, PRIMITIVE if ask == "primitive" else DERIVATIVE) + SCALES
    return Posed(scene, question, Answer.choice(mine, LETTERS[:4]), guess_rate=0.25, query={"ask": ask})


def pose_derivative(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the derivative of a graph."""
    return _pose_four(rng, level, "derivative")


def pose_primitive(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a graph whose derivative is given."""
    return _pose_four(rng, level, "primitive")


@functools.cache
def _spread(count: int) -> tuple[tuple[int, ...], ...]:
    """Places where f' may be 0, in the middle of the window or all over it."""
    every = itertools.combinations(range(1 - HALF, HALF), count)
    return tuple(
        roots for roots in every if all(b - a >= (2 if count < 4 else 1) for a, b in itertools.pairwise(roots))
    )


def pose_orders(rng: np.random.Generator, level: int) -> Posed:
    """Ask which graphs are f, f' and f''; from level 4 on one of four is none of them."""
    roots = pick(rng, _spread(ORDER_ROOTS[level]))
    first = product(roots, pick(rng, (1, -1)))
    low, high = _middle(roots)
    chain = [rise(first, pick(rng, range(low, high + 1))), first, slope(first)]
    if level >= DECOY_FROM_LEVEL:
        chain.append(tuple(-number for number in pick(rng, chain)))
    order = rng.permutation(len(chain)).tolist()
    letters = [LETTERS[order.index(place)] for place in range(3)]
    graphs = tuple(Graph(LETTERS[at], chain[place], low, high) for at, place in enumerate(order))
    scene = Graphs((), graphs, 2 + (level >= DECOY_FROM_LEVEL) + (ORDER_ROOTS[level] > 3))
    is_of_four = len(chain) == 4
    answer = Answer.listing(letters, LETTERS[:4]) if is_of_four else Answer.permutation(letters)
    question = pick(rng, ORDERS_OF_FOUR if is_of_four else ORDERS) + SCALES
    return Posed(scene, question, answer, guess_rate=1 / 24 if is_of_four else 1 / 6, query={"ask": "orders"})


def _holds(a: int, b: int, asked: tuple[int, int]) -> bool:
    """Say whether f' and f'' have the signs asked for between two edges; 0 asks for nothing."""
    return (b - a) * asked[1] > 0 and (not asked[0] or (a + b) * asked[0] > 0)


def _walks(flags: list[bool], asked: tuple[int, int], last: int, rng: np.random.Generator) -> Iterator[list[int]]:
    """Slopes at edges from `last` on, strip by strip as the flags say; f' has one sign in each."""
    if not flags:
        yield [last]
        return
    for place in rng.permutation(2 * STEEPEST + 1).tolist():
        new = place - STEEPEST
        if new != last and new * last >= 0 and _holds(last, new, asked) == flags[0]:
            for rest in _walks(flags[1:], asked, new, rng):
                yield [last, *rest]


def pose_bends(rng: np.random.Generator, level: int) -> Posed:
    """Ask in which strips f'' has a sign, of f or of f'; from level 6 on also a sign of f'."""
    count = (3, 3, 3, 4, 4, 4, 4, 4, 5, 5)[level]
    is_slope = level in (3, 4, 5, 8, 9)
    asked = (pick(rng, (1, -1)) if level >= DOUBLED_FROM_LEVEL else 0, pick(rng, (1, -1)))
    most = count if level < DOUBLED_FROM_LEVEL else 2
    wanted = [flags for flags in itertools.product((False, True), repeat=count) if sum(flags) <= most]
    while True:
        flags = pick(rng, wanted)
        scene = _strips(rng, list(flags), asked, is_slope, 1 + is_slope + 2 * (level >= DOUBLED_FROM_LEVEL))
        if scene is not None:
            break
    found = [letter for letter, flag in zip(scene.letters, flags, strict=True) if flag]
    question = pick(rng, BENDS).format("f'" if is_slope else "f", SIGNS[asked])
    query = {"ask": "bends", "first": asked[0], "second": asked[1]}
    return Posed(scene, question, Answer.set_of(found, scene.letters), guess_rate=1 / len(wanted), query=query)


def _strips(
    rng: np.random.Generator, flags: list[bool], asked: tuple[int, int], is_slope: bool, steps: int
) -> Strips | None:
    """Strips as the flags say whose bends are seen, if some are found soon."""
    for _ in range(TRIES):
        start = int(rng.integers(-STEEPEST, STEEPEST + 1))
        slopes = next(_walks(flags, asked, start, rng), None)
        if slopes is None:
            continue
        scene = Strips(tuple(slopes), is_slope, steps)
        heights = scene.heights()
        tall = max(max(heights) - min(heights), 1)
        bend = min(abs(b - a) for a, b in itertools.pairwise(slopes))
        if is_slope or Fraction(bend, 8) >= LEAST_BEND * tall:
            return scene
    return None


def facts(scene: Graphs | Strips, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many graphs there are, and where they are beside their axes."""
    if isinstance(scene, Strips):
        heights = [Fraction(slope) for slope in scene.slopes] if scene.is_slope else scene.heights()
        verdict = "left" if heights[0] > heights[-1] else "right" if heights[-1] > heights[0] else "neither"
        shown = "f'" if scene.is_slope else "f"
        return (
            Fact("How many strips have a letter?", Answer.integer(len(scene.letters))),
            Fact("Which letter has the last strip on the right?", Answer.choice(scene.letters[-1], LETTERS)),
            Fact("At which end is the graph higher?", Answer.word(verdict, ("left", "right", "neither"))),
            Fact(f"How many dashed lines part the strips of {shown}?", Answer.integer(len(scene.letters) - 1)),
        )
    letters = [graph.name for graph in scene.options]
    found = [
        Fact("How many graphs are shown?", Answer.integer(len(scene.graphs))),
        Fact("How many graphs have a capital letter?", Answer.integer(len(letters))),
        Fact("Into how many strips do upright lines part each window?", Answer.integer(2 * HALF)),
    ]
    for graph in scene.graphs:
        numbers = [float(number) for number in reversed(graph.numbers)]
        middle, scale = numbers[-1], abs(np.polyval(numbers, np.arange(graph.low, graph.high + 1))).max()
        if 4 * abs(middle) > scale and graph.low <= 0 <= graph.high:
            side = Answer.word("above" if middle > 0 else "below", ("above", "below"))
            question = f"Is graph {graph.name} above or below the horizontal axis in the middle of its window?"
            found.append(Fact(question, side))
    return tuple(found)
