"""Questions about dice: what is underneath, and what a die shows after it was rolled."""

import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.cube.draw.stacks import SHIFTS, ZOOMS
from engines.cube.questions.make import COLOURS, TRIES, between, pick
from engines.cube.scene import DiceScene, RollScene
from engines.cube.scene.dice import DICE, Die, moves, rolled

COUNTS = (1, 2, 2, 3, 4, 5, 6, 7, 8, 9)  # dice in a picture, per level
DICE_MIN_SIZE_PX = (112, 112, 112, 112, 112, 140, 140, 168, 168, 168)
ROLLS = ((1, 1), (1, 2), (2, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 7), (7, 9), (9, 11))
FLOORS = (3, 3, 3, 4, 4, 4, 5, 5, 6, 6)  # tiles a side
ROLL_MIN_SIZE_PX = (112, 112, 112, 140, 140, 140, 168, 196, 224, 252)
SUM = "Opposite faces add up to 7."
PIPS = tuple(map(str, range(1, 7)))

BOTTOM = (
    "How many pips are on the bottom?",
    "How many pips are underneath?",
    "Count the pips that lie on the ground.",
    "What is the number of pips at the bottom?",
)
BOTTOMS = (
    "How many pips are on the bottoms in all?",
    "How many pips are underneath the dice, all together?",
    "Add the pips that lie on the ground.",
    "What is the sum of the pips at the bottom of all dice?",
)


def pose_dice_bottom(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the sum of the faces on which dice lie."""
    count = COUNTS[level]
    spare = count // 2  # totals so near to the ends would turn nearly all dice the same way
    low, high = count + spare, 6 * count - spare
    total = between(rng, low, high)
    bottoms = [1] * count
    for _ in range(total - count):
        bottoms[pick(rng, [place for place, pips in enumerate(bottoms) if pips < 6])] += 1
    dice = tuple(pick(rng, [die for die in DICE if die[0] == 7 - bottom]) for bottom in bottoms)
    width = 1 if count == 1 else 2 if count <= 4 else 3
    shift = tuple(rng.integers(SHIFTS + 1, size=2).tolist())
    scene = DiceScene(dice, pick(rng, COLOURS), width, shift)
    question = f"{SUM} {pick(rng, BOTTOM if count == 1 else BOTTOMS)}"
    return Posed(scene, question, Answer.integer(total), (), 1 / (high - low + 1), {"ask": "dice_bottom"})


ROLL = (
    "The die is rolled along the path. Which number is on top at the end?",
    "Roll the die along the arrow. What is on top in the end?",
    "What does the top of the die show after it has rolled along the path?",
    "The die tips over its edges along the arrow. Which number ends on top?",
)


def _way(rng: np.random.Generator, side: int, length: int) -> tuple[tuple[int, int], ...]:
    """A path that meets no cell twice, none next to itself, and none that the die hides."""
    for _ in range(TRIES):
        way = [tuple(rng.integers(side, size=2).tolist())]
        row, column = way[0]
        taken = {(row, column), (row - 1, column), (row, column - 1), (row - 1, column - 1)}
        for _ in range(length):
            row, column = way[-1]
            near = [(row + 1, column), (row, column + 1), (row - 1, column), (row, column - 1)]
            free = [cell for cell in near if cell not in taken and min(cell) >= 0 and max(cell) < side]
            if not free:
                break
            way.append(pick(rng, free))
            taken.add(way[-1])
        if len(way) == length + 1:
            return tuple(way)
    raise RuntimeError(f"no path of {length} steps on {side} x {side} tiles in {TRIES} tries")


def pose_dice_roll(rng: np.random.Generator, level: int) -> Posed:
    """Ask which number is on top after rolling a die along a path."""
    answer = between(rng, 1, 6)
    way = _way(rng, FLOORS[level], between(rng, *ROLLS[level]))
    colour = pick(rng, COLOURS)
    start = pick(rng, [die for die in DICE if _end(die, way) == answer])
    zoom, *shift = rng.integers([len(ZOOMS), SHIFTS + 1, SHIFTS + 1]).tolist()
    scene = RollScene(FLOORS[level], FLOORS[level], start, way, colour, zoom, tuple(shift))
    return Posed(scene, f"{SUM} {pick(rng, ROLL)}", Answer.integer(answer), (), 1 / 6, {"ask": "dice_roll"})


def _end(die: Die, way: tuple[tuple[int, int], ...]) -> int:
    """What is on top at the end of a path."""
    for move in moves(way):
        die = rolled(die, move)
    return die[0]


def dice_facts(scene: DiceScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many dice, what they show."""
    top, left, right = scene.dice[0]
    which = "the die" if len(scene.dice) == 1 else "the first die of the first row"
    return (
        Fact("How many dice are there?", Answer.integer(len(scene.dice))),
        Fact("How many pips are on top of the dice in all?", Answer.integer(sum(die[0] for die in scene.dice))),
        Fact(f"What is on the left side of {which}?", Answer.integer(left)),
        Fact(f"How many pips does {which} show on its three sides together?", Answer.integer(top + left + right)),
        Fact("What colour are the dice?", Answer.word(scene.colour, COLOURS)),
    )


def roll_facts(scene: RollScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: the die as it stands, the length of its path, the first step."""
    top, left, right = scene.die
    turns = sum(a != b for a, b in itertools.pairwise(scene.moves()))
    return (
        Fact("What is on top of the die now?", Answer.integer(top)),
        Fact("What is on the left side of the die now?", Answer.integer(left)),
        Fact(f"{SUM} What is on the bottom of the die now?", Answer.integer(7 - top)),
        Fact("Over how many tiles does the path lead, without the first?", Answer.integer(len(scene.way) - 1)),
        Fact("How many corners does the path have?", Answer.integer(turns)),
        Fact("What is on the right side of the die now?", Answer.integer(right)),
    )
