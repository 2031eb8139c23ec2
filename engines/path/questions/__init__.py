"""Questions about ways: what can be reached, how far it is, where a line ends."""

import numpy as np

from engines.base import Engine, Fact, QuestionType
from engines.path.draw import draw
from engines.path.questions import drive, maze, tangle
from engines.path.scene import Maze, Scene, Streets, Tangle

FACTS = {Maze: maze.facts, Tangle: tangle.facts, Streets: drive.facts}


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about any path scene."""
    return FACTS[type(scene)](scene, rng)


ENGINE = Engine(
    name="path",
    version=3,
    types=(
        QuestionType("maze_exit", maze.pose_exit, maze.MIN_SIZE_PX),
        QuestionType("maze_reach", maze.pose_reach, maze.MIN_SIZE_PX),
        QuestionType("maze_length", maze.pose_length, maze.MIN_SIZE_PX),
        QuestionType("tangle_end", tangle.pose_end, tangle.MIN_SIZE_PX),
        QuestionType("tangle_cross", tangle.pose_cross, tangle.MIN_SIZE_PX),
        QuestionType("drive_blocks", drive.pose_blocks, drive.MIN_SIZE_PX),
        QuestionType("drive_reach", drive.pose_reach, drive.MIN_SIZE_PX),
        QuestionType("maze_turns", maze.pose_turns, maze.MIN_SIZE_PX, held_out=True),
        QuestionType("tangle_most", tangle.pose_most, tangle.MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
)
