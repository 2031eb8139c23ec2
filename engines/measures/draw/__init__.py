"""How measured figures look."""

from engines.base import Style
from engines.canvas import Canvas
from engines.marks import Drawing
from engines.measures.draw.figure import draw_figure
from engines.measures.draw.plan import draw_plan
from engines.measures.scene import Plan, Scene
from engines.style import theme_of


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    theme = theme_of(style)
    canvas = Canvas(size_px, theme.background, theme.wobble_px * min(1.0, size_px / 448))
    return draw_plan(canvas, scene, style) if isinstance(scene, Plan) else draw_figure(canvas, scene, style)
