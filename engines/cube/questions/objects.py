"""Columns of one colour each, called towers, as things for compositional questions: colour, height, row, column."""

import numpy as np

from engines.compose import COLOUR_ASKED, Attribute, Kind, Thing, make_pose
from engines.cube.questions.make import COLOURS, TOPS_SHOWN, between, drafts, finish, palette, pick
from engines.cube.scene import StackScene

FLOORS = (((2, 3), (3, 2)), ((2, 3), (3, 3)), ((3, 3),), ((3, 3), (3, 4)), ((3, 4), (4, 3)), ((4, 4),),
          ((4, 4), (4, 5)), ((4, 5), (5, 4)), ((5, 5),), ((5, 5), (5, 6)))  # fmt: skip
TALLEST = (3, 3, 4, 4, 6, 6, 6, 7, 7, 7)
COLOURS_SHOWN = (3, 3, 4, 4, 5, 5, 6, 6, 6, 6)
FILLED = (0.65, 0.95)  # share of the tiles with a tower
MIN_SIZE_PX = (112, 112, 140, 168, 168, 196, 224, 252, 280, 336)
ROWS = ("A", "B", "C", "D", "E", "F")

KIND = Kind(
    "tower",
    "towers",
    (
        Attribute(
            "colour",
            COLOURS,
            "before",
            same="of the same colour as {it}",
            read=COLOUR_ASKED,
        ),
        Attribute(
            "height",
            says="of height {value}",
            same="as high as {it}",
            more="higher than {it}",
            less="lower than {it}",
            most="highest",
            least="lowest",
            read=(
                "How many cubes high is {it}?",
                "How high is {it}?",
                "What is the height of {it}?",
                "Find {it}. How many cubes high is it?",
            ),
            gap=(
                "How many cubes higher is {one} than {two}?",
                "By how many cubes is {one} higher than {two}?",
                "Subtract the height of {two} from the height of {one}.",
                "How many more cubes does {one} have than {two}?",
            ),
            sum=(
                "How many cubes do {one} and {two} have together?",
                "Add the height of {one} to the height of {two}.",
                "How high are {one} and {two} if put on top of each other?",
                "What is the height of {one} plus the height of {two}?",
            ),
        ),
        Attribute("row", ROWS, says="in row {value}", same="in the same row as {it}"),
        Attribute(
            "column",
            says="in column {value}",
            same="in the same column as {it}",
            more="in a column of a higher number than {it}",
            less="in a column of a lower number than {it}",
        ),
    ),
    keys=(("row", "column"),),
)


def random_scene(rng: np.random.Generator, level: int) -> StackScene:
    """Towers of one colour each, with names of rows and columns."""
    floor = pick(rng, FLOORS[level])
    cells = floor[0] * floor[1]
    count = max(2, round(cells * rng.uniform(*FILLED)))
    values = [between(rng, 1, TALLEST[level]) for _ in range(count)] + [0] * (cells - count)
    heights = next(drafts(rng, floor, values, TOPS_SHOWN[level]))
    colours = palette(rng, COLOURS_SHOWN[level])
    stacks = [[[pick(rng, colours)] * height for height in line] for line in heights.tolist()]
    return finish(rng, stacks, lettered=True)


def things(scene: StackScene) -> list[Thing]:
    """Every tower."""
    return [
        {"colour": stack[0], "height": len(stack), "row": ROWS[row], "column": column + 1}
        for row, line in enumerate(scene.stacks)
        for column, stack in enumerate(line)
        if stack
    ]


SKEW = (1.15, 1.25, 1.2, 1.0, 0.9, 1.0, 1.0, 0.95, 0.85, 0.85)  # per level, measured
pose_compose = make_pose(KIND, random_scene, things, skew=SKEW)
