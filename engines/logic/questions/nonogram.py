"""Questions about nonograms: what a row is in the only solution, found line by line.

A board is kept only if reasoning along single lines fills it whole, which proves that it has one solution.
"""

import functools
import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.logic.questions.signs import pick
from engines.logic.scene import Nonogram

SIDES = (4, 4, 4, 5, 5, 5, 6, 6, 6, 7)
ROUNDS = (1, 1, 2, 2, 2, 2, 2, 2, 3, 3)  # of reasoning along lines that the row takes at least
MIN_SIZE_PX = (112, 112, 112, 168, 168, 168, 196, 196, 196, 224)
TRIES, TRIES_OF_ONE = 600, 40  # boards in all, and for one row that is wanted

ROW = (
    "Solve the nonogram. Write row {row} from left to right, with commas: 1 for a shaded cell, 0 for an empty one.",
    "The numbers are lengths of runs of shaded cells. List row {row} with commas, 1 for shaded, 0 for empty.",
    "Find row {row} of this nonogram. List its cells with commas, from the left: 1 for shaded and 0 for empty.",
    "In the solved nonogram, which cells of row {row} are shaded? List 1 or 0 from the left, with commas.",
)


def runs(bits: int, side: int) -> tuple[int, ...]:
    """Lengths of the runs of ones, the lowest bit first; (0,) if there are none."""
    groups = itertools.groupby(bits >> place & 1 for place in range(side))
    return tuple(len(list(group)) for is_on, group in groups if is_on) or (0,)


@functools.cache
def lines(side: int) -> dict[tuple[int, ...], tuple[int, ...]]:
    """By runs: every line that has them, as bits."""
    found: dict[tuple[int, ...], list[int]] = {}
    for bits in range(1 << side):
        found.setdefault(runs(bits, side), []).append(bits)
    return {key: tuple(bits) for key, bits in found.items()}


@functools.cache
def _runs_of_all(side: int) -> tuple[tuple[int, ...], ...]:
    return tuple(runs(bits, side) for bits in range(1 << side))


@functools.cache
def _open_lines(side: int, least: int) -> tuple[int, ...]:
    """Lines but the empty one that their own runs leave open if more than one round is wanted."""
    return tuple(bits for bits in range(1, 1 << side) if len(lines(side)[runs(bits, side)]) >= least)


def solved_in(rows: tuple, columns: tuple, side: int) -> list[int] | None:
    """By row: after how many rounds of reasoning along single lines it is known; `None` if some never are.

    In a round every row is looked at, then every column; what all lines with the right runs share is known.
    """
    full, known = (1 << side) - 1, lines(side)
    left = [[known[line] for line in rows], [known[line] for line in columns]]
    on, off = [[0] * side, [0] * side], [[0] * side, [0] * side]  # by direction and line, as bits
    when = [0] * side
    for number in range(1, side * side + 2):
        is_new = False
        for way in (0, 1):
            for place in range(side):
                own_on, own_off = on[way][place], off[way][place]
                if own_on | own_off == full:
                    continue
                fitting = tuple(b for b in left[way][place] if b & own_on == own_on and not b & own_off)
                left[way][place] = fitting
                shared, none = full, 0
                for bits in fitting:
                    shared &= bits
                    none |= bits
                none = full & ~none
                for cell in range(side):
                    bit = 1 << cell
                    if shared & bit and not own_on & bit:
                        on[1 - way][cell] |= 1 << place
                        is_new = True
                    elif none & bit and not own_off & bit:
                        off[1 - way][cell] |= 1 << place
                        is_new = True
                on[way][place] |= shared
                off[way][place] |= none
        for row in range(side):
            if not when[row] and on[0][row] | off[0][row] == full:
                when[row] = number
        if all(when):
            return when
        if not is_new:
            return None
    return None


def pose_nonogram(rng: np.random.Generator, level: int) -> Posed:
    """Ask for a row; every row but an empty one is about equally likely."""
    side, least = SIDES[level], ROUNDS[level]
    every = _runs_of_all(side)
    for attempt in range(TRIES):
        if attempt % TRIES_OF_ONE == 0:
            wanted = pick(rng, _open_lines(side, least))
        row = int(rng.integers(side))
        board = rng.integers(1 << side, size=(2, side))
        board = (board[0] | board[1] if rng.random() < 0.35 else board[0]).tolist()
        board[row] = wanted
        turned = [sum((board[r] >> c & 1) << r for r in range(side)) for c in range(side)]
        rows, columns = tuple(every[bits] for bits in board), tuple(every[bits] for bits in turned)
        when = solved_in(rows, columns, side)
        if when and when[row] >= least:
            answer = Answer.listing([wanted >> cell & 1 for cell in range(side)])
            scene, query = Nonogram(rows, columns, when[row]), {"ask": "nonogram", "row": row + 1}
            question = pick(rng, ROW).format(row=row + 1)
            return Posed(scene, question, answer, guess_rate=1 / len(_open_lines(side, least)), query=query)
    raise RuntimeError(f"no nonogram at level {level} in {TRIES} tries")
