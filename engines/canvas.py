"""An anti-aliased canvas on Agg, the rasteriser inside matplotlib: exact coverage at any width, joint and position.

Coordinates, sizes and widths are floats in pixels; x grows to the right, y downwards, (0, 0) is the top-left corner.
Colours are (r, g, b) in 0..255. Agg is called path by path, without matplotlib's figures: a dozen microseconds each.
(OpenCV's own anti-aliasing is faster still but puts every edge 0.6 to 0.8 px outside its place.)

What a question may mean is recorded with `part`; texts record themselves; `drawing` hands over the finished picture.
What is drawn within `thing` is recorded by its outlines, of which `painted_maps` makes maps.
"""

import contextlib
import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.path import Path
from PIL import Image

from engines.lettering import FONTS, OVERSAMPLE, X_HEIGHT, extent, fine_height, letters, text_width_px
from engines.marks import Box, Drawing, Margin, Mark, Point

__all__ = ["FONTS", "HATCHES", "MARKERS", "STROKES", "Canvas", "Colour", "Painted", "Point"]
__all__ += ["painted_maps", "text_width_px"]

Colour = tuple[int, int, int]

# Dashes and gaps in units of the line's width; ends of a dotted line are round, so that specks become dots.
STROKES: dict[str, tuple[float, ...]] = {
    "solid": (),
    "dashed": (4.0, 2.6),
    "dotted": (0.01, 2.2),
    "dash-dot": (4.5, 2.4, 0.01, 2.4),
    "long-dash": (8.0, 3.0),
}
HATCHES = {"/": "//", "\\": "\\\\", "|": "||", "-": "--", "x": "xx", "+": "++", ".": "..", "o": "oo"}
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "plus", "star")
HATCH_PX = 0.9  # width of the lines of a hatch, which stand 6 px apart
SEAM_PX = 0.6  # fills without an outline grow by half of this, so that no background shines between neighbours
REACH_PX = 6.0  # beyond its middle and width, to which a stroke may go with its joints, its wobble and its soft edge
_UNIT_CIRCLE = Path.unit_circle()


class Painted(NamedTuple):
    """One outline that was filled, drawn or both as a part of a thing."""

    number: int  # of the thing, from 1
    path: Path
    place: np.ndarray  # [3, 3]: from the path to the canvas
    pen: GraphicsContextBase
    is_filled: bool


class Canvas:
    """A square picture under construction; `wobble_px` draws lines as an unsteady hand does, by up to that much."""

    def __init__(self, size_px: int, background: Colour, wobble_px: float = 0.0):
        self.size_px = size_px
        self._wobble_px = wobble_px
        self._marks: list[Mark] = []
        self._thing, self._painted = 0, []
        self._agg = RendererAgg(size_px, size_px, 72)  # 72 dpi: a point is a pixel
        self._flip = np.array([[1.0, 0, 0], [0, -1.0, size_px], [0, 0, 1.0]])  # Agg's y grows upwards
        self._pixels = np.asarray(self._agg.buffer_rgba())
        self._pixels.view(np.uint32)[...] = np.array([*background, 255], np.uint8).view(np.uint32)[0]

    def line(
        self,
        points: Sequence[Point],
        colour: Colour,
        width_px: float = 1.5,
        dash_px: float = 0.0,
        stroke: str = "solid",
    ) -> None:
        """Draw a polyline with round joints; with `dash_px`, dashes and gaps of that length; `stroke`: of `STROKES`."""
        dashes = (dash_px / width_px,) * 2 if dash_px else STROKES[stroke]
        pen = _pen(
            colour, width_px, dashes, "round" if stroke in ("dotted", "dash-dot") else "butt", "", self._wobble_px
        )
        self._stroke(_path([points]), pen, None)

    def polygon(
        self,
        points: Sequence[Point],
        fill: Colour | None = None,
        outline: Colour | None = None,
        width_px: float = 1.5,
        hatch: str = "",
    ) -> None:
        """Draw a closed polygon, in any shape; `hatch`, a key of `HATCHES`, is drawn in the outline's colour."""
        self._closed(_path([points], is_closed=True), fill, outline, width_px, hatch)

    def polygons(
        self, shapes: Sequence[Sequence[Point]], fill: Colour | None, outline: Colour | None, width_px: float = 1.5
    ) -> None:
        """Draw closed polygons that do not overlap, all alike, in one go; nothing where there are none."""
        if shapes:
            self._closed(_path(shapes, True), fill, outline, width_px, "")

    def lines(self, ways: Sequence[Sequence[Point]], colour: Colour, width_px: float = 1.5) -> None:
        """Draw polylines, all alike, in one go; nothing where there are none."""
        if ways:
            self._stroke(_path(ways), _pen(colour, width_px, wobble_px=self._wobble_px), None)

    def circles(
        self, centres: Sequence[Point], radius_px: float, fill: Colour, outline: Colour, width_px: float
    ) -> None:
        """Draw discs that do not overlap, one or more, all alike, in one go."""
        spots = (_UNIT_CIRCLE.vertices * radius_px + np.array(centres, float)[:, None]).reshape(-1, 2)
        self._closed(Path(spots, [*_UNIT_CIRCLE.codes] * len(centres)), fill, outline, width_px, "")

    def rectangle(
        self,
        corner: Point,
        size: Point,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width_px: float = 1.5,
        hatch: str = "",
    ) -> None:
        """Draw a rectangle by its top-left corner and (width, height)."""
        (x, y), (w, h) = corner, size
        self.polygon([(x, y), (x + w, y), (x + w, y + h), (x, y + h)], fill, outline, width_px, hatch)

    def circle(
        self,
        centre: Point,
        radius_px: float,
        fill: Colour | None = None,
        outline: Colour | None = None,
        width_px: float = 1.5,
    ) -> None:
        """Draw a disc, a circle or both; the outline is centred on the radius."""
        pen = _pen(
            fill if outline is None else outline, 0.0 if outline is None else width_px, wobble_px=self._wobble_px
        )
        place = np.array([[radius_px, 0, centre[0]], [0, -radius_px, self.size_px - centre[1]], [0, 0, 1.0]])
        self._draw(_UNIT_CIRCLE, pen, place, fill)

    def arc(
        self, centre: Point, radius_px: float, start: float, end: float, colour: Colour, width_px: float = 1.5
    ) -> None:
        """Draw an arc from angle `start` to `end` in radians, counter-clockwise as seen (y up)."""
        self.line(_rim(centre, radius_px, start, end), colour, width_px)

    def pie(
        self,
        centre: Point,
        radius_px: float,
        start: float,
        end: float,
        fill: Colour | None,
        outline: Colour | None = None,
        width_px: float = 1.5,
        hole_px: float = 0.0,
        hatch: str = "",
    ) -> None:
        """Draw a sector from angle `start` to `end` in radians, counter-clockwise as seen, or a piece of a ring."""
        inner = _rim(centre, hole_px, start, end)[::-1] if hole_px else [centre]
        self.polygon([*inner, *_rim(centre, radius_px, start, end)], fill, outline, width_px, hatch)

    def marker(
        self, at: Point, kind: str, radius_px: float, fill: Colour, outline: Colour | None = None, width_px: float = 1.0
    ) -> None:
        """Draw a symbol of `MARKERS` of about the same weight for each kind, within 1.4 radii of `at`."""
        if kind == "circle":
            self.circle(at, radius_px, fill, outline, width_px)
            return
        shape = [(at[0] + x * radius_px, at[1] + y * radius_px) for x, y in _marker_shape(kind)]
        self.polygon(shape, fill, outline, width_px)

    def arrow(
        self, start: Point, end: Point, colour: Colour, width_px: float = 1.5, head_px: float = 0.0, both: bool = False
    ) -> None:
        """Draw a line with a filled head at its end, or one at each end; `head_px` is the length of a head."""
        head_px = head_px or 3.0 + 3.0 * width_px
        turn = math.atan2(end[1] - start[1], end[0] - start[0])
        # The line stops inside the head: a wide line would blunt its point.
        tips = [(end, turn), (start, turn + math.pi)][: 1 + both]
        (x, y), (ux, uy), inset = end, (math.cos(turn), math.sin(turn)), 0.7 * head_px
        tail = (start[0] + inset * ux, start[1] + inset * uy) if both else start
        self.line([tail, (x - inset * ux, y - inset * uy)], colour, width_px)
        for (tip_x, tip_y), angle in tips:
            sides = [angle + math.pi - 0.38, angle + math.pi + 0.38]
            wings = [(tip_x + head_px * math.cos(a), tip_y + head_px * math.sin(a)) for a in sides]
            self.polygon([(tip_x, tip_y), *wings], colour)

    def ticks(
        self, start: Point, end: Point, count: int, colour: Colour, width_px: float = 1.5, length_px: float = 10.0
    ) -> None:
        """Draw `count` short strokes across the middle of a segment, as geometry marks equal lengths."""
        span = max(math.dist(start, end), 1e-9)
        ux, uy = (end[0] - start[0]) / span, (end[1] - start[1]) / span
        middle, gap = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), 2.4 * width_px + 1.0
        for index in range(count):
            along = (index - (count - 1) / 2) * gap
            x, y = middle[0] + along * ux, middle[1] + along * uy
            half = length_px / 2
            self.line([(x - half * uy, y + half * ux), (x + half * uy, y - half * ux)], colour, width_px)

    def right_angle(
        self, vertex: Point, one: Point, other: Point, colour: Colour, width_px: float = 1.5, side_px: float = 10.0
    ) -> None:
        """Draw the small square that marks the right angle at `vertex` between the arms to `one` and `other`."""
        arms = []
        for x, y in (one, other):
            scale = side_px / max(math.dist((x, y), vertex), 1e-9)
            arms.append(((x - vertex[0]) * scale, (y - vertex[1]) * scale))
        (ax, ay), (bx, by) = arms
        x, y = vertex
        self.line([(x + ax, y + ay), (x + ax + bx, y + ay + by), (x + bx, y + by)], colour, width_px)

    def text(
        self,
        at: Point,
        text: str,
        height_px: float,
        colour: Colour,
        anchor: str = "mm",
        font: str = "sans",
        turns: int = 0,
    ) -> None:
        """Write text of a font height with Pillow's two-letter anchor ("mm" is the middle).

        Small letters are 0.547 of the height, whatever the font. `turns` are quarter turns counter-clockwise around the
        anchor: 1 reads upwards, as beside a vertical axis.
        """
        fine = fine_height(height_px)
        x, y = round(at[0] * OVERSAMPLE), round(at[1] * OVERSAMPLE)
        column, row = x // OVERSAMPLE, y // OVERSAMPLE
        written = letters(text, font, fine, anchor, turns, x % OVERSAMPLE, y % OVERSAMPLE)
        height, width = written.mask.shape
        if height and width:
            ink = np.empty((height, width, 4), np.uint8)
            ink[..., :3] = colour
            ink[..., 3] = written.mask[::-1]  # Agg counts rows from below
            left, top = column + written.left_px, row + written.top_px
            self._agg.draw_image(_pen(colour, 0.0), left, self.size_px - top - height, ink)
        box = extent(text, font, fine, anchor, turns)
        sides = (
            (x + box[0]) / OVERSAMPLE,
            (y + box[1]) / OVERSAMPLE,
            (x + box[2]) / OVERSAMPLE,
            (y + box[3]) / OVERSAMPLE,
        )
        self._marks.append(Mark(text, sides, "text", X_HEIGHT * fine / OVERSAMPLE))

    def part(self, name: str, box: Box | Point) -> None:
        """Record where a part of the scene stands: a box, or one position."""
        self._marks.append(Mark(name, box if len(box) == 4 else (*box, *box)))

    @contextlib.contextmanager
    def thing(self, number: int) -> Iterator[None]:
        """Say that what is drawn within this context, texts aside, is a thing of the scene, by its number from 1."""
        self._thing = number
        yield
        self._thing = 0

    def drawing(self, margins: Sequence[Margin] = ()) -> Drawing:
        """The finished RGB picture of size_px x size_px, with its texts and parts, and the outlines of its things."""
        return Drawing(self.image(), tuple(self._marks), tuple(margins), tuple(self._painted))

    def image(self) -> Image.Image:
        """The finished RGB picture of size_px x size_px."""
        return Image.frombytes("RGB", (self.size_px,) * 2, self._pixels, "raw", "RGBX")

    def _closed(self, path: Path, fill: Colour | None, outline: Colour | None, width_px: float, hatch: str) -> None:
        """Fill a path, draw its outline, or both."""
        if outline is not None:
            pen = _pen(outline, width_px, (), "butt", HATCHES[hatch] if hatch else "", self._wobble_px)
        elif fill is not None:
            pen = _pen(fill, SEAM_PX)
        else:
            return
        self._stroke(path, pen, fill)

    def _stroke(self, path: Path, pen: GraphicsContextBase, fill: Colour | None) -> None:
        self._draw(path, pen, self._flip, fill)

    def _draw(self, path: Path, pen: GraphicsContextBase, place: np.ndarray, fill: Colour | None) -> None:
        self._agg.draw_path(pen, path, place, None if fill is None else _rgba(fill))
        if self._thing:
            self._painted.append(Painted(self._thing, path, place, pen, fill is not None))


def painted_maps(drawing: Drawing, size_px: int) -> dict[str, np.ndarray]:
    """Which thing each pixel shows: "segments" int32 and "occupancy" bool, [size_px, size_px]; none without things.

    A pixel shows the last thing that covers half of it, by its number, and 0 where there is none. What was
    drawn over things outside of `Canvas.thing` changes nothing.
    """
    if not drawing.painted:
        return {}
    agg = RendererAgg(size_px, size_px, 72)
    buffer = np.asarray(agg.buffer_rgba())
    buffer[...] = (0, 0, 0, 255)
    pixels = buffer[..., 0]
    found = np.zeros((size_px, size_px), np.int32)
    white = (1.0, 1.0, 1.0, 1.0)
    for number, group in itertools.groupby(drawing.painted, lambda each: each.number):
        windows = []
        for _, path, place, pen, is_filled in group:
            plain = GraphicsContextBase()
            plain.copy_properties(pen)
            plain.set_foreground(white, isRGBA=True)
            plain.set_hatch(None)
            windows.append(_window(path, place, pen.get_linewidth(), size_px))
            agg.draw_path(plain, path, place, white if is_filled else None)
        low, high = np.min([low for low, _ in windows], 0), np.max([high for _, high in windows], 0)
        window = tuple(slice(*ends) for ends in zip(low.tolist(), high.tolist(), strict=True))
        found[window][pixels[window] >= 128] = number
        pixels[window] = 0
    return {"segments": found, "occupancy": found > 0}


def _window(path: Path, place: np.ndarray, width_px: float, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """The first row and column that an outline may reach, and the first ones beyond; an unsteady hand's too."""
    x, up, _ = place @ np.concatenate([path.vertices.T, np.ones((1, len(path.vertices)))])
    spots = np.stack([size_px - up, x])
    pad = width_px + REACH_PX
    low, high = np.floor(spots.min(1) - pad), np.ceil(spots.max(1) + pad)
    return low.clip(0, size_px).astype(int), high.clip(0, size_px).astype(int)


def _rgba(colour: Colour) -> tuple[float, float, float, float]:
    return colour[0] / 255, colour[1] / 255, colour[2] / 255, 1.0


@functools.lru_cache(maxsize=2048)
def _pen(
    colour: Colour,
    width_px: float,
    dashes: tuple[float, ...] = (),
    cap: str = "butt",
    hatch: str = "",
    wobble_px: float = 0.0,
) -> GraphicsContextBase:
    """Agg's settings for one kind of stroke, never changed once made; dashes in widths."""
    pen = GraphicsContextBase()
    pen.set_foreground(_rgba(colour), isRGBA=True)
    pen.set_linewidth(width_px)
    pen.set_joinstyle("round")
    pen.set_capstyle(cap)
    pen.set_snap(False)
    if dashes:
        pen.set_dashes(0.0, [length * width_px for length in dashes])
    if hatch:
        pen.set_hatch(hatch)
        pen.set_hatch_color(_rgba(colour))
        pen.set_hatch_linewidth(HATCH_PX)
    if wobble_px:
        pen.set_sketch_params(2 * wobble_px, 200.0, 2.0)  # a wave of some 200 px, unevenly
    return pen


def _path(ways: Sequence[Sequence[Point]], is_closed: bool = False) -> Path:
    """One path of separate ways, whose points Agg may not thin out."""
    ways = [[*way, way[0]] if is_closed else way for way in ways]
    path = Path(np.array(list(itertools.chain(*ways)), float), _codes(tuple(map(len, ways)), is_closed))
    path.should_simplify = False
    return path


@functools.lru_cache(maxsize=1024)
def _codes(lengths: tuple[int, ...], is_closed: bool) -> np.ndarray:
    """What each point of ways with so many points is, uint8, never changed once made."""
    codes, ends = np.full(sum(lengths), Path.LINETO, Path.code_type), np.cumsum(lengths)
    codes[ends - 1], codes[ends - lengths] = Path.CLOSEPOLY if is_closed else Path.LINETO, Path.MOVETO
    codes.flags.writeable = False
    return codes


def _rim(centre: Point, radius_px: float, start: float, end: float) -> list[Point]:
    """Points two pixels apart along an arc, y up."""
    count = max(3, math.ceil(abs(end - start) * radius_px / 2))
    angles = [start + (end - start) * i / count for i in range(count + 1)]
    return [(centre[0] + radius_px * math.cos(a), centre[1] - radius_px * math.sin(a)) for a in angles]


@functools.cache
def _marker_shape(kind: str) -> list[Point]:
    """Corners of a symbol of radius 1."""
    if kind == "square":
        return [(-0.88, -0.88), (0.88, -0.88), (0.88, 0.88), (-0.88, 0.88)]
    if kind == "diamond":
        return [(0, -1.25), (0.95, 0), (0, 1.25), (-0.95, 0)]
    if kind in ("plus", "cross"):
        arm, half = 1.2, 0.36
        shape = [(half, half), (arm, half), (arm, -half), (half, -half)]
        corners = [(x * c - y * s, x * s + y * c) for c, s in ((1, 0), (0, -1), (-1, 0), (0, 1)) for x, y in shape]
        lean = math.sqrt(0.5)
        return corners if kind == "plus" else [((x - y) * lean, (x + y) * lean) for x, y in corners]
    radii = {"triangle": [1.25] * 3, "star": [1.25, 0.52] * 5}[kind]
    turns = [math.tau * i / len(radii) for i in range(len(radii))]
    sink = 0.2 if kind == "triangle" else 0.0
    return [(r * math.sin(a), sink - r * math.cos(a)) for r, a in zip(radii, turns, strict=True)]
