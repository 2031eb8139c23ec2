"""Path: mazes, tangled lines and maps of one-way streets, where the eye has to follow a way."""

from engines.path.questions import ENGINE

__all__ = ["ENGINE"]
