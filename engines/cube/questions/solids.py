"""Questions about solids of cubes: which one is the same, only turned, and which one is only a mirror image."""

import functools

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed, make_rng
from engines.cube.questions.make import COLOURS, between, pick
from engines.cube.scene import SolidsScene
from engines.cube.scene.sight import SEEN
from engines.cube.scene.solids import Solid, clear_turns, mirrored, turns

CUBES = ((4, 5), (4, 5), (5, 5), (5, 6), (5, 6), (6, 6), (6, 7), (7, 7), (7, 8), (8, 8))  # of each solid, per level
OPTIONS = (3, 3, 4, 4, 5, 5, 6, 6, 6, 6)
MIRROR_LEVEL = 2  # from here on the mirror image is among the options
MIN_SIZE_PX = (112, 112, 140, 140, 168, 196, 224, 224, 252, 280)
SOLIDS = 40  # of each number of cubes to choose from
LETTERS = "ABCDEF"
STEPS = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)])
LONGEST = 4  # cubes in a line
DRAFTS = 400  # random solids tried for a library
CLEAR = 4  # turns of a solid in which all of its cubes show

SAME_SOLID = (
    "Which solid is the one at the top, only turned?",
    "Which solid is the same as the top one, but turned? Mirror images are not the same.",
    "Turn the solid at the top. Which option do you get?",
    "Which option can the solid at the top be turned into?",
)


@functools.cache
def _library(count: int) -> tuple[Solid, ...]:
    """Solids of so many cubes that no turn takes to their mirror image; each by the first of its turns, mirrors too."""
    rng = make_rng("cube solids", count)
    found: dict[Solid, None] = {}
    for _ in range(DRAFTS):
        solid = _grown(rng, count)
        if solid is None:
            continue
        key, mirror = turns(solid)[0], turns(mirrored(solid))[0]
        # The mirror image has as many clear turns: an onlooker sees rows as he sees columns.
        if key != mirror and key not in found and len(clear_turns(key, SEEN)) >= CLEAR:
            found[key] = found[mirror] = None
        if len(found) >= SOLIDS:
            break
    return tuple(found)


def _grown(rng: np.random.Generator, count: int) -> Solid | None:
    """A random solid: cubes are added to a random end of a chain, or now and then to its middle."""
    cubes = [(0, 0, 0)]
    while len(cubes) < count:
        base = cubes[-1] if rng.random() < 0.8 else cubes[int(rng.integers(len(cubes)))]
        cube = tuple((np.array(base) + STEPS[int(rng.integers(6))]).tolist())
        if cube not in cubes:
            cubes.append(cube)
    points = np.array(cubes) - np.min(cubes, axis=0)
    return tuple(sorted(map(tuple, points.tolist()))) if points.max() < LONGEST else None


def pose_same_solid(rng: np.random.Generator, level: int) -> Posed:
    """Ask which option is the model, turned; one is its mirror image, the others are other solids as large."""
    count, options = between(rng, *CUBES[level]), OPTIONS[level]
    library = _library(count)
    shape = pick(rng, library)
    mirror = turns(mirrored(shape))[0]
    clear = clear_turns(shape, SEEN)
    model, true = (clear[place] for place in rng.permutation(len(clear))[:2].tolist())
    shapes = [mirror] if level >= MIRROR_LEVEL else []
    others = [one for one in library if one not in (shape, mirror)]
    shapes += [mirror] * (level >= 6)  # twice, in two attitudes
    wanted, near = options - 1 - len(shapes), _alike(others, shape) if level >= 4 else others
    pool = near if len(near) >= wanted else others
    if len(pool) < wanted:  # there are only two chiral solids of four cubes
        pool = _flat(count)
    shapes += [pool[place] for place in rng.permutation(len(pool))[:wanted].tolist()]
    foils: list[Solid] = []
    for one in shapes:
        fresh = [turn for turn in clear_turns(one, SEEN) if turn not in foils]
        foils.append(pick(rng, fresh))
    drawn = [*foils, true]
    drawn = tuple(drawn[place] for place in rng.permutation(options).tolist())
    scene, letters = SolidsScene(model, drawn, pick(rng, COLOURS)), LETTERS[:options]
    answer = Answer.choice(letters[drawn.index(true)], letters)
    return Posed(scene, f"No cube is hidden. {pick(rng, SAME_SOLID)}", answer, (), 1 / options, {"ask": "same_solid"})


def _alike(others: list[Solid], shape: Solid) -> list[Solid]:
    """Solids that fill a box of the same size."""
    return [one for one in others if _box(one) == _box(shape)]


def _box(solid: Solid) -> list[int]:
    return sorted(max(axis) for axis in zip(*solid, strict=True))


@functools.cache
def _flat(count: int) -> tuple[Solid, ...]:
    """Solids that equal their mirror images."""
    rng = make_rng("cube flat solids", count)
    found = {}
    for _ in range(DRAFTS):
        solid = _grown(rng, count)
        if solid is not None and turns(solid)[0] == turns(mirrored(solid))[0] and clear_turns(turns(solid)[0], SEEN):
            found[turns(solid)[0]] = None
    return tuple(found)


def facts(scene: SolidsScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many cubes, how high, how many solids."""
    place = int(rng.integers(len(scene.options)))
    letter, high = chr(65 + place), max(height for _, _, height in scene.options[place]) + 1
    return (
        Fact("No cube is hidden. How many cubes make up the solid at the top?", Answer.integer(len(scene.model))),
        Fact(f"How many cubes high is solid {letter}?", Answer.integer(high)),
        Fact("How many lettered solids are there?", Answer.integer(len(scene.options))),
        Fact("What colour are the solids?", Answer.word(scene.colour, COLOURS)),
    )
