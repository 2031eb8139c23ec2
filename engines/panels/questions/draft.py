"""Panels being made: a topic, places, times and axes, and values that follow a plausible course.

Values are counted in grains, the smallest steps that can be read: 1 where numbers are printed, half the distance
between two lines where they are not.
"""

import functools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from engines.panels.scene import INTERVALS, Axis, Panel, Panels
from engines.panels.words import TOPICS, YEARS, Topic


class Knobs(NamedTuple):
    """How hard a level is."""

    panels: int
    times: int
    series: int
    has_numbers: bool
    negative: float  # share of the panels with values below 0, where a question allows them
    own_axes: bool  # each panel may have an axis of its own


KNOBS = (
    Knobs(2, 3, 1, True, 0.0, False),
    Knobs(2, 4, 1, True, 0.0, False),
    Knobs(2, 5, 1, True, 0.0, False),
    Knobs(3, 4, 1, True, 0.2, False),
    Knobs(3, 5, 1, True, 0.3, False),
    Knobs(2, 6, 1, False, 0.3, False),
    Knobs(2, 5, 2, False, 0.3, False),
    Knobs(3, 5, 2, False, 0.4, False),
    Knobs(4, 4, 2, False, 0.4, True),
    Knobs(4, 4, 2, False, 0.7, True),
)
MIN_SIZE_PX = (224, 224, 224, 280, 280, 280, 280, 336, 392, 392)
NOISE = 0.16  # of the range, by which values stray from their course
COURSES = {
    "up": lambda t: 0.15 + 0.7 * t,
    "down": lambda t: 0.85 - 0.7 * t,
    "hump": lambda t: 0.2 + 0.65 * np.sin(np.pi * t),
    "dip": lambda t: 0.85 - 0.65 * np.sin(np.pi * t),
    "even": lambda t: 0.5 + 0.0 * t,
}


def pick(rng: np.random.Generator, options: Sequence[Any]) -> Any:
    """One of the options, all equally likely."""
    return options[int(rng.integers(len(options)))]


class Draft:
    """Panels of a level whose values may still be changed: `values[panel][series][time]`, in grains."""

    def __init__(self, rng: np.random.Generator, level: int, *, may_be_negative: bool = False, adds: bool = False):
        self.rng, self.knobs = rng, KNOBS[level]
        is_negative = may_be_negative and rng.random() < self.knobs.negative
        fitting = [t for t in TOPICS if (t.may_be_negative or not is_negative) and (t.adds or not adds)]
        self.topic: Topic = pick(rng, fitting)
        names = rng.permutation(len(self.topic.names)).tolist()
        self.names = [self.topic.names[i] for i in names[: self.knobs.panels]]
        self.absent_names = [self.topic.names[i] for i in names[self.knobs.panels :]]
        begin = int(rng.integers(len(self.topic.categories) - self.knobs.times + 1))
        self.times = self.topic.categories[begin : begin + self.knobs.times]
        first = int(rng.integers(len(YEARS) - 1))
        self.series = YEARS[first : first + 2] if self.knobs.series == 2 else ("",)
        steps = [pick(rng, self.topic.steps)] * self.knobs.panels
        if self.knobs.own_axes:
            steps = [pick(rng, self.topic.steps) for _ in steps]
        below = (2 if self.knobs.has_numbers else int(rng.integers(1, 3))) if is_negative else 0
        self.axes = [Axis(-below * step, step) for step in steps]
        self.grains = [1 if self.knobs.has_numbers else step // 2 for step in steps]
        self.values = [[self._course(panel) for _ in self.series] for panel in range(self.knobs.panels)]

    def range(self, panel: int) -> tuple[int, int]:
        """Least and largest value of a panel, in grains; printed numbers need room beyond the ends of bars."""
        axis, grain = self.axes[panel], self.grains[panel]
        above, below = (axis.step // 2, 9 * axis.step // 10) if self.knobs.has_numbers else (0, 0)
        low = axis.low + below if axis.low < 0 else max(grain, axis.step // 4)
        return -(-low // grain), (axis.low + INTERVALS * axis.step - above) // grain

    def _course(self, panel: int) -> list[int]:
        """A plausible course over the times, without 0."""
        low, high = self.range(panel)
        share = COURSES[pick(self.rng, self.topic.courses)](np.linspace(0, 1, len(self.times)))
        share = np.clip(share + self.rng.uniform(-NOISE, NOISE, len(self.times)), 0, 1)
        return [value or 1 for value in np.rint(low + share * (high - low)).astype(int).tolist()]

    def who(self, panel: int, series: int) -> str:
        """What a line of values is called in a question."""
        return self.names[panel] + (f" {self.series[series]}" if self.series[series] else "")

    def one(self) -> tuple[int, int]:
        """A panel and a series."""
        return int(self.rng.integers(len(self.names))), int(self.rng.integers(len(self.series)))

    def two(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Two panels, each with a series."""
        a, b = self.rng.permutation(len(self.names))[:2].tolist()
        s, t = self.rng.integers(len(self.series), size=2).tolist()
        return (a, s), (b, t)

    def time(self) -> int:
        """One of the times."""
        return int(self.rng.integers(len(self.times)))

    def peak(self, panel: int, series: int, time: int, *, is_there: bool) -> None:
        """Exchange the largest value of a line with another, so that it is at a time, or is not."""
        line = self.values[panel][series]
        at = line.index(max(line))
        others = [place for place in range(len(line)) if place != time]
        if (at == time) != is_there:
            place = time if is_there else pick(self.rng, others)
            line[at], line[place] = line[place], line[at]

    def can_hide(self, time: int) -> bool:
        """Whether as many times in a row without this one can be shown."""
        return bool(self._without(time))

    def hide(self, time: int) -> None:
        """Show other times, with the same values, without the one that is in this place."""
        begin = pick(self.rng, self._without(time))
        self.times = self.topic.categories[begin : begin + len(self.times)]

    def _without(self, time: int) -> list[int]:
        """First places of windows without the time that is in this place."""
        count, at = len(self.times), self.topic.categories.index(self.times[time])
        begins = range(len(self.topic.categories) - count + 1)
        return [begin for begin in begins if not begin <= at < begin + count]

    def align(self, panels: Iterable[int], model: int) -> None:
        """Give panels the axis of another one; their values are moved onto it."""
        low, high = self.range(model)
        for panel in panels:
            self.axes[panel], self.grains[panel] = self.axes[model], self.grains[model]
            self.values[panel] = [[min(max(value, low), high) for value in row] for row in self.values[panel]]

    def finish(self) -> Panels:
        """The scene with the values as they are."""
        panels = tuple(
            Panel(name, axis, tuple(tuple(value * grain for value in row) for row in rows))
            for name, axis, grain, rows in zip(self.names, self.axes, self.grains, self.values, strict=True)
        )
        kind = pick(self.rng, ("bar", "line") if not self.knobs.has_numbers else ("bar", "bar", "line"))
        given = (self.topic.title, self.topic.unit, kind, tuple(self.times), tuple(self.series), panels)
        return Panels(*given, self.knobs.has_numbers)


@functools.lru_cache(maxsize=1024)
def differences(one: tuple[int, int, int], other: tuple[int, int, int]) -> dict[int, list[tuple[int, int]]]:
    """By difference: the pairs of values, in grains, that have it; each is given as least, largest, grain."""
    found: dict[int, list[tuple[int, int]]] = {}
    for a in range(one[0], one[1] + 1):
        for b in range(other[0], other[1] + 1):
            found.setdefault(a * one[2] - b * other[2], []).append((a, b))
    return found


@functools.lru_cache(maxsize=256)
def changes(low: int, high: int) -> dict[int, list[tuple[int, int]]]:
    """By whole percent, in fives and up to 200: the pairs of values, in grains, that change by it."""
    found: dict[int, list[tuple[int, int]]] = {}
    for a in range(low, high + 1):
        for b in range(low, high + 1):
            percent, rest = divmod(100 * (b - a), a)
            if a != b and not rest and percent % 5 == 0 and abs(percent) <= 200:
                found.setdefault(percent, []).append((a, b))
    return found


def summing(rng: np.random.Generator, row: list[int], total: int, low: int, high: int) -> list[int]:
    """The row, moved step by step until it adds up to a total that so many values within a range can reach."""
    row = [min(max(value, low), high) for value in row]
    while (missing := total - sum(row)) != 0:
        step = 1 if missing > 0 else -1
        free = [i for i, value in enumerate(row) if low <= value + step <= high]
        share = max(1, abs(missing) // len(row))
        place = pick(rng, free)
        row[place] = min(max(row[place] + step * share, low), high)
    return row
