"""Measures: areas and lengths of figures whose sides are written, angles and lengths that follow by theorem."""

from engines.measures.questions import ENGINE

__all__ = ["ENGINE"]
