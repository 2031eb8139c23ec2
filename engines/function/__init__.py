"""Function: curves with exact parameters on axes with a grid."""

from engines.function.questions import ENGINE

__all__ = ["ENGINE"]
