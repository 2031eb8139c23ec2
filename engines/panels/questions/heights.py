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
SHORE = 14  # of tops from the rim of the map
AWAY, AWAY_NOISE = (6, 48), 8  # of the first top from the middle of the map, as what is asked for needs it
LEAST_RISE, LEAST_DROP = 2.6, 1.3  # of arrows, in steps: along the right one, and somewhere along a wrong one
LENGTHS = (24, 52)
LEAST_SLOPE = 0.15  # of an arrow that climbs, in shares of its mean slope
FINE = 61  # places of an arrow at which it must be seen to climb
SPOTS, ALONG, DRAFTS, TRIES = 160, 13, 400, 200
SETS = 1000  # of points, that are tried at once
SHARES, FINE_SHARES = (np.linspace(0, 1, count)[:, None] for count in (ALONG, FINE))

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


def ground(rng: np.random.Generator, level: int, away: float) -> tuple[int, tuple[Hill, ...]]:
    """The height of the plain, and hills whose tops stand apart, the first about so far from the middle of the map."""
    angle, radius = rng.random() * math.tau, away + AWAY_NOISE * rng.normal()
    first = (SIDE / 2 + radius * math.cos(angle), SIDE / 2 + radius * math.sin(angle))
    places = [tuple(min(max(round(at), SHORE), SIDE - SHORE) for at in first)]
    while len(places) < HILLS[level]:
        x, y = rng.integers(SHORE, SIDE - SHORE + 1, size=2).tolist()
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


def _points(
    rng: np.random.Generator, base: int, hills: tuple[Hill, ...], ranks: dict[int, int], count: int
) -> list[tuple[int, int]]:
    """Points between different lines, from low to high; none if there is no room for them.

    `ranks`: by place from low to high, how many of the others are nearer to the middle of the map.
    """
    spots = rng.integers(EDGE, SIDE - EDGE + 1, size=(SPOTS, 2))
    levels = heights(base, hills, spots) / STEP
    is_clear = abs(levels - np.rint(levels)) >= CLEAR
    for x, y, _, _ in hills:
        is_clear &= abs(spots - (x, y)).sum(1) >= 1.3 * ROOM
    spots, levels = spots[is_clear], levels[is_clear]
    if len(spots) < count:
        return []
    sets = rng.integers(len(spots), size=(SETS, count))
    sets = np.take_along_axis(sets, levels[sets].argsort(1), 1)
    nearness = np.hypot(*(spots - SIDE / 2).T)[sets].argsort(1).argsort(1)
    is_fit = (np.diff(np.floor(levels[sets]), axis=1) >= 1).all(1)
    for place, rank in ranks.items():
        is_fit &= nearness[:, place] == rank
    for chosen in spots[sets[is_fit]]:
        apart = abs(chosen[:, None] - chosen).sum(2) + 1000 * np.eye(count)
        if apart.min() > 1.4 * ROOM:
            return [tuple(spot) for spot in chosen.tolist()]
    return []


def pose_summit(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the highest or the lowest point, from level 6 on for the order of all.

    How near the middle of the map these are says nothing: all ranks, and all orders, are as likely.
    """
    count, is_ordered = POINTS[level], level >= ORDERED_FROM_LEVEL
    word = pick(rng, ("highest", "lowest"))
    by_height = dict(enumerate(rng.permutation(count).tolist()))
    asked = count - 1 if word == "highest" else 0
    ranks = by_height if is_ordered else {asked: by_height[asked]}
    share = by_height[asked] / (count - 1)
    away = AWAY[0] + (AWAY[1] - AWAY[0]) * (share if word == "highest" else 1 - share)
    for _ in range(TRIES):
        base, hills = ground(rng, level, away)
        points = _points(rng, base, hills, ranks, count)
        if points:
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
    place = int(rng.integers(len(SUMMIT)))
    question = SUMMIT[place].format(WORDS[word][place])
    answer = Answer.choice(letters[-1 if word == "highest" else 0], LETTERS[:count])
    return Posed(scene, question, answer, guess_rate=1 / count, query={"ask": word})


def _drafts(rng: np.random.Generator, level: int, base: int, hills: tuple[Hill, ...]) -> tuple[np.ndarray, ...]:
    """Arrows that climb all the way or fall somewhere.

    Their ends, int [n, 2, 2]; ways, float [n, ALONG, 2]; whether each climbs, falls, and falls as far as the level asks
    of the first wrong one, bool [n].
    """
    last = rng.integers(EDGE, SIDE - EDGE + 1, size=(DRAFTS, 2))
    angle, span = rng.random(DRAFTS) * math.tau, rng.uniform(*LENGTHS, size=DRAFTS)
    ends = np.stack([np.rint(last + (span * (np.cos(angle), np.sin(angle))).T).astype(int), last], 1)
    ends = ends[((ends >= EDGE) & (ends <= SIDE - EDGE)).all((1, 2))]
    ways = ends[:, :1] + (ends[:, 1:] - ends[:, :1]) * SHARES  # [n, ALONG, 2]
    along = heights(base, hills, ways) / STEP
    gain = along[:, -1] - along[:, 0]
    climbs = (gain >= LEAST_RISE) & (np.diff(along, axis=1).min(1) > LEAST_SLOPE * gain / ALONG)
    falls = (np.maximum.accumulate(along, 1) - along).max(1) >= LEAST_DROP
    fine = heights(base, hills, ends[climbs, :1] + (ends[climbs, 1:] - ends[climbs, :1]) * FINE_SHARES)
    climbs[climbs] = np.diff(fine, axis=1).min(1) > LEAST_SLOPE * STEP * gain[climbs] / FINE
    is_kept = climbs | falls
    for x, y, _, _ in hills:  # so that letters and the heights of tops do not meet
        is_kept &= abs(ends[:, 0] - (x, y)).sum(1) >= 1.6 * ROOM
    first = falls & (gain >= 0) if level >= GAINING_FROM_LEVEL else falls
    return ends[is_kept], ways[is_kept], climbs[is_kept], falls[is_kept], first[is_kept]


def _places(ends: np.ndarray) -> np.ndarray:
    """What shows of arrows where no lines are drawn, float [n, 3].

    How far they end from the middle of the map, how much nearer to it they end than they begin, and how long they are.
    """
    start, end = np.hypot(*(ends - SIDE / 2).transpose(2, 1, 0))
    return np.stack([end, start - end, np.hypot(*(ends[:, 1] - ends[:, 0]).T)], 1)


def _arrows(
    rng: np.random.Generator, level: int, base: int, hills: tuple[Hill, ...], sides: np.ndarray
) -> list[np.ndarray]:
    """An arrow that climbs all the way and three that do not, apart from each other; int [2, 2] each, or none.

    `sides`, bool [3, 3]: by wrong arrow and place of `_places`, whether its number is below the right one's.
    """
    ends, ways, climbs, falls, first = _drafts(rng, level, base, hills)
    shown, rights = _places(ends), np.flatnonzero(climbs)
    is_below = shown < shown[rights, None]  # [rights, n, 3]
    pools = [pool & (is_below == side).all(2) for pool, side in zip((first, falls, falls), sides, strict=True)]
    coarse = ways[:, :: ALONG // 6]
    for place in np.flatnonzero(np.all([pool.any(1) for pool in pools], 0)).tolist():
        chosen = [int(rights[place])]
        for pool in pools:
            fitting = np.flatnonzero(pool[place])
            apart = coarse[fitting, :, None, None] - coarse[chosen].reshape(-1, 2)
            apart = (apart**2).sum(-1).reshape(len(fitting), -1).min(1)
            if apart.max() < ARROW_ROOM**2:
                break
            chosen.append(int(fitting[apart.argmax()]))  # the farthest leaves room for others
        if len(chosen) == 4:
            return list(ends[chosen])
    return []


def _evenly(rng: np.random.Generator, others: int) -> np.ndarray:
    """Which of the others come before the right one, so that it has every rank as often; bool [others]."""
    return rng.permutation(others) < rng.integers(others + 1)


def pose_climb(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the arrow along which the ground rises all the way."""
    is_nearer, is_shorter = _evenly(rng, 3), _evenly(rng, 3)
    sides = np.stack([is_nearer, ~is_nearer, is_shorter], 1)
    away = AWAY[0] + (AWAY[1] - AWAY[0]) * is_nearer.mean()
    for _ in range(TRIES):
        base, hills = ground(rng, level, away)
        arrows = _arrows(rng, level, base, hills, sides)
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
