"""What a picture of panels shows: charts of one measure for several places, with common categories and series."""

from dataclasses import dataclass
from typing import Any, NamedTuple

INTERVALS = 4  # between the numbers of an axis


class Axis(NamedTuple):
    """A value axis with a number at every step, `INTERVALS` steps long."""

    low: int
    step: int

    @property
    def high(self) -> int:
        """The uppermost number."""
        return self.low + INTERVALS * self.step


class Panel(NamedTuple):
    """One chart: whole numbers by series and category."""

    name: str
    axis: Axis
    values: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Panels:
    """Charts of one measure, read from printed numbers or from the lines at the numbers of an axis."""

    title: str
    unit: str  # "" for counts
    kind: str  # "bar" or "line"
    categories: tuple[str, ...]
    series: tuple[str, ...]  # names in the legend; ("",) where there is one series without a name
    panels: tuple[Panel, ...]
    has_numbers: bool  # every value is printed; if not, each lies on a line at a number or half-way between two

    def __post_init__(self):
        """Check that every value is given and lies on its axis."""
        for name, axis, values in self.panels:
            sizes = {len(row) for row in values}
            if len(values) != len(self.series) or sizes != {len(self.categories)}:
                raise ValueError(f"panels.{name} must have {len(self.series)} x {len(self.categories)} values")
            grain = self.grain(axis)
            if not all(axis.low <= value <= axis.high and value % grain == 0 for row in values for value in row):
                raise ValueError(f"panels.{name} must have multiples of {grain} within its axis, got {values}")

    def grain(self, axis: Axis) -> int:
        """All values of a panel with this axis are multiples of it."""
        return 1 if self.has_numbers else axis.step // 2

    def to_json(self) -> dict[str, Any]:
        """The scene as JSON-ready data."""
        return {
            "kind": "panels of charts",
            "title": self.title,
            "unit": self.unit,
            "drawn": self.kind,
            "categories": list(self.categories),
            "series": list(self.series),
            "panels": [
                {"name": name, "low": axis.low, "step": axis.step, "values": [list(row) for row in values]}
                for name, axis, values in self.panels
            ],
            "has_numbers": self.has_numbers,
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [f"{len(self.panels)} {self.kind} charts of {self.title}{self.unit and f' in {self.unit}'}."]
        for name, _, values in self.panels:
            for series, row in zip(self.series, values, strict=True):
                pairs = zip(self.categories, row, strict=True)
                said = ", ".join(f"{category}: {value}" for category, value in pairs)
                lines.append(f"{name}{series and f' {series}'}: {said}.")
        return "\n".join(lines)

    def complexity(self) -> float:
        """Values, those that must be read from an axis one and a half times; axes that differ, and values below 0."""
        values = sum(len(row) for panel in self.panels for row in panel.values)
        axes = len({panel.axis for panel in self.panels})
        below = any(panel.axis.low < 0 for panel in self.panels)
        return values * (1.0 if self.has_numbers else 1.5) + 4 * (axes - 1) + 6 * below
