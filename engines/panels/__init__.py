"""Panels: several charts in one picture, and questions that need more than one of their values."""

from engines.panels.questions import ENGINE

__all__ = ["ENGINE"]
