"""Questions about matrices of three by three patterns whose last is missing.

Patterns are overlaid (`combine`), numbers of dots follow a sum or a step (`tally`), marks walk around an edge
(`march`). The options are one pattern with each of two changes, with both and with neither, and any of the four may
be the right one: no option stands out beside the others.
"""

import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.style import COLOURS
from engines.tiles.questions.cells import painted, pick, some
from engines.tiles.scene import LETTERS, Pattern, Sheet

SIDES = (3, 3, 3, 3, 3, 3, 4, 4, 4, 4)
OPERATIONS = {
    "either": lambda a, b: a | b,
    "both": lambda a, b: a & b,
    "one": lambda a, b: a ^ b,
    "first": lambda a, b: a & ~b,
    "second": lambda a, b: b & ~a,
}
KNOWN = ("either", "either both", "either both", "either both one", "both one") + ("both one first",) * 2
KNOWN += ("one first second",) * 3
MIN_SIZE_PX = (140, 140, 140, 140, 140, 140, 196, 196, 196, 196)
STEPS = (1, 1, 1, 2, 2, 2, 3, 3, 3, 3)
TRIES = 300
SUMS = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: a - b,
    "step": lambda a, b: 2 * b - a,
}
TALLIES = ("step",) * 2 + ("sum step",) * 2 + ("sum difference",) * 2 + ("sum difference step",) * 4
COLOURED_FROM_LEVEL, SCATTERED_FROM_LEVEL = 3, 6
WALKERS = (1, 1, 2, 2, 2, 2, 3, 3, 3, 3)
WALKS = ((1,), (1, -1), (1, -1), (1, -1, 2), (1, -1, 2, -2), (1, -1, 2, -2, 3, -3)) + ((1, -1, 2, -2, 3, -3),) * 4
DOWN_FROM_LEVEL = 5  # from here on the way from row to row has a step of its own
RING = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))  # clockwise around three by three cells

COMBINE = (
    "In each row the first two patterns make the third by one rule. Which option goes at the question mark?",
    "Each third pattern follows from the two before it. Which option completes the last row?",
    "Lay the first two patterns of a row on each other: one rule gives the third. Which option is missing?",
    "Find how two patterns of a row give the third. Which letter replaces the question mark?",
)
TALLY = (
    "In each row the numbers of dots follow one rule{0}. Which option goes at the question mark?",
    "Count the dots: every row follows the same rule{0}. Which option is missing?",
    "How do the numbers of dots change along a row{0}? Choose the missing option.",
    "Which option completes the last row? Numbers of dots follow one rule in all rows{0}.",
)
COLOURS_TOO = ", and each row has the same colours"
MARCH = (
    "Along a row every mark moves on around the edge by equal steps. Which option goes at the question mark?",
    "The marks walk around the edge, each by its own equal steps from left to right. Which option is missing?",
    "Each mark moves around the edge by the same step from picture to picture in a row. Which option comes last?",
    "Watch how each mark walks around the edge along the rows. Which letter replaces the question mark?",
)


def _posed(
    rng: np.random.Generator,
    given: list[Pattern],
    options: list[Pattern],
    colours: tuple[str, ...],
    steps: int,
    question: str,
    ask: str,
) -> Posed:
    """A matrix with its options, of which the first is right, in any order."""
    kind = "matrix" if ask == "combine" else "dots"
    order = rng.permutation(4).tolist()
    scene = Sheet(kind, tuple(given), tuple(options[i] for i in order), colours, steps)
    answer = Answer.choice(LETTERS[order.index(0)], LETTERS[:4])
    return Posed(scene, question, answer, guess_rate=0.25, query={"ask": ask})


def _bits(bits: int, side: int) -> Pattern:
    return tuple(tuple(bits >> (row * side + column) & 1 for column in range(side)) for row in range(side))


def _pairs(a: int, b: int, count: int) -> list[tuple[int, int]]:
    """What lies on each other, cell by cell."""
    return [(a >> i & 1, b >> i & 1) for i in range(count)]


def _changes(rng: np.random.Generator, bits: int, count: int, side: int) -> tuple[int, int]:
    """Two changes of a pattern, each of which fills as often as it empties; of large ones each does both."""
    filled = some(rng, [i for i in range(count) if bits >> i & 1], 2)
    empty = some(rng, [i for i in range(count) if not bits >> i & 1], 2)
    if side > 3:
        return 1 << filled[0] | 1 << empty[0], 1 << filled[1] | 1 << empty[1]
    fills = rng.integers(2, size=2).tolist()
    one, other = (1 << (empty if flag else filled)[place] for place, flag in enumerate(fills))
    return one, other


def pose_combine(rng: np.random.Generator, level: int) -> Posed:
    """Ask what two patterns give by the operation of the other rows."""
    side, known = SIDES[level], KNOWN[level].split()
    every, whole = side * side, 2 ** (side * side) - 1
    for _ in range(TRIES):
        name = pick(rng, known)
        rows = []
        for _ in range(3):
            chance = rng.random((2, every)) < (0.5 if side > 2 else 0.55)
            a, b = (sum(1 << i for i, is_on in enumerate(line) if is_on) for line in chance.tolist())
            rows.append((a, b, OPERATIONS[name](a, b)))
        last, seen = rows[2], {pair for a, b, _ in rows[:2] for pair in _pairs(a, b, every)}
        is_plain = all(0 < part < whole and a != b for a, b, c in rows for part in (a, b, c))
        is_plain &= 2 <= last[2].bit_count() <= every - 2
        if is_plain and seen >= set(_pairs(*last[:2], every)):  # so every rule cell by cell gives the same
            break
    else:
        raise RuntimeError(f"no rows that tell their rule at level {level} in {TRIES} tries")
    one, other = _changes(rng, last[2], every, side)
    options = [_bits(last[2] ^ change, side) for change in (0, one, other, one | other)]
    given = [_bits(bits, side) for row in rows for bits in row][:-1]
    colours = (pick(rng, COLOURS[:6]),)
    return _posed(rng, given, options, colours, STEPS[level], pick(rng, COMBINE), "combine")


def _dots(rng: np.random.Generator, count: int, colour: int, is_scattered: bool) -> Pattern:
    """So many cells of three by three, from the top left on or anywhere."""
    cells = rng.permutation(9)[:count].tolist() if is_scattered else range(count)
    return painted({(i // 3, i % 3): colour for i in cells}, 3, 3)


def pose_tally(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the pattern whose number of dots, and from level 3 on whose colour, completes a row."""
    is_coloured, is_scattered = level >= COLOURED_FROM_LEVEL, level >= SCATTERED_FROM_LEVEL
    for _ in range(TRIES):
        rule = SUMS[pick(rng, TALLIES[level].split())]
        starts = rng.integers(1, 9, size=(3, 2)).tolist()
        rows = [(a, b, rule(a, b)) for a, b in starts]
        other = rows[2][2] + pick(rng, (-2, -1, 1, 2))
        if not all(1 <= c <= 9 for _, _, c in rows) or not 1 <= other <= 9 or any(a == b for a, b, _ in rows):
            continue
        (a, b, _), (c, d, _), _ = rows
        if a * d != b * c:  # so two rows leave one sum of multiples
            break
    else:
        raise RuntimeError(f"no rows of dots that tell their rule at level {level} in {TRIES} tries")
    right = rows[2][2]
    if is_coloured:
        order = [some(rng, (1, 2, 3), 3) for _ in range(3)]
        own, strange = order[2][2], pick(rng, order[2][:2])
        wanted = [(right, own), (other, own), (right, strange), (other, strange)]
    else:
        order = [[1] * 3] * 3
        low = right - int(rng.integers(4))
        low = min(max(low, 1), 6)
        wanted = [(right, 1)] + [(count, 1) for count in range(low, low + 4) if count != right]
    options = [_dots(rng, count, colour, is_scattered) for count, colour in wanted]
    given = [
        _dots(rng, count, colour, is_scattered)
        for row, paints in zip(rows, order, strict=True)
        for count, colour in zip(row, paints, strict=True)
    ][:-1]
    colours = tuple(some(rng, COLOURS[:6], 3 if is_coloured else 1))
    question = pick(rng, TALLY).format(COLOURS_TOO if is_coloured else "")
    steps = 1 + is_coloured + is_scattered + (level >= 4)
    return _posed(rng, given, options, colours, steps, question, "tally")


def _starts(walks: list[int]) -> list[list[int]]:
    """Places around the edge from which marks with these steps never meet within a row."""
    places = np.stack(np.meshgrid(*[np.arange(8)] * len(walks), indexing="ij"), -1).reshape(-1, len(walks))
    along = (places[:, None] + np.arange(3)[:, None] * np.array(walks)) % 8
    meets = np.zeros(len(places), bool)
    for one, other in itertools.combinations(range(len(walks)), 2):
        meets |= (along[..., one] == along[..., other]).any(1)
    return places[~meets].tolist()


def _four(rng: np.random.Generator, right: list[int]) -> list[list[int]]:
    """Places of marks, and three others by shifts of one or two marks; none where marks would meet."""
    pairs = list(itertools.product((-2, -1, 1, 2), repeat=2))
    for one, other in (pairs[i] for i in rng.permutation(len(pairs)).tolist()):
        if len(right) == 1:
            first = int(rng.integers(4))
            shifts = [((i - first) * one,) for i in (first, *(i for i in range(4) if i != first))]
        else:
            shifts = [(a, b) + (0,) * (len(right) - 2) for a, b in itertools.product((0, one), (0, other))]
        options = [[(at + by) % 8 for at, by in zip(right, shift, strict=True)] for shift in shifts]
        if all(len(set(places)) == len(right) for places in options) and len(set(map(tuple, options))) == 4:
            return options
    return []


def pose_march(rng: np.random.Generator, level: int) -> Posed:
    """Ask where the marks stand after the last step around the edge."""
    walkers = WALKERS[level]
    for _ in range(TRIES):
        walks = [pick(rng, WALKS[level]) for _ in range(walkers)]
        free = _starts(walks)
        starts = [free[i] for i in rng.integers(len(free), size=3).tolist()] if free else []
        if level < DOWN_FROM_LEVEL and free:  # every row goes on where the last one would have
            starts = [
                [(at + 3 * walk * row) % 8 for at, walk in zip(starts[0], walks, strict=True)] for row in range(3)
            ]
            starts = starts if all(start in free for start in starts) else []
        if not starts:
            continue
        panels = [
            [(at + walk * column) % 8 for at, walk in zip(start, walks, strict=True)]
            for start in starts
            for column in range(3)
        ]
        options = _four(rng, panels[-1])
        if options:
            break
    else:
        raise RuntimeError(f"no marks that keep apart at level {level} in {TRIES} tries")
    drawn = [painted({RING[at]: w + 1 for w, at in enumerate(p)}, 3, 3) for p in (*panels[:-1], *options)]
    colours = tuple(some(rng, COLOURS[:6], walkers))
    steps = walkers + (level >= 3) + (level >= DOWN_FROM_LEVEL)
    return _posed(rng, drawn[:8], drawn[8:], colours, steps, pick(rng, MARCH), "march")
