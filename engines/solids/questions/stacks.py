"""Questions about drawn stacks: the same from another corner, cut through a layer, built by a plan."""

import itertools

import numpy as np

from engines.base import Posed
from engines.solids.questions.make import (
    changed,
    chosen,
    four,
    open_table,
    pick,
    table,
    until,
    with_changes,
)
from engines.solids.scene import Panel, Table, apart, is_open, picture

SIDES = (2, 2, 3, 3, 3, 3, 3, 3, 3, 3)
TALLEST = (2, 3, 2, 3, 3, 3, 4, 4, 5, 5)
MIN_SIZE_PX = (140, 140, 168, 168, 168, 168, 196, 196, 224, 224)
HIGH_FROM_LEVEL = 8
MIRRORED_FROM_LEVEL = 4  # from here on two options are mirror images
CHANGES = 4  # that are tried of a stack
LEAST_APART = 6  # see `engines.solids.scene.apart`: as if three of a cube's six triangles looked another way
LAYERS = ("lowest", "second", "third", "fourth", "fifth")

CORNER = (
    "The stack on the left is seen from one corner. Which option shows it from another corner?",
    "Walk around the stack on the left. Which option can you see from another corner?",
    "Which option is the stack on the left after turning it around, seen from the same height?",
    "One option is the left stack seen from another of its corners. Which?",
)
SECTION = (
    "The stack is cut level through its {0} layer of cubes, counted from the floor. Which option is the cut?",
    "Which option shows where the {0} layer of the stack has cubes? Layers count from the floor.",
    "Counted from the floor, where are the cubes of the {0} layer of the stack? Choose the option.",
    "A level cut goes through the {0} layer from the floor. Which option shows the cut?",
)
BUILT = (
    "The numbers say how many cubes stand on each square. Which option is this stack?",
    "The plan gives the heights of columns of cubes. Which option is built by it?",
    "Build what the plan says, a number of cubes on each square. Which option results?",
    "Which stack belongs to the plan, whose numbers are cubes on each square?",
)


def turned(heights: Table, turns: int) -> Table:
    """Heights after quarter turns clockwise as seen from above."""
    for _ in range(turns % 4):
        heights = tuple(zip(*heights[::-1], strict=True))
    return heights


def mirrored(heights: Table) -> Table:
    """Heights with left and right exchanged."""
    return tuple(row[::-1] for row in heights)


def differ(tables: list[Table]) -> list[dict[int, str]]:
    """The pictures of stacks if any two can be told apart at a glance, and none otherwise."""
    shown: list[dict[int, str]] = []
    for heights in tables:
        new = picture(heights)
        if any(apart(new, old) < LEAST_APART for old in shown):
            return []
        shown.append(new)
    return shown


def pose_corner(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the picture of a stack from another corner; of the others no picture is one of that stack."""
    side, tallest = SIDES[level], TALLEST[level]
    drafts = (stack for _ in itertools.count() for stack in [open_table(rng, side, tallest)] * CHANGES)

    def attempt() -> Posed | None:
        heights = next(drafts)
        if level < MIRRORED_FROM_LEVEL:
            every = four(heights, changed(rng, heights, tallest))
        else:
            other = with_changes(heights, changed(rng, heights, tallest, 1))
            every = [heights, other, mirrored(heights), mirrored(other)]
        if level % 2:  # as often the stack with a change is the one that is shown
            every = every[1::-1] + every[:1:-1]
        if level % 2 and not is_open(every[0]):
            return None
        turns = int(rng.integers(1, 4))
        options = [turned(one, turns) for one in every]
        shown = differ(options)
        own = (picture(turned(every[0], turn)) for turn in range(4) if turn != turns)
        if not shown or any(one in shown for one in own):
            return None
        given = (Panel("stack", every[0]),)
        steps = 1 + (side > 2) + (level >= MIRRORED_FROM_LEVEL) + (level >= HIGH_FROM_LEVEL)
        return chosen(rng, given, "stack", options, 0, steps, pick(rng, CORNER), {"ask": "corner"})

    return until(attempt)


def pose_section(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the cut through a layer, drawn as the stack is; the options are equally far from each other."""
    side, tallest = SIDES[level], TALLEST[level]
    layer = int(rng.integers(1, 3)) if tallest < 3 else int(rng.integers(2, min(tallest, 4)))

    def attempt() -> Posed | None:
        heights = open_table(rng, side, tallest)
        cut = tuple(tuple(int(height >= layer) for height in row) for row in heights)
        filled = [(r, c) for r in range(side) for c in range(side) if cut[r][c]]
        empty = [(r, c) for r in range(side) for c in range(side) if not cut[r][c]]
        if len(filled) < 2 or len(empty) < 2:
            return None
        cells = [[pool[i] for i in rng.permutation(len(pool))[:2].tolist()] for pool in (filled, empty)]
        flags = rng.integers(2, size=2).tolist()
        changes = [(*cells[flag][place], 2 * flag - 1) for place, flag in enumerate(flags)]
        question = pick(rng, SECTION).format(LAYERS[layer - 1])
        query = {"ask": "section", "layer": layer, "said": LAYERS[layer - 1]}
        steps = 1 + (side > 2) + (tallest > 2) + (level >= HIGH_FROM_LEVEL)
        return chosen(rng, (Panel("stack", heights),), "cut", four(cut, changes), 0, steps, question, query)

    return until(attempt)


def pose_built(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the stack that a plan with numbers gives; all four pictures differ."""
    side, tallest = SIDES[level], TALLEST[level]

    def attempt() -> Posed | None:
        heights = table(rng, side, tallest)
        if level < MIRRORED_FROM_LEVEL:
            every = four(heights, changed(rng, heights, tallest))
        else:
            other = with_changes(heights, changed(rng, heights, tallest, 1))
            every = [heights, other, mirrored(heights), mirrored(other)]
        mine = int(rng.integers(4))
        if not differ(every):
            return None
        given = (Panel("plan", every[mine], "front"),)
        steps = 1 + (side > 2) + (level >= MIRRORED_FROM_LEVEL) + (level >= HIGH_FROM_LEVEL)
        question = pick(rng, BUILT) + " The front of each is marked."
        return chosen(rng, given, "stack", every, mine, steps, question, {"ask": "built"})

    return until(attempt)
