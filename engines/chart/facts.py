"""Further verifiable questions about any chart, each with its exact answer."""

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Fact
from engines.chart.draw.round import LEAST_TURN_DEG
from engines.chart.scene import ROUND, BoxPlot, Chart, Figure, Histogram, Scatter
from engines.style import COLOURS

COUNT = 4  # facts of a chart: one of them may be what is asked anyway
Maker = Callable[[Figure, np.random.Generator], Fact | None]


def facts(scene: Figure, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Four questions out of those that the chart allows, in random order."""
    makers, found = MAKERS[type(scene)], []
    for index in rng.permutation(len(makers)).tolist():
        fact = makers[index](scene, rng)
        if fact is not None:
            found.append(fact)
            if len(found) == COUNT:
                break
    return tuple(found)


def _integer(question: str, value: int) -> Fact:
    return Fact(question, Answer.integer(value))


def _place(count: int, rng: np.random.Generator) -> int:
    return int(rng.integers(count))


def _value(scene: Chart, value: int) -> Answer:
    """A value as it can be read: exact on a tick, within half a tick between two, a fraction of a pie."""
    axis, scale = scene.axis, 10**scene.axis.decimals
    if axis.is_log or (not axis.decimals and (axis.unit == 0 or (value - axis.low) % axis.unit == 0)):
        return Answer.integer(value)
    return Answer.decimal(Fraction(value, scale), Fraction(axis.unit, 2 * scale))


def _cell(scene: Chart, rng: np.random.Generator) -> Fact | None:
    """The value of one mark that can be named."""
    if scene.kind in ROUND:
        return None
    s, c = _place(len(scene.values), rng), _place(len(scene.values[0]), rng)
    if not scene.categories:
        colours = scene.colours[s]
        name = f"the {colours[c]} bar" if colours.count(colours[c]) == 1 else f"bar {c + 1} from the start"
    elif len(scene.values) == 1:
        name = scene.categories[c]
    else:
        name = f"{scene.series[s] if scene.series else scene.colours[s][c]} at {scene.categories[c]}"
    return Fact(f"What is the value of {name}?", _value(scene, scene.values[s][c]))


def _count(scene: Chart, _: np.random.Generator) -> Fact:
    """How many marks, or rows."""
    if scene.kind in ("heat", "table"):
        return _integer("How many rows of values are there?", len(scene.values))
    if scene.kind in ("line", "area", "radar"):
        return _integer("How many lines are there?", len(scene.values))
    part = "sectors" if scene.kind in ROUND else "parts of bars" if "stacked" in scene.kind else "bars"
    return _integer(f"How many {part} are there?", sum(map(len, scene.values)))


def _columns(scene: Chart, _: np.random.Generator) -> Fact | None:
    """How many categories, where they are not the marks themselves."""
    if scene.kind in ROUND:
        return None
    what = {"heat": "columns of values", "table": "columns of values", "radar": "spokes"}.get(scene.kind, "categories")
    return _integer(f"How many {what} are there?", len(scene.values[0]))


def _extreme(scene: Chart, rng: np.random.Generator) -> Fact | None:
    """The category or colour of the largest or smallest value of a single series."""
    row = scene.values[0]
    is_high = rng.random() < 0.5
    best = max(row) if is_high else min(row)
    rivals = [abs(value - best) for value in row if value != best]
    if len(scene.values) > 1 or row.count(best) > 1 or scene.kind == "table":
        return None
    if scene.kind in ROUND and min(rivals) * 360 < LEAST_TURN_DEG * scene.axis.high:
        return None
    word, index = "largest" if is_high else "smallest", row.index(best)
    if scene.categories:
        return Fact(f"What has the {word} value?", Answer.word(scene.categories[index], scene.categories))
    if scene.colours[0].count(scene.colours[0][index]) > 1:
        return None
    return Fact(f"Which colour has the {word} value?", Answer.word(scene.colours[0][index], COLOURS))


def _top(scene: Figure, _: np.random.Generator) -> Fact | None:
    """The largest number of the value axis."""
    if scene.kind in ("table", *ROUND):
        return None
    where = "scale of colours" if scene.kind == "heat" else "value axis"
    axis = scene.axis
    number = axis.numbers()[-1]
    return Fact(f"What is the largest number on the {where}?", Answer.decimal(Fraction(number, 10**axis.decimals)))


def _title(scene: Figure, _: np.random.Generator) -> Fact | None:
    """The words of the title."""
    title = scene.furniture.title
    return Fact("What is the title?", Answer.word(title, (title,))) if title else None


def _order(scene: Chart, _: np.random.Generator) -> Fact | None:
    """The order of names."""
    if scene.kind in ROUND:
        turned = tuple(scene.colours[0])
        return Fact("Name all colours of the pie.", Answer.set_of(turned, COLOURS))
    if not scene.categories:
        return Fact("Name the colours of the bars in order.", Answer.listing(scene.colours[0], COLOURS))
    return Fact("Name the categories in order.", Answer.permutation(scene.categories))


def _sector_bound(scene: Chart, rng: np.random.Generator) -> Fact | None:
    """How many sectors are larger than a part of the pie that none comes close to."""
    if scene.kind not in ROUND:
        return None
    whole, row = scene.axis.high, scene.values[0]
    for parts in rng.permutation((3, 4, 5, 6, 8)).tolist():
        if all(abs(value * parts - whole) * 360 >= 8 * whole * parts for value in row):
            count = sum(value * parts > whole for value in row)
            return _integer(f"How many sectors are larger than 1/{parts} of the pie?", count)
    return None


def _dots(scene: Scatter, _: np.random.Generator) -> Fact:
    return _integer("How many points are there?", len(scene.dots))


def _kinds(scene: Scatter, _: np.random.Generator) -> Fact:
    used = sorted({scene.colours[dot.series] for dot in scene.dots})
    return Fact("Name the colours of the points.", Answer.set_of(used, COLOURS))


def _farthest(scene: Scatter, rng: np.random.Generator) -> Fact:
    """The largest or smallest coordinate of any point."""
    is_x, is_high = rng.random() < 0.5, rng.random() < 0.5
    found = [dot.x if is_x else dot.y for dot in scene.dots]
    word = "largest" if is_high else "smallest"
    return _integer(f"What is the {word} {'x' if is_x else 'y'} of any point?", (max if is_high else min)(found))


def _of_colour(scene: Scatter, rng: np.random.Generator) -> Fact:
    """How many points have one of the colours that show."""
    s = scene.dots[_place(len(scene.dots), rng)].series
    count = sum(dot.series == s for dot in scene.dots)
    return _integer(f"How many points are {scene.colours[s]}?", count)


def _bins(scene: Histogram, _: np.random.Generator) -> Fact:
    return _integer("How many bins are there?", len(scene.counts))


def _edges(scene: Histogram, _: np.random.Generator) -> Fact:
    answer = Answer.pair(scene.edges[0], scene.edges[-1])
    return Fact("From where to where do the bins run? Answer (first edge, last edge).", answer)


def _bin(scene: Histogram, rng: np.random.Generator) -> Fact:
    place = _place(len(scene.counts), rng)
    return _integer(f"How many values are in bin {place + 1} from the left?", scene.counts[place])


def _boxes(scene: BoxPlot, _: np.random.Generator) -> Fact:
    return _integer("How many boxes are there?", len(scene.boxes))


def _median(scene: BoxPlot, rng: np.random.Generator) -> Fact:
    place = _place(len(scene.boxes), rng)
    return _integer(f"What is the median of {scene.categories[place]}?", scene.boxes[place].median)


def _whisker(scene: BoxPlot, rng: np.random.Generator) -> Fact:
    place = _place(len(scene.boxes), rng)
    return _integer(f"Where does the upper whisker of {scene.categories[place]} end?", scene.boxes[place].high)


def _names(scene: BoxPlot, _: np.random.Generator) -> Fact:
    return Fact("Name the boxes from left to right.", Answer.permutation(scene.categories))


MAKERS: dict[type, tuple[Maker, ...]] = {
    Chart: (_cell, _count, _columns, _extreme, _top, _title, _order, _sector_bound),
    Scatter: (_dots, _kinds, _farthest, _of_colour, _top),
    Histogram: (_bins, _edges, _bin, _top),
    BoxPlot: (_boxes, _median, _whisker, _names, _top),
}
