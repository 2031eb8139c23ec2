"""What logic pictures show. Rows count from the top and columns from the left, both from 1."""

from engines.logic.scene.latin import Cage, Latin
from engines.logic.scene.nonogram import Nonogram
from engines.logic.scene.queens import Queens
from engines.logic.scene.wall import Wall

Scene = Latin | Nonogram | Queens | Wall

__all__ = ["Cage", "Latin", "Nonogram", "Queens", "Scene", "Wall"]
