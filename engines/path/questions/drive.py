"""Questions about a street map: how many blocks a drive is at least, which places can be reached at all."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.path.questions.carve import distances, pick, spread
from engines.path.scene.streets import Streets

SIDES = (3, 3, 4, 4, 4, 5, 5, 5, 6, 6)  # crossings along an edge
CLOSED = (0.2, 0.15, 0.2, 0.15, 0.15, 0.15, 0.15, 0.12, 0.12, 0.12)  # share of the blocks that are not there
ONE_WAY = (0.0, 0.0, 0.4, 0.55, 0.65, 0.7, 0.75, 0.8, 0.9, 1.0)  # of those that are there
BLOCKS = ((2, 4), (2, 5), (2, 6), (3, 7), (3, 7), (3, 9), (3, 9), (4, 10), (4, 11), (4, 12))
PLACES = (3, 3, 3, 4, 4, 4, 5, 5, 6, 6)  # further letters, where reach is asked
REACH_CLOSED = (0.45, 0.45, 0.35, 0.3, 0.3, 0.25, 0.25, 0.22, 0.2, 0.2)
MIN_SIZE_PX = (112, 112, 112, 140, 140, 168, 168, 196, 224, 252)
STRAIGHT = 0.3  # share of the drives that may be straight
LETTERS = "ABCDEFG"
TRIES = 600

DRIVE = (
    "How many blocks is the shortest drive from {a} to {b}?",
    "Drive from {a} to {b} over as few blocks as you can. How many blocks is that?",
    "Count the blocks of the shortest way to drive from {a} to {b}.",
    "At least how many blocks must you drive to get from {a} to {b}?",
)
REACH = (
    "Which of the other letters can you drive to from {a}? Answer none if there are none.",
    "Starting at {a}, which other letters can be reached by car? List them, or none.",
    "To which other letters can you drive from {a}? Say none if there are none.",
    "List the other letters that a car can get to from {a}, or none.",
)
BLOCK = " All blocks are equally long."  # so a corner without a crossing ends one too
RULE = " An arrow marks a one-way street; streets without one go both ways."


def _rule(scene: Streets) -> str:
    """What is said of arrows; nothing where there are none."""
    return RULE if scene.one_way else ""


class _Map:
    """A random net of blocks. Crossings are numbered row by row from 0."""

    def __init__(self, rng: np.random.Generator, side: int, closed: float, one_way: float):
        self.side, self.one_way, self.two_way = side, [], []
        self.ways: dict[int, list[int]] = {place: [] for place in range(side * side)}
        dice = iter(rng.random(6 * side * side).tolist())
        for place in range(side * side):
            for other in ([place + 1] if (place + 1) % side else []) + (
                [place + side] if place + side < side**2 else []
            ):
                if next(dice) < closed:
                    continue
                if next(dice) < one_way:
                    block = (place, other) if next(dice) < 0.5 else (other, place)
                    self.one_way.append(block)
                    self.ways[block[0]].append(block[1])
                else:
                    self.two_way.append((place, other))
                    self.ways[place].append(other)
                    self.ways[other].append(place)

    def is_whole(self) -> bool:
        """Whether every row and column of crossings has a street; what has none is not drawn, and nobody counts it."""
        used = {place for blocks in (self.one_way, self.two_way) for block in blocks for place in block}
        lines = ({place // self.side for place in used}, {place % self.side for place in used})
        return all(len(line) == self.side for line in lines)

    def at(self, place: int) -> tuple[int, int]:
        """Row and column of a crossing, from 1."""
        return place // self.side + 1, place % self.side + 1

    def scene(self, letters: dict[str, int]) -> Streets:
        """The map with letters at crossings."""
        one, two = (
            tuple(sorted((self.at(a), self.at(b)) for a, b in blocks)) for blocks in (self.one_way, self.two_way)
        )
        named = tuple((self.at(place), letter) for letter, place in sorted(letters.items()))
        return Streets(self.side, self.side, one, two, named)


def pose_blocks(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many blocks the shortest drive between two letters has; mostly a detour."""
    low, high = BLOCKS[level]
    wanted, side = int(rng.integers(low, high + 1)), SIDES[level]
    is_any = rng.random() < STRAIGHT
    for attempt in range(TRIES):
        net = _Map(rng, side, CLOSED[level], ONE_WAY[level])
        if not net.is_whole():
            continue
        for start in rng.permutation(side * side)[:8].tolist():
            goals = [place for place, count in distances(net.ways, start).items() if count == wanted]
            far = [p for p in goals if abs(p // side - start // side) + abs(p % side - start % side) < wanted]
            if far or (goals and (level < 2 or is_any or attempt > TRIES // 20)):
                goal = pick(rng, goals if is_any else far or goals)
                a, b = (LETTERS[i] for i in rng.permutation(2).tolist())
                scene, query = net.scene({a: start, b: goal}), {"ask": "drive_blocks", "from": a, "to": b}
                question = pick(rng, DRIVE).format(a=a, b=b) + BLOCK + _rule(scene)
                rate = 1 / (high - low + 1)
                return Posed(scene, question, Answer.integer(wanted), guess_rate=rate, query=query)
    raise RuntimeError(f"no drive of {wanted} blocks at level {level} in {TRIES} tries")


def pose_reach(rng: np.random.Generator, level: int) -> Posed:
    """Ask which letters can be driven to; every set of them is equally likely."""
    side, count = SIDES[level], PLACES[level]
    is_reached = rng.integers(2, size=count).tolist()
    for _ in range(TRIES):
        net = _Map(rng, side, REACH_CLOSED[level], ONE_WAY[level])
        if not net.is_whole():
            continue
        start = int(rng.integers(side * side))
        reached = distances(net.ways, start)
        inside = [place for place in reached if place != start]
        # Places without any street are no question.
        used = {place for block in (*net.one_way, *net.two_way) for place in block}
        outside = [place for place in used if place not in reached]
        if len(inside) < sum(is_reached) or len(outside) < count - sum(is_reached):
            continue
        at = spread(rng, start, [inside if flag else outside for flag in is_reached], side)
        letters = LETTERS[: count + 1]
        own = int(rng.integers(len(letters)))
        others = [letter for letter in letters if letter != letters[own]]
        places = dict(zip(others, at, strict=True))
        scene = net.scene(places | {letters[own]: start})
        answer = Answer.set_of([x for x, flag in zip(others, is_reached, strict=True) if flag], others)
        question = pick(rng, REACH).format(a=letters[own]) + _rule(scene)
        query = {"ask": "drive_reach", "from": letters[own]}
        return Posed(scene, question, answer, guess_rate=0.5**count, query=query)
    raise RuntimeError(f"no map with {count} places at level {level} in {TRIES} tries")


def facts(scene: Streets, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many arrows and letters there are, and where a letter stands."""
    (row, column), letter = pick(rng, scene.letters)
    return (
        Fact("How many arrows are there?", Answer.integer(len(scene.one_way))),
        Fact("How many lettered places are there?", Answer.integer(len(scene.letters))),
        Fact(f"In which row of crossings is {letter}? Rows count from the top.", Answer.integer(row)),
        Fact(f"In which column of crossings is {letter}? Columns count from the left.", Answer.integer(column)),
    )
