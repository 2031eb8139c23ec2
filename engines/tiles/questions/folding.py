"""Questions about paper that is folded and punched: which sheet it unfolds to, how many holes it has then."""

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.tiles.questions.cells import pick, some
from engines.tiles.scene import FOLDS, LETTERS, Paper

SIDES = (4, 4, 4, 4, 6, 6, 6, 6, 6, 6)
FOLDINGS = (1, 1, 1, 2, 2, 2, 2, 3, 3, 3)
PUNCHES = (1, 1, 2, 1, 1, 2, 2, 1, 2, 2)
UNEVEN_FROM_LEVEL = 5  # from here on folds need not be in the middle
MIN_SIZE_PX = (140, 140, 140, 140, 196, 196, 196, 252, 252, 252)
COUNT_SIDES = (4, 4, 4, 4, 4, 6, 6, 6, 6, 6)
COUNT_FOLDINGS = (1, 1, 1, 2, 2, 2, 2, 3, 3, 3)
COUNTS = ((1, 5), (1, 6), (1, 6), (2, 8), (2, 8), (2, 9), (2, 10), (3, 12), (3, 13), (3, 14))
COUNT_MIN_SIZE_PX = (112, 112, 112, 140, 140, 168, 168, 224, 224, 224)
MOST_PUNCHES = 4
TRIES = 400

UNFOLD = (
    "The sheet is folded as shown and then punched. Which option shows it unfolded?",
    "A sheet is folded along the dashed lines and punched through. What does it look like unfolded?",
    "Fold the paper as the arrows say, punch the holes, unfold it. Which letter shows the sheet?",
    "Which option is the punched sheet after unfolding?",
)
HOLES = (
    "The sheet is folded as shown and punched through. How many holes does it have when unfolded?",
    "How many holes are in the sheet after it is unfolded?",
    "A sheet is folded along the dashed lines, then punched. Count its holes after unfolding.",
    "Fold the paper as the arrows say and punch it. How many holes does the flat sheet have?",
)


def _folds(rng: np.random.Generator, side: int, count: int, is_uneven: bool) -> tuple[tuple[str, int], ...]:
    """Folds of at most half of what is there, in the middle or anywhere on the lines between cells."""
    tall = wide = side
    folds = []
    for _ in range(count):
        ways = [way for way in FOLDS if (wide if way in ("right", "left") else tall) >= 2]
        if not is_uneven:
            ways = [way for way in ways if (wide if way in ("right", "left") else tall) % 2 == 0]
        if not ways:
            return ()
        way = pick(rng, ways)
        is_wide = way in ("right", "left")
        room = wide if is_wide else tall
        width = int(rng.integers(1, room // 2 + 1)) if is_uneven else room // 2
        wide, tall = wide - width * is_wide, tall - width * (not is_wide)
        folds.append((way, width))
    return tuple(folds)


def _thickness(side: int, folds: tuple[tuple[str, int], ...]) -> tuple[dict[int, int], dict[int, int]]:
    """How many rows lie on each row of the folded sheet, and columns on each column."""
    rows, columns = dict.fromkeys(range(side), 1), dict.fromkeys(range(side), 1)
    for way, width in folds:
        lines = columns if way in ("right", "left") else rows
        places = sorted(lines)
        if way in ("left", "up"):
            places.reverse()
        for near, over in zip(places[width : 2 * width], places[:width][::-1], strict=True):
            lines[near] += lines.pop(over)
    return rows, columns


def _cells(rest: tuple[int, int, int, int]) -> list[tuple[int, int]]:
    top, left, bottom, right = rest
    return [(row, column) for row in range(top, bottom) for column in range(left, right)]


def pose_unfold(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the unfolded sheet; the others are punched at mirrored places of the folded one."""
    side = SIDES[level]
    for _ in range(TRIES):
        folds = _folds(rng, side, FOLDINGS[level], level >= UNEVEN_FROM_LEVEL)
        if not folds:
            continue
        rest = Paper(side, folds, ()).rest(len(folds))
        top, left, bottom, right = rest
        if bottom - top < 2 or right - left < 2:
            continue
        holes = some(rng, _cells(rest), PUNCHES[level])
        across = [(row, left + right - 1 - column) for row, column in holes]
        upside = [(top + bottom - 1 - row, column) for row, column in holes]
        both = [(top + bottom - 1 - row, column) for row, column in across]
        sheets = [Paper(side, folds, tuple(sorted(places))) for places in (holes, across, upside, both)]
        results = [sheet.unfolded() for sheet in sheets]
        if len(set(results)) == 4:
            break
    else:
        raise RuntimeError(f"no sheet with four images at level {level} in {TRIES} tries")
    order = rng.permutation(4).tolist()
    scene = Paper(side, folds, sheets[0].holes, tuple(results[i] for i in order))
    answer = Answer.choice(LETTERS[order.index(0)], LETTERS[:4])
    return Posed(scene, pick(rng, UNFOLD), answer, guess_rate=0.25, query={"ask": "unfold"})


def pose_holes(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of holes of the flat sheet, of which each is as likely."""
    low, high = COUNTS[level]
    wanted, side = int(rng.integers(low, high + 1)), COUNT_SIDES[level]
    for _ in range(TRIES):
        folds = _folds(rng, side, COUNT_FOLDINGS[level], is_uneven=True)
        if not folds:
            continue
        down, across = _thickness(side, folds)
        cells = some(rng, [(row, column) for row in down for column in across], MOST_PUNCHES)
        totals = np.cumsum([down[row] * across[column] for row, column in cells]).tolist()
        if wanted in totals:
            holes = cells[: totals.index(wanted) + 1]
            scene = Paper(side, folds, tuple(sorted(holes)))
            rate = 1 / (high - low + 1)
            return Posed(scene, pick(rng, HOLES), Answer.integer(wanted), guess_rate=rate, query={"ask": "holes"})
    raise RuntimeError(f"no sheet with {wanted} holes at level {level} in {TRIES} tries")
