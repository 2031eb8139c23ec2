"""Charts and graphs in matplotlib's own look, for one scene in ten of the two categories that people draw with it.

    if looks_matplotlib(style):
        with Plot(size_px, style, x_range=(0, 10), y_range=(0, 40), x_ticks={2: "2", 4: "4"}, y_ticks={0: "0"}) as plot:
            plot.axes.bar([2, 4], [10, 30], color=[plot.colour("red"), plot.colour("blue")])
            plot.part("A", plot.pixel(2, 10))
            return plot.drawing(margins)

The constructor gets every text around the plot area and lays it out once, so that data stand at known pixels from the
start: `pixel(x, y)` is where matplotlib's own `transData` puts them. Numbers that would run into each other are thinned
out. Texts inside the plot (`axes.text`, `legend`) become marks like all others. A figure costs ten times a canvas
drawing: matplotlib's figures are imported with the first of them.
"""

import contextlib
import functools
import itertools
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from PIL import Image

from engines.base import Style, make_rng
from engines.lettering import X_HEIGHT, em_scale, font_for, font_path, text_width_px
from engines.marks import Box, Drawing, Margin, Mark, Point
from engines.style import colour_of, theme_of

ONE_IN = 10  # of the charts and graphs; see engines.bench for what it costs
EDGE = 0.03  # of the picture's side, free on every edge
GAP = 0.35  # between texts and what they stand beside, in text heights
LINE = 1.25  # height of a line of text, in text heights

Colour = tuple[float, float, float]  # red, green, blue in 0..1, as matplotlib takes them


def looks_matplotlib(style: Style) -> bool:
    """Whether the chart or graph of this style is to be drawn by matplotlib: one in `ONE_IN`."""
    return style.rng_seed % ONE_IN == ONE_IN - 1


class Plot:
    """A square figure with one plot area, under construction; use it in a `with` statement.

    Args:
        size_px: side of the picture.
        style: its theme gives colours and font, its seed the free choices (frame, grid, direction of ticks).
        x_range, y_range: data units at the left and right, and at the lower and upper edge of the plot area.
        x_ticks, y_ticks: ticks by their place, each with its text; "" is a tick without one.
        thin: axes ("x", "y", "xy" or "") whose texts may be dropped where there is no room: numbers, never names.
        title, x_name, y_name: further texts, each on one line.
        text_px: height of all texts, as `Canvas.text` takes it; by default one that is legible at this size.
        room_px: (left, top, right, bottom) kept free beyond what the texts take, for example for a legend.
        grid: axes whose ticks have lines across the plot ("x", "y", "both" or ""); None leaves it to the style.
        is_bare: no axes at all, as for pies and radars; then only the title is written and one unit is square.

    Attributes:
        axes: matplotlib's Axes. Colours are set and limits fixed; leave the layout as it is.
        text_px: height of all texts.
        line_px: width that suits a main line.
    """

    def __init__(
        self,
        size_px: int,
        style: Style,
        *,
        x_range: tuple[float, float],
        y_range: tuple[float, float],
        x_ticks: Mapping[float, str] = {},
        y_ticks: Mapping[float, str] = {},
        thin: str = "xy",
        title: str = "",
        x_name: str = "",
        y_name: str = "",
        text_px: float = 0.0,
        room_px: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0),
        grid: str | None = None,
        is_bare: bool = False,
    ):
        self.size_px, self.style, self.theme = size_px, style, theme_of(style)
        self.text_px = text_px or max(9.0, size_px / 29)
        self.line_px = (0.9 + size_px / 400) * self.theme.line_scale
        self._marks: list[Mark] = []
        self._ranges = (x_range, y_range)
        self._texts = (title, x_name, y_name)
        self._area = self._layout(x_ticks, y_ticks, room_px, is_bare)
        self._ticks = [dict(x_ticks), dict(y_ticks)]
        for axis, name in enumerate("xy"):
            ticks = self._ticks[axis]
            if name in thin:
                places = [self.pixel(at, at)[axis] for at in ticks]
                self._ticks[axis] = _thinned(ticks, places, self._widths(ticks, axis), 0.4 * self.text_px * (1 - axis))
        self._is_bare, self._grid = is_bare, grid
        self._settings = contextlib.ExitStack()

    def __enter__(self) -> "Plot":
        self._settings.enter_context(_own_settings())
        self._figure, self.axes = self._make()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._settings.close()

    def pixel(self, x: float, y: float) -> Point:
        """Where a data point stands in the picture, in final pixels with y downwards."""
        left, top, right, bottom = self._area
        (x_low, x_high), (y_low, y_high) = self._ranges
        return (
            left + (x - x_low) / (x_high - x_low) * (right - left),
            bottom - (y - y_low) / (y_high - y_low) * (bottom - top),
        )

    def box(self, one: Point, other: Point) -> Box:
        """The box of pixels between two opposite corners in data units."""
        (x0, y0), (x1, y1) = self.pixel(*one), self.pixel(*other)
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def colour(self, name: str) -> Colour:
        """A palette colour as this style paints it."""
        return _shares(colour_of(name, self.style))

    def part(self, name: str, box: Box | Point) -> None:
        """Record where a part of the scene stands, in final pixels: a box, or one position."""
        self._marks.append(Mark(name, box if len(box) == 4 else (*box, *box)))

    def write(self, at: Point, text: str, **given: Any) -> None:
        """Write text in data units with `Axes.text`'s arguments (ha, va, rotation, …) in the theme's ink and font."""
        self.axes.text(*at, text, **({"color": _shares(self.theme.ink), "fontproperties": self._font(text)} | given))

    def legend(self, handles: Sequence[Any] | None = None, **given: Any) -> None:
        """Draw a legend with `Axes.legend`'s arguments (loc, ncols, bbox_to_anchor, …), opaque and legible."""
        given = {
            "framealpha": 1.0,
            "edgecolor": _shares(self.theme.faint),
            "facecolor": _shares(self.theme.panel),
        } | given
        labels = self.axes.get_legend_handles_labels()[1] if handles is None else [each.get_label() for each in handles]
        given |= {"prop": self._font("".join(labels)), "labelcolor": _shares(self.theme.ink)}
        self.axes.legend(**given) if handles is None else self.axes.legend(handles=handles, **given)

    def drawing(self, margins: Sequence[Margin] = ()) -> Drawing:
        """The finished RGB picture of size_px x size_px, with its texts and parts."""
        self._figure.canvas.draw()
        picture = Image.frombytes("RGB", (self.size_px,) * 2, self._figure.canvas.buffer_rgba(), "raw", "RGBX")
        return Drawing(picture, (*self._text_marks(), *self._marks), tuple(margins))

    def _layout(self, x_ticks: Mapping, y_ticks: Mapping, room_px: tuple, is_bare: bool) -> Box:
        """The plot area in final pixels: what texts, ticks and edges leave."""
        title, x_name, y_name = self._texts
        edge, gap, line = EDGE * self.size_px, GAP * self.text_px, LINE * self.text_px
        left = top = right = bottom = edge
        top += line + gap if title else 0.0
        if not is_bare:
            width = max(self._widths(y_ticks, 0), default=0.0)
            left += width + 2 * gap + (line + gap if y_name else 0.0)
            bottom += (line + 2 * gap if any(x_ticks.values()) else 2 * gap) + (line + gap if x_name else 0.0)
            right += max(self._widths(x_ticks, 0), default=0.0) / 2
            top += 0.0 if title else line / 2
        left, top, right, bottom = (a + b for a, b in zip((left, top, right, bottom), room_px, strict=True))
        area = (left, top, self.size_px - right, self.size_px - bottom)
        return _square(area, self._ranges) if is_bare else area

    def _widths(self, ticks: Mapping[float, str], axis: int) -> list[float]:
        """Room that the texts of ticks take along an axis."""
        if axis:
            return [LINE * self.text_px] * len(ticks)
        return [text_width_px(text, self.text_px, self.theme.font) for text in ticks.values()]

    def _font(self, text: str) -> Any:
        """The theme's font at the size at which a text has the height of all texts."""
        return _font_of(font_for(text, self.theme.font), round(self.text_px * em_scale(text, self.theme.font), 3))

    def _make(self) -> tuple[Any, Any]:
        """matplotlib's figure and axes, laid out and labelled."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        theme, size = self.theme, self.size_px
        figure = Figure(figsize=(size / 72, size / 72), dpi=72, facecolor=_shares(theme.background))
        FigureCanvasAgg(figure)
        left, top, right, bottom = self._area
        place = (left / size, 1 - bottom / size, (right - left) / size, (bottom - top) / size)
        axes = figure.add_axes(place, facecolor=_shares(theme.panel))
        axes.set(xlim=self._ranges[0], ylim=self._ranges[1], autoscale_on=False)
        title, x_name, y_name = self._texts
        if title:
            font = self._font(title)
            axes.set_title(title, pad=GAP * self.text_px, color=_shares(theme.ink), fontproperties=font)
        if self._is_bare:
            axes.set(xticks=[], yticks=[])
            axes.set_axis_off()
            return figure, axes
        self._dress(axes)
        for name, write in ((x_name, axes.set_xlabel), (y_name, axes.set_ylabel)):
            if name:
                write(
                    name, labelpad=0.5 * GAP * self.text_px, color=_shares(theme.ink), fontproperties=self._font(name)
                )
        return figure, axes

    def _dress(self, axes: Any) -> None:
        """Frame, ticks, grid and the texts of the ticks, by the free choices of the style."""
        rng, theme = make_rng("matplotlib", self.style.rng_seed), self.theme
        ink, faint, width = _shares(theme.ink), _shares(theme.faint), 0.6 * self.line_px
        has_frame, direction = rng.random() < 0.6, ("out", "in", "inout")[int(rng.integers(3))]
        for side, spine in axes.spines.items():
            spine.set(visible=has_frame or side in ("left", "bottom"), color=ink, linewidth=width)
        tick = {"direction": direction, "length": 0.25 * self.text_px, "width": width, "pad": GAP * self.text_px}
        axes.tick_params(color=ink, **tick)
        for ticks, axis in zip(self._ticks, (axes.xaxis, axes.yaxis), strict=True):
            axis.set_ticks(
                list(ticks), list(ticks.values()), color=ink, fontproperties=self._font("".join(ticks.values()))
            )
        axes.set_axisbelow(True)
        choice = ("", "y", "both")[int(rng.integers(3))]
        grid = choice if self._grid is None else self._grid
        if grid:
            axes.grid(axis=grid, color=faint, linewidth=0.8 * width, linestyle=("-", "--", ":")[int(rng.integers(3))])

    def _text_marks(self) -> list[Mark]:
        """A mark for every text that is seen, from the renderer's own extents."""
        from matplotlib.text import Text

        renderer, marks = self._figure.canvas.get_renderer(), []
        for text in self._figure.findobj(Text):
            if text.get_visible() and text.get_text().strip():
                box = text.get_window_extent(renderer)
                sides = (float(box.x0), float(self.size_px - box.y1), float(box.x1), float(self.size_px - box.y0))
                scale = X_HEIGHT / em_scale(text.get_text(), self.theme.font)
                marks.append(Mark(text.get_text(), sides, "text", scale * float(text.get_fontsize())))
        return marks


def _shares(colour: tuple[int, int, int]) -> Colour:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255


def _square(area: Box, ranges: tuple[tuple[float, float], tuple[float, float]]) -> Box:
    """The largest box in the middle of an area in which a unit is as wide as it is high."""
    left, top, right, bottom = area
    (x_low, x_high), (y_low, y_high) = ranges
    unit = min((right - left) / (x_high - x_low), (bottom - top) / (y_high - y_low))
    half_x, half_y = unit * (x_high - x_low) / 2, unit * (y_high - y_low) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - half_x, y - half_y, x + half_x, y + half_y


def _thinned(
    ticks: dict[float, str], pixels: Sequence[float], widths: Sequence[float], gap_px: float
) -> dict[float, str]:
    """The ticks with every n-th text kept, n the least at which none run into each other; that of 0 is always kept."""
    places = list(ticks)
    written = [index for index, text in enumerate(ticks.values()) if text]
    zero = next((rank for rank, index in enumerate(written) if places[index] == 0), 0)
    for step in range(1, len(written) + 1):
        kept = written[zero % step :: step]
        pairs = itertools.pairwise(sorted(kept, key=lambda index: pixels[index]))
        if all(pixels[b] - pixels[a] >= (widths[a] + widths[b]) / 2 + gap_px for a, b in pairs):
            return {at: text if index in kept else "" for index, (at, text) in enumerate(ticks.items())}
    return ticks


@functools.lru_cache(maxsize=256)
def _font_of(font: str, em_px: float) -> Any:
    """matplotlib's properties of one of our fonts; at 72 dpi a point is a pixel."""
    from matplotlib.font_manager import FontProperties

    return FontProperties(fname=str(font_path(font)), size=em_px)


def _own_settings() -> contextlib.AbstractContextManager[None]:
    """matplotlib as it comes, whatever the user's matplotlibrc says: equal samples look equal everywhere."""
    import matplotlib

    return matplotlib.rc_context(_default_settings())


@functools.cache
def _default_settings() -> dict[str, Any]:
    import matplotlib

    about_windows = (
        "backend",
        "interactive",
        "toolbar",
        "webagg",
        "timezone",
        "tk.",
        "savefig",
        "date.epoch",
        "docstring",
    )
    return {name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(about_windows)}
