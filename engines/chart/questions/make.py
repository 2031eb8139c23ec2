"""Levels as tables, and the builders that every family of questions shares: names, axes, furniture, charts of bars.

Poses think in ticks: 0 is the foot of a value axis and `units` its far end. `Axis.ticks` turns ticks into values.
"""

import dataclasses
import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.answer import Answer
from engines.chart.draw.sheet import INSETS
from engines.chart.scene import Axis, Chart, Furniture, Kind
from engines.chart.words import LETTERS, TOPICS, Topic
from engines.style import COLOURS as PALETTE

# Per level 0..9.
UNITS = (4, 5, 6, 8, 10, 15, 20, 30, 40, 50)  # ticks of the value axis
PER_STEP = (1, 1, 1, 2, 2, 5, 5, 5, 10, 10)  # ticks from number to number
MARKS = (3, 3, 4, 4, 5, 5, 6, 7, 8, 8)  # bars or points
LETTERS_USED = (3, 4, 5, 6, 8, 8, 10, 12, 16, 20)
SIZES = (112, 112, 112, 112, 112, 280, 280, 336, 336, 448)  # smallest picture: a tick is 4 px of 448 on every axis
DENSE_SIZES = (168, 168, 168, 168, 168, 280, 336, 336, 448, 448)  # for bars in groups and several lines
WIDE_SIZES = (112, 112, 168, 168, 168, 280, 280, 336, 336, 448)  # for many points
WORDY_SIZES = (196, 196, 196, 224, 252, 280, 336, 336, 448, 448)  # for legends and tables with words
WORDS_LEVEL = 5  # from here on names are words, in any order, and charts have titles
LOG_LEVEL, LOG_RATE, DECADES = 8, 0.2, 2
BREAK_LEVEL, BREAK_RATE = 6, 0.2
ROOM_RATE = 0.75  # of the charts whose highest bar would end with the axis, and that have room above it instead

COLOURS = tuple(name for name in PALETTE if name != "black")  # ink is dark
SCALES = ((1,), (1, 2, 5, 10), (1, 2, 5, 10, 20, 100))  # values of a tick: below WORDS_LEVEL, up to level 6, above
NAME_RATE = 0.02  # how often the commonest word is the answer, where names are words


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options, each as likely."""
    return options[int(rng.integers(len(options)))]


def between(rng: np.random.Generator, low: int, high: int) -> int:
    """A uniform whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def chance(rng: np.random.Generator, rate: float) -> bool:
    """True at this rate."""
    return bool(rng.random() < rate)


def palette(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    """Different colours."""
    return tuple(COLOURS[i] for i in rng.permutation(len(COLOURS))[:count])


def topic_of(
    rng: np.random.Generator, level: int, count: int, series: int = 0, is_ordered: bool = False
) -> Topic | None:
    """What a chart is about, with names for `count` categories and `series`; nothing at the levels of letters."""
    return any_topic(rng, count, series, is_ordered) if level >= WORDS_LEVEL else None


def any_topic(rng: np.random.Generator, count: int, series: int = 0, is_ordered: bool = False) -> Topic:
    """A topic with names for `count` categories (in time, if `is_ordered`) and for `series`."""
    return pick(rng, _topics(count, series, is_ordered))


@functools.cache
def _topics(count: int, series: int, is_ordered: bool) -> list[Topic]:
    fits = [topic for topic in TOPICS if len(topic.categories) >= count and len(topic.series) >= series]
    return [topic for topic in fits if topic.is_ordered or not is_ordered]


def topics_of(count: int, series: int) -> tuple[Topic, ...]:
    """The topics of which `any_topic` takes one."""
    return tuple(_topics(count, series, False))


@functools.cache
def series_rate(topics: tuple[Topic, ...], count: int, label: str) -> float:
    """How often the commonest series' name is right if one of the topics is as likely as another.

    `label` is the name of one of `count` categories, which tells of the topic, or "" where categories are letters.
    """
    weights = [_label_share(topic, count, label) if label else 1.0 for topic in topics]
    rates: dict[str, float] = {}
    for topic, weight in zip(topics, weights, strict=True):
        for name in topic.series:
            rates[name] = rates.get(name, 0.0) + weight / len(topic.series)
    return max(rates.values()) / sum(weights)


def _label_share(topic: Topic, count: int, label: str) -> float:
    """How often one of `count` categories of a topic, any of them, has this name."""
    if label not in topic.categories:
        return 0.0
    if not topic.is_ordered:
        return 1 / len(topic.categories)
    place, last = topic.categories.index(label), len(topic.categories) - count
    return (min(place, last) - max(0, place - count + 1) + 1) / (count * (last + 1))


def names(rng: np.random.Generator, level: int, count: int, topic: Topic | None = None) -> tuple[str, ...]:
    """Names of categories: letters (in order at low levels), or words of the topic."""
    if topic is None:
        chosen = rng.permutation(max(LETTERS_USED[level], count))[:count]
        return tuple(LETTERS[i] for i in (chosen if level >= WORDS_LEVEL else np.sort(chosen)))
    if topic.is_ordered:
        start = between(rng, 0, len(topic.categories) - count)
        return topic.categories[start : start + count]
    return tuple(topic.categories[i] for i in rng.permutation(len(topic.categories))[:count])


def series_names(rng: np.random.Generator, count: int, topic: Topic) -> tuple[str, ...]:
    """Names of series, as a legend lists them."""
    return tuple(topic.series[i] for i in rng.permutation(len(topic.series))[:count])


def scale_of(rng: np.random.Generator, level: int) -> int:
    """The value of a tick."""
    return pick(rng, SCALES[0 if level < WORDS_LEVEL else 1 if level < 7 else 2])


def value_axis(
    rng: np.random.Generator,
    level: int,
    topic: Topic | None = None,
    *,
    units: int = 0,
    per_step: int = 0,
    may_break: bool = False,
    may_log: bool = False,
) -> Axis:
    """A value axis of the level's number of ticks, or of `units` of them with a number every `per_step`."""
    title, measure = (topic.measure, topic.unit) if topic and chance(rng, 0.6) else ("", "")
    if may_log and level >= LOG_LEVEL and chance(rng, LOG_RATE):
        low = pick(rng, (1, 10, 100))
        return Axis(low, low * 10**DECADES, 0, 0, is_log=True, title=title, measure=measure)
    count, unit = units or UNITS[level], scale_of(rng, level)
    step, low = (per_step or PER_STEP[level]) * unit, 0
    if may_break and level >= BREAK_LEVEL and chance(rng, BREAK_RATE):
        low = between(rng, 1, 5) * step
    return Axis(low, low + count * unit, step, unit, title=title, measure=measure)


def furniture(
    rng: np.random.Generator, level: int, topic: Topic | None = None, legend: str = "", numbers_rate: float = 0.0
) -> Furniture:
    """What stands around the plot."""
    dice = rng.random(4).tolist()
    return Furniture(
        title=topic.title if topic and dice[0] < 0.7 else "",
        axis_title=topic.axis if topic and dice[1] < 0.35 else "",
        legend=legend,
        gridlines=dice[2] < 0.6,
        has_numbers=level >= WORDS_LEVEL - 1 and dice[3] < numbers_rate,
        inset=between(rng, 0, INSETS),
    )


def best_constant(units: int, scales: Sequence[int], low: int = 1) -> float:
    """How often the commonest value is the answer, over ticks low..units and the values a tick may have."""
    hits = {}
    for scale in scales:
        for tick in range(low, units + 1):
            hits[tick * scale] = hits.get(tick * scale, 0) + 1
    return max(hits.values()) / len(scales) / (units + 1 - low)


@functools.cache
def value_rate(level: int, units: int) -> float:
    """The same for a value axis of this level."""
    return best_constant(units, SCALES[0 if level < WORDS_LEVEL else 1 if level < 7 else 2])


@functools.cache
def neighbour_rate(level: int, points: int, width: int, ends: int = 0) -> float:
    """How often the commonest `width` neighbours among `points` names in order are asked for.

    Places are uniform, but for `ends` names at both sides, which are never asked for.
    """
    hits: dict[tuple[str, ...], float] = {}
    pools = [LETTERS[: max(LETTERS_USED[level], points)]]
    if level >= WORDS_LEVEL:
        pools = [topic.categories for topic in _topics(points, 0, True)]
    for pool in pools:
        if level < WORDS_LEVEL:
            rows = list(itertools.combinations(pool, points))
        else:
            rows = [pool[start : start + points] for start in range(len(pool) - points + 1)]
        for row in rows:
            places = range(ends, points - width + 1 - ends)
            for place in places:
                names = row[place : place + width]
                hits[names] = hits.get(names, 0.0) + 1 / len(places) / len(rows) / len(pools)
    return max(hits.values())


def spread(rng: np.random.Generator, count: int, low: int, high: int, gap: int) -> list[int]:
    """Different whole numbers within low..high, at least `gap` apart, in random order."""
    room = high - low + 1 - (gap - 1) * (count - 1)
    chosen = np.sort(rng.permutation(room)[:count]) + (gap - 1) * np.arange(count)
    return (low + rng.permutation(chosen)).tolist()


class Marks(NamedTuple):
    """How the bars of a chart are told apart."""

    by_colour: bool
    names: tuple[str, ...]  # what the question calls them
    labels: tuple[str, ...]  # what is written
    colours: tuple[str, ...]
    topic: Topic | None

    def name(self, index: int) -> str:
        """A bar as a question refers to it."""
        name = self.names[index]
        return f"bar {name}" if len(name) == 1 else f"the {name} bar"

    def query(self, index: int, key: str = "bar") -> dict[str, str]:
        """The same as JSON-ready data."""
        return {"by": "colour" if self.by_colour else "category", key: self.names[index]}

    def answer(self, index: int, level: int) -> tuple[Answer, float]:
        """The answer that names a bar, and how often a blind guess hits it."""
        if self.by_colour:
            return Answer.word(self.names[index], COLOURS), 1 / len(COLOURS)
        if self.topic is None:
            return Answer.choice(self.names[index], sorted(self.names)), 1 / LETTERS_USED[level]
        return Answer.word(self.names[index], sorted(self.names)), NAME_RATE


def bar_marks(rng: np.random.Generator, level: int, count: int = 0, by_colour: bool | None = None) -> Marks:
    """Bars told apart by colour or by label; where labels count, colours may repeat."""
    count = count or MARKS[level]
    if by_colour is None:
        by_colour = chance(rng, 0.5)
    topic = topic_of(rng, level, count)
    labels = names(rng, level, count, topic)
    if by_colour:
        colours = palette(rng, count)
        return Marks(True, colours, labels if chance(rng, 0.3) else (), colours, topic)
    colours = palette(rng, 1) * count if chance(rng, 0.5) else tuple(pick(rng, COLOURS) for _ in range(count))
    return Marks(False, labels, labels, colours, topic)


def bar_kind(rng: np.random.Generator, level: int) -> Kind:
    """Bars that stand, or (from level 1 on) lie."""
    return "hbar" if level > 0 and chance(rng, 0.3) else "bar"


def bar_chart(
    rng: np.random.Generator,
    level: int,
    kind: Kind,
    marks: Marks,
    ticks: Sequence[int],
    axis: Axis,
    threshold: int | None = None,
    numbers_rate: float = 0.0,
    may_grow: bool = True,
) -> Chart:
    """A chart of single bars that end at these ticks; with `may_grow` its axis mostly goes on beyond the highest."""
    stand = axis.ticks()
    if may_grow and not axis.is_log and stand[max(ticks)] == axis.high and chance(rng, ROOM_RATE):
        axis = dataclasses.replace(axis, high=axis.high + axis.step)
    return Chart(
        kind=kind,
        categories=marks.labels,
        series=(),
        values=(tuple(stand[int(tick)] for tick in ticks),),
        colours=(marks.colours,),
        axis=axis,
        furniture=furniture(rng, level, marks.topic, numbers_rate=numbers_rate),
        threshold=None if threshold is None else stand[threshold],
    )
