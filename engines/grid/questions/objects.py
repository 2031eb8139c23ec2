"""The shapes of a grid as things with a colour, a shape, a row and a column, for compositional questions."""

import numpy as np

from engines.compose import COLOUR_ASKED, Attribute, Kind, Thing, make_pose
from engines.grid.questions.cells import Draft
from engines.grid.scene import PLURALS, SHAPES, GridScene
from engines.style import COLOURS

KIND = Kind(
    "shape",
    "shapes",
    (
        Attribute(
            "colour",
            COLOURS,
            "before",
            same="of the same colour as {it}",
            read=COLOUR_ASKED,
        ),
        Attribute(
            "shape",
            SHAPES,
            "noun",
            plurals=PLURALS,
            same="of the same form as {it}",
            read=(
                "What form does {it} have?",
                "What is the form of {it}?",
                "Name the form of {it}.",
                "Find {it}. What form does it have?",
            ),
        ),
        Attribute(
            "row",
            says="in row {value}",
            same="in the same row as {it}",
            more="in a row below {it}",
            less="in a row above {it}",
            most="bottommost",
            least="topmost",
            read=(
                "In which row is {it}?",
                "What is the row of {it}?",
                "Name the row of {it}.",
                "Find {it}. Which row is it in?",
            ),
            gap=(
                "How many rows is {one} below {two}?",
                "By how many rows is {one} below {two}?",
                "How many rows further down than {two} is {one}?",
                "Subtract the row of {two} from the row of {one}.",
            ),
        ),
        Attribute(
            "column",
            says="in column {value}",
            same="in the same column as {it}",
            more="in a column to the right of {it}",
            less="in a column to the left of {it}",
            most="rightmost",
            least="leftmost",
            read=(
                "In which column is {it}?",
                "What is the column of {it}?",
                "Name the column of {it}.",
                "Find {it}. Which column is it in?",
            ),
            gap=(
                "How many columns is {one} to the right of {two}?",
                "By how many columns is {one} to the right of {two}?",
                "How many columns further to the right than {two} is {one}?",
                "Subtract the column of {two} from the column of {one}.",
            ),
        ),
    ),
    keys=(("row", "column"),),
)


def random_scene(rng: np.random.Generator, level: int) -> GridScene:
    """A grid of the level, filled at random."""
    draft = Draft(rng, level)
    return draft.finish(draft.kinds())


def things(scene: GridScene) -> list[Thing]:
    """Every shape."""
    return [{"colour": m.colour, "shape": m.shape, "row": row, "column": column} for row, column, m in scene.marks()]


SKEW = (1.05, 1.2, 1.3, 1.4, 1.0, 1.0, 1.0, 1.05, 1.0, 1.0)  # per level, measured
pose_compose = make_pose(KIND, random_scene, things, skew=SKEW)
