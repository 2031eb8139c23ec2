"""Questions about marked points and things, nearer and farther, and about how many things there are."""

from engines.base import Engine, QuestionType
from engines.depth.draw import draw, maps
from engines.depth.questions import counting, points, things

MIN_SIZE_PX = (112, 112, 112, 224, 224, 224, 224, 224, 224, 224)

ENGINE = Engine(
    name="depth",
    version=1,
    types=(
        QuestionType("nearest_point", points.pose_nearest, MIN_SIZE_PX),
        QuestionType("farthest_point", points.pose_farthest, MIN_SIZE_PX),
        QuestionType("nearer_of_two", points.pose_pair, MIN_SIZE_PX),
        QuestionType("order_points", points.pose_order, MIN_SIZE_PX),
        QuestionType("nearest_thing", things.pose_nearest, MIN_SIZE_PX),
        QuestionType("farthest_thing", things.pose_farthest, MIN_SIZE_PX),
        QuestionType("count_things", counting.pose_things, MIN_SIZE_PX),
        QuestionType("count_colour", counting.pose_coloured, MIN_SIZE_PX),
        QuestionType("second_nearest", points.pose_second, MIN_SIZE_PX, held_out=True),
        QuestionType("count_nearer", points.pose_closer, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=counting.facts,
    maps=maps,
)
