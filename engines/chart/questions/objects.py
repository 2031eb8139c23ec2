"""The bars of a chart as things with a colour, a value, a place and a label, for compositional questions."""

import numpy as np

from engines.chart.questions.make import COLOURS, UNITS, bar_chart, bar_marks, between, value_axis
from engines.chart.scene import Chart
from engines.compose import COLOUR_ASKED, Attribute, Kind, Thing, make_pose

KIND = Kind(
    "bar",
    "bars",
    (
        Attribute(
            "colour",
            COLOURS,
            "before",
            same="of the same colour as {it}",
            read=COLOUR_ASKED,
        ),
        Attribute("label", says="labelled {value}"),
        Attribute(
            "value",
            role="silent",
            same="exactly as high as {it}",
            more="higher than {it}",
            less="lower than {it}",
            most="highest",
            least="lowest",
            read=(
                "What is the value of {it}?",
                "What value does {it} have?",
                "Read the value of {it}.",
                "Which number does {it} reach?",
            ),
            gap=(
                "How much larger is the value of {one} than that of {two}?",
                "By how much is {one} higher than {two}?",
                "Subtract the value of {two} from the value of {one}.",
                "What is the value of {one} minus that of {two}?",
            ),
            sum=(
                "Add the values of {one} and {two}.",
                "What is the value of {one} plus that of {two}?",
                "What is the sum of the values of {one} and {two}?",
                "What do the values of {one} and {two} add up to?",
            ),
        ),
        Attribute(
            "place",
            role="silent",
            more="to the right of {it}",
            less="to the left of {it}",
            most="rightmost",
            least="leftmost",
        ),
    ),
    keys=(("label",),),
)


def random_scene(rng: np.random.Generator, level: int) -> Chart:
    """A chart of labelled bars, some of which share a colour, with values on ticks."""
    marks = bar_marks(rng, level, count=between(rng, 4, 5 + level // 2), by_colour=False)
    few = [COLOURS[i] for i in rng.permutation(len(COLOURS))[: 2 + level // 3].tolist()]
    marks = marks._replace(colours=tuple(few[i] for i in rng.integers(len(few), size=len(marks.labels)).tolist()))
    ticks = rng.integers(1, UNITS[level] + 1, size=len(marks.labels)).tolist()
    return bar_chart(rng, level, "bar", marks, ticks, value_axis(rng, level, marks.topic))


def things(scene: Chart) -> list[Thing]:
    """Every bar."""
    bars = zip(scene.categories, scene.values[0], scene.colours[0], strict=True)
    return [
        {"label": label, "value": value, "colour": colour, "place": place}
        for place, (label, value, colour) in enumerate(bars)
    ]


OPERATIONS = (1, 1, 2, 2, 2, 3, 3, 3, 3, 3)  # few bars leave little to say
MOST = (2, 2, 3, 3, 3, 3, 3, 3, 3, 3)

pose_compose = make_pose(KIND, random_scene, things, OPERATIONS, MOST)
