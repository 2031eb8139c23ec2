"""What pictures of measured figures show."""

from engines.measures.scene.figure import Figure
from engines.measures.scene.forms import FORMS, Shape
from engines.measures.scene.plan import Plan

Scene = Plan | Figure

__all__ = ["FORMS", "Figure", "Plan", "Scene", "Shape"]
