"""Questions about parts of a whole: sectors of pies and donuts, parts of stacked bars."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.chart.questions.make import (
    COLOURS,
    NAME_RATE,
    UNITS,
    any_topic,
    between,
    chance,
    furniture,
    names,
    palette,
    pick,
    series_names,
    topic_of,
    value_axis,
)
from engines.chart.scene import Axis, Chart

SECTORS = (3, 3, 4, 4, 5, 5, 6, 6, 7, 8)
SMALLEST_SECTOR = (14, 14, 12, 12, 10, 8, 6, 6, 5, 4)  # per cent
SECTOR_GAPS = (18, 14, 10, 9, 7, 6, 5, 4, 3, 2)  # per cent between an extreme sector and the next
DENOMINATORS = (4, 4, 6, 6, 8, 8, 10, 10, 12, 12)
DONUT_LEVEL, DONUT_RATE = 1, 0.35
LEGEND_LEVEL = 5  # from here on sectors may have names
STACK = ((2, 2), (2, 2), (3, 2), (3, 2), (3, 3), (4, 3), (4, 3), (5, 3), (6, 4), (7, 4))  # bars, parts in each


def shares_of(rng: np.random.Generator, total: int, count: int, least: int) -> list[int]:
    """Whole numbers of at least `least` that sum to `total`."""
    spare = total - count * least
    cuts = np.sort(rng.integers(0, spare + 1, size=count - 1)).tolist()
    return [least + b - a for a, b in zip([0, *cuts], [*cuts, spare], strict=True)]


def _pie_chart(
    rng: np.random.Generator, level: int, shares: Sequence[int], asked: int, unit: int
) -> tuple[Chart, str, dict[str, str]]:
    """A pie with the shares in random order, how share `asked` is called, and the same as JSON-ready data."""
    colours, order = palette(rng, len(shares)), rng.permutation(len(shares)).tolist()
    topic = any_topic(rng, len(shares)) if level >= LEGEND_LEVEL else None
    is_named = topic is not None and chance(rng, 0.5)
    labels = names(rng, level, len(shares), topic) if is_named else ()
    scene = Chart(
        kind="donut" if level >= DONUT_LEVEL and chance(rng, DONUT_RATE) else "pie",
        categories=tuple(labels[i] for i in order) if labels else (),
        series=(),
        values=(tuple(int(shares[i]) for i in order),),
        colours=(tuple(colours[i] for i in order),),
        axis=Axis(0, sum(shares), sum(shares), unit),
        furniture=furniture(rng, level, topic, legend=pick(rng, ("right", "bottom", "top")) if is_named else ""),
        turn=between(rng, 0, 359),
    )
    name = labels[asked] if is_named else colours[asked]
    return scene, name, {"by": "category" if is_named else "colour", "sector": name}


def pose_extreme_sector(rng: np.random.Generator, level: int) -> Posed:
    """Which sector of a pie is the largest (from level 2 on also: the smallest)."""
    count, least = SECTORS[level], SMALLEST_SECTOR[level]
    if level >= 2 and chance(rng, 0.5):
        gap, word = max(2, SECTOR_GAPS[level] // 2), "smallest"
        shares = shares_of(rng, 100 - gap * (count - 1), count, least)
        asked = int(np.argmin(shares))
        shares = [share + gap * (i != asked) for i, share in enumerate(shares)]
    else:
        gap, word = SECTOR_GAPS[level], "largest"
        shares = shares_of(rng, 100 - gap, count, least)
        asked = int(np.argmax(shares))
        shares[asked] += gap
    scene, name, known = _pie_chart(rng, level, shares, asked, unit=0)
    question = pick(rng, (
        f"What colour is the {word} sector?",
        f"Which colour is the {word} sector of the pie?",
        f"What is the colour of the {word} part of the pie?",
        f"Name the colour of the {word} sector.",
    ) if not scene.categories else (
        f"Which name has the {word} sector?",
        f"What does the {word} sector of the pie stand for?",
        f"Which name belongs to the {word} part of the pie?",
        f"Name what the {word} sector stands for.",
    ))  # fmt: skip
    answer = Answer.word(name, scene.categories or COLOURS)
    query = {"ask": "extreme", "end": "high" if word == "largest" else "low", "by": known["by"]}
    rate = NAME_RATE if scene.categories else 1 / len(COLOURS)
    return Posed(scene, question, answer, guess_rate=rate, query=query)


def pose_pie_share(rng: np.random.Generator, level: int) -> Posed:
    """The fraction of a pie that one sector takes; ticks at the rim divide the pie into equal parts."""
    parts = DENOMINATORS[level]
    others = min(SECTORS[level] - 1, parts // 3)
    share = between(rng, 1, parts - others)
    scene, name, known = _pie_chart(rng, level, [share, *shares_of(rng, parts - share, others, 1)], 0, unit=1)
    is_verb = "is" if not scene.categories else "belongs to"
    question = pick(rng, (
        f"What fraction of the pie {is_verb} {name}?",
        f"Which fraction of the pie {is_verb} {name}?",
        f"What part of the pie {is_verb} {name}? Give a fraction.",
        f"The ticks are equally far apart. What fraction of the pie {is_verb} {name}?",
    ))  # fmt: skip
    query = {"ask": "share", **known}
    answer = Answer.fraction(Fraction(share, parts))
    return Posed(scene, question, answer, guess_rate=1 / (parts - others), query=query)


def pose_stacked_part(rng: np.random.Generator, level: int) -> Posed:
    """The value of one part of a stacked bar."""
    (count, parts), units = STACK[level], UNITS[level]
    topic = topic_of(rng, level, count, parts)
    is_named = topic is not None and chance(rng, 0.6)
    axis, colours = value_axis(rng, level, topic), palette(rng, parts)
    row, column, most = between(rng, 0, parts - 1), between(rng, 0, count - 1), units - parts + 1
    share = between(rng, 1, most)
    columns = [_stack(rng, units, parts) for _ in range(count)]
    rest = _stack(rng, units - share, parts - 1)
    columns[column] = [*rest[:row], share, *rest[row:]]
    labels = names(rng, level, count, topic)
    series = series_names(rng, parts, topic) if is_named else ()
    scene = Chart(
        kind="hstacked" if level > 0 and chance(rng, 0.3) else "stacked",
        categories=labels,
        series=series,
        values=tuple(tuple(columns[c][s] * axis.unit for c in range(count)) for s in range(parts)),
        colours=tuple((colour,) * count for colour in colours),
        axis=axis,
        furniture=furniture(rng, level, topic, legend=pick(rng, ("top", "bottom")) if is_named else ""),
    )
    name = f"the {series[row] if is_named else colours[row]} part of {labels[column]}"
    question = pick(rng, (
        f"How large is {name}?",
        f"What is the value of {name}?",
        f"What value does {name} alone have?",
        f"From its start to its end, how much is {name}?",
    ))  # fmt: skip
    part = {"series": series[row]} if is_named else {"colour": colours[row]}
    query = {"ask": "value", **part, "category": labels[column]}
    return Posed(scene, question, Answer.integer(share * axis.unit), guess_rate=1 / most, query=query)


def _stack(rng: np.random.Generator, units: int, parts: int) -> list[int]:
    """Parts of at least one tick each, of a bar that ends anywhere up to the last tick."""
    return shares_of(rng, between(rng, parts, units), parts, 1)
