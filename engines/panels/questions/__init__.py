"""Questions across panels: chart arithmetic, counts and claims; derivatives, trends, values between points, heights."""

import numpy as np

from engines.base import Engine, Fact, QuestionType
from engines.panels.draw import draw
from engines.panels.questions import counts, heights, slopes, sums, trends
from engines.panels.questions.draft import MIN_SIZE_PX
from engines.panels.scene import Clouds, Courses, Map, Panels, Scene


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about any picture of panels."""
    if isinstance(scene, Panels):
        return counts.facts(scene, rng)
    if isinstance(scene, Clouds):
        return trends.cloud_facts(scene, rng)
    if isinstance(scene, Courses):
        return trends.course_facts(scene, rng)
    return heights.facts(scene, rng) if isinstance(scene, Map) else slopes.facts(scene, rng)


ENGINE = Engine(
    name="panels",
    version=4,
    types=(
        QuestionType("gap", sums.pose_gap, MIN_SIZE_PX),
        QuestionType("total", sums.pose_total, MIN_SIZE_PX),
        QuestionType("mean", sums.pose_mean, MIN_SIZE_PX),
        QuestionType("change", sums.pose_change, MIN_SIZE_PX),
        QuestionType("share", sums.pose_share, MIN_SIZE_PX),
        QuestionType("both", counts.pose_both, MIN_SIZE_PX),
        QuestionType("claim", counts.pose_claim, MIN_SIZE_PX),
        QuestionType("derivative", slopes.pose_derivative, slopes.MIN_SIZE_PX),
        QuestionType("orders", slopes.pose_orders, slopes.MIN_SIZE_PX),
        QuestionType("bends", slopes.pose_bends, slopes.MIN_SIZE_PX),
        QuestionType("fit", trends.pose_fit, trends.MIN_SIZE_PX),
        QuestionType("correlation", trends.pose_correlation, trends.MIN_SIZE_PX),
        QuestionType("between", trends.pose_between, trends.COURSE_MIN_SIZE_PX),
        QuestionType("summit", heights.pose_summit, heights.MIN_SIZE_PX),
        QuestionType("median", sums.pose_median, MIN_SIZE_PX, held_out=True),
        QuestionType("lead", counts.pose_lead, MIN_SIZE_PX, held_out=True),
        QuestionType("primitive", slopes.pose_primitive, slopes.MIN_SIZE_PX, held_out=True),
        QuestionType("climb", heights.pose_climb, heights.MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
)
