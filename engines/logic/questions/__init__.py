"""Questions about boards with one solution: what must stand in a cell, what contradicts the rest."""

from engines.base import Engine, QuestionType
from engines.logic.draw import draw
from engines.logic.questions import cages, nonogram, queens, signs, wall
from engines.logic.questions.facts import facts

ENGINE = Engine(
    name="logic",
    version=3,
    types=(
        QuestionType("nonogram", nonogram.pose_nonogram, nonogram.MIN_SIZE_PX),
        QuestionType("futoshiki", signs.pose_futoshiki, signs.MIN_SIZE_PX),
        QuestionType("cages", cages.pose_cages, cages.MIN_SIZE_PX),
        QuestionType("queens", queens.pose_queens, queens.MIN_SIZE_PX),
        QuestionType("contradiction", cages.pose_contradiction, cages.WRONG_MIN_SIZE_PX, held_out=True),
        QuestionType("wall", wall.pose_wall, wall.MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
)
