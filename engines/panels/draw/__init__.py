"""How pictures of panels look."""

from engines.base import Style
from engines.marks import Drawing
from engines.panels.draw.charts import draw_charts, look_of, text_px
from engines.panels.draw.clouds import draw_clouds
from engines.panels.draw.courses import draw_courses
from engines.panels.draw.graphs import draw_graphs, draw_strips
from engines.panels.draw.heights import draw_map
from engines.panels.scene import Clouds, Courses, Graphs, Map, Panels, Scene, Strips

__all__ = ["draw", "look_of", "text_px"]
PAINTERS = {
    Panels: draw_charts,
    Graphs: draw_graphs,
    Strips: draw_strips,
    Clouds: draw_clouds,
    Courses: draw_courses,
    Map: draw_map,
}


def draw(scene: Scene, size_px: int, style: Style) -> Drawing:
    """Draw a scene as an RGB picture of size_px x size_px."""
    return PAINTERS[type(scene)](scene, size_px, style)
