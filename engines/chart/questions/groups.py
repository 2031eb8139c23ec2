"""Questions about several series: bars in groups, legends, radar charts. Each `pose` draws the answer first."""

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    COLOURS,
    NAME_RATE,
    UNITS,
    any_topic,
    bar_kind,
    between,
    chance,
    furniture,
    names,
    palette,
    pick,
    series_names,
    series_rate,
    spread,
    topic_of,
    topics_of,
    value_axis,
    value_rate,
)
from engines.chart.scene import MARKERS, Axis, Chart, Kind
from engines.chart.words import Topic

GROUPS = ((2, 2), (2, 2), (3, 2), (3, 2), (3, 3), (4, 2), (4, 3), (4, 3), (5, 3), (6, 3))  # groups, bars in each
ENTRIES = (2, 2, 3, 3, 4, 4, 5, 6, 7, 8)  # of a legend
MARKER_LEVEL = 3  # from here on series may share a colour and differ in their markers
BEST_GROUPS = ((2, 2), (2, 2), (2, 3), (3, 3), (3, 3), (3, 3), (4, 3), (4, 4), (5, 4), (6, 4))
SPOKES = (3, 3, 4, 4, 5, 5, 6, 6, 7, 8)
RINGS = ((4, 1), (4, 1), (4, 1), (5, 1), (6, 2), (6, 2), (8, 2), (10, 2), (12, 4), (15, 5))  # ticks, and per number
RADARS = (1, 1, 1, 1, 1, 1, 2, 2, 2, 3)  # series of a radar chart
RADAR_GAP = 2  # ticks between series on a spoke


def _series_chart(
    rng: np.random.Generator,
    level: int,
    kind: Kind,
    values: list[list[int]],
    axis: Axis,
    topic: Topic | None,
    legend: str,
    series: tuple[str, ...] = (),
) -> Chart:
    """A chart of several series that end at these ticks."""
    stand, count = axis.ticks(), len(values[0])
    return Chart(
        kind=kind,
        categories=names(rng, level, count, topic),
        series=series,
        values=tuple(tuple(stand[int(tick)] for tick in row) for row in values),
        colours=tuple((colour,) * count for colour in palette(rng, len(values))),
        axis=axis,
        furniture=furniture(rng, level, topic, legend=legend),
    )


def pose_group_value(rng: np.random.Generator, level: int) -> Posed:
    """The value of one bar in a group, by colour or by the name in the legend."""
    units, kind, (groups, series) = UNITS[level], bar_kind(rng, level), GROUPS[level]
    topic = topic_of(rng, level, groups, series)
    is_named = topic is not None and chance(rng, 0.5)
    axis = value_axis(rng, level, topic)
    known = series_names(rng, series, topic) if is_named else ()
    ticks = rng.integers(1, units + 1, size=(series, groups)).tolist()
    legend = pick(rng, ("top", "bottom")) if is_named else ""
    scene = _series_chart(rng, level, kind, ticks, axis, topic, legend, known)
    row, column = between(rng, 0, series - 1), between(rng, 0, groups - 1)
    name = f"the {known[row] if is_named else scene.colours[row][0]} bar at {scene.categories[column]}"
    question = pick(rng, (
        f"What is the value of {name}?",
        f"What value does {name} have?",
        f"Read the value of {name}.",
        f"Which number does {name} reach?",
    ))  # fmt: skip
    which = {"series": known[row]} if is_named else {"colour": scene.colours[row][0]}
    query = {"ask": "value", **which, "category": scene.categories[column]}
    return Posed(
        scene, question, Answer.integer(scene.values[row][column]), guess_rate=value_rate(level, units), query=query
    )


def pose_best_series(rng: np.random.Generator, level: int) -> Posed:
    """Which series of a legend is the highest (or lowest) at a category."""
    (groups, series), units, is_high = BEST_GROUPS[level], UNITS[level], chance(rng, 0.5)
    topic = any_topic(rng, groups, series)
    axis = value_axis(rng, level, topic if level >= 5 else None)
    column, known = between(rng, 0, groups - 1), series_names(rng, series, topic)
    columns = [spread(rng, series, 1, units, 1) for _ in range(groups)]
    ticks = [[columns[c][s] for c in range(groups)] for s in range(series)]
    legend = pick(rng, ("top", "bottom"))
    scene = _series_chart(rng, level, bar_kind(rng, level), ticks, axis, topic if level >= 5 else None, legend, known)
    kind_words = {"bar": ("highest", "lowest"), "hbar": ("longest", "shortest")}[scene.kind]
    word, label = kind_words[0 if is_high else 1], scene.categories[column]
    question = pick(rng, (
        f"Which name in the legend has the {word} bar at {label}?",
        f"Which name of the legend is the {word} bar at {label}?",
        f"Look at {label}. To which name of the legend does the {word} bar belong?",
        f"At {label}, which name belongs to the {word} bar?",
    ))  # fmt: skip
    answer = Answer.word(known[(np.argmax if is_high else np.argmin)(columns[column])], known)
    query = {"ask": "best_series", "end": "high" if is_high else "low", "category": label}
    rate = series_rate(topics_of(groups, series), groups, label if level >= 5 else "")
    return Posed(scene, question, answer, guess_rate=rate, query=query)


def pose_legend_lookup(rng: np.random.Generator, level: int) -> Posed:
    """What a legend says: the name of a colour, the colour of a name, or the name of a marker."""
    entries, units = ENTRIES[level], UNITS[level]
    ways = ("name", "colour", "marker") if level >= MARKER_LEVEL and entries <= len(MARKERS) else ("name", "colour")
    way, points = pick(rng, ways), 3 if level < 5 else 5
    topic = any_topic(rng, points, entries, is_ordered=True)
    known, colours = series_names(rng, entries, topic), palette(rng, entries)
    legend = pick(rng, ("right", "top", "bottom"))
    kind = "line" if way == "marker" or chance(rng, 0.5) else "bar"
    if kind == "bar":
        points = 2
    columns = [spread(rng, entries, 1, max(units, entries), 1) for _ in range(points)]
    ticks = [[columns[c][s] for c in range(points)] for s in range(entries)]
    axis, about = value_axis(rng, level), topic if level >= 5 else None
    scene = _series_chart(rng, level, kind, ticks, axis, about, legend, known)
    if way == "marker":
        scene = _by_marker(rng, scene, colours[0])
    index = between(rng, 0, entries - 1)
    noun = "line" if kind == "line" else "bar"
    colour, name = scene.colours[index][0], known[index]
    if way == "colour":
        question = pick(rng, (
            f"Which colour stands for {name}?",
            f"What colour does {name} have in the legend?",
            f"In which colour are the {noun}s of {name} drawn?",
            f"Name the colour of {name}.",
        ))  # fmt: skip
        query = {"ask": "legend_colour", "series": name}
        return Posed(scene, question, Answer.word(colour, COLOURS), guess_rate=1 / len(COLOURS), query=query)
    sign = f"{scene.markers[index]} marks" if way == "marker" else f"the colour {colour}"
    question = pick(rng, (
        f"Which name in the legend goes with {sign}?",
        f"What does the legend say for {sign}?",
        f"What is shown by {sign}?",
        f"Name what is shown by {sign}.",
    ))  # fmt: skip
    query = {"ask": "legend_name", **({"marker": scene.markers[index]} if way == "marker" else {"colour": colour})}
    return Posed(scene, question, Answer.word(name, known), guess_rate=NAME_RATE, query=query)


def _by_marker(rng: np.random.Generator, scene: Chart, colour: str) -> Chart:
    """The same lines in one colour, told apart by their markers."""
    markers = tuple(MARKERS[i] for i in rng.permutation(len(MARKERS))[: len(scene.series)])
    colours = tuple((colour,) * len(row) for row in scene.colours)
    return Chart(
        scene.kind, scene.categories, scene.series, scene.values, colours, scene.axis, scene.furniture, markers
    )


def pose_radar_value(rng: np.random.Generator, level: int) -> Posed:
    """The value of a series on a spoke of a radar chart."""
    spokes, series, (units, per_step) = SPOKES[level], RADARS[level], RINGS[level]
    topic = topic_of(rng, level, spokes, series)
    is_named = topic is not None and series > 1 and chance(rng, 0.5)
    axis = value_axis(rng, level, units=units, per_step=per_step)
    known = series_names(rng, series, topic) if is_named else ()
    columns = [spread(rng, series, 1, units, RADAR_GAP) for _ in range(spokes)]
    row, column = between(rng, 0, series - 1), between(rng, 0, spokes - 1)
    ticks = [[columns[c][s] for c in range(spokes)] for s in range(series)]
    scene = _series_chart(rng, level, "radar", ticks, axis, topic, "bottom" if is_named else "", known)
    label, colour = scene.categories[column], scene.colours[row][0]
    line = "the line" if series == 1 else f"the line of {known[row]}" if is_named else f"the {colour} line"
    question = pick(rng, (
        f"What is the value of {line} at {label}?",
        f"What value does {line} have at {label}?",
        f"Read the value of {line} on the spoke {label}.",
        f"Which number does {line} reach on the spoke {label}?",
    ))  # fmt: skip
    query = {"ask": "value", **({"series": known[row]} if is_named else {"colour": colour}), "category": label}
    return Posed(
        scene, question, Answer.integer(scene.values[row][column]), guess_rate=value_rate(level, units), query=query
    )
