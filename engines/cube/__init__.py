"""Cubes: stacks of coloured cubes, solids of cubes, nets that fold into a cube, dice."""

from engines.cube.questions import ENGINE

__all__ = ["ENGINE"]
