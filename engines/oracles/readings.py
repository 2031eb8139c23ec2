"""Second readings: how else a careful onlooker could take a question, and what the answer would be then.

A question may be taken in two ways where words leave a convention open: does "the same as X" hold X, is a touch from
inside inside, is "highest" a place or a value. Each `Reading` gives the answer under the other convention, from the
scene's JSON, or `None` where there is none; `says` is what a question must say so that it leaves nothing open. The
audit asks that both answers agree or that the question says which is meant. Nothing here knows an engine.
"""

import itertools
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from engines.base import Sample
from engines.oracles import chart, compose, cube, depth, grid, panels, scene, sudoku
from engines.style import ALIKE

NEVER = r"(?!)"  # no words settle it
OPEN = "?"  # an answer that cannot be told from the scene, and is another
STRAIGHT_DEG = 8.0  # two lines that bend by less at a point seem to be one that passes it


# How the compositional questions of a category see a scene's JSON: its things as rows.
ROWS: dict[str, Callable[[dict[str, Any]], list[compose.Row]]] = {
    "chart": chart.rows,
    "cube": cube.rows,
    "grid": grid.rows,
    "scene": scene.rows,
    "sudoku": sudoku.rows,
}


class Reading(NamedTuple):
    """One convention, the other way round."""

    name: str
    other: Callable[[Sample], str | None]
    says: str  # pattern of the words by which a question settles it


def ambiguities(sample: Sample) -> Iterator[str]:
    """What a question leaves open that would change its answer, in words."""
    for reading in (*EVERYWHERE, *READINGS.get((sample.engine, sample.question_type), ())):
        if re.search(reading.says, sample.question):
            continue
        other = reading.other(sample)
        if other is not None and not sample.answer.accepts(other):
            yield f"{reading.name}: {sample.question!r} is {sample.answer.text()!r}, or {other!r}"


def fact_ambiguities(engine: str, scene: dict[str, Any], question: str) -> Iterator[str]:
    """What a further question about a scene leaves open, in words."""
    for name, is_open in FACTS.get(engine, ()):
        if re.search(name, question) and is_open(scene):
            yield f"{question!r} can be counted in two ways"


# Colours


def _alike(sample: Sample) -> str | None:
    """A colour is named that does not show, while one shows that people call so too."""
    named = set(_texts(dict(sample.query)))
    shown = set(_texts(sample.scene))
    return (
        OPEN
        if any(colour in named and colour not in shown and like in shown for colour, like in ALIKE.items())
        else None
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


# Compositional questions


def _program(sample: Sample, program: Any, manner: compose.Manner = compose.PLAIN) -> str:
    """The answer of a program; `OPEN` where it means nothing."""
    try:
        return compose.answer(program, ROWS[sample.engine](sample.scene), manner)
    except ValueError:
        return OPEN


def _uses(program: Any, *kinds: str) -> bool:
    return isinstance(program, list | tuple) and (
        program[0] in kinds or any(_uses(part, *kinds) for part in program[1:])
    )


def _with_itself(sample: Sample) -> str | None:
    program = sample.query["program"]
    return _program(sample, program, compose.Manner(with_itself=True)) if _uses(program, "same") else None


def _in_line(sample: Sample) -> str | None:
    program = sample.query["program"]
    return _program(sample, program, compose.Manner(in_line=True)) if _uses(program, "more", "less") else None


def _by_value(sample: Sample) -> str | None:
    """An extreme in place taken for one in value: the highest digit is the largest one."""
    program = sample.query["program"]
    turned = _turned(program)
    return None if turned == program else _program(sample, turned)


def _turned(part: Any) -> Any:
    if not isinstance(part, list | tuple):
        return part
    head, *rest = (_turned(inner) for inner in part)
    if head in ("most", "least") and rest[0] == "row":
        return ["least" if head == "most" else "most", "value", *rest[1:]]  # the lowest row is the highest place
    return [head, *rest]


def _fence(sample: Sample) -> str | None:
    """From one to another, both counted."""
    return str(int(_program(sample, sample.query["program"])) + 1) if sample.query["program"][0] == "gap" else None


ITSELF = Reading("what is the same as a thing may be that thing", _with_itself, r"\bother\b")
IN_LINE = Reading("below and beside may mean in the same line", _in_line, r"in a (row|column)")
FENCE = Reading("from one to another, the ends counted or not", _fence, r"^(?!.*\b(rows|columns) from\b)")
BY_VALUE = Reading("highest in place or in value", _by_value, r"^(?!.*\b(highest|lowest)\b)")


# Charts


def _farthest(sample: Sample) -> str:
    """The point that is farthest from the one next to it."""
    dots = [tuple(dot[:2]) for dot in sample.scene["dots"]]
    x, y = max(dots, key=lambda dot: min(math.dist(dot, other) for other in dots if other != dot))
    return f"({x}, {y})"


def _other_step(sample: Sample) -> str:
    axis = sample.scene["axis"]
    return str(axis["unit" if sample.query["of"] == "step" else "step"])


# Geometry


def _circles(sample: Sample) -> dict[str, tuple[complex, int]]:
    found = (shape for shape in sample.scene["shapes"] if shape["kind"] == "circle")
    return {shape["colour"]: (complex(*shape["points"][0]), shape["radius"]) for shape in found}


def _inside(sample: Sample) -> str | None:
    """A touch from inside is inside."""
    circles = _circles(sample)
    (a, r), (b, s) = circles[sample.query["one"]], circles[sample.query["other"]]
    return "inside" if abs(abs(a - b) - abs(r - s)) < 1e-6 else None


def _lines(sample: Sample) -> list[list[tuple[int, int]]]:
    return [[tuple(at) for at in shape["points"]] for shape in sample.scene["shapes"] if shape["kind"] == "segment"]


def _half(sample: Sample) -> str | None:
    """Half of a diameter is a radius."""
    if sample.query["kind"] != "radius":
        return None
    ((centre, _),) = _circles(sample).values()
    letters = {complex(*mark["at"]): mark["letter"] for mark in sample.scene["marks"]}
    for start, end in _lines(sample):
        if abs(complex(*start) + complex(*end) - 2 * centre) < 1e-6 and centre in letters:
            return letters[centre] + letters[complex(*start)]
    return None


def _with_circle_alone(sample: Sample) -> str | None:
    """Only where lines cross the circle, not where they cross each other."""
    from shapely import LineString, Point, get_num_geometries

    if not _circles(sample):
        return None
    ((centre, radius),) = _circles(sample).values()
    rim = Point(centre.real, centre.imag).buffer(radius, quad_segs=720).exterior
    met = [LineString(line).intersection(rim) for line in _lines(sample)]
    return str(sum(int(get_num_geometries(part)) for part in met if not part.is_empty))


def _closed(sample: Sample) -> str:
    """The first corner once more at the end."""
    return f"{sample.answer.text()}, {sample.query['first']}"


def _passing(sample: Sample) -> str | None:
    """Two lines that leave a point in opposite ways are one that passes it, or that goes on behind it."""
    place = {mark["letter"]: tuple(mark["at"]) for mark in sample.scene["marks"]}[sample.query["point"]]
    lines = _lines(sample)
    near = {place} | {end for line in lines if place in line for end in line}
    for at in near:
        ends = [next(end for end in line if end != at) for line in lines if at in line]
        for one, two in itertools.combinations(ends, 2):
            if (at == place or place in (one, two)) and _bend(at, one, two) < STRAIGHT_DEG:
                return OPEN
    return None


def _bend(at: tuple[int, int], one: tuple[int, int], two: tuple[int, int]) -> float:
    """Degrees by which a way from one point over another to a third is off a straight line."""
    a, b = (complex(end[0] - at[0], end[1] - at[1]) for end in (one, two))
    return 180 - abs(math.degrees(math.atan2((a.conjugate() * b).imag, (a.conjugate() * b).real)))


# Panels


def _lower_middle(sample: Sample) -> str:
    values = sorted(panels.line(sample.scene, sample.query["names"][0]).values())
    return str(values[(len(values) - 1) // 2])


# Boards with one solution


def _less_than_nothing(sample: Sample) -> str | None:
    """A difference or quotient may be taken the other way round."""
    return OPEN if any(operation in ("-", ":") for _, operation, _ in sample.scene["cages"]) else None


# Things on a floor


def _by_what_is_seen(sample: Sample) -> str | None:
    """Right and left taken of the middle of what is seen of a thing."""
    if not _uses(sample.query["program"], "more", "less", "most", "least"):
        return None
    middles = scene.seen_middles(sample.scene)
    rows = [row | {"x": x} for row, x in zip(scene.rows(sample.scene), middles, strict=True)]
    try:
        return compose.answer(sample.query["program"], rows)
    except ValueError:
        return OPEN


def _order_of_what_is_seen(sample: Sample) -> str:
    pairs = zip(scene.seen_middles(sample.scene), sample.scene["things"], strict=True)
    order = sorted((x, thing["colour"]) for x, thing in pairs if thing["shape"] == sample.query["shape"])
    return ", ".join(colour for _, colour in order)


def _nearest_edges(sample: Sample) -> str:
    return scene.nearest_outline(sample.scene, sample.query["colour"])


# Ways


def _cells_of_way(sample: Sample) -> str:
    """The cells of a way counted, and not the steps between them."""
    return str(int(sample.answer.text()) + 1)


def _arrows_missing(sample: Sample) -> str | None:
    return OPEN if sample.scene["one_way"] and sample.scene["two_way"] else None


def _undrawn(scene: dict[str, Any]) -> bool:
    """Whether a row or column of crossings has no street."""
    ends = [(block[i], block[i + 1]) for block in (*scene["one_way"], *scene["two_way"]) for i in (0, 2)]
    return len({row for row, _ in ends}) < scene["rows"] or len({column for _, column in ends}) < scene["columns"]


def _any_gate(sample: Sample) -> str | None:
    return OPEN if sample.scene["gates"] else None


LARGER_FIRST = Reading("differences and quotients the other way round", _less_than_nothing, r"the larger number first")
GATES = Reading(
    "gates that stand open, or are shut like any other", _any_gate, r"\w+ gates are closed, the others are open"
)
ARROWS = Reading("streets without an arrow", _arrows_missing, r"without one go both ways")
FROM_THE_EYE = Reading("distance from the eye and not along the floor", depth.from_the_eye, NEVER)
THING_FROM_THE_EYE = FROM_THE_EYE._replace(other=depth.thing_from_the_eye)
PASSING = Reading("two lines that seem one", _passing, NEVER)
BEYOND = Reading("what the picture does not show", lambda sample: OPEN, r"\bgrid\b")
RIGHT_ANGLES = Reading("corners that only look right", lambda sample: OPEN, r"corners are right angles")
CENTIMETRES = Reading("lengths without a unit", lambda sample: OPEN, r"\bcm\b")
FACTS: dict[str, tuple[tuple[str, Callable[[dict[str, Any]], bool]], ...]] = {
    "geometry": (
        # Lines close shapes that nobody drew as such, and cut others in two.
        ("closed shapes", lambda scene: any(shape["kind"] == "segment" for shape in scene["shapes"])),
        ("lines with a letter", lambda scene: any(mark["letter"] for mark in scene["marks"])),
    ),
    # Views are ruled all over, so that an empty square is a square as well.
    "solids": ((r"\b(?<!shaded )squares does\b.* view\b", lambda scene: any(g[0] == "view" for g in scene["given"])),),
    # What no street leads to is not drawn.
    "path": ((r"(row|column) of crossings", _undrawn),),
    "scene": (("small or large", lambda scene: len({thing["size"] for thing in scene["things"]}) == 1),),
}
EVERYWHERE = (Reading("colours that people call alike", _alike, NEVER),)
READINGS: dict[tuple[str, str], tuple[Reading, ...]] = {
    ("chart", "compose"): (ITSELF,),
    ("cube", "compose"): (ITSELF,),
    ("grid", "compose"): (ITSELF, IN_LINE, FENCE),
    ("sudoku", "compose"): (ITSELF, IN_LINE, FENCE, BY_VALUE),
    ("chart", "scatter_outlier"): (Reading("far from the others or from their line", _farthest, r"\bline\b"),),
    ("chart", "axis_step"): (Reading("long ticks or all", _other_step, r"\b(short|numbers?)\b"),),
    ("chart", "hist_bin"): (Reading("what of values on an edge", lambda sample: OPEN, r"\b(bars?|bins?)\b"),),
    ("chart", "read_between"): (Reading("how near is near", lambda sample: OPEN, r"\b[Hh]alf\b"),),
    ("geometry", "circle_circle"): (Reading("a touch from inside", _inside, r"touching \(also from inside\)"),),
    ("geometry", "circle_part"): (Reading("half of a diameter", _half, NEVER),),
    ("geometry", "crossings"): (
        Reading("crossings of lines with lines", _with_circle_alone, r"another line|lines with lines|each other"),
    ),
    ("geometry", "vertex_order"): (Reading("the start again at the end", _closed, r"\bonce\b"),),
    ("geometry", "degree"): (PASSING,),
    ("geometry", "joined"): (PASSING,),
    ("panels", "median"): (Reading("the lower of two in the middle", _lower_middle, r"the two in the middle"),),
    ("logic", "cages"): (LARGER_FIRST,),
    ("logic", "contradiction"): (LARGER_FIRST,),
    ("scene", "compose"): (ITSELF, Reading("where things are by the middle of what is seen", _by_what_is_seen, NEVER)),
    ("scene", "order"): (Reading("order by the middle of what is seen", _order_of_what_is_seen, NEVER),),
    ("scene", "nearest"): (Reading("nearest to the edge and not to the middle", _nearest_edges, NEVER),),
    **{("depth", name): (FROM_THE_EYE,) for name in depth.POINTS},
    **{("depth", name): (THING_FROM_THE_EYE,) for name in depth.THINGS},
    ("tiles", "holes"): (
        Reading("the folded sheet or the flat one", lambda sample: str(len(sample.scene["holes"])), r"unfold|\bflat\b"),
    ),
    ("tiles", "copies"): (
        Reading(
            "a mirror image is a copy", lambda sample: OPEN, r"not mirrored|without mirror|turning alone|not flipped"
        ),
    ),
    ("measures", "area"): (RIGHT_ANGLES, CENTIMETRES),
    ("measures", "perimeter"): (RIGHT_ANGLES, CENTIMETRES),
    ("measures", "side"): (RIGHT_ANGLES, CENTIMETRES),
    ("measures", "shaded"): (CENTIMETRES,),
    ("solids", "section"): (Reading("layers from the floor or from the top", lambda sample: OPEN, r"from the floor"),),
    ("path", "maze_exit"): (GATES,),
    ("path", "maze_reach"): (GATES,),
    ("path", "maze_length"): (Reading("steps or cells", _cells_of_way, r"\bsteps?\b"),),
    ("path", "drive_blocks"): (ARROWS,),
    ("path", "drive_reach"): (ARROWS, Reading("the place where one starts", lambda sample: OPEN, r"\bother\b")),
    **{
        ("function", name): (BEYOND,)
        for name in ("zeros", "solve", "axis_crossings", "meetings", "intersections", "turns")
    },
}
