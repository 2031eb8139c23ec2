"""Questions about figures in squares: images, pieces, rules, matrices, folded paper."""

from engines.base import Engine, QuestionType
from engines.tiles.draw import draw
from engines.tiles.questions import folding, images, matrices, pieces, rules
from engines.tiles.questions.facts import facts

ENGINE = Engine(
    name="tiles",
    version=3,
    types=(
        QuestionType("image", images.pose_image, images.MIN_SIZE_PX),
        QuestionType("gap", pieces.pose_gap, pieces.GAP_MIN_SIZE_PX),
        QuestionType("unfold", folding.pose_unfold, folding.MIN_SIZE_PX),
        QuestionType("holes", folding.pose_holes, folding.COUNT_MIN_SIZE_PX),
        QuestionType("rule", rules.pose_rule, rules.MIN_SIZE_PX),
        QuestionType("combine", matrices.pose_combine, matrices.MIN_SIZE_PX),
        QuestionType("tally", matrices.pose_tally, matrices.MIN_SIZE_PX),
        QuestionType("march", matrices.pose_march, matrices.MIN_SIZE_PX),
        QuestionType("copies", images.pose_copies, images.COPIES_MIN_SIZE_PX, held_out=True),
        QuestionType("join", pieces.pose_join, pieces.JOIN_MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
)
