"""Charts of named things: a number for every series and category, and how it is shown.

`values[series][category]` is all there is to a bar, line, pie or radar chart, a heat map and a table alike; a question
about such a chart is a question about this table.
"""

from dataclasses import dataclass
from typing import Any, Literal

from engines.chart.scene.axis import Axis, Furniture

Kind = Literal["bar", "hbar", "stacked", "hstacked", "line", "area", "pie", "donut", "radar", "heat", "table"]
SIDEWAYS = ("hbar", "hstacked")  # categories run downwards
ROUND = ("pie", "donut")
NAMES = {
    "bar": "bar chart",
    "hbar": "bar chart with horizontal bars",
    "stacked": "stacked bar chart",
    "hstacked": "stacked bar chart with horizontal bars",
    "line": "line chart",
    "area": "area chart",
    "pie": "pie chart",
    "donut": "donut chart",
    "radar": "radar chart",
    "heat": "heat map",
    "table": "table",
}
MARKERS = ("circle", "square", "triangle", "diamond", "cross")


@dataclass(frozen=True)
class Chart:
    """One chart.

    Categories run from left to right, downwards in charts on their side, counter-clockwise in a pie from `turn` degrees
    (0 is to the right), clockwise from the top in a radar chart; they are the columns of a table and of a heat map,
    whose series are the rows, from the top. `categories` and `series` are the names that are written, empty where none
    are. `colours[series][category]` are palette names, empty in tables and heat maps; a series has one colour, except
    that single bars and the sectors of a pie have their own. `markers` are shapes of `MARKERS`, one per series of a
    line chart.

    The values of a pie are shares of `axis.high`, and sum to it; its rim has ticks every `axis.unit` if that is > 0.
    `threshold` is the value of a dashed line across the bars.
    """

    kind: Kind
    categories: tuple[str, ...]
    series: tuple[str, ...]
    values: tuple[tuple[int, ...], ...]
    colours: tuple[tuple[str, ...], ...]
    axis: Axis
    furniture: Furniture
    markers: tuple[str, ...] = ()
    threshold: int | None = None
    turn: int = 0

    @property
    def is_sideways(self) -> bool:
        """Values grow to the right and categories run downwards."""
        return self.kind in SIDEWAYS

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": self.kind,
            "categories": list(self.categories),
            "series": list(self.series),
            "values": [list(row) for row in self.values],
            "colours": [list(row) for row in self.colours],
            "axis": self.axis.to_json(),
            "furniture": self.furniture.to_json(),
            "markers": list(self.markers),
            "threshold": self.threshold,
            "turn": self.turn,
        }

    def complexity(self) -> float:
        """Marks, names and ticks to be told apart."""
        marks = sum(len(row) for row in self.values) + len(self.series)
        if self.kind == "table":
            return float(marks)
        return float(marks + self.axis.complexity())

    def describe(self) -> str:
        """The chart in words."""
        parts = [f"A {NAMES[self.kind]}.", self.furniture.describe(), *self._order()]
        if self.kind in ROUND:
            total = self.axis.high
            ticks = f", with ticks at its rim every 1/{total // self.axis.unit} of it" if self.axis.unit else ""
            parts.append(f"The whole is {total}{ticks}.")
        elif self.kind != "table":
            parts.append(f"Values stand on {self.axis.describe()}.")
        parts += [self._series(s) for s in range(len(self.values))]
        if self.threshold is not None:
            parts.append(f"A dashed line stands at {self.axis.text(self.threshold)}.")
        return " ".join(part for part in parts if part)

    def _order(self) -> list[str]:
        """In which direction categories and series run."""
        if self.kind in ("heat", "table"):
            return ["Rows run from top to bottom, columns from left to right."]
        if self.kind in ROUND:
            return [f"Sectors run counter-clockwise from {self.turn} degrees."]
        if self.kind == "radar":
            return ["Spokes run clockwise from the top."]
        return ["Categories run from top to bottom." if self.is_sideways else "Categories run from left to right."]

    def _series(self, s: int) -> str:
        """One series with its values."""
        row, names = self.values[s], self.colours[s] if self.colours else ()
        is_one = len(set(names)) == 1
        opening = f"{'Row' if self.kind in ('heat', 'table') else 'Series'} {s + 1}"
        known = [self.series[s] if self.series else "", names[0] if is_one else ""]
        known += [f"{self.markers[s]} marks" if self.markers else ""]
        said = ", ".join(word for word in known if word)
        cells = []
        for c, value in enumerate(row):
            name = " ".join(
                word
                for word in ("" if is_one or not names else names[c], self.categories[c] if self.categories else "")
                if word
            )
            cells.append(f"{name or c + 1}: {self.axis.text(value)}")
        return f"{opening}{f' ({said})' if said else ''}: {', '.join(cells)}."
