"""Questions about things by themselves: how many there are of a kind, in which order they stand, which shows most."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.scene.questions.place import COLOURS, COUNTS, TRIES, Kind, area, clear, kinds, pick, spread, values
from engines.scene.scene import SHAPES, SIZES, SURFACES, Floor
from engines.scene.scene.things import FLAT

MOST = (2, 2, 3, 3, 4, 4, 5, 5, 6, 6)  # largest count that is asked for
FILTERS = (2, 2, 2, 2, 3, 3, 3, 3, 4, 4)  # attributes that are named in a count
LISTED = (3, 3, 3, 3, 4, 4, 4, 5, 5, 6)  # things that are put in order
NEAREST_OF = (3, 3, 4, 4, 5, 5, 6, 6, 7, 7)
NEARER = 1.25  # the second nearest is so many times as far, on the floor and in the picture
LARGER = 1.35  # the same for the area that is seen

COUNT = (
    "How many {what} are there?",
    "Count the {what}.",
    "What is the number of {what}?",
    "How many {what} do you see?",
)
ORDER = (
    "List the colours of the {what} from left to right.",
    "From left to right, what colours are the {what}?",
    "Go from the leftmost to the rightmost of the {what} and list their colours.",
    "Name the colours of the {what} in order, the leftmost first.",
)
DEPTH = (
    "List the colours of the {what}, the one nearest to you first.",
    "From the nearest to you to the farthest, what colours are the {what}?",
    "Go from the front to the back and list the colours of the {what}.",
    "Name the colours of the {what} in order, from near to far.",
)
NEAREST = (
    "What colour is the thing that stands nearest to the {it}?",
    "Which thing is closest to the {it}? Give its colour.",
    "Name the colour of the nearest neighbour of the {it}.",
    "Find the {it}. What is the colour of the thing nearest to it?",
)
AREA = (
    "Of which thing do you see the largest area? Give its colour.",
    "Which thing takes up most of the picture? Answer with its colour.",
    "What colour is the thing that covers the largest part of the picture?",
    "Name the colour of the thing that looks largest in area.",
)


def _said(names: dict[str, str], *, is_one: bool = False) -> str:
    """A kind in words: "small red shiny cubes"."""
    noun = names.get("shape", "thing") + ("" if is_one else "s")
    return " ".join([*(names[key] for key in ("size", "colour", "surface") if key in names), noun])


def pose_count(rng: np.random.Generator, level: int) -> Posed:
    """Ask how many things have all of some attributes, among others that have all but one of them."""
    named = dict(zip(Kind._fields, values(level), strict=True))
    free = [name for name, options in named.items() if len(options) > 1]
    chosen = [free[i] for i in rng.permutation(len(free))[: FILTERS[level]].tolist()]
    target = {name: pick(rng, named[name]) for name in chosen}
    most = min(MOST[level], COUNTS[level] - len(chosen))
    count = int(rng.integers(most + 1))
    wanted = [kind._replace(**target) for kind in kinds(rng, level, count)]
    for name in chosen:  # one that misses only this attribute
        other = pick(rng, [value for value in named[name] if value != target[name]])
        wanted.append(kinds(rng, level, 1)[0]._replace(**(target | {name: other})))
    while len(wanted) < COUNTS[level]:
        kind = kinds(rng, level, 1)[0]
        if any(getattr(kind, name) != value for name, value in target.items()):
            wanted.append(kind)
    scene = spread(rng, level, [wanted[i] for i in rng.permutation(len(wanted)).tolist()])
    query = {"ask": "count"} | target
    question = pick(rng, COUNT).format(what=_said(target))
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (most + 1), query=query)


def _listed(rng: np.random.Generator, level: int, ask: str, phrasings: tuple[str, ...]) -> Posed:
    """Things of one form and different colours, put in order among others of other forms."""
    shapes, many = values(level)[1], LISTED[level]
    shape = pick(rng, shapes)
    alike = [kind._replace(shape=shape) for kind in kinds(rng, level, many, unlike=True)]
    others = kinds(rng, level, max(0, COUNTS[level] - many))
    others = [k._replace(shape=pick(rng, [s for s in shapes if s != shape])) for k in others]
    wanted = [*alike, *others]
    scene = spread(rng, level, [wanted[i] for i in rng.permutation(len(wanted)).tolist()])
    found = [thing for thing in scene.things if thing.shape == shape]
    found.sort(key=lambda thing: thing.x if ask == "order" else -thing.y)
    answer = Answer.listing([thing.colour for thing in found], COLOURS)
    query, rate = {"ask": ask, "shape": shape}, 1 / math.perm(len(COLOURS), many)
    return Posed(scene, pick(rng, phrasings).format(what=f"{shape}s"), answer, guess_rate=rate, query=query)


def pose_order(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colours of all things of a form from left to right."""
    return _listed(rng, level, "order", ORDER)


def pose_depth(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colours of all things of a form from near to far."""
    return _listed(rng, level, "depth", DEPTH)


def _leads(values_: list[float], ratio: float) -> bool:
    """Say whether the second of some values, in ascending order, is so many times the first."""
    first, second, *_ = sorted(values_)
    return second >= ratio * first


def pose_nearest(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour of the thing nearest to another, where floor and picture agree on which it is."""
    for _ in range(TRIES):
        scene = clear(rng, level, kinds(rng, level, NEAREST_OF[level], unlike=True))
        for place in rng.permutation(len(scene.things)).tolist():
            own, others = scene.things[place], [t for i, t in enumerate(scene.things) if i != place]
            ground = [math.hypot(t.x - own.x, (t.y - own.y) / FLAT) for t in others]
            flat = [math.hypot(t.x - own.x, t.y - own.y) for t in others]
            near = flat.index(min(flat))
            edges = [far - other.radius for far, other in zip(ground, others, strict=True)]
            agree = ground[near] == min(ground) and edges[near] == min(edges)
            if agree and _leads(ground, NEARER) and _leads(flat, NEARER):
                question = pick(rng, NEAREST).format(it=f"{own.colour} {own.shape}")
                query = {"ask": "nearest", "colour": own.colour}
                answer = Answer.word(others[near].colour, COLOURS)
                return Posed(scene, question, answer, guess_rate=1 / (len(COLOURS) - 1), query=query)
    raise RuntimeError(f"no thing is clearly nearest to another at level {level} in {TRIES} tries")


def pose_area(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the colour of the thing of which most is seen."""
    for _ in range(TRIES):
        scene = spread(rng, level, kinds(rng, level, min(COUNTS[level], len(COLOURS)), unlike=True))
        if not _leads([1 / area(thing) for thing in scene.things], LARGER):
            continue  # hardly worth counting pixels
        areas = [seen for seen, _ in scene.seen]
        if _leads([1 / seen for seen in areas], LARGER):
            colour = scene.things[areas.index(max(areas))].colour
            answer = Answer.word(colour, COLOURS)
            return Posed(scene, pick(rng, AREA), answer, guess_rate=1 / len(COLOURS), query={"ask": "area"})
    raise RuntimeError(f"nothing is clearly largest at level {level} in {TRIES} tries")


def facts(scene: Floor, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many things there are, of each form, and what stands at the sides and in front."""
    things = scene.things
    shape, colour = pick(rng, SHAPES), pick(rng, things).colour
    left, right = min(things, key=lambda t: t.x), max(things, key=lambda t: t.x)
    front = max(things, key=lambda t: t.y)
    found = [
        Fact("How many things are there?", Answer.integer(len(things))),
        Fact(f"How many {shape}s are there?", Answer.integer(sum(t.shape == shape for t in things))),
        Fact(f"How many {colour} things are there?", Answer.integer(sum(t.colour == colour for t in things))),
        Fact("What colour is the leftmost thing?", Answer.word(left.colour, COLOURS)),
        Fact("What form does the rightmost thing have?", Answer.word(right.shape, SHAPES)),
        Fact("Is the rightmost thing matte, shiny or striped?", Answer.word(right.surface, SURFACES)),
    ]
    if len({thing.size for thing in things}) > 1:  # a size is told only beside another
        found.append(Fact("Is the thing nearest to you small or large?", Answer.word(front.size, SIZES)))
    return tuple(found)
