"""What path pictures show: a maze, a tangle of lines, or a map of streets."""

from engines.path.scene.maze import Gate, Maze
from engines.path.scene.streets import Streets
from engines.path.scene.tangle import Tangle

Scene = Maze | Tangle | Streets

__all__ = ["Gate", "Maze", "Scene", "Streets", "Tangle"]
