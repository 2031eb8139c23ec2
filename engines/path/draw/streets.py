"""Street maps: grey blocks between crossings, an arrow in the middle of each one-way block, letters in discs."""

from engines.base import Style
from engines.canvas import Canvas, Point
from engines.marks import Apart, Drawing
from engines.path.scene.streets import Place, Streets
from engines.style import theme_of

MARGIN_SHARE = 0.04  # of the picture, around the discs
ROAD = 0.2  # of the distance between crossings: width of a street
DISC = 0.24  # the same: radius of a letter's disc
HEAD = 0.2  # the same: length of an arrow's head
GAP_PX = 16.0  # least distance between crossings, at any size


def draw_streets(canvas: Canvas, scene: Streets, style: Style) -> Drawing:
    """Draw a map as large as fits."""
    theme, size_px = theme_of(style), canvas.size_px
    step = size_px * (1 - 2 * MARGIN_SHARE) / (max(scene.rows, scene.columns) - 1 + 2 * DISC)
    left, top = (size_px - step * (scene.columns - 1)) / 2, (size_px - step * (scene.rows - 1)) / 2

    def at(place: Place) -> Point:
        return left + (place[1] - 1) * step, top + (place[0] - 1) * step

    for a, b in (*scene.one_way, *scene.two_way):
        canvas.line([at(a), at(b)], theme.faint, step * ROAD)
    for place in {place for block in (*scene.one_way, *scene.two_way) for place in block}:
        canvas.circle(at(place), step * ROAD / 2, fill=theme.faint)
    for a, b in scene.one_way:
        (x, y), (u, v) = at(a), at(b)
        along = ((u - x) / step, (v - y) / step)
        middle, half = ((x + u) / 2, (y + v) / 2), step * (0.5 - DISC) * 0.72
        tail = (middle[0] - along[0] * half, middle[1] - along[1] * half)
        tip = (middle[0] + along[0] * half, middle[1] + along[1] * half)
        canvas.arrow(tail, tip, theme.ink, max(1.2, step * 0.035), head_px=step * HEAD)
        canvas.part(f"{a[0]},{a[1]} to {b[0]},{b[1]}", middle)
    for place, letter in scene.letters:
        canvas.circle(at(place), step * DISC, fill=theme.panel, outline=theme.ink, width_px=max(1.2, size_px / 300))
        height = min(step * 0.34, size_px * 0.11)
        canvas.text(at(place), letter, height, theme.ink, font=theme.font)
        canvas.part(letter, at(place))
    return canvas.drawing([Apart(at((1, 1)), at((1, 2)), GAP_PX)])
