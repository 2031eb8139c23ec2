"""How charts look: one function for every family; scenes in, a picture with its marks and margins out."""

import numpy as np

from engines.base import Style
from engines.canvas import painted_maps
from engines.chart.draw.bars import draw_bars, draw_boxes, draw_histogram
from engines.chart.draw.cells import draw_heat, draw_table
from engines.chart.draw.faces import face_of
from engines.chart.draw.lines import draw_lines, draw_scatter
from engines.chart.draw.round import draw_pie, draw_radar
from engines.chart.draw.sheet import Sheet
from engines.chart.scene import Chart, Figure
from engines.marks import Drawing

PAINTERS = {
    "bar": draw_bars,
    "hbar": draw_bars,
    "stacked": draw_bars,
    "hstacked": draw_bars,
    "line": draw_lines,
    "area": draw_lines,
    "pie": draw_pie,
    "donut": draw_pie,
    "radar": draw_radar,
    "heat": draw_heat,
    "table": draw_table,
    "scatter": draw_scatter,
    "histogram": draw_histogram,
    "box": draw_boxes,
}

MOST_PLAIN = 6  # letters or numbers along an axis, in a chart that has nothing else to say


def draw(scene: Figure, size_px: int, style: Style) -> Drawing:
    """Draw the scene as an RGB picture of size_px x size_px, with its marks and margins."""
    face = face_of(scene, size_px, style)
    if face is not None:
        return face
    sheet = Sheet(size_px, style, scene.furniture, _is_plain(scene))
    return sheet.canvas.drawing(PAINTERS[scene.kind](sheet, scene))


def maps(scene: Figure, size_px: int, style: Style) -> dict[str, np.ndarray]:
    """Segments and occupancy of the clean picture: bars and their parts, bins, sectors; none of other charts.

    They are numbered series by series, and within each as the scene has its values. A picture in matplotlib's look has
    no maps either.
    """
    return painted_maps(draw(scene, size_px, style), size_px)


def _is_plain(scene: Figure) -> bool:
    """Whether a few single letters and short numbers are all that is written."""
    furniture = scene.furniture
    if (
        furniture.title
        or furniture.axis_title
        or furniture.legend
        or scene.axis.label()
        or scene.kind in ("table", "radar")
    ):
        return False
    words = (*scene.categories, *scene.series) if isinstance(scene, Chart) else getattr(scene, "categories", ())
    numbers = scene.axis.numbers()
    are_short = all(len(word) <= 1 for word in words) and len(scene.axis.text(numbers[-1])) <= 2
    return are_short and max(len(words), len(numbers)) <= MOST_PLAIN
