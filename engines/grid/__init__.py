"""Grid: coloured shapes in the cells of a square grid."""

from engines.grid.questions import ENGINE

__all__ = ["ENGINE"]
