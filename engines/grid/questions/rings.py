"""Questions about circles (overlap, touch, apart) and about squares one inside the other."""

import math

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.grid.scene import NestScene, Ring, RingsScene
from engines.style import ALIKE, COLOURS

RELATIONS = ("overlap", "touch", "apart")
GAPS = (
    160,
    130,
    105,
    85,
    70,
    58,
    47,
    38,
    31,
    26,
)  # thousandths that circles overlap or keep apart, at least, per level
OVERLAP_GAPS = (60, 55, 50, 45, 40, 36, 33, 30, 28, 26)  # the same where pairs are counted
PAIRS = (2, 3, 3, 4, 4, 5, 5, 6, 6, 7)  # largest number of overlapping pairs
CIRCLES = (3, 3, 4, 4, 5, 5, 6, 6, 7, 7)  # drawn in all when pairs are counted
DISTRACTORS = (0, 0, 0, 1, 1, 1, 2, 2, 3, 3)  # further circles, when two are compared
SQUARES = ((2, 4), (2, 5), (2, 5), (2, 6), (3, 7), (3, 8), (3, 9), (4, 10), (4, 11), (4, 12))
MIN_SIZE_PX = (112, 112, 112, 112, 112, 168, 168, 224, 224, 224)
NEST_MIN_SIZE_PX = (112, 112, 112, 112, 168, 168, 224, 224, 280, 280)
EDGE = 60  # thousandths kept free around everything
TRIES = 3000


def _pick(rng: np.random.Generator, options):
    return options[int(rng.integers(len(options)))]


def _colours(rng: np.random.Generator, count: int) -> list[str]:
    return [COLOURS[i] for i in rng.permutation(len(COLOURS))[:count].tolist()]


def _relation(one: Ring, two: Ring, gap: int) -> str:
    """What two circles do; empty where it is too close to tell, or where one lies inside the other."""
    between = math.hypot(one.x - two.x, one.y - two.y)
    if between >= one.radius + two.radius + gap:
        return "apart"
    inside = abs(one.radius - two.radius)
    return "overlap" if inside + gap <= between <= one.radius + two.radius - gap else ""


def _second(rng: np.random.Generator, one: Ring, relation: str, gap: int, colour: str) -> Ring | None:
    """A circle in a relation to another one that fits the picture. A touch is exact to half a thousandth."""
    radius, angle = int(rng.integers(110, 200)), rng.uniform(0, 2 * math.pi)
    between = one.radius + radius
    if relation == "apart":
        between += int(rng.integers(gap, gap * 2 + 40))
    elif relation == "overlap":
        deepest = between - abs(one.radius - radius) - gap
        if deepest < gap:
            return None
        between -= int(rng.integers(gap, min(deepest, gap * 2 + 40) + 1))
    two = Ring(round(one.x + between * math.cos(angle)), round(one.y + between * math.sin(angle)), radius, colour)
    if relation == "touch":
        two = two._replace(radius=round(math.hypot(one.x - two.x, one.y - two.y)) - one.radius)
        if abs(math.hypot(one.x - two.x, one.y - two.y) - one.radius - two.radius) > 0.25:
            return None
    return two if _fits(two) else None


def _fits(ring: Ring) -> bool:
    reach = ring.radius + EDGE
    return reach <= ring.x <= 1000 - reach and reach <= ring.y <= 1000 - reach


CIRCLES_ASK = (
    "Do the {one} and the {two} circle overlap, touch or stay apart? Answer overlap, touch or apart.",
    "The {one} and the {two} circle: overlap, touch or apart?",
    "How do the {one} circle and the {two} circle lie: overlap, touch or apart?",
    "Choose for the {one} and the {two} circle: overlap, touch or apart.",
)


def pose_circles(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the relation of two circles; from level 3 others stand around."""
    relation, gap = _pick(rng, RELATIONS), GAPS[level]
    colours = _colours(rng, 2 + DISTRACTORS[level])
    for _ in range(TRIES):
        radius = int(rng.integers(110, 200))
        low, high = radius + EDGE, 1000 - radius - EDGE
        one = Ring(int(rng.integers(low, high)), int(rng.integers(low, high)), radius, colours[0])
        two = _second(rng, one, relation, gap, colours[1])
        if two is None:
            continue
        rings = [one, two]
        for colour in colours[2:]:
            radius = int(rng.integers(80, 160))
            low, high = radius + EDGE, 1000 - radius - EDGE
            rings.append(Ring(int(rng.integers(low, high)), int(rng.integers(low, high)), radius, colour))
        if all(_relation(new, old, gap) for i, new in enumerate(rings[2:], 2) for old in rings[:i]):
            break
    else:
        raise RuntimeError(f"no circles that {relation} at level {level} in {TRIES} tries")
    scene = RingsScene(tuple(rings[i] for i in rng.permutation(len(rings)).tolist()))
    named = [colours[:2], colours[1::-1]][int(rng.integers(2))]
    question = _pick(rng, CIRCLES_ASK).format(one=named[0], two=named[1])
    query = {"ask": "circles", "one": named[0], "two": named[1]}
    return Posed(scene, question, Answer.word(relation, RELATIONS), guess_rate=1 / 3, query=query)


OVERLAPS = (
    "How many pairs of circles overlap?",
    "Count the pairs of circles that overlap.",
    "How many times do two circles overlap?",
    "In how many pairs do the circles overlap each other?",
)


def pose_overlaps(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of overlapping pairs."""
    most, count, gap = PAIRS[level], CIRCLES[level], OVERLAP_GAPS[level]
    wanted, colours = int(rng.integers(most + 1)), _colours(rng, CIRCLES[level])
    size = (0.3 + 0.16 * wanted / most) / math.sqrt(count)  # of a radius, in sides of the picture
    for _ in range(TRIES):
        rings: list[Ring] = []
        pairs = 0
        for colour in colours:
            for _ in range(16):
                ring = _near_or_free(
                    rng, rings if pairs < wanted else [], int(1000 * size * rng.uniform(0.6, 1)), colour
                )
                found = [_relation(ring, old, gap) for old in rings]
                if _fits(ring) and all(found) and pairs + found.count("overlap") <= wanted:
                    rings.append(ring)
                    pairs += found.count("overlap")
                    break
            else:
                break
        if pairs == wanted and len(rings) == count:
            scene, query = RingsScene(tuple(rings)), {"ask": "overlaps"}
            guess_rate = 1 / (most + 1)
            return Posed(scene, _pick(rng, OVERLAPS), Answer.integer(wanted), guess_rate=guess_rate, query=query)
    raise RuntimeError(f"no {wanted} overlapping pairs at level {level} in {TRIES} tries")


def _near_or_free(rng: np.random.Generator, rings: list[Ring], radius: int, colour: str) -> Ring:
    """A circle close to one of some circles, or anywhere if there are none; it need not fit the picture."""
    low, high = radius + EDGE, 1000 - radius - EDGE
    if not rings or rng.random() < 0.4:
        return Ring(int(rng.integers(low, high)), int(rng.integers(low, high)), radius, colour)
    old, angle = _pick(rng, rings), rng.uniform(0, 2 * math.pi)
    between = (old.radius + radius) * rng.uniform(0.5, 0.95)
    return Ring(round(old.x + between * math.cos(angle)), round(old.y + between * math.sin(angle)), radius, colour)


NESTED = (
    "How many squares are there?",
    "Count the squares, each inside the next.",
    "How many squares are nested in one another?",
    "How many nested squares do you see?",
)


def pose_nested(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the number of nested squares."""
    low, high = SQUARES[level]
    count, tilt_deg = int(rng.integers(low, high + 1)), int(rng.integers(-level * 3, level * 3 + 1))
    room = math.cos(math.radians(abs(tilt_deg))) + math.sin(math.radians(abs(tilt_deg)))
    outer = int(rng.integers(780, 900) / room)
    gap = int(min(0.42, 0.75 / count) * outer / 2) if count < 3 else int((outer - 60) / count * rng.uniform(0.75, 1.0))
    sides = tuple(outer - gap * place for place in range(count))
    reach = int(outer * room / 2)
    centre = (int(rng.integers(reach + 20, 981 - reach)), int(rng.integers(reach + 20, 981 - reach)))
    colours = _colours(rng, 1) * count if rng.random() < 0.5 else [_pick(rng, COLOURS) for _ in range(count)]
    scene, query = NestScene(centre, sides, tilt_deg, tuple(colours)), {"ask": "nested"}
    guess_rate = 1 / (high - low + 1)
    return Posed(scene, _pick(rng, NESTED), Answer.integer(count), guess_rate=guess_rate, query=query)


def facts(scene: RingsScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many circles, the topmost, leftmost and largest one where it is clear which."""
    names = [ring.colour for ring in scene.rings]
    found = [Fact("How many circles are there?", Answer.integer(len(names)))]
    found += [
        Fact(text, Answer.word(min(scene.rings, key=key).colour, COLOURS))
        for text, key in (
            ("Which colour is the circle whose centre is furthest to the left?", lambda ring: ring.x),
            ("Which colour is the circle whose centre is highest?", lambda ring: ring.y),
            ("Which colour is the largest circle?", lambda ring: -ring.radius),
            ("Which colour is the smallest circle?", lambda ring: ring.radius),
        )
        if _leads(sorted(map(key, scene.rings)))
    ]
    others = [colour for colour in COLOURS if colour not in names and ALIKE.get(colour) not in names]
    found.append(Fact(f"How many {names[0]} circles are there?", Answer.integer(1)))
    return (*found, Fact(f"How many {others[0]} circles are there?", Answer.integer(0)))


def _leads(keys: list[int]) -> bool:
    return keys[1] - keys[0] >= 25


def nest_facts(scene: NestScene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: colours of the squares, counted from the outside."""
    outer, inner = scene.colours[0], scene.colours[-1]
    return (
        Fact("How many squares are there?", Answer.integer(len(scene.sides))),
        Fact("What colour is the outermost square?", Answer.word(outer, COLOURS)),
        Fact("What colour is the innermost square?", Answer.word(inner, COLOURS)),
        Fact(f"How many squares are {inner}?", Answer.integer(scene.colours.count(inner))),
    )
