"""How path scenes look."""

from engines.base import Style
from engines.canvas import Canvas
from engines.marks import Drawing
from engines.path.draw.maze import draw_maze
from engines.path.draw.streets import draw_streets
from engines.path.draw.tangle import draw_tangle
from engines.path.scene import Maze, Scene, Tangle
from engines.style import theme_of


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    theme = theme_of(style)
    canvas = Canvas(size_px, theme.background, theme.wobble_px * min(1.0, size_px / 448))
    if isinstance(scene, Maze):
        return draw_maze(canvas, scene, style)
    return draw_tangle(canvas, scene, style) if isinstance(scene, Tangle) else draw_streets(canvas, scene, style)
