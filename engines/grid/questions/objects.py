"""The shapes of a grid as things with a colour, a shape, a row and a column, for compositional questions."""

import numpy as np

from engines.compose import Attribute, Kind, Thing, make_pose
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
            read=("What colour is {it}?", "Which colour has {it}?", "Name the colour of {it}.", "{it}: which colour?"),
        ),
        Attribute(
            "shape",
            SHAPES,
            "noun",
            plurals=PLURALS,
            same="of the same form as {it}",
            read=("What form has {it}?", "Which form has {it}?", "Name the form of {it}.", "{it}: which form?"),
        ),
        Attribute(
            "row",
            says="in row {value}",
            same="in the same row as {it}",
            more="below {it}",
            less="above {it}",
            most="lowest",
            least="highest",
            read=("In which row is {it}?", "What is the row of {it}?", "Name the row of {it}.", "{it}: which row?"),
            gap=(
                "How many rows is {one} below {two}?",
                "By how many rows is {one} below {two}?",
                "Count the rows from {two} down to {one}.",
                "Subtract the row of {two} from the row of {one}.",
            ),
        ),
        Attribute(
            "column",
            says="in column {value}",
            same="in the same column as {it}",
            more="to the right of {it}",
            less="to the left of {it}",
            most="rightmost",
            least="leftmost",
            read=(
                "In which column is {it}?",
                "What is the column of {it}?",
                "Name the column of {it}.",
                "{it}: which column?",
            ),
            gap=(
                "How many columns is {one} to the right of {two}?",
                "By how many columns is {one} to the right of {two}?",
                "Count the columns from {two} to the right up to {one}.",
                "Subtract the column of {two} from the column of {one}.",
            ),
        ),
    ),
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
