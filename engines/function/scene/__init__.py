"""What there is in a picture of graphs: curves with exact parameters in windows of whole numbers."""

from engines.function.scene.curve import CONICS, Curve, Number, absolute, formula, line, parabola
from engines.function.scene.sheets import LETTERS, FunctionScene, PanelsScene, Point

__all__ = [
    "CONICS",
    "LETTERS",
    "Curve",
    "FunctionScene",
    "Number",
    "PanelsScene",
    "Point",
    "absolute",
    "formula",
    "line",
    "parabola",
]
