"""Stacks of coloured cubes on a floor: counting, heights, colours."""

from engines.cube.questions import ENGINE

__all__ = ["ENGINE"]
