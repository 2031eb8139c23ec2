"""Charts as data: what is written on the axes and how large every mark is, in whole numbers.

A chart has `values[series][category]`. In a pie there is one series and the values are shares of `top` that sum to it.
Marks are told apart by the category's label, by their colour, or by both.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["bar", "hbar", "line", "pie"]


@dataclass(frozen=True)
class ChartScene:
    """One chart.

    `labels` are written at the categories, or empty. `colours[series][category]` are palette names; a line has one
    colour. The value axis runs from 0 to `top`, numbers stand at multiples of `step`, small ticks at multiples of
    `unit`. `threshold` is the value of a dashed line across the bars. `gridlines` follow the numbers. A pie starts at
    `turn` degrees from the right, counter-clockwise, and has a tick at every `unit` of its rim if `unit` > 0. `inset`
    (0..7) is room left free around the plot.
    """

    kind: Kind
    labels: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    colours: tuple[tuple[str, ...], ...]
    top: int
    step: int = 1
    unit: int = 1
    threshold: int | None = None
    gridlines: bool = False
    turn: int = 0
    title: str = ""
    inset: int = 0

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        data = dataclasses.asdict(self)
        for name in ("values", "colours"):
            data[name] = [list(series) for series in data[name]]
        return data | {"labels": list(self.labels)}
