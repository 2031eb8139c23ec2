"""Marked points in a hall of pillars: which is nearer, and how many things there are."""

from engines.depth.questions import ENGINE

__all__ = ["ENGINE"]
