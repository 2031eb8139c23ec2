"""What pictures of cubes show: stacks on a floor, solids to be turned, nets to be folded, dice to be rolled.

One frame for all: rows run from the far corner towards the lower left of the picture, columns towards the lower right,
height upwards. (row, column, height) is a right-handed frame, and an onlooker sees the faces towards +row (the left
one of a cube), +column (the right one) and +height (the top).
"""

from engines.cube.scene.dice import DiceScene, RollScene
from engines.cube.scene.nets import NetScene
from engines.cube.scene.solids import SolidsScene
from engines.cube.scene.stacks import StackScene, ViewScene

Scene = StackScene | ViewScene | SolidsScene | NetScene | DiceScene | RollScene

__all__ = ["DiceScene", "NetScene", "RollScene", "Scene", "SolidsScene", "StackScene", "ViewScene"]
