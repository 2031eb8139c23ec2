"""What is asked about charts. Each `pose` draws the answer first, then a chart that has it."""

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from engines.answer import Answer
from engines.base import Engine, Fact, Posed, QuestionType
from engines.chart.draw import INSETS, draw
from engines.chart.scene import ChartScene, Kind
from engines.style import COLOURS as PALETTE

# Per level 0..9.
AXES = ((4, 1, 1), (5, 1, 1), (6, 1, 1), (8, 2, 1), (10, 2, 1),
        (20, 5, 1), (40, 10, 2), (60, 10, 2), (100, 20, 2), (300, 50, 5))  # fmt: skip  # top, step, unit
MIN_SIZE_PX = (112, 112, 112, 112, 112, 168, 168, 224, 336, 448)  # a unit is at least 4 px on every axis
DENSE_MIN_SIZE_PX = (168, 168, 168, 168, 168, 224, 224, 336, 336, 448)  # for bars in groups
MARKS = (3, 3, 4, 4, 5, 5, 6, 7, 8, 8)  # bars or points
LETTERS_USED = (3, 4, 5, 6, 8, 8, 10, 12, 16, 20)
GAPS = (2, 2, 1, 1, 1, 1, 1, 1, 1, 1)  # units between an extreme bar and the next
LINES = (1, 1, 1, 1, 1, 2, 2, 2, 3, 3)
CLEARANCE = 3
GROUPS = ((2, 2), (2, 2), (3, 2), (3, 2), (3, 3), (4, 2), (4, 3), (4, 3), (5, 3), (6, 3))  # groups, bars in each
SECTORS = (3, 3, 4, 4, 5, 5, 6, 6, 7, 8)
SMALLEST_SECTOR = (14, 14, 12, 12, 10, 8, 6, 6, 5, 4)  # per cent
SECTOR_GAPS = (18, 14, 10, 9, 7, 6, 5, 4, 3, 2)  # per cent between an extreme sector and the next
DENOMINATORS = (4, 4, 6, 6, 8, 8, 10, 10, 12, 12)
UNSORTED_LEVEL = TITLE_LEVEL = 5  # from here on labels are in any order, and the chart has a title

LETTERS = "ABCDEFGHKLMNPRSTUVWXYZ"  # without look-alikes of digits, and without J, which falls below its line
COLOURS = tuple(name for name in PALETTE if name != "black")  # ink is dark
TITLES = ("Apples", "Books", "Cars", "Fish", "Goals", "Letters", "Points", "Sales", "Trees", "Visits", "Votes")
LARGE, SMALL = {"bar": "highest", "hbar": "longest"}, {"bar": "lowest", "hbar": "shortest"}
MORE = {"bar": "higher", "hbar": "longer"}


class _Marks(NamedTuple):
    """How the bars of a chart are told apart."""

    by_colour: bool
    names: tuple[str, ...]  # what the question calls them
    labels: tuple[str, ...]  # what is written
    colours: tuple[str, ...]

    def name(self, index: int) -> str:
        """A bar as a question refers to it."""
        return f"the {self.names[index]} bar" if self.by_colour else f"bar {self.names[index]}"


def _pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    return options[rng.integers(len(options))]


def _between(rng: np.random.Generator, low: int, high: int) -> int:
    """A uniform whole number, both ends included."""
    return int(rng.integers(low, high + 1))


def _palette(rng: np.random.Generator, count: int) -> tuple[str, ...]:
    return tuple(COLOURS[i] for i in rng.permutation(len(COLOURS))[:count])


def _letters(rng: np.random.Generator, level: int, count: int) -> tuple[str, ...]:
    chosen = rng.permutation(LETTERS_USED[level])[:count]
    return tuple(LETTERS[i] for i in (chosen if level >= UNSORTED_LEVEL else np.sort(chosen)))


def _marks(rng: np.random.Generator, level: int, by_colour: bool | None = None) -> _Marks:
    """Bars told apart by colour or by letter; where letters count, colours may repeat."""
    count = MARKS[level]
    if by_colour is None:
        by_colour = bool(rng.random() < 0.5)
    letters = _letters(rng, level, count)
    if by_colour:
        colours = _palette(rng, count)
        return _Marks(True, colours, letters if rng.random() < 0.3 else (), colours)
    colours = _palette(rng, 1) * count if rng.random() < 0.5 else tuple(_pick(rng, COLOURS) for _ in range(count))
    return _Marks(False, letters, letters, colours)


def _kind(rng: np.random.Generator, level: int) -> Kind:
    return "hbar" if level > 0 and rng.random() < 0.3 else "bar"


def _chart(
    rng: np.random.Generator,
    level: int,
    kind: Kind,
    labels: tuple[str, ...],
    values: Sequence[Sequence[int]],
    colours: Sequence[Sequence[str]],
    threshold: int | None = None,
) -> ChartScene:
    """A chart with axes; values and threshold are given in units."""
    top, step, unit = AXES[level]
    return ChartScene(
        kind=kind,
        labels=labels,
        values=tuple(tuple(int(value) * unit for value in row) for row in values),
        colours=tuple(tuple(row) for row in colours),
        top=top,
        step=step,
        unit=unit,
        threshold=None if threshold is None else threshold * unit,
        gridlines=bool(rng.random() < 0.6),
        title=_pick(rng, TITLES) if level >= TITLE_LEVEL else "",
        inset=_between(rng, 0, INSETS),
    )


def _bar_chart(
    rng: np.random.Generator, level: int, kind: Kind, marks: _Marks, values: Sequence[int], threshold: int | None = None
) -> ChartScene:
    return _chart(rng, level, kind, marks.labels, [values], [marks.colours], threshold)


def _units(level: int) -> int:
    """Number of units on the value axis."""
    top, _, unit = AXES[level]
    return top // unit


def _facts(scene: ChartScene) -> tuple[Fact, ...]:
    """Further questions with answers."""
    parts = {"bar": "bars", "hbar": "bars", "line": "lines", "pie": "sectors"}[scene.kind]
    count = len(scene.values) if scene.kind == "line" else sum(map(len, scene.values))
    facts = (Fact(f"How many {parts} are there?", Answer.integer(count)),)
    if scene.kind == "pie":
        return facts
    return (*facts, Fact("What is the largest number on the axis?", Answer.integer(scene.top)))


def _named(marks: _Marks, index: int, level: int) -> tuple[Answer, float]:
    """The answer that names a bar, and how often a blind guess hits it."""
    if marks.by_colour:
        return Answer.word(marks.names[index], COLOURS), 1 / len(COLOURS)
    return Answer.choice(marks.names[index], sorted(marks.names)), 1 / LETTERS_USED[level]


def pose_read_bar(rng: np.random.Generator, level: int) -> Posed:
    """The value of one bar."""
    units, marks, kind = _units(level), _marks(rng, level), _kind(rng, level)
    values = [_between(rng, 1, units) for _ in marks.names]
    index = _between(rng, 0, len(values) - 1)
    scene, name = _bar_chart(rng, level, kind, marks, values), marks.name(index)
    question = _pick(rng, (
        f"What is the value of {name}?",
        f"What value does {name} have?",
        f"Read the value of {name}.",
        f"Which number does {name} reach?",
    ))  # fmt: skip
    return Posed(scene, question, Answer.integer(scene.values[0][index]), _facts(scene), 1 / units)


def pose_extreme_bar(rng: np.random.Generator, level: int) -> Posed:
    """Which bar is the highest or the lowest."""
    units, gap, marks, kind = _units(level), GAPS[level], _marks(rng, level), _kind(rng, level)
    is_highest = rng.random() < 0.5
    end = _between(rng, max(1 + gap, units // 3), units) if is_highest else _between(rng, 1, units - gap)
    low, high = (1, end - gap) if is_highest else (end + gap, units)
    values = [_between(rng, low, high) for _ in marks.names]
    index = _between(rng, 0, len(values) - 1)
    if level >= 3:
        values[index - 1] = high if is_highest else low  # a near rival
    values[index] = end
    word = (LARGE if is_highest else SMALL)[kind]
    question = _pick(rng, (
        f"Which bar is the {word}?",
        f"Find the {word} bar.",
        f"Which of the bars is the {word}?",
        f"Name the {word} bar.",
    ))  # fmt: skip
    if marks.by_colour:
        question = _pick(rng, (
            f"What colour is the {word} bar?",
            f"Which colour is the {word} bar?",
            f"What is the colour of the {word} bar?",
            f"Name the colour of the {word} bar.",
        ))  # fmt: skip
    scene = _bar_chart(rng, level, kind, marks, values)
    answer, guess_rate = _named(marks, index, level)
    return Posed(scene, question, answer, _facts(scene), guess_rate)


def pose_count_above(rng: np.random.Generator, level: int) -> Posed:
    """How many bars pass a dashed line or, from level 5 on also, a number on the axis."""
    units, marks, kind = _units(level), _marks(rng, level), _kind(rng, level)
    top, step, unit = AXES[level]
    is_line = level < 5 or rng.random() < 0.5
    threshold = _between(rng, 2, units - 1) if is_line else _between(rng, 1, top // step - 1) * step // unit
    count = _between(rng, 0, len(marks.names))
    values = [_between(rng, threshold + 1, units) for _ in range(count)]
    values += [_between(rng, 1, threshold - 1) for _ in range(len(marks.names) - count)]
    values = [values[i] for i in rng.permutation(len(values))]
    if is_line:
        question = _pick(rng, (
            "How many bars cross the dashed line?",
            "How many bars go past the dashed line?",
            "Count the bars that cross the dashed line.",
            "What is the number of bars that go past the dashed line?",
        ))  # fmt: skip
    else:
        question = _pick(rng, (
            f"How many bars have a value above {threshold * unit}?",
            f"How many bars go past {threshold * unit}?",
            f"Count the bars with a value above {threshold * unit}.",
            f"What is the number of bars that go past {threshold * unit}?",
        ))  # fmt: skip
    scene = _bar_chart(rng, level, kind, marks, values, threshold if is_line else None)
    return Posed(scene, question, Answer.integer(count), _facts(scene), 1 / (len(values) + 1))


def _shares(rng: np.random.Generator, total: int, count: int, least: int) -> list[int]:
    """Whole numbers of at least `least` that sum to `total`."""
    spare = total - count * least
    cuts = np.sort(rng.integers(0, spare + 1, size=count - 1)).tolist()
    return [least + b - a for a, b in zip([0, *cuts], [*cuts, spare], strict=True)]


def _pie_chart(
    rng: np.random.Generator, level: int, shares: Sequence[int], asked: int, unit: int
) -> tuple[ChartScene, str]:
    """A pie with the shares in random order, and the colour of share number `asked`."""
    colours, order = _palette(rng, len(shares)), rng.permutation(len(shares))
    scene = ChartScene(
        kind="pie",
        labels=(),
        values=(tuple(int(shares[i]) for i in order),),
        colours=(tuple(colours[i] for i in order),),
        top=sum(shares),
        unit=unit,
        turn=_between(rng, 0, 359),
        title=_pick(rng, TITLES) if level >= TITLE_LEVEL else "",
        inset=_between(rng, 0, INSETS),
    )
    return scene, colours[asked]


def pose_extreme_sector(rng: np.random.Generator, level: int) -> Posed:
    """Which sector of a pie is the largest (from level 2 on also: the smallest)."""
    count, least = SECTORS[level], SMALLEST_SECTOR[level]
    if level >= 2 and rng.random() < 0.5:
        gap, word = max(2, SECTOR_GAPS[level] // 2), "smallest"
        shares = _shares(rng, 100 - gap * (count - 1), count, least)
        asked = int(np.argmin(shares))
        shares = [share + gap * (i != asked) for i, share in enumerate(shares)]
    else:
        gap, word = SECTOR_GAPS[level], "largest"
        shares = _shares(rng, 100 - gap, count, least)
        asked = int(np.argmax(shares))
        shares[asked] += gap
    scene, colour = _pie_chart(rng, level, shares, asked, unit=0)
    question = _pick(rng, (
        f"What colour is the {word} sector?",
        f"Which colour is the {word} sector of the pie?",
        f"What is the colour of the {word} part of the pie?",
        f"Name the colour of the {word} sector.",
    ))  # fmt: skip
    return Posed(scene, question, Answer.word(colour, COLOURS), _facts(scene), 1 / len(COLOURS))


def _line_values(rng: np.random.Generator, level: int) -> list[list[int]]:
    """Values of the lines; at one category they keep CLEARANCE units apart, so that no point hides another."""
    lines, extra = LINES[level], (CLEARANCE - 1) * np.arange(LINES[level])
    room = _units(level) + 1 - int(extra[-1])
    spread = [np.sort(rng.permutation(room)[:lines]) + extra for _ in range(MARKS[level])]
    return np.transpose([rng.permutation(column) for column in spread]).tolist()


def _line_chart(rng: np.random.Generator, level: int, values: list[list[int]]) -> tuple[ChartScene, str]:
    """A line chart, and how a question refers to its first line."""
    colours = _palette(rng, len(values))
    labels = _letters(rng, level, len(values[0]))
    scene = _chart(rng, level, "line", labels, values, [[colour] * len(labels) for colour in colours])
    return scene, "the line" if len(values) == 1 else f"the {colours[0]} line"


def pose_line_value(rng: np.random.Generator, level: int) -> Posed:
    """The value of a line at a letter."""
    values = _line_values(rng, level)
    index = _between(rng, 0, len(values[0]) - 1)
    scene, line = _line_chart(rng, level, values)
    label = scene.labels[index]
    question = _pick(rng, (
        f"What is the value of {line} at {label}?",
        f"What value does {line} have at {label}?",
        f"Read the value of {line} at {label}.",
        f"Which number does {line} reach at {label}?",
    ))  # fmt: skip
    return Posed(scene, question, Answer.integer(scene.values[0][index]), _facts(scene), 1 / (_units(level) + 1))


def pose_compare_bars(rng: np.random.Generator, level: int) -> Posed:
    """By how much one bar exceeds another."""
    units, marks, kind = _units(level), _marks(rng, level), _kind(rng, level)
    values = [_between(rng, 1, units) for _ in marks.names]
    high, low = rng.permutation(len(values))[:2]
    rise = _between(rng, 1, units - 1)
    values[low] = _between(rng, 1, units - rise)
    values[high] = values[low] + rise
    scene, more = _bar_chart(rng, level, kind, marks, values), MORE[kind]
    question = _pick(rng, (
        f"How much {more} is {marks.name(high)} than {marks.name(low)}?",
        f"By how much is {marks.name(high)} {more} than {marks.name(low)}?",
        f"What is the difference between {marks.name(high)} and {marks.name(low)}?",
        f"What is the value of {marks.name(high)} minus {marks.name(low)}?",
    ))  # fmt: skip
    return Posed(scene, question, Answer.integer(rise * scene.unit), _facts(scene), 1 / (units - 1))


def pose_group_value(rng: np.random.Generator, level: int) -> Posed:
    """The value of the bar of a colour in a group."""
    units, kind, (groups, series) = _units(level), _kind(rng, level), GROUPS[level]
    labels, colours = _letters(rng, level, groups), _palette(rng, series)
    values = rng.integers(1, units + 1, size=(series, groups)).tolist()
    scene = _chart(rng, level, kind, labels, values, [[colour] * groups for colour in colours])
    row, column = _between(rng, 0, series - 1), _between(rng, 0, groups - 1)
    name = f"the {colours[row]} bar at {labels[column]}"
    question = _pick(rng, (
        f"What is the value of {name}?",
        f"What value does {name} have?",
        f"Read the value of {name}.",
        f"Which number does {name} reach?",
    ))  # fmt: skip
    return Posed(scene, question, Answer.integer(scene.values[row][column]), _facts(scene), 1 / units)


def pose_second_bar(rng: np.random.Generator, level: int) -> Posed:
    """Which bar comes second."""
    units, marks, kind = _units(level), _marks(rng, level), _kind(rng, level)
    second = _between(rng, max(2, units // 4), units - 1)
    values = [_between(rng, 1, second - 1) for _ in marks.names]
    index, first = rng.permutation(len(values))[:2]
    values[index], values[first] = second, _between(rng, second + 1, units)
    word = LARGE[kind]
    what = "What colour is" if marks.by_colour else "Which bar is"
    question = _pick(rng, (
        f"{what} the second {word} bar?" if marks.by_colour else f"{what} the second {word}?",
        f"{what} {word} after the {word} one?",
        f"Leave out the {word} bar. {what} the {word} then?",
        f"{what} the one that comes second, from the {word} down?",
    ))  # fmt: skip
    scene = _bar_chart(rng, level, kind, marks, values)
    answer, guess_rate = _named(marks, int(index), level)
    return Posed(scene, question, answer, _facts(scene), guess_rate)


def pose_line_rise(rng: np.random.Generator, level: int) -> Posed:
    """By how much a line rises between two letters."""
    units = _units(level)
    values = [[_between(rng, 0, units) for _ in range(MARKS[level])]]
    start, end = sorted(rng.permutation(len(values[0]))[:2].tolist())
    rise = _between(rng, 1, units)
    values[0][start] = _between(rng, 0, units - rise)
    values[0][end] = values[0][start] + rise
    scene, line = _line_chart(rng, level, values)
    a, b = scene.labels[start], scene.labels[end]
    question = _pick(rng, (
        f"How much does {line} rise from {a} to {b}?",
        f"By how much is {line} higher at {b} than at {a}?",
        f"What is the rise of {line} from {a} to {b}?",
        f"What is the value at {b} minus the value at {a}?",
    ))  # fmt: skip
    return Posed(scene, question, Answer.integer(rise * scene.unit), _facts(scene), 1 / units)


def pose_pie_share(rng: np.random.Generator, level: int) -> Posed:
    """The fraction of a pie that one sector takes; ticks at the rim divide the pie into equal parts."""
    parts = DENOMINATORS[level]
    others = min(SECTORS[level] - 1, parts // 2)
    share = _between(rng, 1, parts - others)
    scene, colour = _pie_chart(rng, level, [share, *_shares(rng, parts - share, others, 1)], 0, unit=1)
    question = _pick(rng, (
        f"What fraction of the pie is {colour}?",
        f"Which fraction of the pie is {colour}?",
        f"What part of the pie is {colour}? Give a fraction.",
        f"The ticks are equally far apart. What fraction is {colour}?",
    ))  # fmt: skip
    return Posed(scene, question, Answer.fraction(Fraction(share, parts)), _facts(scene), 1 / (parts - others))


ENGINE = Engine(
    name="chart",
    version=1,
    types=(
        QuestionType("read_bar", pose_read_bar, MIN_SIZE_PX),
        QuestionType("extreme_bar", pose_extreme_bar, MIN_SIZE_PX),
        QuestionType("count_above", pose_count_above, MIN_SIZE_PX),
        QuestionType("extreme_sector", pose_extreme_sector, MIN_SIZE_PX),
        QuestionType("line_value", pose_line_value, MIN_SIZE_PX),
        QuestionType("compare_bars", pose_compare_bars, MIN_SIZE_PX),
        QuestionType("group_value", pose_group_value, DENSE_MIN_SIZE_PX),
        QuestionType("second_bar", pose_second_bar, MIN_SIZE_PX, held_out=True),
        QuestionType("line_rise", pose_line_rise, MIN_SIZE_PX, held_out=True),
        QuestionType("pie_share", pose_pie_share, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
)
