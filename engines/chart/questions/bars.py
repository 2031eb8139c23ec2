"""Questions about single bars: reading, finding, counting. Each `pose` draws the answer first, then a chart."""

from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    UNITS,
    WORDS_LEVEL,
    Marks,
    bar_chart,
    bar_kind,
    bar_marks,
    between,
    chance,
    furniture,
    pick,
    spread,
    value_axis,
)
from engines.chart.scene import Axis, Chart

GAPS = (2, 2, 1, 1, 1, 1, 1, 1, 1, 1)  # ticks between an extreme bar and the next
KTH = (2, 2, 2, 3, 3, 3, 4, 4, 4, 5)  # the last rank that is asked for
LARGE, SMALL = {"bar": "highest", "hbar": "longest"}, {"bar": "lowest", "hbar": "shortest"}
ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}

# Reading between ticks. A tick is worth TENTHS parts.
COARSE = (4, 4, 5, 5, 6, 8, 10, 12, 16, 20)  # ticks of the value axis
COARSE_STEP = (1, 1, 1, 1, 2, 2, 5, 4, 4, 5)
TENTHS = 10
COARSE_BARS = (2, 2, 3, 3, 3, 4, 5, 6, 7, 8)

READ = (
    "What is the value of {name}?",
    "What value does {name} have?",
    "Read the value of {name}.",
    "Which number does {name} reach?",
)


def pose_read_bar(rng: np.random.Generator, level: int) -> Posed:
    """The value of one bar, which ends at a tick."""
    marks, kind = bar_marks(rng, level), bar_kind(rng, level)
    axis = value_axis(rng, level, marks.topic, may_break=True, may_log=True)
    units = len(axis.ticks()) - 1
    ticks = [between(rng, 1, units) for _ in marks.names]
    index = between(rng, 0, len(ticks) - 1)
    scene = bar_chart(rng, level, kind, marks, ticks, axis)
    question = pick(rng, READ).format(name=marks.name(index))
    query = {"ask": "value", **marks.query(index)}
    return Posed(scene, question, Answer.integer(scene.values[0][index]), guess_rate=1 / UNITS[level], query=query)


def _coarse_axis(rng: np.random.Generator, level: int) -> Axis:
    """An axis whose ticks are worth ten parts: tenths of one, or ones."""
    scale = 1 if level < WORDS_LEVEL else pick(rng, (1, 10, 100))
    decimals = 1 if scale == 1 else 0
    unit = TENTHS * max(1, scale // 10)
    return Axis(0, COARSE[level] * unit, COARSE_STEP[level] * unit, unit, decimals)


def _between_ticks(rng: np.random.Generator, level: int, count: int) -> list[int]:
    """Where bars end, in tenths of a tick: the first anywhere clear of ticks, the others at least four tenths apart."""
    first = between(rng, 0, COARSE[level] - 1)
    slots = [(tick, half) for tick in range(COARSE[level]) if tick != first for half in (0, 1)]
    others = [slots[i] for i in rng.permutation(len(slots))[: count - 1]]
    low = rng.integers(2, 4, size=count).tolist()
    rest = [TENTHS * tick + part + 5 * half for (tick, half), part in zip(others, low, strict=False)]
    return [TENTHS * first + between(rng, 2, 8), *rest]


def pose_read_between(rng: np.random.Generator, level: int) -> Posed:
    """The value of a bar that ends between two ticks, right within half the distance of ticks."""
    marks, kind = bar_marks(rng, level, COARSE_BARS[level]), bar_kind(rng, level)
    axis = _coarse_axis(rng, level)
    parts, index = _between_ticks(rng, level, len(marks.names)), between(rng, 0, len(marks.names) - 1)
    parts[0], parts[index] = parts[index], parts[0]
    scene = Chart(
        kind=kind,
        categories=marks.labels,
        series=(),
        values=(tuple(value * (axis.unit // TENTHS) for value in parts),),
        colours=(marks.colours,),
        axis=axis,
        furniture=furniture(rng, level, marks.topic),
    )
    name = marks.name(index)
    question = pick(rng, (
        "Estimate the value of {name} to within half a tick.",
        "About what is the value of {name}? Half a tick off is allowed.",
        "Roughly which number does {name} reach? Be within half a tick.",
        "What is the value of {name}, to the nearest half of a tick or better?",
    )).format(name=name)  # fmt: skip
    scale = 10**axis.decimals
    answer = Answer.decimal(Fraction(scene.values[0][index], scale), Fraction(axis.unit, 2 * scale))
    # Half a tick on both sides of a tick holds 8 of the 7 tenths that each tick has; three scales share the guess.
    guess_rate = (8 / 7 if level < WORDS_LEVEL else 0.7) / COARSE[level]
    query = {"ask": "estimate", **marks.query(index)}
    return Posed(scene, question, answer, guess_rate=guess_rate, query=query)


def _which(rng: np.random.Generator, marks: Marks, word: str) -> str:
    """Ask which bar is the highest, or whatever the word says."""
    if marks.by_colour:
        return pick(rng, (
            f"What colour is the {word} bar?",
            f"Which colour is the {word} bar?",
            f"What is the colour of the {word} bar?",
            f"Name the colour of the {word} bar.",
        ))  # fmt: skip
    return pick(rng, (
        f"Which bar is the {word}?",
        f"Find the {word} bar.",
        f"Which of the bars is the {word}?",
        f"Name the {word} bar.",
    ))  # fmt: skip


def pose_extreme_bar(rng: np.random.Generator, level: int) -> Posed:
    """Which bar is the highest or the lowest."""
    gap, marks, kind = GAPS[level], bar_marks(rng, level), bar_kind(rng, level)
    axis, units, is_highest = value_axis(rng, level, marks.topic, may_break=True), UNITS[level], chance(rng, 0.5)
    end = between(rng, max(1 + gap, units // 3), units) if is_highest else between(rng, 1, units - gap)
    low, high = (1, end - gap) if is_highest else (end + gap, units)
    ticks = [between(rng, low, high) for _ in marks.names]
    index = between(rng, 0, len(ticks) - 1)
    if level >= 3:
        ticks[index - 1] = high if is_highest else low  # a near rival
    ticks[index] = end
    question = _which(rng, marks, (LARGE if is_highest else SMALL)[kind])
    scene = bar_chart(rng, level, kind, marks, ticks, axis)
    answer, guess_rate = marks.answer(index, level)
    query = {"ask": "extreme", "end": "high" if is_highest else "low", "by": marks.query(0)["by"]}
    return Posed(scene, question, answer, guess_rate=guess_rate, query=query)


def pose_kth_largest(rng: np.random.Generator, level: int) -> Posed:
    """Which bar comes second, third, … from the highest down or from the lowest up."""
    marks, kind, units = bar_marks(rng, level), bar_kind(rng, level), UNITS[level]
    axis = value_axis(rng, level, marks.topic, may_break=True)
    rank, is_highest = between(rng, 2, min(KTH[level], len(marks.names))), level < 2 or chance(rng, 0.5)
    ticks = spread(rng, len(marks.names), 1, units, 1)
    index = sorted(range(len(ticks)), key=lambda i: -ticks[i] if is_highest else ticks[i])[rank - 1]
    word, ordinal = (LARGE if is_highest else SMALL)[kind], ORDINALS[rank]
    other = (SMALL if is_highest else LARGE)[kind]
    what = "What colour is" if marks.by_colour else "Which bar is"
    question = pick(rng, (
        f"{what} the {ordinal} {word} bar?" if marks.by_colour else f"{what} the {ordinal} {word}?",
        f"Order the bars, the {word} first. {what} the {ordinal}?",
        f"Order the bars from the {word} to the {other}. {what} the {ordinal}?",
        f"Go from the {word} bar to the {other}. {what} the {ordinal} on the way?",
    ))  # fmt: skip
    scene = bar_chart(rng, level, kind, marks, ticks, axis)
    answer, guess_rate = marks.answer(index, level)
    query = {"ask": "rank", "rank": rank, "end": "high" if is_highest else "low", "by": marks.query(0)["by"]}
    return Posed(scene, question, answer, guess_rate=guess_rate, query=query)


def pose_count_above(rng: np.random.Generator, level: int) -> Posed:
    """How many bars pass a dashed line or, from level 5 on also, a number on the axis."""
    marks, kind, units = bar_marks(rng, level), bar_kind(rng, level), UNITS[level]
    axis = value_axis(rng, level, marks.topic, may_break=True)
    is_line = level < WORDS_LEVEL or chance(rng, 0.5)
    per_step = axis.step // axis.unit
    threshold = between(rng, 2, units - 1) if is_line else between(rng, 1, units // per_step - 1) * per_step
    count = between(rng, 0, len(marks.names))
    ticks = [between(rng, threshold + 1, units) for _ in range(count)]
    ticks += [between(rng, 1, threshold - 1) for _ in range(len(marks.names) - count)]
    ticks = [ticks[i] for i in rng.permutation(len(ticks))]
    value = axis.ticks()[threshold]
    question = pick(rng, (
        "How many bars cross the dashed line?",
        "How many bars go past the dashed line?",
        "Count the bars that cross the dashed line.",
        "What is the number of bars that go past the dashed line?",
    ) if is_line else (
        f"How many bars have a value above {value}?",
        f"How many bars go past {value}?",
        f"Count the bars with a value above {value}.",
        f"What is the number of bars that go past {value}?",
    ))  # fmt: skip
    scene = bar_chart(rng, level, kind, marks, ticks, axis, threshold if is_line else None, numbers_rate=0.1)
    query = {"ask": "count_above", "value": value}
    return Posed(scene, question, Answer.integer(count), guess_rate=1 / (len(ticks) + 1), query=query)


COUNTED = ((2, 4), (2, 5), (2, 6), (2, 7), (3, 9), (3, 10), (4, 11), (5, 13), (6, 14), (7, 16))  # bars, least and most


def pose_count_marks(rng: np.random.Generator, level: int) -> Posed:
    """How many bars there are."""
    low, high = COUNTED[level]
    count = between(rng, low, high)
    marks, kind = bar_marks(rng, level, count, by_colour=False), bar_kind(rng, level)
    axis = value_axis(rng, level, marks.topic)
    if marks.topic is None or chance(rng, 0.5):
        marks = marks._replace(labels=())
    ticks = [between(rng, 1, len(axis.ticks()) - 1) for _ in marks.names]
    scene = bar_chart(rng, level, kind, marks, ticks, axis)
    question = pick(rng, (
        "How many bars are there?",
        "Count the bars.",
        "How many bars does the chart have?",
        "What is the number of bars?",
    ))  # fmt: skip
    answer = Answer.integer(len(ticks))
    return Posed(scene, question, answer, guess_rate=1 / (high - low + 1), query={"ask": "count_bars"})
