"""The digits of a board as things with a value, a row, a column and a box, for compositional questions."""

import numpy as np

from engines.compose import Attribute, Kind, Thing, make_pose
from engines.sudoku.questions.board import Board
from engines.sudoku.scene import SudokuScene


def _ask(name: str) -> tuple[str, ...]:
    return (
        f"In which {name} is {{it}}?",
        f"What is the {name} of {{it}}?",
        f"Name the {name} of {{it}}.",
        f"Find {{it}}. Which {name} is it in?",
    )


def _apart(name: str, way: str) -> tuple[str, ...]:
    return (
        f"How many {name}s is {{one}} {way} {{two}}?",
        f"By how many {name}s is {{one}} {way} {{two}}?",
        f"Subtract the {name} of {{two}} from the {name} of {{one}}.",
        f"How much larger is the {name} of {{one}} than that of {{two}}?",
    )


KIND = Kind(
    "digit",
    "digits",
    (
        Attribute(
            "value",
            says="with value {value}",
            same="equal to {it}",
            more="larger than {it}",
            less="smaller than {it}",
            most="largest",
            least="smallest",
            read=("What is the value of {it}?", "Which value does {it} have?", "Give the value of {it}.", "Read {it}."),
            gap=(
                "How much larger is {one} than {two}?",
                "By how much is {one} larger than {two}?",
                "Subtract {two} from {one}.",
                "What is {one} minus {two}?",
            ),
            sum=(
                "Add {one} and {two}.",
                "What is {one} plus {two}?",
                "What is the sum of {one} and {two}?",
                "What do {one} and {two} add up to?",
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
            read=_ask("row"),
            gap=_apart("row", "below"),
        ),
        Attribute(
            "column",
            says="in column {value}",
            same="in the same column as {it}",
            more="in a column to the right of {it}",
            less="in a column to the left of {it}",
            most="rightmost",
            least="leftmost",
            read=_ask("column"),
            gap=_apart("column", "to the right of"),
        ),
        Attribute("box", role="silent", same="in the same box as {it}"),
    ),
    keys=(("row", "column"), ("value", "row"), ("value", "column"), ("value", "box")),
)


def random_scene(rng: np.random.Generator, level: int) -> SudokuScene:
    """A board of digits with boxes, filled as the level asks."""
    board = Board(rng, level, only_boxes=True)
    board.kind, board.symbols = "digits", tuple(map(str, range(1, board.side + 1)))
    return board.fill()


def things(scene: SudokuScene) -> list[Thing]:
    """Every digit."""
    return [
        {
            "value": number,
            "row": place // scene.side + 1,
            "column": place % scene.side + 1,
            "box": scene.regions[place],
        }
        for place, number in enumerate(scene.cells)
        if number
    ]


SKEW = (1.15, 1.2, 1.0, 1.0, 1.05, 1.1, 1.05, 0.85, 1.0, 0.9)  # per level, measured
OPERATIONS = (1, 1, 2, 2, 3, 3, 3, 3, 4, 4)  # a digit has fewer attributes than a shape in a grid
SETS, PAIRS = (0, 0, 0, 0, 3, 3, 3, 3, 5, 5), (0,) * 8 + (5, 5)  # of two sets, and of two digits, which take two each
LENGTHS = {"difference": SETS, "compare": SETS, "total": (*SETS[:8], 3, 3), "gap": PAIRS, "sum": PAIRS}

pose_compose = make_pose(KIND, random_scene, things, OPERATIONS, skew=SKEW, lengths=LENGTHS)
