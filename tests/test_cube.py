"""Cubes: every answer is re-derived from the scene's JSON by other means, every scene has one reading."""

import itertools
import math
import re

import numpy as np
import pytest

from engines.base import SPLITS, Style, make_rng
from engines.cube.draw import MARGIN, ZOOMS, _View, draw
from engines.cube.questions import COLOURS, ENGINE, MIN_SIZE_PX
from engines.cube.scene import SEEN, CubeScene, cube_seen, is_readable, top_seen
from engines.style import THEMES, theme_of

TYPES = {kind.name: kind for kind in ENGINE.types}
LEVELS = range(10)


def poses(kind, level, count):
    return [TYPES[kind].pose(make_rng("test_cube", kind, level, index), level) for index in range(count)]


def one_colour(heights, colour="blue"):
    return CubeScene(tuple(tuple((colour,) * height for height in row) for row in heights))


def is_free(heights, point, steps=400):
    """March from a point (row, column, height) towards the onlooker until above everything."""
    rows, columns = len(heights), len(heights[0])
    path = np.linspace(1e-4, max(rows, columns), steps * max(rows, columns))[:, None]
    at = np.asarray(point) + path * [1.0, 1.0, math.sqrt(2.0)]
    cells = np.floor(at[:, :2]).astype(int)
    inside = (cells[:, 0] < rows) & (cells[:, 1] < columns)
    cells = np.where(inside[:, None], cells, 0)
    ground = np.where(inside, np.asarray(heights)[cells[:, 0], cells[:, 1]], 0)
    return bool((at[:, 2] > ground - 1e-9).all())


def shares(heights, row, column, level):
    """Visible shares of a cube's two near sides and, if it is the uppermost, its top: by marching rays."""
    first, second = (np.arange(9) + 0.5) / 9, (np.arange(9) + 0.3) / 9  # off the diagonal, where rays graze edges
    ends = {
        "right": lambda u, v: (row + u, column + 1, level + v),
        "left": lambda u, v: (row + 1, column + u, level + v),
        "top": lambda u, v: (row + u, column + v, heights[row][column]),
    }
    return {name: np.mean([is_free(heights, end(u, v)) for u in first for v in second]) for name, end in ends.items()}


@pytest.mark.parametrize("seed", range(6))
def test_visible_shares_agree_with_marched_rays(seed):
    rng = make_rng("rays", seed)
    heights = tuple(tuple(row) for row in rng.integers(0, 4, size=(3, 3)).tolist())
    for row, column in itertools.product(range(3), range(3)):
        height = heights[row][column]
        assert top_seen(heights, row, column) == pytest.approx(shares(heights, row, column, 0)["top"], abs=0.09)
        for level in range(height):
            found = shares(heights, row, column, level)
            if level < height - 1:
                found.pop("top")
            assert cube_seen(heights, row, column, level) == pytest.approx(max(found.values()), abs=0.09)


def test_readable_pictures_have_one_reading():
    """Among all 2 x 2 height maps up to 3, no other looks like a readable one, even in a single colour."""
    maps = [(flat[:2], flat[2:]) for flat in itertools.product(range(4), repeat=4)]
    style = Style(0, 1)
    pictures = np.stack([np.asarray(draw(one_colour(m), 84, style).convert("L")) for m in maps]).astype(np.int16)
    pictures = pictures.reshape(len(maps), -1)
    readable = [index for index, m in enumerate(maps) if is_readable(m)]
    assert 40 < len(readable) < len(maps)
    for index in readable:
        changed = (np.abs(pictures - pictures[index]) > 40).sum(axis=1)
        changed[index] = 84 * 84
        assert changed.min() >= 12, (maps[index], maps[int(changed.argmin())])


def test_an_unreadable_map_is_refused():
    assert not is_readable(((0, 0), (0, 3)))
    assert not is_readable(((1, 2), (2, 1)), share=0.5)
    assert is_readable(((3, 2), (2, 1)), share=0.99)


def derive(kind, question, data):
    """The answer's text from the JSON of a scene and the words of the question."""
    stacks = data["stacks"]
    heights = [[len(stack) for stack in row] for row in stacks]
    flat = [height for row in heights for height in row]
    number = re.search(r"(\d+)(?: cubes?)? ?(?:high|cubes|cube|\.|$)", question)
    if kind == "count_cubes":
        return str(sum(flat))
    if kind == "column_height":
        row, column = data["dot"]
        return str(heights[row][column])
    if kind == "extreme_colour":
        named = [(len(stack), stack[0]) for row in stacks for stack in row if stack]
        end = (max if "tallest" in question else min)(height for height, _ in named)
        found = [name for height, name in named if height == end]
        assert len(found) == 1 and sum(found[0] in stack for row in stacks for stack in row) == 1
        return found[0]
    if kind == "count_columns":
        return str(flat.count(int(number[1])))
    if kind == "fill_box":
        goal = int(re.search(r"\d+", question)[0])
        assert max(flat) <= goal
        return str(goal * len(flat) - sum(flat))
    if kind == "height_map":
        return "; ".join(" ".join(map(str, row)) for row in heights)
    asked = next(name for name in COLOURS if name in question.split())
    count = 0
    for row, column in itertools.product(range(len(heights)), range(len(heights[0]))):
        for level, name in enumerate(stacks[row][column]):
            if name == asked:
                found = shares(heights, row, column, level)
                if level < heights[row][column] - 1:
                    found.pop("top")
                count += max(found.values()) > 0
    return str(count)


@pytest.mark.parametrize("kind", TYPES)
def test_answers_follow_from_the_json(kind):
    slow = kind == "count_colour"
    for level in (0, 1, 2, 4) if slow else LEVELS:
        for posed in poses(kind, level, 4 if slow else 15):
            assert derive(kind, posed.question, posed.scene.to_json()) == posed.answer.text()


@pytest.mark.parametrize("kind", TYPES)
def test_every_scene_is_readable(kind):
    for level in LEVELS:
        for posed in poses(kind, level, 6):
            heights = posed.scene.heights
            assert is_readable(heights)
            if posed.scene.dot is not None:
                assert top_seen(heights, *posed.scene.dot) > 0.999
            if kind == "count_colour":
                cells = itertools.product(range(len(heights)), range(len(heights[0])))
                seen = [cube_seen(heights, r, c, z) for r, c in cells for z in range(heights[r][c])]
                assert not [share for share in seen if 0 < share < SEEN]


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_leaves_the_frame(kind):
    for level in LEVELS:
        size_px = TYPES[kind].min_size_px[level]
        for index, posed in enumerate(poses(kind, level, 3)):
            style = Style((index + level) % len(THEMES), index)
            picture = np.asarray(draw(posed.scene, size_px, style))
            assert picture.shape == (size_px, size_px, 3)
            ring = np.ones((size_px, size_px), bool)
            edge = int(MARGIN * size_px) - 2
            ring[edge:-edge, edge:-edge] = False
            assert (picture[ring] == theme_of(style).background).all(), (kind, level, posed.scene)


def test_cubes_are_large_enough_to_see():
    for kind, level in itertools.product(TYPES, LEVELS):
        size_px = TYPES[kind].min_size_px[level]
        for posed in poses(kind, level, 8):
            unit_px = _View(posed.scene, size_px).unit_px
            assert unit_px >= 7.0  # half of a tile's width; a dot is 0.8 of it across
            if posed.scene.lettered:
                assert unit_px * 0.9 >= 9.0
    assert min(ZOOMS) >= 0.8 and len(MIN_SIZE_PX) == 10


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("kind", TYPES)
def test_no_blind_guess_beats_the_stated_rate(kind, level):
    answers = [posed.answer.text() for posed in poses(kind, level, 300)]
    rate = poses(kind, level, 1)[0].guess_rate
    if kind != "height_map":
        top = max(answers.count(text) for text in set(answers)) / len(answers)
        assert top <= rate + 0.1


@pytest.mark.parametrize("kind", TYPES)
def test_scenes_and_sentences_vary(kind):
    posed = poses(kind, 0, 300)
    assert len({str(one.scene.to_json()) for one in posed}) >= 290
    words = "|".join(COLOURS)
    assert len({re.sub(rf"\d+|\b({words})\b", "_", one.question) for one in posed}) >= 4
    assert max(len(one.question.split()) for one in posed) <= 24


def test_recolouring_moves_only_the_answer_that_names_colours():
    for posed in poses("extreme_colour", 4, 10):
        turn = dict(zip(COLOURS, COLOURS[1:] + COLOURS[:1], strict=True))
        stacks = tuple(tuple(tuple(turn[name] for name in stack) for stack in row) for row in posed.scene.stacks)
        recoloured = CubeScene(stacks).to_json()
        assert derive("extreme_colour", posed.question, recoloured) == turn[posed.answer.text()]


def test_colour_of_the_answer_is_in_the_picture():
    """Other pixels change when only the asked column changes its colour, and enough of them."""
    for index, posed in enumerate(poses("extreme_colour", 4, 8)):
        asked = posed.answer.text()
        other = next(name for name in COLOURS if all(name not in stack for row in posed.scene.stacks for stack in row))
        stacks = tuple(
            tuple(tuple(other if name == asked else name for name in stack) for stack in row)
            for row in posed.scene.stacks
        )
        swapped = CubeScene(stacks, None, posed.scene.zoom, posed.scene.shift)
        style = Style(index % len(THEMES), index)
        pair = [np.asarray(draw(scene, 112, style)).astype(int) for scene in (posed.scene, swapped)]
        assert (np.abs(pair[0] - pair[1]).max(axis=2) > 40).sum() >= 60


def test_facts_are_true():
    for posed in poses("count_columns", 5, 10):
        flat = [len(stack) for row in posed.scene.stacks for stack in row]
        truth = {"cubes are there": sum(flat), "tallest": max(flat), "columns are there": sum(h > 0 for h in flat)}
        for fact in posed.facts:
            assert next(str(v) for k, v in truth.items() if k in fact.question) == fact.answer.text()


def test_held_out_types_and_names():
    assert [kind.name for kind in ENGINE.types if kind.held_out] == ["fill_box", "height_map"]
    assert sum(not kind.held_out and max(kind.min_size_px[:5]) == 112 for kind in ENGINE.types) >= 3
    assert ENGINE.name == "cube" and len(SPLITS) == 5
