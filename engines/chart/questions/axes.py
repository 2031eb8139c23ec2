"""Questions about what is written around a plot: steps and ends of axes, titles, units."""

import functools

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    MARKS,
    UNITS,
    bar_chart,
    bar_kind,
    bar_marks,
    between,
    furniture,
    names,
    palette,
    pick,
    topic_of,
)
from engines.chart.scene import Axis, Chart, Furniture
from engines.chart.words import AXES, MEASURES, TITLES, TOPICS
from engines.chart.words import UNITS as MEASURE_UNITS

# Step from number to number, and ticks in a step, from which each level draws.
STEPS = (
    (1, 2, 3, 4, 5),
    (1, 2, 3, 4, 5, 10),
    (1, 2, 3, 4, 5, 6, 8, 10),
    (2, 3, 4, 5, 10, 15, 20, 25),
    (2, 4, 5, 10, 15, 20, 25, 30, 40, 50),
    (2, 4, 5, 10, 20, 25, 30, 40, 50, 60, 100),
    (2, 4, 5, 10, 15, 20, 30, 40, 50, 80, 100, 200),
    (5, 10, 15, 20, 30, 40, 50, 60, 80, 100, 200, 250),
    (5, 10, 15, 20, 25, 30, 40, 60, 80, 100, 120, 200, 250, 500),
    (5, 10, 15, 20, 25, 30, 40, 60, 80, 100, 120, 150, 200, 250, 300, 500),
)
NUMBERS = (3, 4, 4, 5, 5, 5, 6, 6, 7, 8)  # most steps of an axis, two more than the least
TICKS_LEVEL = 4  # from here on also the worth of a small tick is asked for
MOST_DIGITS = 18  # of all numbers along a horizontal axis
PARTS = (2, 3, 4, 5)  # ticks in a step


def _plain_chart(rng: np.random.Generator, level: int, axis: Axis) -> Chart:
    """Bars or a line on an axis that is asked about."""
    topic = topic_of(rng, level, MARKS[level])
    count = len(axis.ticks()) - 1
    if rng.random() < 0.5:
        marks, kind = bar_marks(rng, level), bar_kind(rng, level)
        # Long numbers have no room side by side.
        kind = kind if len(axis.numbers()) * len(str(axis.high)) <= MOST_DIGITS else "bar"
        return bar_chart(rng, level, kind, marks, [between(rng, 1, count) for _ in marks.names], axis, may_grow=False)
    stand = axis.ticks()
    labels = names(rng, level, MARKS[level], topic)
    return Chart(
        kind="line",
        categories=labels,
        series=(),
        values=(tuple(stand[between(rng, 0, count)] for _ in labels),),
        colours=(palette(rng, 1) * len(labels),),
        axis=axis,
        furniture=furniture(rng, level, topic),
    )


def _any_axis(rng: np.random.Generator, level: int, low: int = 0) -> Axis:
    """An axis whose step could be any; `low` steps are left out below."""
    step, count = pick(rng, STEPS[level]), between(rng, NUMBERS[level] - 1, NUMBERS[level] + 1)
    unit = pick(rng, _units_of(level, step, count))
    return Axis(low * step, (low + count) * step, step, unit)


@functools.cache
def _units_of(level: int, step: int, count: int) -> tuple[int, ...]:
    """What a tick may be worth on an axis of so many steps."""
    parts = [part for part in PARTS if step % part == 0 and part * count <= UNITS[level]]
    return tuple(step // part for part in parts) if parts and level >= TICKS_LEVEL else (step,)


def pose_axis_step(rng: np.random.Generator, level: int) -> Posed:
    """The step from number to number on the value axis or (from level 4 on also) from tick to tick."""
    axis = _any_axis(rng, level)
    is_tick = axis.unit != axis.step and rng.random() < 0.5
    scene = _plain_chart(rng, level, axis)
    question = pick(rng, (
        "How much is it from one tick of the value axis to the next, short ticks included?",
        "What is the step between neighbouring ticks of the value axis, short ones included?",
        "Long and short ticks: what is the step from each to the next on the value axis?",
        "By how much do neighbouring ticks of the value axis differ, short ones included?",
    ) if is_tick else (
        "What is the step between the numbers on the value axis?",
        "By how much do neighbouring numbers on the value axis differ?",
        "How much is it from one number of the value axis to the next?",
        "In which steps do the numbers of the value axis go up?",
    ))  # fmt: skip
    query = {"ask": "step", "of": "unit" if is_tick else "step"}
    answer = Answer.integer(axis.unit if is_tick else axis.step)
    return Posed(scene, question, answer, guess_rate=_step_rate(level, is_tick), query=query)


@functools.cache
def _step_rate(level: int, is_tick: bool) -> float:
    """How often the commonest step, or worth of a tick, is the answer."""
    hits, total = {}, 0.0
    for step in STEPS[level]:
        for count in range(NUMBERS[level] - 1, NUMBERS[level] + 2):
            units = _units_of(level, step, count)
            for unit in units:
                weight = 1.0 if unit == step else 0.5
                if is_tick and unit == step:
                    continue
                value = unit if is_tick else step
                hits[value] = hits.get(value, 0.0) + weight / len(units)
                total += weight / len(units)
    return max(hits.values()) / total


def pose_axis_range(rng: np.random.Generator, level: int) -> Posed:
    """The smallest and the largest number of the value axis."""
    axis = _any_axis(rng, level, low=between(rng, 0, 1 + level))
    scene = _plain_chart(rng, level, axis)
    question = pick(rng, (
        "What are the smallest and the largest number on the value axis?",
        "From which number to which does the value axis run?",
        "Between which two numbers does the value axis run?",
        "Give the first and the last number of the value axis.",
    )) + " Answer (smallest, largest)."  # fmt: skip
    answer = Answer.pair(axis.low, axis.high)
    # Only axes from zero share their ends, and only where products of steps and counts coincide.
    rate = 2 / (2 + level) / 3 / len(STEPS[level])
    return Posed(scene, question, answer, guess_rate=rate, query={"ask": "range"})


WRITTEN = {
    "title": "the title of the chart",
    "axis_title": "the title of the axis of categories",
    "measure_title": "the title of the value axis, without its unit",
    "measure": "the unit of the values",
}


def pose_axis_words(rng: np.random.Generator, level: int) -> Posed:
    """A text around the plot: the title, the title of an axis or, from level 2 on, the unit of the values."""
    what = pick(rng, tuple(WRITTEN)[: 2 if level < 1 else 3 if level < 2 else 4])
    topic = pick(rng, [topic for topic in TOPICS if topic.unit or what != "measure"])
    count = MARKS[level]
    labels = names(rng, level, count, topic if level >= 5 and len(topic.categories) >= count else None)
    is_full = level >= 3
    step, units = UNITS[level] // 2, UNITS[level] // 2 * 2
    axis = Axis(
        0,
        units,
        step,
        1,
        title=topic.measure if is_full or what in ("measure", "measure_title") else "",
        measure=topic.unit if level >= 2 else "",
    )
    dressed = furniture(rng, level)
    scene = Chart(
        kind=bar_kind(rng, level),
        categories=labels,
        series=(),
        values=(tuple(between(rng, 1, units) for _ in labels),),
        colours=(palette(rng, 1) * len(labels),),
        axis=axis,
        furniture=Furniture(
            title=topic.title if is_full or what == "title" else "",
            axis_title=topic.axis if is_full or what == "axis_title" else "",
            gridlines=dressed.gridlines,
            inset=dressed.inset,
        ),
    )
    question = pick(rng, (
        f"What is {WRITTEN[what]}?",
        f"Read {WRITTEN[what]}.",
        f"Which word is {WRITTEN[what]}?" if what != "title" else f"How does {WRITTEN[what]} read?",
        f"Give {WRITTEN[what]}.",
    ))  # fmt: skip
    text, vocabulary = {
        "title": (topic.title, TITLES),
        "axis_title": (topic.axis, AXES),
        "measure_title": (topic.measure, MEASURES),
        "measure": (topic.unit, MEASURE_UNITS),
    }[what]
    rate = {"axis_title": 2 / len(TOPICS), "measure": 2 / len(MEASURE_UNITS)}.get(what, 1 / len(TOPICS))
    return Posed(scene, question, Answer.word(text, vocabulary), guess_rate=rate, query={"ask": "text", "what": what})
