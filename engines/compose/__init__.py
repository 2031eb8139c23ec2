"""Questions put together from parts: filter, relate, arg-max, count, compare and add over the things in a scene.

A category that has things with attributes describes them (`Kind`), lists those of a scene as plain rows, and gets a
question type whose number of operations grows with the level:

    pose = make_pose(kind, random_scene, things)        random_scene(rng, level) -> scene, things(scene) -> rows
"""

from engines.compose.pose import OPERATIONS, make_pose
from engines.compose.program import Thing
from engines.compose.wording import COLOUR_ASKED, Attribute, Kind

__all__ = ["COLOUR_ASKED", "OPERATIONS", "Attribute", "Kind", "Thing", "make_pose"]
