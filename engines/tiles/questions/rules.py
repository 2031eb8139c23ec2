"""Questions about rules that examples show: what a rule makes of a pattern."""

import functools
import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.style import COLOURS
from engines.tiles.questions.cells import MOVES, pick, some
from engines.tiles.scene import LETTERS, Pattern, Sheet

SIDES = (3, 3, 3, 3, 3, 4, 4, 4, 4, 4)
INKS = (1, 1, 2, 2, 2, 2, 2, 2, 3, 3)
MIN_SIZE_PX = (140, 140, 140, 140, 140, 168, 168, 168, 196, 196)
SHIFTS = {"right": (0, 1), "left": (0, -1), "down": (1, 0), "up": (-1, 0)}
SHIFTS_FROM_LEVEL, PAINT_FROM_LEVEL, BOTH_FROM_LEVEL = 2, 4, 6
FILLED = 0.5
TRIES = 200

RULE = (
    "One rule makes each left pattern its right one. Which option goes in place of the question mark?",
    "Find the rule of the two pairs and apply it to the last pattern. Which option results?",
    "The same change leads from left to right in every row. Which option belongs at the question mark?",
    "By one rule the left patterns become the right ones. Which letter replaces the question mark?",
)
Places = tuple[int, ...]  # by cell of the result: the cell that it comes from
Paints = tuple[int, ...]  # by colour: the colour that it becomes, 0 for 0
Rule = tuple[Places, Paints]


@functools.cache
def places(side: int) -> dict[str, Places]:
    """What turns, reflections and shifts around the edge do to the cells of a square, by name; "" does nothing."""
    found = {"": tuple(range(side * side))}
    for move, step in MOVES.items():
        to = [step(i // side, i % side, side) for i in range(side * side)]
        back = {row * side + column: i for i, (row, column) in enumerate(to)}
        found[move] = tuple(back[i] for i in range(side * side))
    for name, (down, right) in SHIFTS.items():
        found[name] = tuple((i // side - down) % side * side + (i % side - right) % side for i in range(side * side))
    return found


@functools.cache
def paints(inks: int) -> dict[str, Paints]:
    """What may be done to colours, by name; "" does nothing."""
    if inks == 1:
        return {"": (0, 1)}
    if inks == 2:
        return {"": (0, 1, 2), "swap": (0, 2, 1)}
    return {
        "": (0, 1, 2, 3),
        "swap": (0, 2, 1, 3),
        "swap last": (0, 1, 3, 2),
        "round": (0, 2, 3, 1),
        "back": (0, 3, 1, 2),
    }


@functools.cache
def pool(side: int, inks: int) -> tuple[Rule, ...]:
    """Every rule that an onlooker may think of."""
    return tuple((place, paint) for place in places(side).values() for paint in paints(inks).values())


@functools.cache
def asked(level: int) -> tuple[Rule, ...]:
    """The rules of a level."""
    where, how = places(SIDES[level]), paints(INKS[level])
    straight = ("quarter", "three", "half", "upright", "level")
    moves = straight if level < SHIFTS_FROM_LEVEL else tuple(MOVES)
    moves += () if level < SHIFTS_FROM_LEVEL else tuple(SHIFTS)
    if level >= BOTH_FROM_LEVEL:
        return tuple((where[move], how[paint]) for move in moves for paint in how if paint)
    found = [(where[move], how[""]) for move in moves]
    if level >= PAINT_FROM_LEVEL:
        found += [(where[""], how[paint]) for paint in how if paint]
    return tuple(found)


def apply(rule: Rule, cells: tuple[int, ...]) -> tuple[int, ...]:
    """What a rule makes of cells."""
    where, how = rule
    return tuple([how[cells[i]] for i in where])


def _cells(rng: np.random.Generator, side: int, inks: int) -> tuple[int, ...]:
    """Cells of which about half are filled, with every colour among them."""
    count = side * side
    filled = max(inks + 1, round(FILLED * count) + int(rng.integers(-1, 2)))
    cells = [0] * count
    for place, at in enumerate(rng.permutation(count)[:filled].tolist()):
        cells[at] = 1 + (place if place < inks else int(rng.integers(inks))) % inks
    return tuple(cells)


def _pattern(cells: tuple[int, ...], side: int) -> Pattern:
    return tuple(cells[row * side : (row + 1) * side] for row in range(side))


def pose_rule(rng: np.random.Generator, level: int) -> Posed:
    """Ask what the rule of two pairs makes of a third pattern; every rule that fits the pairs makes the same of it."""
    side, inks = SIDES[level], INKS[level]
    for _ in range(TRIES):
        last = _cells(rng, side, inks)
        rules = some(rng, asked(level), 4)
        results = [apply(rule, last) for rule in rules]
        if len(set(results)) < 4 or last in results:
            continue
        mine = int(rng.integers(4))
        left = [_cells(rng, side, inks) for _ in range(2)]
        pairs = [(cells, apply(rules[mine], cells)) for cells in left]
        if any(cells == result for cells, result in pairs):  # such a pair shows nothing
            continue
        fitting = list(pool(side, inks))
        for cells, result in pairs:
            fitting = [rule for rule in fitting if apply(rule, cells) == result]
        if {apply(rule, last) for rule in fitting} == {results[mine]}:
            break
    else:
        raise RuntimeError(f"no rule that two pairs tell at level {level} in {TRIES} tries")
    given = tuple(_pattern(cells, side) for cells in (*itertools.chain(*pairs), last))
    colours = tuple(some(rng, COLOURS[:6], inks))
    steps = 1 + (level >= SHIFTS_FROM_LEVEL) + (level >= PAINT_FROM_LEVEL) + (level >= BOTH_FROM_LEVEL)
    scene = Sheet("pairs", given, tuple(_pattern(cells, side) for cells in results), colours, steps)
    answer = Answer.choice(LETTERS[mine], LETTERS[:4])
    return Posed(scene, pick(rng, RULE), answer, guess_rate=0.25, query={"ask": "rule"})
