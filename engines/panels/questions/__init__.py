"""Questions across panels: chart arithmetic in two and three steps, counts under conditions, and claims."""

from engines.base import Engine, QuestionType
from engines.panels.draw import draw
from engines.panels.questions import counts, sums
from engines.panels.questions.draft import MIN_SIZE_PX

ENGINE = Engine(
    name="panels",
    version=2,
    types=(
        QuestionType("gap", sums.pose_gap, MIN_SIZE_PX),
        QuestionType("total", sums.pose_total, MIN_SIZE_PX),
        QuestionType("mean", sums.pose_mean, MIN_SIZE_PX),
        QuestionType("change", sums.pose_change, MIN_SIZE_PX),
        QuestionType("share", sums.pose_share, MIN_SIZE_PX),
        QuestionType("both", counts.pose_both, MIN_SIZE_PX),
        QuestionType("claim", counts.pose_claim, MIN_SIZE_PX),
        QuestionType("median", sums.pose_median, MIN_SIZE_PX, held_out=True),
        QuestionType("lead", counts.pose_lead, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=counts.facts,
)
