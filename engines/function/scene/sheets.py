"""What one picture holds: a window with curves, points and a shaded region; or four small windows side by side."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from engines.function.scene.curve import CONICS, Curve, Number

LETTERS = "ABCDEFGH"


class Point(NamedTuple):
    """A dot with a letter."""

    letter: str
    x: Number
    y: Number


@dataclass(frozen=True)
class FunctionScene:
    """Axes from x_low to x_high and y_low to y_high (0 inside both), curves in drawing order."""

    x_low: int
    x_high: int
    y_low: int
    y_high: int
    curves: tuple[Curve, ...] = ()
    dots: tuple[tuple[int, int], ...] = ()  # marked nodes without a letter
    names: tuple[str, ...] = ()  # of the curves, in a legend; or none
    points: tuple[Point, ...] = ()
    shade: tuple[int, ...] = ()  # per curve: what is shaded lies above it (1), below or inside it (-1), either (0)
    guides: tuple[tuple[str, int], ...] = ()  # dashed straight lines: "x" or "y" and its value

    def shows(self, x: float, y: float, margin: float = 0.0) -> bool:
        """Say whether (x, y) lies in the window, at least `margin` units from its border."""
        return self.x_low + margin <= x <= self.x_high - margin and self.y_low + margin <= y <= self.y_high - margin

    def name(self, index: int, kind: str = "graph") -> str:
        """What a question calls a curve: by its name in the legend, or by colour where there are several."""
        if self.names:
            return f"the {kind} {self.names[index]}"
        return f"the {self.curves[index].colour} {kind}" if len(self.curves) > 1 else f"the {kind}"

    def band(self, xs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Lower and upper edge of the shaded region at xs; the lower is above the upper where nothing is shaded."""
        low, high = np.full(len(xs), float(self.y_low)), np.full(len(xs), float(self.y_high))
        for curve, side in zip(self.curves, self.shade, strict=True):
            if curve.family == "ellipse":
                x, y, across, up = map(float, curve.numbers)
                inside = 1 - ((xs - x) / across) ** 2
                reach = np.where(inside > 0, up * np.sqrt(np.maximum(inside, 0)), np.nan)
                low, high = np.fmax(low, y - reach), np.fmin(high, y + reach)
                high = np.where(inside > 0, high, low - 1)
            elif side:
                edge = curve.heights(xs)
                low, high = (np.fmax(low, edge), high) if side > 0 else (low, np.fmin(high, edge))
        return low, high

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {
            "kind": "graph",
            "window": [self.x_low, self.x_high, self.y_low, self.y_high],
            "curves": [curve.to_json() for curve in self.curves],
            "dots": [list(dot) for dot in self.dots],
            "names": list(self.names),
            "points": [[letter, str(x), str(y)] for letter, x, y in self.points],
            "shade": list(self.shade),
            "guides": [list(guide) for guide in self.guides],
        }

    def describe(self) -> str:
        """The scene in words."""
        lines = [f"Axes: x from {self.x_low} to {self.x_high}, y from {self.y_low} to {self.y_high}."]
        for index, curve in enumerate(self.curves):
            called = f"{self.names[index]} ({curve.colour})" if self.names else curve.colour
            side = (self.shade or (0,) * len(self.curves))[index]
            shaded = {1: " Shaded: above it.", -1: " Shaded: below it.", 0: ""}[side]
            if curve.family == "ellipse" and side:
                shaded = " Shaded: inside it."
            lines.append(f"Graph {called}: {curve.describe()}.{shaded}")
        if self.shade.count(0) < len(self.shade) - 1:
            lines.append("Only what all of this allows is shaded.")
        lines += [f"Point {letter}: ({x}, {y})." for letter, x, y in self.points]
        lines += [f"Dot: ({x}, {y})." for x, y in self.dots]
        lines += [f"Dashed line: {axis} = {value}." for axis, value in self.guides]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Grid lines of one axis, curves, their pieces, points."""
        pieces = sum(len(c.corners) + len(c.branches) + 2 * (c.family in CONICS) for c in self.curves)
        return self.x_high - self.x_low + 3 * len(self.curves) + pieces / 2 + len(self.points)


@dataclass(frozen=True)
class PanelsScene:
    """Four windows from -half to half with a letter and one curve each, in reading order."""

    half: int
    curves: tuple[Curve, ...]

    def to_json(self) -> dict[str, Any]:
        """The whole scene as JSON-ready data."""
        return {"kind": "panels", "half": self.half, "curves": [curve.to_json() for curve in self.curves]}

    def describe(self) -> str:
        """The scene in words."""
        lines = [f"Four panels; in each, x and y run from {-self.half} to {self.half}."]
        lines += [f"Panel {LETTERS[i]}: {curve.colour}, {curve.describe()}." for i, curve in enumerate(self.curves)]
        return "\n".join(lines)

    def complexity(self) -> float:
        """Grid lines of all panels."""
        return 2 * self.half * len(self.curves)
