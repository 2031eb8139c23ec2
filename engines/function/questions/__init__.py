"""Questions about graphs: heights, zeros, crossings, turning points, parameters, jumps, regions, matches."""

from engines.base import Engine, QuestionType
from engines.function.draw import draw
from engines.function.questions import crossings, families, jumps, match, points, region, shape
from engines.function.questions.facts import facts
from engines.function.questions.levels import MIN_SIZE_PX

ENGINE = Engine(
    name="function",
    version=4,
    types=(
        QuestionType("value", points.pose_value, MIN_SIZE_PX),
        QuestionType("root", crossings.pose_root, MIN_SIZE_PX),
        QuestionType("slope_sign", points.pose_slope_sign, MIN_SIZE_PX),
        QuestionType("y_intercept", points.pose_y_intercept, MIN_SIZE_PX),
        QuestionType("axis_crossings", crossings.pose_axis_crossings, MIN_SIZE_PX),
        QuestionType("extremum", shape.pose_extremum, MIN_SIZE_PX),
        QuestionType("meetings", crossings.pose_meetings, MIN_SIZE_PX),
        QuestionType("zeros", crossings.pose_zeros, MIN_SIZE_PX),
        QuestionType("intersections", crossings.pose_intersections, MIN_SIZE_PX),
        QuestionType("turns", shape.pose_turns, MIN_SIZE_PX),
        QuestionType("monotone", shape.pose_monotone, MIN_SIZE_PX),
        QuestionType("positive", shape.pose_positive, MIN_SIZE_PX),
        QuestionType("steepest", points.pose_steepest, MIN_SIZE_PX),
        QuestionType("parameter", families.pose_parameter, MIN_SIZE_PX),
        QuestionType("period", families.pose_period, MIN_SIZE_PX),
        QuestionType("amplitude", families.pose_amplitude, MIN_SIZE_PX),
        QuestionType("asymptote", families.pose_asymptote, MIN_SIZE_PX),
        QuestionType("centre", families.pose_centre, MIN_SIZE_PX),
        QuestionType("radius", families.pose_radius, MIN_SIZE_PX),
        QuestionType("jump_value", jumps.pose_jump_value, MIN_SIZE_PX),
        QuestionType("jumps", jumps.pose_jumps, MIN_SIZE_PX),
        QuestionType("domain", jumps.pose_domain, MIN_SIZE_PX),
        QuestionType("match", match.pose_match, match.PANELS_SIZE_PX),
        QuestionType("moved", match.pose_moved, MIN_SIZE_PX),
        QuestionType("region", region.pose_region, MIN_SIZE_PX),
        QuestionType("above", region.pose_above, MIN_SIZE_PX),
        QuestionType("vertex", shape.pose_vertex, MIN_SIZE_PX, held_out=True),
        QuestionType("slope", points.pose_slope, MIN_SIZE_PX, held_out=True),
        QuestionType("solve", crossings.pose_solve, MIN_SIZE_PX, held_out=True),
        QuestionType("limit", jumps.pose_limit, MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
)
