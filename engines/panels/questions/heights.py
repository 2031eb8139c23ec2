"""Questions about maps of heights: which point is highest, the order of points, which arrow climbs all the way."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.panels.questions.draft import pick
from engines.panels.scene import LETTERS, SIDE, Hill, Map

MIN_SIZE_PX = (224, 224, 224, 224, 280, 280, 280, 280, 280, 280)
HILLS = (1, 1, 1, 2, 2, 2, 2, 2, 3, 3)
HOLLOW_FROM_LEVEL = 5  # from here on the last hill is a hollow
POINTS = (3, 4, 4, 4, 5, 5, 4, 4, 4, 5)
ORDERED_FROM_LEVEL = 6  # from here on all points are to be ordered
GAINING_FROM_LEVEL = 4  # from here on arrows that fall somewhere end higher than they begin
STEP, BASES = 50, (130, 180, 230)
EDGE, ROOM, ARROW_ROOM = 9, 10, 8  # from the rim of the map; of points from each other and from tops; of arrows
CLEAR = 0.22  # of a step, by which points are off the lines
TOPS_APART = 30
LEAST_RISE, LEAST_DROP = 2.6, 1.3  # of arrows, in steps: along the right one, and somewhere along a wrong one
LENGTHS = (24, 52)
LEAST_SLOPE = 0.15  # of an arrow that climbs, in shares of its mean slope
FINE = 61  # places of an arrow at which it must be seen to climb
SPOTS, ALONG, DRAFTS, TRIES = 160, 13, 170, 200

SUMMIT = (
    "Which of the marked points lies {0}? Lines join places of equal height.",
    "The lines join places of equal height. Which point is the {0}?",
    "By the lines of equal height, which letter is at the {0} place?",
    "Lines of equal height are drawn. Which of the points is {0} of all?",
)
WORDS = {
    "highest": ("highest", "highest", "highest", "the highest"),
    "lowest": ("lowest", "lowest", "lowest", "the lowest"),
}
ORDER = (
    "Order the points by height, the lowest first. Lines join places of equal height.",
    "The lines join places of equal height. List the letters from the lowest point to the highest.",
    "Lines of equal height are drawn. Sort the points by height, lowest first.",
    "By the lines of equal height, give the order of the points from low to high.",
)
CLIMB = (
    "Which arrow climbs all the way? Lines join places of equal height.",
    "The lines join places of equal height. Along which arrow does one never go down?",
    "By the lines of equal height, which arrow goes only upwards?",
    "Lines of equal height are drawn. Along which arrow does the ground rise from its start to its end?",
)


def ground(rng: np.random.Generator, level: int) -> tuple[int, tuple[Hill, ...]]:
    """The height of the plain, and hills whose tops stand apart."""
    places: list[tuple[int, int]] = []
    while len(places) < HILLS[level]:
        x, y = rng.integers(22, SIDE - 21, size=2).tolist()
        if all(math.dist((x, y), other) >= TOPS_APART for other in places):
            places.append((x, y))
    hills = []
    for place, (x, y) in enumerate(places):
        tall, wide = 10 * int(rng.integers(24, 40)), int(rng.integers(17, 24))
        if level >= HOLLOW_FROM_LEVEL and place == HILLS[level] - 1:
            tall = -10 * int(rng.integers(16, 22))
        hills.append(Hill(x, y, tall, wide))
    return pick(rng, BASES), tuple(hills)


def heights(base: int, hills: tuple[Hill, ...], spots: np.ndarray) -> np.ndarray:
    """Heights at spots, float [..., 2]."""
    total = np.full(spots.shape[:-1], float(base))
    for x, y, tall, wide in hills:
        away = (spots[..., 0] - x) ** 2 + (spots[..., 1] - y) ** 2
        total += tall / (1 + away / wide**2)
    return total


def _points(rng: np.random.Generator, count: int, base: int, hills: tuple[Hill, ...]) -> list[tuple[int, int]]:
    """Points between different lines, from low to high; fewer than wanted if there is no room."""
    spots = rng.integers(EDGE, SIDE - EDGE + 1, size=(SPOTS, 2))
    levels = heights(base, hills, spots) / STEP
    is_clear = abs(levels - np.rint(levels)) >= CLEAR
    for x, y, _, _ in hills:
        is_clear &= abs(spots - (x, y)).sum(1) >= 1.3 * ROOM
    found: list[tuple[float, tuple[int, int]]] = []
    for (x, y), level in zip(spots[is_clear].tolist(), levels[is_clear].tolist(), strict=True):
        if all(int(level) != int(old) and abs(x - a) + abs(y - b) > 1.4 * ROOM for old, (a, b) in found):
            found.append((level, (x, y)))
        if len(found) == count:
            break
    return [spot for _, spot in sorted(found)]


def pose_summit(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the highest or the lowest point, from level 6 on for the order of all."""
    count, is_ordered = POINTS[level], level >= ORDERED_FROM_LEVEL
    for _ in range(TRIES):
        base, hills = ground(rng, level)
        points = _points(rng, count, base, hills)
        if len(points) == count:
            break
    else:
        raise RuntimeError(f"no points of different heights at level {level} in {TRIES} tries")
    order = rng.permutation(count).tolist()
    letters = [LETTERS[order.index(place)] for place in range(count)]
    steps = 1 + (level >= HOLLOW_FROM_LEVEL) + is_ordered
    scene = Map(base, hills, STEP, tuple(points[i] for i in order), (), steps)
    if is_ordered:
        rate = (1 / 24, 1 / 120)[count > 4]
        return Posed(scene, pick(rng, ORDER), Answer.permutation(letters), guess_rate=rate, query={"ask": "order"})
    word = pick(rng, ("highest", "lowest"))
    place = int(rng.integers(len(SUMMIT)))
    question = SUMMIT[place].format(WORDS[word][place])
    answer = Answer.choice(letters[-1 if word == "highest" else 0], LETTERS[:count])
    return Posed(scene, question, answer, guess_rate=1 / count, query={"ask": word})


def _arrows(rng: np.random.Generator, level: int, base: int, hills: tuple[Hill, ...]) -> list[np.ndarray]:
    """An arrow that climbs all the way and three that do not, apart from each other; int [2, 2] each, or none."""
    ends = rng.integers(EDGE, SIDE - EDGE + 1, size=(DRAFTS, 2, 2))
    spans = ((ends[:, 1] - ends[:, 0]) ** 2).sum(1)
    ends = ends[(spans >= LENGTHS[0] ** 2) & (spans <= LENGTHS[1] ** 2)]
    share = np.linspace(0, 1, ALONG)[:, None]
    ways = ends[:, :1] * (1 - share) + ends[:, 1:] * share  # [n, ALONG, 2]
    along = heights(base, hills, ways) / STEP
    gain = along[:, -1] - along[:, 0]
    climbs = (gain >= LEAST_RISE) & (np.diff(along, axis=1).min(1) > LEAST_SLOPE * gain / ALONG)
    falls = (np.maximum.accumulate(along, 1) - along).max(1) >= LEAST_DROP
    share = np.linspace(0, 1, FINE)[:, None]
    fine = heights(base, hills, ends[climbs, :1] * (1 - share) + ends[climbs, 1:] * share)
    climbs[climbs] = np.diff(fine, axis=1).min(1) > LEAST_SLOPE * STEP * gain[climbs] / FINE
    is_near = climbs | falls
    ends, ways, climbs, falls, gain = ends[is_near], ways[is_near], climbs[is_near], falls[is_near], gain[is_near]
    first = falls & (gain >= 0) if level >= GAINING_FROM_LEVEL else falls
    coarse, chosen, is_free = ways[:, :: ALONG // 6], [], np.ones(len(ends), bool)
    for x, y, _, _ in hills:  # so that letters and the heights of tops do not meet
        is_free &= abs(ends[:, 0] - (x, y)).sum(1) >= 1.6 * ROOM
    for pool in (climbs, first, falls, falls):
        fitting = np.flatnonzero(pool & is_free)
        if not len(fitting):
            return []
        chosen.append(ends[fitting[0]])
        apart = coarse[:, :, None] - coarse[fitting[0]]
        is_free &= np.einsum("abcd,abcd->abc", apart, apart).min((1, 2)) >= ARROW_ROOM**2
    return chosen


def pose_climb(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the arrow along which the ground rises all the way."""
    for attempt in range(TRIES):
        if attempt % 2 == 0:
            base, hills = ground(rng, level)
        arrows = _arrows(rng, level, base, hills)
        if arrows:
            break
    else:
        raise RuntimeError(f"no arrows apart from each other at level {level} in {TRIES} tries")
    order = rng.permutation(4).tolist()
    shown = tuple(tuple(map(tuple, arrows[i].tolist())) for i in order)
    scene = Map(base, hills, STEP, (), shown, 1 + (level >= GAINING_FROM_LEVEL) + (level >= HOLLOW_FROM_LEVEL))
    answer = Answer.choice(LETTERS[order.index(0)], LETTERS[:4])
    return Posed(scene, pick(rng, CLIMB), answer, guess_rate=0.25, query={"ask": "climb"})


def facts(scene: Map, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: what is marked, and what stands at the tops."""
    written = [int(scene.at(hill.x, hill.y)) for hill in scene.hills]
    what = "points" if scene.points else "arrows"
    return (
        Fact(f"How many {what} have a letter?", Answer.integer(len(scene.points or scene.arrows))),
        Fact("By how much do two neighbouring lines differ in height?", Answer.integer(scene.step)),
        Fact("How many small triangles mark a place with its height?", Answer.integer(len(written))),
        Fact("What is the largest number beside a small triangle?", Answer.integer(max(written))),
    )
