"""Plans: a coloured outline to scale with lengths beside its sides, parts cut out in the paper's colour."""

from engines.base import Style
from engines.canvas import Canvas
from engines.marks import Apart, Drawing
from engines.measures.scene.plan import TEXT_SHARE, Length, Plan, Spot
from engines.style import colour_of, mixed, theme_of

PALE = 0.45  # share of paper in the figure's colour


def draw_plan(canvas: Canvas, scene: Plan, style: Style) -> Drawing:
    """Draw a plan in the middle of the picture."""
    theme, size_px = theme_of(style), canvas.size_px
    wide, tall = (max(spot[axis] for spot in scene.outline) for axis in (0, 1))
    unit = scene.unit() * size_px
    left, low = (size_px - wide * unit) / 2, (size_px + tall * unit) / 2
    width = max(1.2, size_px / 230) * theme.line_scale

    def at(spot: tuple[float, float]) -> tuple[float, float]:
        return left + spot[0] * unit, low - spot[1] * unit

    paint = mixed(colour_of(scene.colour, style), theme.panel, PALE)
    canvas.polygon([at(spot) for spot in scene.outline], paint, theme.ink, width)
    for ring in scene.cuts:
        canvas.polygon([at(spot) for spot in ring], theme.background, theme.ink, width)
    height, margins = max(size_px * TEXT_SHARE, 8.6), []
    for line, spot in zip(scene.lengths, scene.texts(), strict=True):
        start, end = at(line.start), at(line.end)
        if not _is_drawn(line, scene):
            canvas.line([start, end], theme.ink, width * 0.8, dash_px=max(2.5, size_px / 90))
            foot, top = (line.start, line.end) if _is_edge(line.start, scene) else (line.end, line.start)
            beside = (foot[0] + top[1] - foot[1], foot[1] - top[0] + foot[0])
            canvas.right_angle(at(foot), at(top), at(beside), theme.ink, width * 0.7, max(4.0, size_px / 50))
        canvas.text(at(spot), line.text, height, theme.ink, font=theme.font)
        margins.append(Apart(start, end, max(5.0, size_px / 60)))
    for place, spot in enumerate(scene.outline):
        canvas.part(f"corner {place + 1}", at(spot))
    return canvas.drawing(margins)


def _is_drawn(line: Length, scene: Plan) -> bool:
    """Say whether a length lies along a side of the outline or of a part that is cut out."""
    rings = (scene.outline, *scene.cuts)
    sides = [pair for ring in rings for pair in zip(ring, ring[1:] + ring[:1], strict=True)]
    return any(_is_on(line.start, *side) and _is_on(line.end, *side) for side in sides)


def _is_on(spot: Spot, start: Spot, end: Spot) -> bool:
    """Say whether a spot lies on a straight line between two."""
    (x, y), (a, b), (c, d) = spot, start, end
    is_between = min(a, c) <= x <= max(a, c) and min(b, d) <= y <= max(b, d)
    return is_between and (c - a) * (y - b) == (d - b) * (x - a)


def _is_edge(spot: Spot, scene: Plan) -> bool:
    """Say whether a spot lies on the outline."""
    ring = scene.outline
    return any(_is_on(spot, *pair) for pair in zip(ring, ring[1:] + ring[:1], strict=True))
