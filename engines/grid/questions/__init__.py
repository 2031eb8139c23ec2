"""Questions about grids: what is where, how many, how large, the same or not, where a trail leads."""

import numpy as np

from engines.base import Engine, Fact, QuestionType
from engines.grid.draw import Scene, draw, maps
from engines.grid.questions import cells, objects, panels, region, rings, trail
from engines.grid.scene import GridScene, NestScene, PanelsScene, RegionScene, RingsScene, TrailScene

FACTS = {
    GridScene: cells.facts,
    RegionScene: region.facts,
    PanelsScene: panels.facts,
    TrailScene: trail.facts,
    RingsScene: rings.facts,
    NestScene: rings.nest_facts,
}


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about any grid scene."""
    return FACTS[type(scene)](scene, rng)


ENGINE = Engine(
    name="grid",
    version=3,
    types=(
        QuestionType("read_colour", cells.pose_read_colour, cells.MIN_SIZE_PX),
        QuestionType("read_shape", cells.pose_read_shape, cells.MIN_SIZE_PX),
        QuestionType("count_colour", cells.pose_count_colour, cells.MIN_SIZE_PX),
        QuestionType("count_both", cells.pose_count_both, cells.MIN_SIZE_PX),
        QuestionType("locate", cells.pose_locate, cells.MIN_SIZE_PX),
        QuestionType("grid_size", cells.pose_grid_size, cells.MIN_SIZE_PX),
        QuestionType("compose", objects.pose_compose, cells.MIN_SIZE_PX),
        QuestionType("area", region.pose_area, region.MIN_SIZE_PX),
        QuestionType("perimeter", region.pose_perimeter, region.MIN_SIZE_PX),
        QuestionType("components", region.pose_components, region.MIN_SIZE_PX),
        QuestionType("difference", panels.pose_difference, panels.MIN_SIZE_PX),
        QuestionType("differences", panels.pose_differences, panels.MIN_SIZE_PX),
        QuestionType("symmetry", panels.pose_symmetry, panels.MIN_SIZE_PX),
        QuestionType("exit", trail.pose_exit, trail.MIN_SIZE_PX),
        QuestionType("circles", rings.pose_circles, rings.MIN_SIZE_PX),
        QuestionType("overlaps", rings.pose_overlaps, rings.MIN_SIZE_PX),
        QuestionType("neighbour", cells.pose_neighbour, cells.MIN_SIZE_PX, held_out=True),
        QuestionType("most_common", cells.pose_most_common, cells.MIN_SIZE_PX, held_out=True),
        QuestionType("trail_length", trail.pose_length, trail.MIN_SIZE_PX, held_out=True),
        QuestionType("nested", rings.pose_nested, rings.NEST_MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
    maps=maps,
)
