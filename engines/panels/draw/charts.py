"""How panels of charts look: one above the other, or two by two; hatched bars, or lines with strokes and symbols."""

import math

from engines.base import Style, make_rng
from engines.canvas import Canvas
from engines.lettering import OVERSAMPLE, X_HEIGHT, text_width_px
from engines.marks import Drawing, Margin, x_height_floor_px
from engines.panels.draw.plot import Look, Plot, draw_plot
from engines.panels.scene import INTERVALS, Panels
from engines.style import Theme, colour_of, theme_of

EDGE = 0.025  # of the picture, free around everything
COLOURS = ("blue", "green", "purple", "orange", "red", "brown")
MUTED = 0.28  # share of white in the colour of bars
STYLES = (("", "/"), ("", "x"), ("", "."), ("\\", ""))
STROKES = (("solid", "dashed"), ("solid", "dotted"), ("long-dash", "solid"))
SYMBOLS = (("circle", "square"), ("circle", "triangle"), ("square", "diamond"))


def text_px(size_px: int) -> float:
    """Size of all texts: a little above the smallest that is legible."""
    return math.ceil(OVERSAMPLE * 1.06 * x_height_floor_px(size_px) / X_HEIGHT) / OVERSAMPLE


def look_of(scene: Panels, style: Style) -> Look:
    """The free choices of a style."""
    rng = make_rng("panels", style.rng_seed)
    colours = [colour_of(COLOURS[i], style) for i in rng.permutation(len(COLOURS))[:2].tolist()]
    if scene.kind == "bar":
        colours = [tuple(round(c + (255 - c) * MUTED) for c in colour) for colour in colours]
    chosen = [options[int(rng.integers(len(options)))] for options in (STYLES, STROKES, SYMBOLS)]
    return Look(tuple(colours), *chosen, fill=0.62 + 0.16 * float(rng.random()))


def draw_charts(scene: Panels, size_px: int, style: Style) -> Drawing:
    """Draw the panels as an RGB picture of size_px x size_px."""
    theme, look, height = theme_of(style), look_of(scene, style), text_px(size_px)
    canvas = Canvas(size_px, theme.background)
    edge = EDGE * size_px
    title = scene.title + (f" ({scene.unit})" if scene.unit else "")
    canvas.text((edge, edge), title, height, theme.ink, anchor="lt", font=theme.font)
    top = edge + 1.55 * height
    if len(scene.series) > 1:
        _legend(canvas, scene, theme, look, top, height)
        top += 1.5 * height
    columns = 2 if len(scene.panels) == 4 else 1
    rows = -(-len(scene.panels) // columns)
    wide, high = (size_px - 2 * edge) / columns, (size_px - edge - top) / rows
    margins: list[Margin] = []
    for place, panel in enumerate(scene.panels):
        left, upper = edge + place % columns * wide, top + place // columns * high
        numbers = [panel.axis.low + i * panel.axis.step for i in range(INTERVALS + 1)]
        room = max(text_width_px(str(number), height, theme.font) for number in numbers) + 0.55 * height
        plot = Plot(
            left + room, upper + 1.75 * height, left + wide - 0.5 * height, upper + high - 1.5 * height, panel.axis
        )
        canvas.text((plot.left, upper + 0.62 * height), panel.name, height, theme.ink, anchor="lm", font=theme.font)
        margins += draw_plot(canvas, scene, panel, plot, theme, look, height)
    return canvas.drawing(margins)


def _legend(canvas: Canvas, scene: Panels, theme: Theme, look: Look, top: float, height: float) -> None:
    """Samples of the series with their names, in one line."""
    x, y = EDGE * canvas.size_px + 0.2 * height, top + 0.45 * height
    for place, name in enumerate(scene.series):
        if scene.kind == "bar":
            corner = (x, y - 0.42 * height)
            canvas.rectangle(
                corner, (1.5 * height, 0.84 * height), look.colours[place], theme.ink, 1.0, look.hatches[place]
            )
        else:
            width = max(1.6, canvas.size_px / 210)
            canvas.line([(x, y), (x + 1.9 * height, y)], look.colours[place], width, stroke=look.strokes[place])
            canvas.marker((x + 0.95 * height, y), look.symbols[place], 0.26 * height, look.colours[place])
        canvas.text((x + 2.2 * height, y), name, height, theme.ink, anchor="lm", font=theme.font)
        x += 3.4 * height + text_width_px(name, height, theme.font)
