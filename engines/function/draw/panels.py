"""Four small graphs with letters, two by two; their grids have no numbers, a step is 1."""

from engines.base import Style
from engines.canvas import Canvas
from engines.function.draw.frame import NODE_PX, Frame, floor_px, strands
from engines.function.draw.points import text_px
from engines.function.scene import LETTERS, FunctionScene, PanelsScene
from engines.marks import Apart, Drawing, Margin
from engines.style import colour_of, theme_of

EDGE, GAP = 0.035, 0.05  # free at the edges, and between panels: shares of the picture


def draw_panels(canvas: Canvas, scene: PanelsScene, style: Style) -> Drawing:
    """Draw the panels in reading order, each with its letter above its left end."""
    theme, size_px = theme_of(style), canvas.size_px
    font_px, found = text_px(size_px), []
    letter = 1.15 * font_px
    side = min((1 - 2 * EDGE - GAP) * size_px / 2, ((1 - 2 * EDGE - GAP) * size_px - 2 * letter) / 2)
    between = (size_px - 2 * side) / 3
    high = (size_px - 2 * (side + letter)) / 3
    half = scene.half
    bold = (1.2 + size_px / 200) * min(theme.line_scale, 1.25)
    for index, curve in enumerate(scene.curves):
        left = between + index % 2 * (side + between)
        top = high + index // 2 * (side + letter + high) + letter
        view = FunctionScene(-half, half, -half, half)
        frame = Frame(view, (left, top, side, side))
        canvas.rectangle((left, top), (side, side), fill=theme.panel)
        for step in range(-half, half + 1):
            wide = max(1.2, size_px / 200) if step == 0 else max(0.6, size_px / 400)
            ink = theme.ink if step == 0 else theme.faint
            canvas.line([frame.pixel(-half, step), frame.pixel(half, step)], ink, wide)
            canvas.line([frame.pixel(step, -half), frame.pixel(step, half)], ink, wide)
        for part in strands(curve, view, side):
            canvas.line(frame.pixels(part), colour_of(curve.colour, style), bold)
        canvas.text((left, top - 0.55 * font_px), LETTERS[index], font_px, theme.ink, "lm", theme.font)
        canvas.part(LETTERS[index], (left, top, left + side, top + side))
        found += _margins(frame, size_px)
    return canvas.drawing(found)


def _margins(frame: Frame, size_px: int) -> list[Margin]:
    """Neighbouring nodes stay apart."""
    node = frame.pixel(0, 0)
    return [Apart(node, frame.pixel(*beside), floor_px(size_px, NODE_PX)) for beside in ((1, 0), (0, 1))]
