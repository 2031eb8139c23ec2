"""Walls: bricks in layers, each half over the two below it."""

from engines.base import Style
from engines.canvas import Canvas
from engines.logic.scene.wall import Wall
from engines.marks import Drawing
from engines.style import theme_of

MARGIN_SHARE = 0.05
HIGH = 0.6  # height of a brick, in widths


def draw_wall(canvas: Canvas, scene: Wall, style: Style) -> Drawing:
    """Draw a wall over the width of the picture."""
    theme, size_px, base = theme_of(style), canvas.size_px, len(scene.layers)
    wide = size_px * (1 - 2 * MARGIN_SHARE) / base
    high = min(HIGH * wide, size_px * 0.86 / base)
    bottom = size_px / 2 + base * high / 2
    width = max(1.0, size_px / 240) * theme.line_scale
    for height, layer in enumerate(scene.layers):
        for place, number in enumerate(layer):
            x, y = size_px * MARGIN_SHARE + (place + height / 2) * wide, bottom - (height + 1) * high
            canvas.rectangle((x, y), (wide, high), theme.panel, theme.ink, width)
            middle = (x + wide / 2, y + high / 2)
            text = "?" if (height, place) == scene.asked else "" if number is None else str(number)
            if text:
                canvas.text(middle, text, min(high * 0.52, wide * 0.42), theme.ink, font=theme.font)
            canvas.part(f"layer {height + 1} brick {place + 1}", middle)
    return canvas.drawing()
