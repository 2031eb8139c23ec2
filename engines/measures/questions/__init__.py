"""Questions about measured figures: areas, perimeters, sides, angles and lengths by theorem."""

import numpy as np

from engines.base import Engine, Fact, QuestionType
from engines.measures.draw import draw
from engines.measures.questions import figures, plans
from engines.measures.scene import Plan, Scene


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about any measured figure."""
    return plans.facts(scene, rng) if isinstance(scene, Plan) else figures.facts(scene, rng)


ENGINE = Engine(
    name="measures",
    version=2,
    types=(
        QuestionType("area", plans.pose_area, plans.MIN_SIZE_PX),
        QuestionType("perimeter", plans.pose_perimeter, plans.MIN_SIZE_PX),
        QuestionType("side", plans.pose_side, plans.MIN_SIZE_PX),
        QuestionType("shaded", plans.pose_shaded, plans.SHADED_MIN_SIZE_PX),
        QuestionType("angle", figures.pose_angle, figures.MIN_SIZE_PX),
        QuestionType("right", figures.pose_right, figures.LENGTHS_MIN_SIZE_PX),
        QuestionType("circle_angle", figures.pose_circle, figures.MIN_SIZE_PX, held_out=True),
        QuestionType("parallel", figures.pose_parallel, figures.LENGTHS_MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
)
