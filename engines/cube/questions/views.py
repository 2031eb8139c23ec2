"""Questions about what shows, what is hidden, what a view from a side looks like, and what paint would reach."""

from collections.abc import Callable

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.cube.questions import stacks
from engines.cube.questions.make import (
    FLOORS,
    RULE,
    TALLEST,
    TOPS_SHOWN,
    TRIES,
    between,
    drafts,
    finish,
    painted,
    pick,
    spread,
)
from engines.cube.scene import ViewScene
from engines.cube.scene.sight import SEEN, cube_shares, is_clear, is_readable
from engines.cube.scene.stacks import Arrow

SEEN_CUBES = ((1, 4), (2, 7), (3, 9), (4, 12), (5, 15), (6, 18), (8, 22), (10, 28), (13, 34), (18, 42))  # per level
HIDDEN_CUBES = (2, 3, 5, 6, 7, 8, 9, 10, 11, 12)  # the largest number
BLOCKS = (((2, 2), (2, 3)), ((2, 3), (3, 2)), ((3, 3),), ((3, 3), (3, 4)), ((3, 4), (4, 3)), ((4, 4),),
          ((4, 4), (4, 5)), ((4, 5), (5, 4)), ((5, 5),), ((5, 6), (6, 5)))  # fmt: skip
BLOCK_TALLEST = (3, 3, 3, 3, 4, 4, 5, 5, 6, 6)
PAINTED = ((1, 4), (1, 6), (1, 7), (1, 7), (1, 7), (1, 8), (1, 8), (2, 9), (3, 11), (3, 11))  # cubes asked for
SIDES = ((2, 2),) * 2 + ((2, 3), (3, 3), (3, 4), (4, 4), (4, 5), (5, 5), (5, 5), (6, 6))  # of floors seen from a side
PROFILE_TALLEST = (3, 3, 3, 3, 3, 4, 4, 5, 5, 6)
OPTIONS = (3, 3, 4, 4, 4, 5, 5, 5, 6, 6)  # outlines to choose from
VIEW_MIN_SIZE_PX = (112, 112, 140, 140, 140, 224, 224, 280, 336, 392)
ARROW_MIN_SIZE_PX = (112, 112, 112, 112, 140, 168, 196, 224, 252, 336)

Count = Callable[[np.ndarray], int]  # from shares of all cubes of a floor; see `cube_shares`


def _with_count(
    rng: np.random.Generator, floor: tuple[int, int], tallest: int, level: int, wanted: int, total: int, count: Count
) -> np.ndarray:
    """Heights such that `count` gives the wanted number, and every cube shows clearly or not at all.

    Cubes are added while there are too few of what is counted, and taken away while there are too many.
    """
    cells = floor[0] * floor[1]
    for _ in range(TRIES):
        maps = np.stack(list(drafts(rng, floor, spread(rng, cells, total, tallest), TOPS_SHOWN[level])))
        shares = cube_shares(maps)
        clear = is_clear(shares)
        found = [count(one) for one in shares]
        fits = [place for place, number in enumerate(found) if clear[place] and number == wanted]
        if fits:
            return maps[pick(rng, fits)]
        missing = wanted - float(np.mean(found))
        total = min(max(round(total + 0.7 * missing + rng.uniform(-1.5, 1.5)), 1), cells * tallest)
    raise RuntimeError(f"no stacks on {floor} have the wanted count of {wanted} in {TRIES} tries")


VISIBLE_CUBES = (
    "How many cubes can you see, at least in part?",
    "How many cubes are visible, at least in part?",
    "Count the cubes that show at least in part.",
    "Leave out cubes that are wholly hidden. How many cubes are there?",
)


def pose_visible_cubes(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of cubes that show."""
    low, high = SEEN_CUBES[level]
    wanted, floor = between(rng, low, high), pick(rng, FLOORS[level])
    heights = _with_count(rng, floor, TALLEST[level], level, wanted, wanted, lambda shares: int((shares >= SEEN).sum()))
    scene, query = finish(rng, painted(rng, heights, level)), {"ask": "visible_cubes"}
    return Posed(scene, pick(rng, VISIBLE_CUBES), Answer.integer(wanted), (), 1 / (high - low + 1), query)


HIDDEN = (
    "How many cubes are wholly hidden?",
    "How many cubes can you not see at all?",
    "Count the cubes that do not show at all.",
    "How many cubes must be there that do not show?",
)


def pose_hidden_cubes(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of cubes that do not show, but must be there as no cube floats."""
    most = HIDDEN_CUBES[level]
    wanted, floor, tallest = between(rng, 0, most), pick(rng, BLOCKS[level]), BLOCK_TALLEST[level]
    cells = floor[0] * floor[1]
    start = min(cells * tallest, cells + 2 * wanted)
    heights = _with_count(rng, floor, tallest, level, wanted, start, lambda shares: int((shares == 0).sum()))
    scene, question = finish(rng, painted(rng, heights, level)), f"{RULE} {pick(rng, HIDDEN)}"
    return Posed(scene, question, Answer.integer(wanted), (), 1 / (most + 1), {"ask": "hidden_cubes"})


def _with_profile(rng: np.random.Generator, floor: tuple[int, int], wanted: list[int], level: int) -> np.ndarray:
    """Heights [rows, columns] whose columns of the floor have these maxima, readable; the largest go to the far end."""
    rows, columns = floor
    most = np.array(wanted)
    for attempt in range(TRIES):
        looseness = 0.8 * max(0.0, 1 - attempt / 12)
        values = np.floor(rng.random((8, rows, columns)) * (most + 1) * rng.uniform(0.3, 1.0)).astype(int)
        values = -np.sort(-np.minimum(values, most), axis=1) if attempt < 40 else np.zeros_like(values)
        values[:, 0] = most
        keys = np.arange(rows)[:, None] + looseness * rng.standard_normal((8, rows, columns))
        values = np.take_along_axis(values, keys.argsort(1).argsort(1), 1)
        fits = np.flatnonzero(is_readable(values, min(TOPS_SHOWN[level], 0.5)))
        if len(fits):
            return values[pick(rng, fits)]
    raise RuntimeError(f"no readable stacks with the profile {wanted} in {TRIES} tries")


def _profile(rng: np.random.Generator, level: int, tallest: int) -> list[int]:
    """Heights of a view, not all 0; all of a length are equally likely."""
    length, wanted = between(rng, *SIDES[level]), [0]
    while not any(wanted):
        wanted = rng.integers(0, tallest + 1, size=length).tolist()
    return wanted


def _seen_along(rng: np.random.Generator, level: int, wanted: list[int]) -> tuple[np.ndarray, Arrow]:
    """Heights and an arrow along which they have the wanted profile."""
    depth = between(rng, *SIDES[level])
    if rng.random() < 0.5:
        return _with_profile(rng, (depth, len(wanted)), wanted, level), "left"
    # Seen from the other side, left and right change places, and so do they in the mirror.
    return _with_profile(rng, (depth, len(wanted)), wanted[::-1], level).T, "right"


PROFILE = (
    "Look along the arrow. How many cubes high is the view at each place, from left to right? Write like 2, 0.",
    "Seen along the arrow: how high is each place, from left to right? Write like 2, 0.",
    "Stand at the arrow, look its way. Give the heights you see, from left to right, like 2, 0.",
    "What heights does the view along the arrow have, from left to right? Write like 2, 0.",
)


def pose_profile(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the heights of the view along an arrow."""
    tallest, (low, high) = PROFILE_TALLEST[level], SIDES[level]
    wanted = _profile(rng, level, tallest)
    heights, arrow = _seen_along(rng, level, wanted)
    scene, query = finish(rng, painted(rng, heights, level), arrow=arrow), {"ask": "profile"}
    guess_rate = 1 / (high - low + 1) / ((tallest + 1) ** low - 1)
    return Posed(scene, pick(rng, PROFILE), Answer.listing(wanted), (), guess_rate, query)


VIEW = (
    "Which drawing shows what you see along the arrow?",
    "Which drawing is the view along the arrow?",
    "Look along the arrow. Which drawing fits?",
    "Choose the drawing that shows the view in the direction of the arrow.",
)


def pose_view(rng: np.random.Generator, level: int) -> Posed:
    """Ask which outline is seen along an arrow, out of some that are near misses and mirror images of each other."""
    tallest, count = PROFILE_TALLEST[level], OPTIONS[level]
    options = _outlines(rng, level, tallest, count)
    true = pick(rng, options)  # by lot, so that the options alone tell nothing; then stacks that look like it
    heights, arrow = _seen_along(rng, level, list(true))
    letters = "ABCDEF"[:count]
    scene = ViewScene(finish(rng, painted(rng, heights, level), arrow=arrow), tuple(options))
    answer = Answer.choice(letters[options.index(true)], letters)
    return Posed(scene, pick(rng, VIEW), answer, (), 1 / count, {"ask": "view"})


def _outlines(rng: np.random.Generator, level: int, tallest: int, count: int) -> list[tuple[int, ...]]:
    """Different outlines of one length, in random order: one, from level 2 on its mirror image, and what is near."""
    first = tuple(_profile(rng, level, tallest))
    found = {first: None} | ({first[::-1]: None} if level >= 2 else {})
    while len(found) < count:
        outline = list(pick(rng, list(found)))
        place, step = int(rng.integers(len(outline))), int(rng.integers(1, 3)) * (1 if rng.random() < 0.5 else -1)
        outline[place] = min(max(outline[place] + step, 0), tallest)
        if any(outline):
            found[tuple(outline)] = None
    outlines = list(found)
    return [outlines[place] for place in rng.permutation(count).tolist()]


PAINT = (
    "All outer faces are painted, {floor}. How many cubes have exactly {faces} painted?",
    "Paint covers the whole outside, {floor}. How many cubes have exactly {faces} painted?",
    "The outside is painted all over, {floor}. Count the cubes with exactly {faces} painted.",
    "Every face that touches no cube is painted, {floor}. How many cubes have exactly {faces} painted?",
)
FACES = ((2, 3),) * 3 + ((1, 2, 3),) * 7  # numbers of faces asked for


def pose_painted(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many cubes have so many faces in the open, faces on the floor with them or without."""
    low, high = PAINTED[level]
    wanted, faces, with_floor = between(rng, low, high), pick(rng, FACES[level]), bool(rng.random() < 0.5)
    floors, tallest = BLOCKS[level], BLOCK_TALLEST[level]
    for _ in range(TRIES):
        floor = pick(rng, floors)
        cells = floor[0] * floor[1]
        total = between(rng, max(level, wanted + 1), min(cells * tallest, 3 * wanted + 2 * level + 5))
        maps = np.stack(list(drafts(rng, floor, spread(rng, cells, total, tallest), TOPS_SHOWN[level])))
        fits = np.flatnonzero((open_faces(maps, with_floor) == faces).sum((1, 2, 3)) == wanted)
        if len(fits):
            break
    else:
        raise RuntimeError(f"no stacks with {wanted} cubes of {faces} painted faces in {TRIES} tries")
    heights = maps[pick(rng, fits)]
    words = {"floor": "the bottom too" if with_floor else "but not the bottom"}
    question = pick(rng, PAINT).format(faces=f"{faces} face{'s' if faces > 1 else ''}", **words)
    query = {"ask": "painted", "faces": faces, "with_floor": with_floor}
    scene = finish(rng, painted(rng, heights, level))
    return Posed(scene, question, Answer.integer(wanted), (), 1 / (high - low + 1), query)


def open_faces(heights: np.ndarray, with_floor: bool) -> np.ndarray:
    """Faces of each cube that touch no cube (nor, unless told, the floor); -1 for no cube. [n, rows, columns, tallest]

    `heights` are whole numbers [n, rows, columns].
    """
    levels = np.arange(int(heights.max(initial=1)))
    there = levels < heights[..., None]
    room = np.pad(there, ((0, 0), (1, 1), (1, 1), (1, 1)))
    room[..., 0] = not with_floor  # what is below the lowest cubes
    inner = slice(1, -1)
    near = [room[:, :-2, inner, inner], room[:, 2:, inner, inner], room[:, inner, :-2, inner]]
    near += [room[:, inner, 2:, inner], room[:, inner, inner, :-2], room[:, inner, inner, 2:]]
    return np.where(there, 6 - np.sum(near, axis=0), -1)


def facts(scene: ViewScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about stacks with outlines: those about the stacks, and one outline."""
    place = int(rng.integers(len(scene.options)))
    question = f"How many squares does drawing {chr(65 + place)} have?"
    return (*stacks.facts(scene.stack, rng), Fact(question, Answer.integer(sum(scene.options[place]))))
