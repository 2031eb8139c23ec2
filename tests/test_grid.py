"""Grid: a second reading of each question, from its words and the scene's JSON alone, gives the same answer."""

import collections
import re

import numpy as np
import pytest

from engines.base import Style, make_rng
from engines.grid import ENGINE
from engines.grid.draw import draw
from engines.grid.scene import GridScene, Mark
from engines.style import COLOURS, colour_of

SHAPE_WORDS = ("circle", "square", "triangle", "star", "cross", "diamond")
STEPS = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}


def table(scene):
    """Filled cells as {(row, column): (colour, shape)}, counted from 1."""
    cells = np.array(scene["cells"], dtype=object)
    assert len(cells) == scene["rows"] * scene["columns"]
    places = [(r, c) for r in range(1, scene["rows"] + 1) for c in range(1, scene["columns"] + 1)]
    return {place: tuple(mark) for place, mark in zip(places, scene["cells"], strict=True) if mark}


def matching(question, marks):
    """Places of the marks that the colour and shape words of a question allow."""
    colours = [c for c in COLOURS if re.search(rf"\b{c}\b", question)]
    shapes = [s for s in SHAPE_WORDS if re.search(rf"\b{s}(s|es)?\b", question)]
    return [p for p, (c, s) in marks.items() if (not colours or c in colours) and (not shapes or s in shapes)]


def oracle(kind, question, scene):
    marks = table(scene)
    if kind in ("read_colour", "read_shape"):
        place = tuple(map(int, re.search(r"row (\d+), column (\d+)", question).groups()))
        return marks[place][kind == "read_shape"]
    if kind in ("count_colour", "count_both"):
        return str(len(matching(question, marks)))
    if kind == "grid_size":
        return str(scene["rows"] if "rows" in question else scene["columns"])
    if kind == "most_common":
        (winner, most), *rest = collections.Counter(c for c, _ in marks.values()).most_common()
        assert all(count <= most - 2 for _, count in rest)
        return winner
    (place,) = matching(question, marks)
    if kind == "locate":
        return f"({place[0]}, {place[1]})"
    (step,) = [move for words, move in STEPS.items() if words in question]
    return marks[place[0] + step[0], place[1] + step[1]][0]


@pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
def test_answers_agree_with_a_second_reading(kind):
    for level in range(10):
        for index in range(15):
            item = kind.pose(make_rng("grid", level, index), level)
            assert oracle(kind.name, item.question, item.scene.to_json()) == item.answer.text(), item.question


def test_colour_and_shape_are_both_needed():
    pose = next(kind.pose for kind in ENGINE.types if kind.name == "count_both")
    for index in range(40):
        item = pose(make_rng(index), index % 10)
        marks = table(item.scene.to_json()).values()
        colour = next(c for c in COLOURS if re.search(rf"\b{c}\b", item.question))
        shape = next(s for s in SHAPE_WORDS if re.search(rf"\b{s}(s|es)?\b", item.question))
        assert sum(c == colour for c, _ in marks) > int(item.answer.text()) < sum(s == shape for _, s in marks)


@pytest.mark.parametrize("theme", range(ENGINE.themes))
def test_a_cell_shows_its_colour_at_its_place(theme):
    marks = [Mark(COLOURS[i % 10], SHAPE_WORDS[i % 6]) for i in range(12)]
    scene, style = GridScene(3, 4, tuple(marks), has_headers=False), Style(theme, 7)
    image = np.array(draw(scene, 112, style)).astype(int)
    cell = 112 * 0.93 / 4
    top = (112 - 3 * cell) / 2
    for row, column, mark in scene.marks():
        seen = image[int(top + (row - 0.5) * cell), int(112 * 0.035 + (column - 0.5) * cell)]
        assert abs(seen - colour_of(mark.colour, style)).max() <= 2


def test_a_scene_must_give_every_cell():
    with pytest.raises(ValueError, match="must have rows x columns = 4 entries, got 3"):
        GridScene(2, 2, (None,) * 3, has_headers=False)
