"""Questions about marked points: which is nearer to the viewer."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.depth.questions.place import LETTERS, marked, pick

POINTS = (2, 3, 3, 3, 4, 4, 4, 5, 5, 5)
LISTED = (3, 3, 3, 3, 4, 4, 4, 5, 5, 5)  # where two would be too few

NEAREST = (
    "Which marked point is nearest to you? Answer with its letter.",
    "Which of the points is closest to the viewer? Give its letter.",
    "Name the marked point that is nearest to you.",
    "Of the points marked with letters, which one is closest to you?",
)
FARTHEST = (
    "Which marked point is farthest from you? Answer with its letter.",
    "Which of the points is farthest from the viewer? Give its letter.",
    "Name the marked point that is farthest away from you.",
    "Of the points marked with letters, which one is farthest from you?",
)
PAIR = (
    "Which is nearer to you, point {0} or point {1}?",
    "Is point {0} or point {1} closer to the viewer? Answer with the letter.",
    "Of the points {0} and {1}, which one is nearer to you?",
    "Compare the points {0} and {1}. Which one is closer to you?",
)
ORDER = (
    "List the letters of the marked points, the one nearest to you first.",
    "Put the marked points in order from the nearest to you to the farthest.",
    "List the letters of the marked points from the nearest to you to the farthest.",
    "Order the marked points by their distance from you, the closest first.",
)
SECOND = (
    "Which marked point is second nearest to you? Answer with its letter.",
    "Which marked point has exactly one other marked point nearer to you?",
    "Name the marked point that is second closest to the viewer.",
    "Order the marked points from near to far. Which letter comes second?",
)
CLOSER = (
    "How many of the other marked points are nearer to you than point {0}?",
    "How many marked points are closer to the viewer than point {0}?",
    "Count the marked points that are nearer to you than point {0}.",
    "How many marked points lie nearer to you than point {0} does?",
)


def _one(rng: np.random.Generator, level: int, ask: str, phrasings: tuple[str, ...], count: int, place: int) -> Posed:
    """Ask for the point that has a place in the order from near to far."""
    scene = marked(rng, level, count, place % count)
    answer = Answer.choice(scene.by_nearness()[place].letter, LETTERS[:count])
    return Posed(scene, pick(rng, phrasings), answer, guess_rate=1 / count, query={"ask": ask})


def pose_nearest(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the nearest point."""
    return _one(rng, level, "nearest_point", NEAREST, POINTS[level], 0)


def pose_farthest(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the farthest point."""
    return _one(rng, level, "farthest_point", FARTHEST, POINTS[level], -1)


def pose_second(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the second nearest point."""
    return _one(rng, level, "second_nearest", SECOND, LISTED[level], 1)


def pose_pair(rng: np.random.Generator, level: int) -> Posed:
    """Ask which of two points is nearer, among others."""
    one, other = sorted(rng.permutation(POINTS[level])[:2].tolist())
    scene = marked(rng, level, POINTS[level], one, [other])
    near, far = (scene.by_nearness()[place].letter for place in (one, other))
    names = (near, far) if rng.integers(2) else (far, near)
    answer, query = Answer.choice(near, sorted(names)), {"ask": "nearer_of_two", "letters": list(names)}
    return Posed(scene, pick(rng, PAIR).format(*names), answer, guess_rate=1 / 2, query=query)


def pose_order(rng: np.random.Generator, level: int) -> Posed:
    """Ask for all points from near to far."""
    count = LISTED[level]
    scene = marked(rng, level, count, int(rng.integers(count)))
    answer = Answer.permutation([point.letter for point in scene.by_nearness()])
    rate = 1 / math.factorial(count)
    return Posed(scene, pick(rng, ORDER), answer, guess_rate=rate, query={"ask": "order_points"})


def pose_closer(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many points are nearer than one."""
    count = LISTED[level]
    nearer = int(rng.integers(count))
    scene = marked(rng, level, count, nearer)
    letter = scene.by_nearness()[nearer].letter
    query = {"ask": "count_nearer", "letter": letter}
    return Posed(scene, pick(rng, CLOSER).format(letter), Answer.integer(nearer), guess_rate=1 / count, query=query)
