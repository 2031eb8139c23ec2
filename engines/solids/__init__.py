"""Solids: stacks of cubes, their plans with numbers, their views from the sides and cuts through their layers."""

from engines.solids.questions import ENGINE

__all__ = ["ENGINE"]
