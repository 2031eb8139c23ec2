"""The things on a floor with colour, form, size and surface, for compositional questions.

Right and left, nearer and farther are relations alone: no two things are level, and no place is ever stated.
"""

import numpy as np

from engines.compose import COLOUR_ASKED, Attribute, Kind, Thing, make_pose
from engines.scene.questions.place import COLOURS, COUNTS, SURFACES_FROM_LEVEL, kinds, spread
from engines.scene.scene import SHAPES, SIZES, SURFACES, Floor

ATTRIBUTES = (
    Attribute("size", SIZES, "before", same="of the same size as {it}"),
    Attribute(
        "colour",
        COLOURS,
        "before",
        same="of the same colour as {it}",
        read=COLOUR_ASKED,
    ),
    Attribute(
        "surface",
        SURFACES,
        "before",
        same="of the same surface as {it}",
        read=(
            "Is {it} matte, shiny or striped?",
            "What surface does {it} have: matte, shiny or striped?",
            "Name the surface of {it}: matte, shiny or striped.",
            "Find {it}. Is its surface matte, shiny or striped?",
        ),
    ),
    Attribute(
        "shape",
        SHAPES,
        "noun",
        plurals=tuple(f"{shape}s" for shape in SHAPES),
        same="of the same form as {it}",
        read=(
            "What form does {it} have?",
            "What is the form of {it}?",
            "Name the form of {it}.",
            "Find {it}. What form does it have?",
        ),
    ),
    Attribute(
        "x",
        role="silent",
        more="farther to the right than {it}",
        less="farther to the left than {it}",
        most="rightmost",
        least="leftmost",
    ),
    Attribute(
        "depth",
        role="silent",
        more="farther from you than {it}",
        less="nearer to you than {it}",
        most="farthest",
        least="nearest",
    ),
)
KIND = Kind("thing", "things", ATTRIBUTES)
# Where all things are matte nobody asks for surfaces.
PLAIN_KIND = Kind("thing", "things", tuple(a for a in ATTRIBUTES if a.name != "surface"))


def random_scene(rng: np.random.Generator, level: int) -> Floor:
    """A floor of the level with random things."""
    return spread(rng, level, kinds(rng, level, COUNTS[level]))


def things(scene: Floor) -> list[Thing]:
    """Every thing; its depth grows towards the back."""
    return [
        {"colour": t.colour, "shape": t.shape, "size": t.size, "surface": t.surface, "x": t.x, "depth": -t.y}
        for t in scene.things
    ]


OPERATIONS = (1, 1, 2, 2, 2, 3, 3, 3, 4, 4)


def _kind(level: int) -> Kind:
    return PLAIN_KIND if level < SURFACES_FROM_LEVEL else KIND


pose_compose = make_pose(_kind, random_scene, things, OPERATIONS)
