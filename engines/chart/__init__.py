"""Bar, pie and line charts: reading values, comparing, counting."""

from engines.chart.questions import ENGINE

__all__ = ["ENGINE"]
