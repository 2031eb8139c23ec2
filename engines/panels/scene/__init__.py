"""What pictures of panels show: charts, graphs of functions, clouds of points, courses and maps of heights."""

from engines.panels.scene.charts import INTERVALS, Axis, Panel, Panels
from engines.panels.scene.clouds import Cloud, Clouds, Line
from engines.panels.scene.courses import Course, Courses
from engines.panels.scene.graphs import HALF, LETTERS, Graph, Graphs, Strips
from engines.panels.scene.heights import SIDE, Hill, Map, Spot

Scene = Panels | Graphs | Strips | Clouds | Courses | Map

__all__ = ["HALF", "INTERVALS", "LETTERS", "SIDE", "Axis", "Cloud", "Clouds", "Course", "Courses", "Graph", "Graphs"]
__all__ += ["Hill", "Line", "Map", "Panel", "Panels", "Scene", "Spot", "Strips"]
