"""Questions about cubes: stacks, views, neighbours, solids, nets and dice."""

import numpy as np

from engines.base import Engine, Fact, QuestionType
from engines.cube.draw import draw, maps
from engines.cube.questions import dice, make, nets, objects, places, solids, stacks, views
from engines.cube.scene import DiceScene, NetScene, RollScene, Scene, SolidsScene, StackScene, ViewScene

FACTS = {
    StackScene: stacks.facts,
    ViewScene: views.facts,
    SolidsScene: solids.facts,
    NetScene: nets.facts,
    DiceScene: dice.dice_facts,
    RollScene: dice.roll_facts,
}
NAMED_MIN_SIZE_PX = (112, 112, 112, 168, 168, 224, 224, 336, 336, 448)


def facts(scene: Scene, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions about any scene of cubes."""
    return FACTS[type(scene)](scene, rng)


ENGINE = Engine(
    name="cube",
    version=3,
    types=(
        QuestionType("count_cubes", stacks.pose_count_cubes, make.MIN_SIZE_PX),
        QuestionType("count_colour", stacks.pose_count_colour, make.MIN_SIZE_PX),
        QuestionType("column_height", stacks.pose_column_height, make.MIN_SIZE_PX),
        QuestionType("extreme_colour", stacks.pose_extreme_colour, make.MIN_SIZE_PX),
        QuestionType("count_columns", stacks.pose_count_columns, make.MIN_SIZE_PX),
        QuestionType("visible_cubes", views.pose_visible_cubes, make.MIN_SIZE_PX),
        QuestionType("profile", views.pose_profile, views.ARROW_MIN_SIZE_PX),
        QuestionType("view", views.pose_view, views.VIEW_MIN_SIZE_PX),
        QuestionType("painted", views.pose_painted, make.MIN_SIZE_PX),
        QuestionType("touching", places.pose_touching, make.MIN_SIZE_PX),
        QuestionType("nearest", places.pose_nearest, places.LETTERED_MIN_SIZE_PX),
        QuestionType("compose", objects.pose_compose, objects.MIN_SIZE_PX),
        QuestionType("same_solid", solids.pose_same_solid, solids.MIN_SIZE_PX),
        QuestionType("opposite", nets.pose_opposite, nets.MIN_SIZE_PX),
        QuestionType("net_cube", nets.pose_net_cube, nets.CUBE_MIN_SIZE_PX),
        QuestionType("dice_roll", dice.pose_dice_roll, dice.ROLL_MIN_SIZE_PX),
        QuestionType("fill_box", stacks.pose_fill_box, make.MIN_SIZE_PX, held_out=True),
        QuestionType("height_map", stacks.pose_height_map, NAMED_MIN_SIZE_PX, held_out=True),
        QuestionType("hidden_cubes", views.pose_hidden_cubes, make.MIN_SIZE_PX, held_out=True),
        QuestionType("depth_order", places.pose_depth_order, places.LETTERED_MIN_SIZE_PX, held_out=True),
        QuestionType("dice_bottom", dice.pose_dice_bottom, dice.DICE_MIN_SIZE_PX, held_out=True),
    ),
    draw=draw,
    facts=facts,
    maps=maps,
)
