"""Questions about figures that are turned and mirrored: which is the image, which are turned copies."""

import itertools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.style import COLOURS
from engines.tiles.questions.cells import (
    MOVES,
    PAINTS,
    all_turns,
    centred,
    flipped,
    grown,
    images,
    is_chiral,
    moved,
    painted,
    pick,
    some,
)
from engines.tiles.scene import LETTERS, Pattern, Sheet

SIDES = (3, 3, 3, 4, 4, 4, 4, 5, 5, 5)
SIZES = (4, 5, 5, 6, 7, 7, 8, 9, 10, 11)
INKS = (1, 1, 2, 2, 2, 3, 3, 3, 3, 3)  # colours of the cells of a figure
DIAGONALS_FROM_LEVEL, TWICE_FROM_LEVEL = 3, 6
MIN_SIZE_PX = (112, 112, 112, 140, 140, 168, 168, 196, 224, 224)
COPY_SIZES = (4, 5, 5, 6, 6, 7, 7, 8, 9, 10)
COPIES = (3, 3, 3, 4, 4, 4, 4, 5, 5, 5)
COPIES_MIN_SIZE_PX = (112, 112, 112, 140, 140, 140, 168, 196, 196, 224)
TRIES = 400
STRAIGHT = ("quarter", "three", "half", "upright", "level")

SAID = {
    "quarter": "turned a quarter turn clockwise",
    "three": "turned a quarter turn counterclockwise",
    "half": "turned by half a turn",
    "upright": "reflected in a vertical line, left to right",
    "level": "reflected in a horizontal line, top to bottom",
    "falling": "reflected in the diagonal from top left to bottom right",
    "rising": "reflected in the diagonal from bottom left to top right",
}
IMAGE = (
    "The picture at the top is {0}. Which option shows the result?",
    "The top picture is {0}. What is it then? Answer with a letter.",
    "Imagine the picture at the top {0}. Which letter shows it?",
    "Which of the options is the top picture {0}?",
)
COPY = (
    "Which lettered figures are the top figure, only turned and not mirrored? Answer none if none are.",
    "Which letters show the top figure after a turn, without mirroring? List them, or none.",
    "List the letters of the figures that the top figure becomes by turning alone; none if there are none.",
    "The top figure may be turned but not flipped over. Which lettered figures can it become? List them or none.",
)


def figure(rng: np.random.Generator, side: int, size: int, inks: int) -> Pattern:
    """A figure of a square whose images by all moves differ from it and from each other."""
    for _ in range(TRIES):
        shape = grown(rng, side, side, size)
        paints = {cell: 1 + place % inks for place, cell in enumerate(some(rng, shape, len(shape)))}
        pattern = painted(paints, side, side)
        if len({pattern, *images(pattern).values()}) == 8:
            return pattern
    raise RuntimeError(f"no lopsided figure of {size} cells of {side} x {side} in {TRIES} tries")


def pose_image(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the image of a figure after one move, or from level 6 on after two; every image is as likely."""
    pattern = figure(rng, SIDES[level], SIZES[level], INKS[level])
    moves = STRAIGHT if level < DIAGONALS_FROM_LEVEL else tuple(MOVES)
    every = {move: image for move, image in images(pattern).items() if move in moves}
    right, *wrong = some(rng, list(every), 4)
    said = (right,)
    if level >= TWICE_FROM_LEVEL:
        pairs = [(a, b) for a in MOVES for b in MOVES if moved(every[a], b) == every[right]]
        said = pick(rng, pairs)
    order = some(rng, (right, *wrong), 4)
    colours = tuple(some(rng, COLOURS[:6], INKS[level]))
    scene = Sheet("figure", (pattern,), tuple(every[move] for move in order), colours, 2 * len(said))
    words = ", then ".join(SAID[move] for move in said)
    question = pick(rng, IMAGE).format(words)
    answer = Answer.choice(LETTERS[order.index(right)], LETTERS[:4])
    return Posed(scene, question, answer, guess_rate=0.25, query={"ask": "image", "moves": list(said), "said": words})


def pose_copies(rng: np.random.Generator, level: int) -> Posed:
    """Ask which figures are turned copies and not mirror images; every set of them is as likely."""
    size, letters = COPY_SIZES[level], LETTERS[: COPIES[level]]
    side = 4 if size < 7 else 5
    for _ in range(TRIES):
        shape = grown(rng, side, side, size)
        if is_chiral(shape):
            break
    else:
        raise RuntimeError(f"no chiral figure of {size} cells in {TRIES} tries")
    is_copy = rng.integers(2, size=len(letters)).tolist()
    # A copy may not stand as the figure itself does: it would be seen without turning anything. Nor may two copies, or
    # two mirror images, stand alike while there are other turns.
    copies, others = (itertools.cycle(some(rng, ways, len(ways))) for ways in ((1, 2, 3), (0, 1, 2, 3)))
    turns = [next(copies if flag else others) for flag in is_copy]
    options = tuple(
        centred(all_turns(shape if flag else flipped(shape))[turn], side)
        for flag, turn in zip(is_copy, turns, strict=True)
    )
    scene = Sheet("copies", (centred(shape, side),), options, (pick(rng, PAINTS),), len(letters))
    found = [letter for letter, flag in zip(letters, is_copy, strict=True) if flag]
    answer = Answer.set_of(found, letters)
    return Posed(scene, pick(rng, COPY), answer, guess_rate=0.5 ** len(letters), query={"ask": "copies"})
