"""Questions about views from the sides: of a plan, of which plan, and how many cubes there may be."""

import collections

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.solids.questions.make import (
    PAINTS,
    SIDES,
    TALLEST,
    changed,
    chosen,
    four,
    front,
    pick,
    right,
    table,
    until,
    view,
)
from engines.solids.scene import LETTERS, Panel, Solids, Table

MIN_SIZE_PX = (112, 112, 140, 140, 140, 140, 168, 168, 224, 224)
FROM = ("front", "right", "left", "back")
SIDES_OF_LEVEL = (1, 1, 2, 2, 3, 3, 4, 4, 4, 4)  # from which of `FROM` one may look
DRAFTS = 18  # stacks, of whose numbers one is drawn evenly
# How often the commonest answer is right, by level: measured.
MOST_GUESS = (0.14, 0.13, 0.15, 0.12, 0.11, 0.11, 0.09, 0.09, 0.1, 0.09)
LEAST_GUESS = (0.24, 0.2, 0.22, 0.18, 0.18, 0.18, 0.15, 0.14, 0.17, 0.14)

SEEN = (
    "The numbers say how many cubes stand on each square. Which option is the view from the {0}?",
    "Cubes are stacked as the plan says. What do you see from the {0}? Answer with a letter.",
    "The plan gives heights of columns of cubes. Which option shows them from the {0}?",
    "Look from the {0} at the columns of the plan. Which option do you see?",
)
PLAN = (
    "Which plan of cubes on each square has both views?",
    "The views from the front and from the right belong to one of the plans. Which?",
    "Numbers say how many cubes stand on a square. Which plan looks so from the front and from the right?",
    "Find the plan that gives both views; its numbers are cubes on each square.",
)
MOST = (
    "How many cubes can a stack with these two views have at most?",
    "Both views belong to one stack of cubes. What is the largest possible number of cubes?",
    "How many cubes at most has a stack with both of these views?",
    "Give the greatest number of cubes that a stack with these two views can have.",
)
LEAST = (
    "How many cubes must a stack with these two views have at least?",
    "Both views belong to one stack of cubes. What is the smallest possible number of cubes?",
    "How many cubes does a stack with both of these views need at least?",
    "Give the least number of cubes that a stack with these two views can have.",
)
FLOOR = " It has {0} rows and {0} columns."


def seen_from(heights: Table, where: str) -> tuple[int, ...]:
    """The tallest columns from the left, looking from a side."""
    tops = front(heights) if where in ("front", "back") else right(heights)
    return tops if where in ("front", "right") else tops[::-1]


def pose_seen(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the view of a plan from a side; the options differ in two columns."""
    side, tallest = SIDES[level], TALLEST[level]
    where = FROM[int(rng.integers(SIDES_OF_LEVEL[level]))]

    tops = rng.integers(1, tallest + 1, size=side).tolist()  # no gaps, so that each option is in one piece
    places = rng.permutation(side)[:2].tolist()
    steps = [pick(rng, [s for s in (-1, 1) if 1 <= tops[place] + s <= tallest]) for place in places]
    every = []
    for flags in ((0, 0), (1, 0), (0, 1), (1, 1)):
        moved = list(tops)
        for flag, place, step in zip(flags, places, steps, strict=True):
            moved[place] += flag * step
        every.append(tuple(moved))
    mine = int(rng.integers(4))  # any of the four is as likely to be that of the plan
    lines = []
    for top in every[mine]:
        line = rng.integers(top + 1, size=side).tolist()
        line[int(rng.integers(side))] = top
        lines.append(tuple(line))
    # Lines are columns of the plan from the left of the viewer on, or its rows.
    heights = tuple(zip(*lines, strict=True)) if where in ("front", "back") else tuple(lines)
    heights = heights if where in ("front", "left") else tuple(tuple(row[::-1]) for row in heights[::-1])
    question = pick(rng, SEEN).format(where)
    thought = 1 + (side > 2) + (SIDES_OF_LEVEL[level] > 2) + (side > 3)
    query = {"ask": "plan_view", "where": where}
    options = [view(one, tallest) for one in every]
    return chosen(rng, (Panel("plan", heights, "front"),), "view", options, mine, thought, question, query)


def _views(heights: Table, tallest: int) -> tuple[Panel, Panel]:
    return Panel("view", view(front(heights), tallest), "front"), Panel("view", view(right(heights), tallest), "right")


def pose_plan(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the plan with two views; no two plans have the same two."""
    side, tallest = SIDES[level], TALLEST[level]

    def attempt() -> Posed | None:
        heights = table(rng, side, tallest)
        every = four(heights, changed(rng, heights, tallest))
        pairs = {(front(one), right(one)) for one in every}
        if len(pairs) < 4:
            return None
        mine = int(rng.integers(4))
        steps = 1 + (side > 2) + (tallest > 2) + (side > 3)
        given = _views(every[mine], tallest)
        return chosen(rng, given, "plan", every, mine, steps, pick(rng, PLAN), {"ask": "views_plan"})

    return until(attempt)


def most(tops: tuple[int, ...], sides: tuple[int, ...]) -> int:
    """The most cubes with two views: on every square as many as both allow."""
    return sum(min(top, side) for top in tops for side in sides)


def least(tops: tuple[int, ...], sides: tuple[int, ...]) -> int:
    """The fewest: a column of each height serves both views as often as both show that height."""
    one, other = collections.Counter(tops), collections.Counter(sides)
    return sum(height * max(one[height], other[height]) for height in one.keys() | other.keys())


def _count(rng: np.random.Generator, level: int, ask: str) -> Posed:
    """Ask for the most or the fewest cubes; of drafts with any number, one number is drawn first."""
    side, tallest = SIDES[level], TALLEST[level]
    found: dict[int, list[list[int]]] = {}
    for heights in rng.integers(tallest + 1, size=(DRAFTS, side, side)).tolist():
        number = (most if ask == "views_most" else least)(front(heights), right(heights))
        found.setdefault(number, heights)
    number = pick(rng, sorted(found))
    steps = 1 + (side > 2) + (tallest > 2) + (side > 3)
    scene = Solids(_views(found[number], tallest), "view", (), pick(rng, PAINTS), steps)
    question = pick(rng, MOST if ask == "views_most" else LEAST) + FLOOR.format(side)
    rate = (MOST_GUESS if ask == "views_most" else LEAST_GUESS)[level]
    return Posed(scene, question, Answer.integer(number), guess_rate=rate, query={"ask": ask})


def pose_most(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the most cubes that two views allow."""
    return _count(rng, level, "views_most")


def pose_least(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the fewest cubes that two views need."""
    return _count(rng, level, "views_least")


def facts(scene: Solids, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: cubes, heights and cells that are drawn."""
    found = []
    for look, cells, caption in scene.given:
        total = sum(map(sum, cells))
        if look in ("stack", "plan"):
            what = "stack on the left" if look == "stack" else "plan"
            found += [
                Fact(f"How many cubes does the {what} have in all?", Answer.integer(total)),
                Fact(f"How high is the highest column of the {what}, in cubes?", Answer.integer(max(map(max, cells)))),
                Fact(
                    f"How many squares of the {what} have no cube?", Answer.integer(sum(row.count(0) for row in cells))
                ),
            ]
        else:
            found += [
                Fact(f"How many shaded squares does the {caption} view have?", Answer.integer(total)),
                Fact(
                    f"How high is the first column of the {caption} view from the left?",
                    Answer.integer(sum(c[0] for c in cells)),
                ),
            ]
    if scene.options and scene.look in ("view", "cut"):
        place = int(rng.integers(len(scene.options)))
        count = sum(map(sum, scene.options[place]))
        found.append(Fact(f"How many shaded squares does option {LETTERS[place]} have?", Answer.integer(count)))
    if scene.options and scene.look == "plan":
        place = int(rng.integers(len(scene.options)))
        total = sum(map(sum, scene.options[place]))
        found.append(
            Fact(f"How many cubes do the numbers of option {LETTERS[place]} add up to?", Answer.integer(total))
        )
    return tuple(found)
