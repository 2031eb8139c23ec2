"""What is asked about geometry pictures: one file a family. Each `pose` draws the answer first, then a scene."""

from engines.base import Engine, QuestionType
from engines.geometry.draw import draw, maps
from engines.geometry.facts import facts
from engines.geometry.layout import LETTERED, PLAIN
from engines.geometry.questions import angles, circles, counting, graphs, lattice, lines, points, polygons, special

ENGINE = Engine(
    name="geometry",
    version=3,
    types=(
        QuestionType("angle", angles.pose_angle, angles.SIZES),
        QuestionType("angle_size", angles.pose_angle_size, PLAIN),
        QuestionType("measure", angles.pose_measure, angles.MEASURE_SIZES),
        QuestionType("longest", lines.pose_longest, PLAIN),
        QuestionType("relation", lines.pose_relation, PLAIN),
        QuestionType("parallel", lines.pose_parallel, LETTERED),
        QuestionType("perpendicular", lines.pose_perpendicular, LETTERED),
        QuestionType("tick_partner", lines.pose_tick_partner, LETTERED),
        QuestionType("on_line", points.pose_on_line, points.SIZES),
        QuestionType("on_circle", points.pose_on_circle, points.SIZES),
        QuestionType("points_on_line", points.pose_points_on_line, points.SIZES_SEVERAL),
        QuestionType("points_on_circle", points.pose_points_on_circle, points.SIZES_SEVERAL),
        QuestionType("special", special.pose_special, special.SIZES),
        QuestionType("circle_part", special.pose_circle_part, special.PART_SIZES),
        QuestionType("line_circle", circles.pose_line_circle, PLAIN),
        QuestionType("tangent", circles.pose_tangent, circles.TANGENT_SIZES),
        QuestionType("circle_circle", circles.pose_circle_circle, PLAIN),
        QuestionType("containing", circles.pose_containing, PLAIN),
        QuestionType("sides", counting.pose_sides, PLAIN),
        QuestionType("crossings", counting.pose_crossings, PLAIN),
        QuestionType("triangles", counting.pose_triangles, counting.TRIANGLE_SIZES),
        QuestionType("regions", counting.pose_regions, PLAIN),
        QuestionType("joined", graphs.pose_joined, LETTERED),
        QuestionType("inward", polygons.pose_inward, polygons.DENT_SIZES),
        QuestionType("axes", polygons.pose_axes, polygons.AXES_SIZES),
        QuestionType("coordinates", lattice.pose_coordinates, lattice.SIZES),
        QuestionType("lattice_area", lattice.pose_lattice_area, lattice.AREA_SIZES),
        QuestionType("inside", circles.pose_inside, PLAIN, held_out=True),
        QuestionType("vertex_order", polygons.pose_vertex_order, LETTERED, held_out=True),
        QuestionType("degree", graphs.pose_degree, LETTERED, held_out=True),
        QuestionType("part_shapes", counting.pose_part_shapes, counting.PART_SIZES, held_out=True),
    ),
    draw=draw,
    facts=facts,
    maps=maps,
)
