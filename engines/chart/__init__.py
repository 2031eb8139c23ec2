"""Charts of every common kind: reading values, comparing, counting, following lines, using legends and axes."""

from engines.chart.questions import ENGINE

__all__ = ["ENGINE"]
