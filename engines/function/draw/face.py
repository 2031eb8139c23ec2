"""Graphs in matplotlib's own look: the same curves, points and regions, its axes, ticks and legend."""

import numpy as np

from engines.base import Style
from engines.function.draw.frame import Frame, margins, shaded, strands
from engines.function.draw.points import dot_px, ends, letter_places, text_px
from engines.function.scene import FunctionScene
from engines.marks import Drawing
from engines.plot import Plot

NARROW = {"handlelength": 1.3, "handletextpad": 0.4, "columnspacing": 1.2}  # of a legend, in text heights
LEGEND = 1.9  # room above the plot for a legend, in text heights


def face(scene: FunctionScene, size_px: int, style: Style) -> Drawing:
    """Draw the scene with matplotlib as an RGB picture of size_px x size_px, with its marks and margins."""
    text = text_px(size_px)
    plot = Plot(
        size_px,
        style,
        x_range=(scene.x_low, scene.x_high),
        y_range=(scene.y_low, scene.y_high),
        x_ticks={x: str(x) for x in range(scene.x_low, scene.x_high + 1)},
        y_ticks={y: str(y) if y > scene.y_low else "" for y in range(scene.y_low, scene.y_high + 1)},
        text_px=text,
        room_px=(0.0, LEGEND * text if scene.names else 0.0, 0.0, 0.0),
        grid="both",
    )
    (left, top), (right, bottom) = plot.pixel(scene.x_low, scene.y_high), plot.pixel(scene.x_high, scene.y_low)
    frame = Frame(scene, (left, top, right - left, bottom - top))
    lines = [strands(curve, scene, frame.width) for curve in scene.curves]
    with plot:
        _axes(plot, scene)
        _shade(plot, scene, frame)
        _curves(plot, scene, lines, size_px)
        _points(plot, scene, lines, frame, size_px)
        plot.part("origin", frame.pixel(0, 0))
        return plot.drawing(margins(scene, lines, frame.pixel, size_px))


def _share(colour: tuple[int, int, int]) -> list[float]:
    return [part / 255 for part in colour]


def _axes(plot: Plot, scene: FunctionScene) -> None:
    ink = _share(plot.theme.ink)
    plot.axes.axhline(0, color=ink, linewidth=0.8 * plot.line_px, zorder=1.5)
    plot.axes.axvline(0, color=ink, linewidth=0.8 * plot.line_px, zorder=1.5)
    for axis, value in scene.guides:
        draw = plot.axes.axvline if axis == "x" else plot.axes.axhline
        draw(value, color=ink, linewidth=0.8 * plot.line_px, linestyle="--", zorder=1.6)


def _shade(plot: Plot, scene: FunctionScene, frame: Frame) -> None:
    if any(scene.shade):
        colour = next(curve.colour for curve, side in zip(scene.curves, scene.shade, strict=True) if side)
        for outline in shaded(scene, frame.width):
            plot.axes.fill(*outline.T, color=plot.colour(colour), alpha=0.28, linewidth=0, zorder=0.5)


def _curves(plot: Plot, scene: FunctionScene, lines: list[list[np.ndarray]], size_px: int) -> None:
    """Curves with the dots at their ends, and the legend."""
    bold, radius, ink = 1.5 * plot.line_px, dot_px(size_px), _share(plot.theme.ink)
    handles = []
    for index, (curve, parts) in enumerate(zip(scene.curves, lines, strict=True)):
        colour, label = plot.colour(curve.colour), scene.names[index] if scene.names else ""
        for part in parts:
            dash = (0, (2.4, 2.0)) if curve.dashed else "-"
            (handle,) = plot.axes.plot(*part.T, color=colour, linewidth=bold, linestyle=dash, label=label, zorder=2)
        handles += [handle] if parts and label else []
        for x, y, is_filled in ends(curve, scene):
            fill = colour if is_filled else _share(plot.theme.panel)
            given = {"markersize": 2 * radius, "markerfacecolor": fill, "markeredgecolor": colour}
            plot.axes.plot([x], [y], marker="o", markeredgewidth=0.8 * bold, zorder=3, clip_on=False, **given)
        if parts:
            middle = max(parts, key=len)
            plot.part(f"graph {curve.colour}", plot.pixel(*map(float, middle[len(middle) // 2])))
    for x, y in scene.dots:
        plot.axes.plot([x], [y], marker="o", markersize=2.2 * radius, color=ink, zorder=3)
    if handles:
        plot.legend(handles, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(handles), frameon=False, **NARROW)


def _points(plot: Plot, scene: FunctionScene, lines: list[list[np.ndarray]], frame: Frame, size_px: int) -> None:
    radius, ink = 0.85 * dot_px(size_px), _share(plot.theme.ink)
    places = letter_places(scene, lines, frame, radius, size_px)
    for point, (x, y) in zip(scene.points, places, strict=True):
        data = (scene.x_low + (x - frame.left) / frame.unit_x, scene.y_high - (y - frame.top) / frame.unit_y)
        plot.axes.plot([float(point.x)], [float(point.y)], marker="o", markersize=2 * radius, color=ink, zorder=3)
        plot.write(data, point.letter, ha="center", va="center")
        plot.part(point.letter, frame.pixel(float(point.x), float(point.y)))
