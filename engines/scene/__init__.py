"""Scene: solid things of several forms, sizes, surfaces and colours on a floor, some partly behind others."""

from engines.scene.questions import ENGINE

__all__ = ["ENGINE"]
