"""Questions about stacks of cubes: corners, cuts, plans and views."""

from engines.base import Engine, QuestionType
from engines.solids.draw import draw
from engines.solids.questions import stacks, views

ENGINE = Engine(
    name="solids",
    version=3,
    types=(
        QuestionType("corner", stacks.pose_corner, stacks.MIN_SIZE_PX),
        QuestionType("section", stacks.pose_section, stacks.MIN_SIZE_PX),
        QuestionType("plan_view", views.pose_seen, views.MIN_SIZE_PX),
        QuestionType("views_plan", views.pose_plan, views.MIN_SIZE_PX),
        QuestionType("views_most", views.pose_most, views.MIN_SIZE_PX),
        QuestionType("built", stacks.pose_built, stacks.MIN_SIZE_PX, held_out=True),
        QuestionType("views_least", views.pose_least, views.MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=views.facts,
)
