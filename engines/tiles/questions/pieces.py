"""Questions about pieces: which one fills the gap, which two make the rectangle."""

import functools
import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.tiles.questions.cells import (
    PAINTS,
    Figure,
    all_turns,
    centred,
    flipped,
    grown,
    is_chiral,
    is_whole,
    normal,
    painted,
    pick,
    some,
    turned,
)
from engines.tiles.scene import LETTERS, Sheet

SIZES = (3, 4, 4, 5, 5, 5, 6, 6, 7, 8)  # cells of the gap
BOARDS = (5, 5, 5, 6, 6, 6, 6, 6, 7, 7)
GAPS = (3, 3, 3, 4, 4, 4, 4, 4, 5, 5)  # side of the square that holds the gap
TURNED_FROM_LEVEL = 4
GAP_MIN_SIZE_PX = (112, 112, 112, 140, 140, 140, 140, 140, 168, 168)
BOXES = ((2, 4), (3, 4), (3, 4), (4, 4), (4, 4), (4, 4), (4, 5), (4, 5), (4, 6), (4, 6))
JOIN_TURNED_FROM_LEVEL = 5
JOIN_MIN_SIZE_PX = (112, 112, 112, 140, 140, 168, 196, 196, 224, 224)
PIECES = (4, 4, 5, 5, 5, 5, 5, 5, 5, 5)
TRIES = 600

GAP = (
    "Which piece fills the gap in the board{0}?",
    "A part of the board is missing. Which piece fits it{0}?",
    "Which of the pieces closes the gap exactly{0}?",
    "Choose the piece that belongs into the gap{0}.",
)
AS_DRAWN = " as it is drawn, without turning"
JOIN = (
    "Which two pieces together make the rectangle without a letter{0}?",
    "Two of the pieces fill the rectangle without a letter{0}. Which?",
    "Find the two pieces that fit together to the rectangle without a letter{0}.",
    "The rectangle without a letter is made of two of the pieces{0}. Which two?",
)
JOIN_AS_DRAWN, JOIN_TURNING = " as they are drawn", ", turned if needed but not flipped over"


def pose_gap(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the piece that fills a gap; from level 4 on pieces are turned, and two are mirror images of others."""
    size, box, is_turned = SIZES[level], GAPS[level], level >= TURNED_FROM_LEVEL
    pieces = _mirror_pairs(rng, box, size) if is_turned else _different(rng, box, size)
    pieces = some(rng, pieces, 4)
    mine = int(rng.integers(4))
    side = BOARDS[level]
    hole = turned(pieces[mine], int(rng.integers(4))) if is_turned else pieces[mine]
    tall, wide = (max(cell[axis] for cell in hole) + 1 for axis in (0, 1))
    down, right = 1 + int(rng.integers(side - 1 - tall)), 1 + int(rng.integers(side - 1 - wide))
    missing = {(row + down, column + right) for row, column in hole}
    board = painted([(r, c) for r in range(side) for c in range(side) if (r, c) not in missing], side, side)
    shown = [turned(piece, int(rng.integers(4))) if is_turned else piece for piece in pieces]
    options = tuple(centred(piece, box) for piece in shown)
    scene = Sheet("gap", (board,), options, (pick(rng, PAINTS),), 3 if is_turned else 1)
    phrasing = pick(rng, GAP)
    question = phrasing.format(AS_DRAWN)
    if is_turned:
        question = phrasing.format("") + " Pieces may be turned, but not flipped over."
    answer = Answer.choice(LETTERS[mine], LETTERS[:4])
    return Posed(scene, question, answer, guess_rate=0.25, query={"ask": "gap", "turned": is_turned})


def _different(rng: np.random.Generator, box: int, size: int) -> list[Figure]:
    """Four different figures of a size."""
    for _ in range(TRIES):
        found = {grown(rng, box, box, size) for _ in range(4)}
        if len(found) == 4:
            return sorted(found)
    raise RuntimeError(f"no four figures of {size} cells in {TRIES} tries")


def _mirror_pairs(rng: np.random.Generator, box: int, size: int) -> list[Figure]:
    """Two figures and their mirror images, no two alike by turning."""
    found: list[Figure] = []
    for _ in range(TRIES):
        figure = grown(rng, box, box, size)
        if is_chiral(figure) and not {figure, flipped(figure)} & {turn for old in found for turn in all_turns(old)}:
            found += [figure, flipped(figure)]
        if len(found) == 4:
            return found
    raise RuntimeError(f"no two chiral figures of {size} cells in {TRIES} tries")


@functools.cache
def _near(rows: int, columns: int) -> tuple[tuple[int, ...], ...]:
    """The cells beside each cell of a rectangle, numbered row by row."""
    return tuple(
        tuple(
            r * columns + c
            for r, c in ((row, column + 1), (row + 1, column), (row, column - 1), (row - 1, column))
            if 0 <= r < rows and 0 <= c < columns
        )
        for row, column in itertools.product(range(rows), range(columns))
    )


def _half(rng: np.random.Generator, rows: int, columns: int) -> tuple[Figure, Figure] | None:
    """A rectangle cut into two connected parts of one size, if this try finds a cut."""
    near, count = _near(rows, columns), rows * columns
    dice = iter(rng.random(3 * count).tolist())
    start = int(next(dice) * count)
    taken, edge = {start}, list(near[start])
    while 2 * len(taken) < count:
        cell = edge.pop(int(next(dice) * len(edge)))
        if cell not in taken:
            taken.add(cell)
            edge += near[cell]
    parts = [normal(divmod(i, columns) for i in range(count) if (i in taken) == flag) for flag in (True, False)]
    return (parts[0], parts[1]) if is_whole(parts[1]) else None


def laid(piece: Figure, rows: int, columns: int, is_turned: bool) -> set[int]:
    """The cells of a rectangle, as bits, that a piece covers wherever it is laid; turned too if it may be."""
    found: set[int] = set()
    for shape in set(all_turns(piece)) if is_turned else {piece}:
        tall, wide = (max(cell[axis] for cell in shape) for axis in (0, 1))
        bits = sum(1 << row * columns + column for row, column in shape)
        found |= {bits << down * columns + right for down in range(rows - tall) for right in range(columns - wide)}
    return found


def pose_join(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the only two pieces that make a rectangle; all pieces are halves of it, most of other cuts."""
    (rows, columns), is_turned = BOXES[level], level >= JOIN_TURNED_FROM_LEVEL
    letters, whole = LETTERS[: PIECES[level]], 2 ** (rows * columns) - 1
    for _ in range(TRIES):
        own = _half(rng, rows, columns)
        if own is None or own[1] in (all_turns(own[0]) if is_turned else [own[0]]):
            continue
        pieces = list(own)
        covers = [laid(piece, rows, columns, is_turned) for piece in pieces]
        taken = set().union(*covers, *({whole ^ bits for bits in cover} for cover in covers))
        for _ in range(60):
            cut = _half(rng, rows, columns)
            if cut is None:
                continue
            piece = cut[int(rng.integers(2))]
            cover = laid(piece, rows, columns, is_turned)
            if not cover & taken:
                pieces.append(piece)
                taken |= cover | {whole ^ bits for bits in cover}
            if len(pieces) == len(letters):
                break
        if len(pieces) == len(letters):
            break
    else:
        raise RuntimeError(f"no pieces of {rows} x {columns} in {TRIES} tries")
    order = rng.permutation(len(pieces)).tolist()
    shown = [turned(pieces[i], int(rng.integers(4))) if is_turned else pieces[i] for i in order]
    side = max(max(cell) for piece in shown for cell in piece) + 1
    options = tuple(centred(piece, side) for piece in shown)
    board = painted([(r, c) for r in range(rows) for c in range(columns)], rows, columns)
    scene = Sheet("join", (board,), options, (pick(rng, PAINTS),), 4 if is_turned else 2)
    question = pick(rng, JOIN).format(JOIN_TURNING if is_turned else JOIN_AS_DRAWN)
    answer = Answer.set_of([letters[order.index(0)], letters[order.index(1)]], letters)
    rate = 2 / (len(letters) * (len(letters) - 1))
    return Posed(scene, question, answer, guess_rate=rate, query={"ask": "join", "turned": is_turned})
