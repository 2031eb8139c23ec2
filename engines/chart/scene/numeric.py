"""Charts over numbers: points in a plane, counts in bins, and boxes that sum up samples."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from engines.chart.scene.axis import Axis, Furniture


class Dot(NamedTuple):
    """A point of a scatter plot, in whole numbers of both axes."""

    x: int
    y: int
    series: int


@dataclass(frozen=True)
class Scatter:
    """Points over two axes. Series have a palette colour and a marker each; their names may be empty.

    `guides` are the values (x, y) at which two dashed lines cut the plot into quadrants.
    """

    dots: tuple[Dot, ...]
    series: tuple[str, ...]
    colours: tuple[str, ...]
    markers: tuple[str, ...]
    x_axis: Axis
    axis: Axis
    furniture: Furniture
    guides: tuple[int, int] | None = None
    kind: str = "scatter"

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": self.kind,
            "dots": [list(dot) for dot in self.dots],
            "series": list(self.series),
            "colours": list(self.colours),
            "markers": list(self.markers),
            "x_axis": self.x_axis.to_json(),
            "axis": self.axis.to_json(),
            "furniture": self.furniture.to_json(),
            "guides": list(self.guides) if self.guides else None,
        }

    def complexity(self) -> float:
        """Points and ticks to be told apart."""
        return float(len(self.dots) + len(self.series) + self.x_axis.complexity() + self.axis.complexity())

    def describe(self) -> str:
        """The chart in words."""
        parts = ["A scatter plot.", self.furniture.describe()]
        parts.append(f"x stands on {self.x_axis.describe()}. y stands on {self.axis.describe()}.")
        for s, (colour, marker) in enumerate(zip(self.colours, self.markers, strict=True)):
            named = f" ({self.series[s]})" if self.series else ""
            places = ", ".join(f"({dot.x}, {dot.y})" for dot in self.dots if dot.series == s)
            parts.append(f"Points shown as a {colour} {marker}{named}: {places}.")
        if self.guides:
            parts.append(f"Dashed lines stand at x = {self.guides[0]} and y = {self.guides[1]}.")
        return " ".join(part for part in parts if part)


@dataclass(frozen=True)
class Histogram:
    """Counts of values in bins between neighbouring `edges`; each bin holds its lower edge, not its upper."""

    edges: tuple[int, ...]
    counts: tuple[int, ...]
    colour: str
    axis: Axis
    furniture: Furniture
    x_title: str = ""
    kind: str = "histogram"

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": self.kind,
            "edges": list(self.edges),
            "counts": list(self.counts),
            "colour": self.colour,
            "axis": self.axis.to_json(),
            "furniture": self.furniture.to_json(),
            "x_title": self.x_title,
        }

    def complexity(self) -> float:
        """Bars, edges and ticks to be told apart."""
        return float(len(self.counts) + len(self.edges) + self.axis.complexity())

    def describe(self) -> str:
        """The chart in words."""
        bins = [
            f"{low} to {high}: {count}"
            for low, high, count in zip(self.edges, self.edges[1:], self.counts, strict=False)
        ]
        parts = [f"A histogram with {self.colour} bars.", self.furniture.describe()]
        parts += [f"The values are titled '{self.x_title}'." if self.x_title else ""]
        parts.append(f"Counts stand on {self.axis.describe()}. Bins: {', '.join(bins)}.")
        return " ".join(part for part in parts if part)


class Five(NamedTuple):
    """What a box shows of a sample, from the end of the lower whisker to that of the upper."""

    low: int
    lower: int
    median: int
    upper: int
    high: int


@dataclass(frozen=True)
class BoxPlot:
    """Boxes from quartile to quartile with a line at the median and whiskers to the smallest and largest value."""

    categories: tuple[str, ...]
    boxes: tuple[Five, ...]
    colours: tuple[str, ...]
    axis: Axis
    furniture: Furniture
    kind: str = "box"

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": self.kind,
            "categories": list(self.categories),
            "boxes": [list(box) for box in self.boxes],
            "colours": list(self.colours),
            "axis": self.axis.to_json(),
            "furniture": self.furniture.to_json(),
        }

    def complexity(self) -> float:
        """Lines and ticks to be told apart."""
        return float(5 * len(self.boxes) + self.axis.complexity())

    def describe(self) -> str:
        """The chart in words."""
        boxes = [
            f"{name} ({colour}): minimum {box.low}, lower quartile {box.lower}, median {box.median}, "
            f"upper quartile {box.upper}, maximum {box.high}"
            for name, colour, box in zip(self.categories, self.colours, self.boxes, strict=True)
        ]
        parts = ["A box plot. Boxes run from left to right.", self.furniture.describe()]
        parts.append(f"Values stand on {self.axis.describe()}. {'; '.join(boxes)}.")
        return " ".join(part for part in parts if part)
