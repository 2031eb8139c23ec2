"""What charts show, exactly: whole numbers on axes, and the words around them. One class a family of charts."""

from engines.chart.scene.axis import Axis, Furniture
from engines.chart.scene.numeric import BoxPlot, Dot, Five, Histogram, Scatter
from engines.chart.scene.table import MARKERS, ROUND, SIDEWAYS, Chart, Kind

__all__ = [
    "MARKERS",
    "ROUND",
    "SIDEWAYS",
    "Axis",
    "BoxPlot",
    "Chart",
    "Dot",
    "Figure",
    "Five",
    "Furniture",
    "Histogram",
    "Kind",
    "Scatter",
]

Figure = Chart | Scatter | Histogram | BoxPlot
