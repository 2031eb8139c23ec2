"""Some charts in matplotlib's own look: bars, lines, areas, histograms and scatter plots without a legend."""

from engines.base import Style
from engines.chart.draw.axes import Plot
from engines.chart.draw.bars import STACKED, bar_boxes, bar_ends, part_name
from engines.chart.draw.lines import DOT_GAP, apart
from engines.chart.draw.sheet import least_difference_px
from engines.chart.scene import Axis, Chart, Figure, Histogram, Scatter
from engines.lettering import text_width_px
from engines.marks import Drawing, faults
from engines.plot import ONE_IN, looks_matplotlib
from engines.plot import Plot as Face

SYMBOLS = {"circle": "o", "square": "s", "triangle": "^", "diamond": "D", "cross": "X"}
KINDS = ("bar", "hbar", "stacked", "hstacked", "line", "area")
FILL = 0.74  # share of a category's slot that its bars take
EVERY = 2  # one in so many of the styles that may look so: a figure costs as much as fifteen drawings
ROOM = 1.15  # floors that a tick must have here, so that a photograph can be taken


def face_of(scene: Figure, size_px: int, style: Style) -> Drawing | None:
    """The chart as matplotlib draws it, or `None` if it is not to be, or does not fit."""
    if (
        not looks_matplotlib(style)
        or style.rng_seed // ONE_IN % EVERY
        or scene.furniture.legend
        or scene.furniture.has_numbers
    ):
        return None
    drawing = None
    if isinstance(scene, Chart) and scene.kind in KINDS:
        is_broken = scene.axis.low > 0 and not scene.axis.is_log and scene.kind not in ("line", "area")
        drawing = None if is_broken else _of_chart(scene, size_px, style)
    elif isinstance(scene, Scatter) and scene.guides is None:
        drawing = _of_scatter(scene, size_px, style)
    elif isinstance(scene, Histogram):
        drawing = _of_histogram(scene, size_px, style)
    return drawing if drawing is not None and next(faults(drawing), None) is None else None


def _ticks(axis: Axis) -> dict[float, str]:
    """Ticks by their share of the axis, numbers written."""
    numbers = set(axis.numbers())
    return {axis.share(value): axis.text(value) if value in numbers else "" for value in axis.ticks()}


def _has_room(plot: Plot, size_px: int) -> bool:
    """Neighbouring ticks are clear of each other."""
    low, high = (plot.at(0, value) for value in plot.axis.ticks()[-2:])
    return abs(high[0] - low[0]) + abs(high[1] - low[1]) >= ROOM * least_difference_px(size_px)


def _measured(face: Face, axis: Axis, is_sideways: bool = False, x_axis: Axis | None = None) -> Plot:
    """The plot area of a figure whose axes run over shares of the axes."""
    (left, bottom), (right, top) = face.pixel(0, 0), face.pixel(1, 1)
    return Plot(left, top, right, bottom, axis, is_sideways, x_axis)


def _lines_at_numbers(face: Face, axis: Axis, is_sideways: bool, is_above: bool = False) -> None:
    """Gridlines at the numbers alone, behind or above what else is drawn."""
    face.axes.grid(visible=False)
    for value in axis.numbers()[1:-1]:
        draw = face.axes.axvline if is_sideways else face.axes.axhline
        colour, width = [part / 255 for part in face.theme.faint], 0.5 * face.line_px
        draw(axis.share(value), color=colour, linewidth=width, zorder=3 if is_above else 0)


def _of_chart(scene: Chart, size_px: int, style: Style) -> Drawing | None:
    """Bars, lines and areas over categories at equal places of 0..1."""
    count, axis = len(scene.values[0]), scene.axis
    labels = scene.categories or ("",) * count
    # Names of bars that lie run downwards, as their values do.
    places = [(c + 0.5) / count for c in range(count)]
    if scene.is_sideways:
        places = [1 - place for place in places]
    names, values = dict(zip(places, labels, strict=True)), _ticks(axis)
    face = Face(
        size_px,
        style,
        x_range=(0, 1),
        y_range=(0, 1),
        x_ticks=values if scene.is_sideways else names,
        y_ticks=names if scene.is_sideways else values,
        thin="",
        title=scene.furniture.title,
        x_name=axis.label() if scene.is_sideways else scene.furniture.axis_title,
        y_name=scene.furniture.axis_title if scene.is_sideways else axis.label(),
    )
    plot = _measured(face, axis, scene.is_sideways)
    slot = (plot.right - plot.left) / count if not scene.is_sideways else size_px
    widest = max(text_width_px(name, face.text_px, face.theme.font) for name in labels)
    if widest + 0.4 * face.text_px > slot or not _has_room(plot, size_px):
        return None
    with face:
        _lines_at_numbers(face, axis, scene.is_sideways)
        (_bars if scene.kind not in ("line", "area") else _lines)(face, scene, plot)
        if scene.threshold is not None:
            face.axes.plot(
                *zip(*(_shares(plot, plot.at(end, scene.threshold)) for end in (0, 1)), strict=True),
                color=[part / 255 for part in face.theme.ink],
                linestyle="--",
                linewidth=1.2 * face.line_px,
            )
        return face.drawing(plot.margins(bar_ends(scene), least_difference_px(size_px)))


def _shares(plot: Plot, point: tuple[float, float]) -> tuple[float, float]:
    """A pixel as a place of the axes."""
    return (point[0] - plot.left) / (plot.right - plot.left), (plot.bottom - point[1]) / (plot.bottom - plot.top)


def _bars(face: Face, scene: Chart, plot: Plot) -> None:
    """Rectangles where the canvas would put them."""
    edge = [part / 255 for part in face.theme.ink] if scene.kind in STACKED else "none"
    lefts, feet, widths, heights, colours = [], [], [], [], []
    for s, row in enumerate(bar_boxes(scene, plot, FILL)):
        for c, corners in enumerate(row):
            (x0, y0), (x1, y1) = (_shares(plot, corner) for corner in corners)
            lefts.append(min(x0, x1))
            feet.append(min(y0, y1))
            widths.append(abs(x1 - x0))
            heights.append(abs(y1 - y0))
            colours.append(face.colour(scene.colours[s][c]))
            xs, ys = zip(*corners, strict=True)
            face.part(part_name(scene, s, c), (min(xs), min(ys), max(xs), max(ys)))
    face.axes.bar(
        lefts,
        heights,
        widths,
        feet,
        align="edge",
        color=colours,
        edgecolor=edge,
        linewidth=0.6 * face.line_px,
        zorder=2,
    )


def _lines(face: Face, scene: Chart, plot: Plot) -> None:
    """Lines with markers; the area below, if it is one."""
    for s, row in enumerate(scene.values):
        points = [plot.at((c + 0.5) / len(row), value) for c, value in enumerate(row)]
        xs, ys = zip(*(_shares(plot, point) for point in points), strict=True)
        colour = face.colour(scene.colours[s][0])
        marker = SYMBOLS[scene.markers[s] if scene.markers else "circle"]
        if scene.kind == "area":
            face.axes.fill_between(xs, ys, color=colour, alpha=0.4, linewidth=0, zorder=2)
        face.axes.plot(
            xs, ys, color=colour, marker=marker, markersize=0.4 * face.text_px, linewidth=face.line_px,
            clip_on=False, zorder=3,
        )  # fmt: skip
        for c, point in enumerate(points):
            face.part(part_name(scene, s, c), point)


def _of_scatter(scene: Scatter, size_px: int, style: Style) -> Drawing | None:
    """Points over two axes of numbers."""
    face = Face(
        size_px,
        style,
        x_range=(0, 1),
        y_range=(0, 1),
        x_ticks=_ticks(scene.x_axis),
        y_ticks=_ticks(scene.axis),
        thin="",
        title=scene.furniture.title,
        x_name=scene.x_axis.label(),
        y_name=scene.axis.label(),
    )
    plot = _measured(face, scene.axis, x_axis=scene.x_axis)
    if not _has_room(plot, size_px):
        return None
    with face:
        _lines_at_numbers(face, scene.axis, is_sideways=False)
        points = [plot.point(dot.x, dot.y) for dot in scene.dots]
        radius_px = 0.26 * face.text_px
        for index, marker in enumerate(scene.markers):
            own = [_shares(plot, point) for dot, point in zip(scene.dots, points, strict=True) if dot.series == index]
            face.axes.plot(
                [x for x, _ in own], [y for _, y in own], linestyle="none", color=face.colour(scene.colours[index]),
                marker=SYMBOLS[marker], markersize=2 * radius_px, clip_on=False, zorder=3,
            )  # fmt: skip
        for dot, point in zip(scene.dots, points, strict=True):
            face.part(f"{dot.x}, {dot.y}", point)
        return face.drawing(apart(points, DOT_GAP * radius_px))


def _of_histogram(scene: Histogram, size_px: int, style: Style) -> Drawing | None:
    """Bars over bins, edges numbered as far as there is room."""
    edges = scene.edges
    width = edges[1] - edges[0]
    x_axis = Axis(edges[0], edges[-1], width, width)
    face = Face(
        size_px,
        style,
        x_range=(0, 1),
        y_range=(0, 1),
        x_ticks=_ticks(x_axis),
        y_ticks=_ticks(scene.axis),
        thin="x",
        title=scene.furniture.title,
        x_name=scene.x_title,
        y_name=scene.axis.label(),
    )
    plot = _measured(face, scene.axis, x_axis=x_axis)
    if not _has_room(plot, size_px):
        return None
    with face:
        _lines_at_numbers(face, scene.axis, is_sideways=False, is_above=style.is_photographed)
        ink = [part / 255 for part in face.theme.ink]
        lefts = [x_axis.share(edge) for edge in edges]
        tops = [scene.axis.share(count) for count in scene.counts]
        face.axes.bar(
            lefts[:-1], tops, lefts[1] - lefts[0], align="edge", color=face.colour(scene.colour), edgecolor=ink,
            linewidth=0.6 * face.line_px, zorder=2,
        )  # fmt: skip
        for index, top in enumerate(tops):
            box = face.box((lefts[index], 0), (lefts[index + 1], top))
            face.part(f"{edges[index]} to {edges[index + 1]}", box)
        return face.drawing(plot.margins(scene.counts, least_difference_px(size_px)))
