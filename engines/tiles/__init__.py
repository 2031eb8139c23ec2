"""Tiles: figures in squares that are turned, mirrored, joined, combined by rules, and folded paper with holes."""

from engines.tiles.questions import ENGINE

__all__ = ["ENGINE"]
