"""Questions about things on a floor: what there is, where it stands, what hides what."""

from engines.base import Engine, QuestionType
from engines.scene.draw import draw, maps
from engines.scene.questions import hiding, objects, single

MIN_SIZE_PX = (112, 112, 224, 224, 224, 224, 280, 280, 336, 336)

ENGINE = Engine(
    name="scene",
    version=2,
    types=(
        QuestionType("count", single.pose_count, MIN_SIZE_PX),
        QuestionType("compose", objects.pose_compose, MIN_SIZE_PX),
        QuestionType("order", single.pose_order, MIN_SIZE_PX),
        QuestionType("nearest", single.pose_nearest, MIN_SIZE_PX),
        QuestionType("covered", hiding.pose_covered, MIN_SIZE_PX),
        QuestionType("hider", hiding.pose_hider, MIN_SIZE_PX),
        QuestionType("depth", single.pose_depth, MIN_SIZE_PX, held_out=True),
        QuestionType("area", single.pose_area, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=single.facts,
    maps=maps,
)
