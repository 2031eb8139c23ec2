"""What charts share: a value axis, and the furniture around a plot."""

import math
from dataclasses import dataclass
from typing import Any, Literal

Place = Literal["", "right", "top", "bottom"]


@dataclass(frozen=True)
class Axis:
    """A value axis from `low` to `high`: numbers every `step`, ticks every `unit`, both counted from `low`.

    All of them, and the values that stand on the axis, are whole numbers of 10 ** -`decimals`. On a logarithmic axis
    `low` and `high` are powers of ten, numbers stand at powers of ten and ticks at 1..9 times each; there `step` and
    `unit` are 0. `title` and `measure` (the unit of the values, such as kg) are written beside it, or empty.
    """

    low: int
    high: int
    step: int
    unit: int
    decimals: int = 0
    is_log: bool = False
    title: str = ""
    measure: str = ""

    def text(self, value: int) -> str:
        """A value as it is written on the axis."""
        if not self.decimals:
            return str(value)
        whole, part = divmod(abs(value), 10**self.decimals)
        digits = f"{part:0{self.decimals}}".rstrip("0")
        return f"{'-' if value < 0 else ''}{whole}{'.' if digits else ''}{digits}"

    def share(self, value: float) -> float:
        """How far along the axis a value stands, 0..1."""
        if self.is_log:
            return math.log10(value / self.low) / math.log10(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def numbers(self) -> list[int]:
        """The values at which numbers are written."""
        if not self.is_log:
            return list(range(self.low, self.high + 1, self.step))
        return [10**power for power in range(len(str(self.low)) - 1, len(str(self.high)))]

    def ticks(self) -> list[int]:
        """The values at which ticks stand, those of numbers included."""
        if not self.is_log:
            return list(range(self.low, self.high + 1, self.unit))
        return [digit * power for power in self.numbers()[:-1] for digit in range(1, 10)] + [self.high]

    def complexity(self) -> int:
        """Ticks to be told apart; on a logarithmic axis, where no two steps are alike, each counts twice."""
        if self.is_log:
            return 2 * len(self.ticks())
        return (self.high - self.low) // self.unit + 1 if self.unit else 0

    def label(self) -> str:
        """The text beside the axis."""
        return f"{self.title} ({self.measure})" if self.measure else self.title

    def describe(self) -> str:
        """The axis in words."""
        named = f" titled '{self.label()}'" if self.label() else ""
        if self.is_log:
            return f"a logarithmic scale{named} from {self.low} to {self.high}"
        steps = f"numbers at every {self.text(self.step)} and ticks at every {self.text(self.unit)}"
        return f"a scale{named} from {self.text(self.low)} to {self.text(self.high)}, {steps}"

    def to_json(self) -> dict[str, Any]:
        """The axis as JSON-ready data."""
        return {
            "low": self.low,
            "high": self.high,
            "step": self.step,
            "unit": self.unit,
            "decimals": self.decimals,
            "is_log": self.is_log,
            "title": self.title,
            "measure": self.measure,
        }


@dataclass(frozen=True)
class Furniture:
    """What stands around a plot. `inset` (0..7) is room left free at the edges of the picture."""

    title: str = ""
    axis_title: str = ""  # of the axis of categories
    legend: Place = ""  # where the names of the series stand, "" where there are none
    gridlines: bool = False
    has_numbers: bool = False  # the value of every bar is written at its end
    inset: int = 0

    def describe(self) -> str:
        """The furniture in words, one sentence each; empty where there is none."""
        parts = [f"It has the title '{self.title}'." if self.title else ""]
        parts += [f"The axis of categories is titled '{self.axis_title}'." if self.axis_title else ""]
        parts += ["The values are written in the chart." if self.has_numbers else ""]
        return " ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        """The furniture as JSON-ready data."""
        return {
            "title": self.title,
            "axis_title": self.axis_title,
            "legend": self.legend,
            "gridlines": self.gridlines,
            "has_numbers": self.has_numbers,
            "inset": self.inset,
        }
