"""How logic boards look."""

from engines.base import Style
from engines.canvas import Canvas
from engines.logic.draw.latin import draw_latin
from engines.logic.draw.nonogram import draw_nonogram
from engines.logic.draw.queens import draw_queens
from engines.logic.draw.wall import draw_wall
from engines.logic.scene import Latin, Nonogram, Queens, Scene
from engines.marks import Drawing
from engines.style import theme_of


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    theme = theme_of(style)
    canvas = Canvas(size_px, theme.background, theme.wobble_px * min(1.0, size_px / 448))
    if isinstance(scene, Latin):
        return draw_latin(canvas, scene, style)
    if isinstance(scene, Nonogram):
        return draw_nonogram(canvas, scene, style)
    return draw_queens(canvas, scene, style) if isinstance(scene, Queens) else draw_wall(canvas, scene, style)
