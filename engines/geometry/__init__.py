"""Geometry: points, segments, polygons and circles with whole coordinates."""

from engines.geometry.questions import ENGINE

__all__ = ["ENGINE"]
