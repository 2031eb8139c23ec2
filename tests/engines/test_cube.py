"""Cubes: second opinions agree, scenes have one reading, a turned or mirrored scene changes its answer as it must."""

import dataclasses
import itertools
import math

import numpy as np
import pytest

import engines
from engines.base import Style, make_rng
from engines.cube import ENGINE
from engines.cube.draw import draw
from engines.cube.draw.stacks import LEANS, MARGIN, SHADOW_RATE, WIDTHS, Frame, Slant, View, faces, slant_of
from engines.cube.questions.make import COLOURS
from engines.cube.scene import StackScene
from engines.cube.scene.sight import SEEN, cube_shares, is_clear, is_readable, top_shares
from engines.cube.scene.stacks import cell_name, profile
from engines.marks import faults
from engines.oracles.cube import ORACLES
from engines.style import colour_of

KINDS = {kind.name: kind for kind in ENGINE.types}
EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
PLAIN = Style(0, 1)


def posed(name, level, count=10):
    return [KINDS[name].pose(make_rng("cube test", name, level, index), level) for index in range(count)]


def asked(name, item, scene):
    """What the second opinion says of another scene."""
    sample = engines.sample("cube", split="train", index=0, level=0, question_type="extreme_colour", size_px=112)
    scene, query = scene.to_json(), dict(item.query)
    return ORACLES[name](dataclasses.replace(sample, scene=scene, query=query))


def changed(scene, change, **more):
    """A scene with its stacks as an object array [rows, columns] changed."""
    stacks = np.empty((len(scene.stacks), len(scene.stacks[0])), object)
    for place in np.ndindex(stacks.shape):
        stacks[place] = scene.stacks[place[0]][place[1]]
    return dataclasses.replace(scene, stacks=tuple(map(tuple, change(stacks))), **more)


def one_colour(heights, colour="blue"):
    return StackScene(tuple(tuple((colour,) * height for height in row) for row in heights))


@EACH_KIND
def test_a_second_opinion_agrees(kind):
    split = "test_d" if kind.held_out else "train"
    for level in range(10):
        size_px = kind.min_size_px[level]
        item = engines.sample(
            "cube", split=split, index=2 * level, level=level, question_type=kind.name, size_px=size_px
        )
        assert item.answer.accepts(ORACLES[kind.name](item)), item.question
        assert len(item.facts) >= 3 and item.scene_text.isascii()


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in zip((0, 3, 6, 9), (1, 6, 4, 7), strict=True):
        scene = kind.pose(make_rng("cube look", level), level).scene
        for size_px in (kind.min_size_px[level], 448):
            drawing = draw(scene, size_px, Style(theme, 3))
            assert not list(faults(drawing)) and drawing.marks


def test_the_easiest_question_stays_easy():
    for item in posed("extreme_colour", 0, 40):
        assert len(item.question.split()) <= 8 and np.size(item.scene.heights) <= 4
        assert max(map(max, item.scene.heights)) <= 2


def is_free(heights, point, steps=400):
    """March from a point (row, column, height) towards the onlooker until above everything."""
    rows, columns = heights.shape
    path = np.linspace(1e-4, max(rows, columns), steps * max(rows, columns))[:, None]
    at = np.asarray(point) + path * [1.0, 1.0, math.sqrt(2.0)]
    cells = np.floor(at[:, :2]).astype(int)
    inside = (cells[:, 0] < rows) & (cells[:, 1] < columns)
    cells = np.where(inside[:, None], cells, 0)
    ground = np.where(inside, heights[cells[:, 0], cells[:, 1]], 0)
    return bool((at[:, 2] > ground - 1e-9).all())


def marched(heights, row, column, level):
    """Visible shares of a cube's two near sides and, if it is the uppermost, its top."""
    first, second = (np.arange(7) + 0.5) / 7, (np.arange(7) + 0.3) / 7  # off the diagonal, where rays graze edges
    ends = [lambda u, v: (row + u, column + 1, level + v), lambda u, v: (row + 1, column + u, level + v)]
    if level >= heights[row, column] - 1:
        ends.append(lambda u, v: (row + u, column + v, heights[row, column]))
    return [float(np.mean([is_free(heights, end(u, v)) for u in first for v in second])) for end in ends]


@pytest.mark.parametrize("seed", range(3))
def test_visible_shares_agree_with_marched_rays(seed):
    heights = make_rng("rays", seed).integers(0, 4, size=(3, 3))
    tops, cubes = top_shares(heights[None])[0], cube_shares(heights[None])[0]
    for row, column in itertools.product(range(3), range(3)):
        if not heights[row, column]:
            assert tops[row, column] == pytest.approx(marched(heights, row, column, 0)[2], abs=0.1)
        for level in range(heights[row, column]):
            found = marched(heights, row, column, level)
            assert cubes[row, column, level] == pytest.approx(max(found), abs=0.1)
    assert (cubes >= 0).sum() == heights.sum()


def test_readable_pictures_have_one_reading():
    """Among all 2 x 2 height maps up to 3, no other looks like a readable one, even in a single colour."""
    maps = np.array(list(itertools.product(range(4), repeat=4))).reshape(-1, 2, 2)
    pictures = [np.asarray(draw(one_colour(m.tolist()), 64, PLAIN).image.convert("L")) for m in maps]
    pictures = np.stack(pictures).reshape(len(maps), -1).astype(np.int16)
    readable = np.flatnonzero(is_readable(maps))
    assert 40 < len(readable) < len(maps)
    for index in readable:
        differing = (np.abs(pictures - pictures[index]) > 40).sum(axis=1)
        differing[index] = 64 * 64
        assert differing.min() >= 8, (maps[index], maps[int(differing.argmin())])


def test_unreadable_and_unclear_maps_are_refused():
    maps = np.array([[[0, 0], [0, 3]], [[1, 2], [2, 1]], [[3, 2], [2, 1]]])
    assert is_readable(maps, 0.5).tolist() == [False, False, True]
    assert is_readable(maps, 0.99).tolist() == [False, False, True]
    shares = np.array([[0.0, 0.5, -1.0], [0.0, 0.2, -1.0]]).reshape(2, 3, 1, 1)
    assert is_clear(shares).tolist() == [True, False]


@pytest.mark.parametrize("name", [n for n in KINDS if isinstance(KINDS[n].pose(make_rng(n), 0).scene, StackScene)])
def test_every_scene_of_stacks_is_readable(name):
    for level in range(0, 10, 3):
        for item in posed(name, level, 4):
            heights = np.array(item.scene.heights)
            tops = top_shares(heights[None])[0]
            assert tops.min() >= SEEN - 1e-9
            marked = [(row, column) for _, row, column in item.scene.letters] + [item.scene.dot] * bool(item.scene.dot)
            assert all(tops[place] > 0.999 for place in marked)
            if name in ("count_colour", "visible_cubes", "hidden_cubes"):
                assert is_clear(cube_shares(heights[None]))[0]


def test_turning_the_floor_keeps_counts_and_exchanges_views():
    for item in [*posed("count_cubes", 4), *posed("painted", 4), *posed("fill_box", 4), *posed("count_columns", 4)]:
        name = item.query["ask"]
        for quarters in (1, 2, 3):
            assert asked(name, item, changed(item.scene, lambda s, k=quarters: np.rot90(s, k))) == item.answer.text()
    for item in posed("profile", 6):
        heights = item.scene.heights
        half = tuple(tuple(reversed(row)) for row in reversed(heights))
        for arrow in ("left", "right"):
            assert profile(half, arrow) == profile(heights, arrow)[::-1]  # seen from behind


def test_the_mirror_exchanges_left_and_right():
    """Mirrored left to right, rows become columns: the same cubes show, and a view is read the other way round."""
    for item in posed("profile", 5):
        arrow = {"left": "right", "right": "left"}[item.scene.arrow]
        mirror = changed(item.scene, np.transpose, arrow=arrow)
        assert asked("profile", item, mirror) == ", ".join(map(str, item.answer.value[::-1]))
    for name in ("visible_cubes", "hidden_cubes", "count_colour", "touching"):
        for item in posed(name, 5, 5):
            assert item.answer.accepts(asked(name, item, changed(item.scene, np.transpose)))


def test_recolouring_moves_only_the_answers_that_name_colours():
    turn = dict(zip(COLOURS, COLOURS[1:] + COLOURS[:1], strict=True))
    for name, expected in (("extreme_colour", turn.get), ("count_cubes", str), ("visible_cubes", str)):
        for item in posed(name, 4, 5):
            stacks = tuple(tuple(tuple(turn[c] for c in stack) for stack in row) for row in item.scene.stacks)
            scene = dataclasses.replace(item.scene, stacks=stacks)
            assert asked(name, item, scene) == expected(item.answer.text())


def test_a_cube_more_counts_one_more_and_fills_one_less():
    for item in posed("count_cubes", 3):
        stacks = [list(row) for row in item.scene.stacks]
        stacks[1][1] = (*stacks[1][1], "red")
        more = dataclasses.replace(item.scene, stacks=tuple(map(tuple, stacks)))
        assert int(asked("count_cubes", item, more)) == item.answer.value + 1
    for item in posed("visible_cubes", 5, 5):
        hidden = int(asked("hidden_cubes", item, item.scene))
        assert item.answer.value + hidden == sum(map(sum, item.scene.heights))


def test_the_mirror_keeps_what_is_near_and_what_is_far():
    for name in ("nearest", "depth_order"):
        for item in posed(name, 6):
            letters = tuple((letter, column, row) for letter, row, column in item.scene.letters)
            mirror = changed(item.scene, np.transpose, letters=letters)
            assert asked(name, item, mirror) == item.answer.text()


@pytest.mark.parametrize("theme", [0, 1, 3, 5])
def test_tops_show_their_colour_at_their_place(theme):
    style = Style(theme, 5)
    for item in posed("touching", 4, 4):
        drawing = draw(item.scene, 448, style)
        image, places = np.array(drawing.image).astype(int), {mark.name: mark.box for mark in drawing.marks}
        tops = top_shares(np.array(item.scene.heights)[None])[0]
        for row, column in np.argwhere(tops > 0.999).tolist():
            if item.scene.stacks[row][column]:
                x, y, *_ = places[cell_name(row, column)]
                top = faces(colour_of(item.scene.stacks[row][column][-1], style))[0]
                assert abs(image[round(y), round(x)] - top).max() <= 3


def test_cubes_are_large_enough_to_see():
    for name, level in itertools.product(("count_cubes", "column_height", "height_map", "compose"), range(10)):
        size_px = KINDS[name].min_size_px[level]
        side = size_px * (1 - 2 * MARGIN)
        for item in posed(name, level, 4):
            for lean, width in itertools.product(LEANS, WIDTHS):
                view = View(item.scene, Frame(0, 0, side, side), Slant(lean, width))
                assert view.unit_px >= 6.5 and view.unit_px * width >= 5.5  # a cube's height, half of a tile's width


def test_a_slanted_picture_hides_what_a_straight_one_hides():
    """Any two of them are one affine map apart, so every face shows the same share in both."""
    for item in posed("count_cubes", 6, 6):
        frame, floor = Frame(0, 0, 400, 400), item.scene.heights
        corners = [(r, c, h) for r in range(len(floor) + 1) for c in range(len(floor[0]) + 1) for h in (0, 1, 3)]
        straight = np.array([View(item.scene, frame)(*corner) for corner in corners])
        for lean, width in itertools.product(LEANS, WIDTHS):
            slanted = np.array([View(item.scene, frame, Slant(lean, width))(*corner) for corner in corners])
            known = np.c_[straight, np.ones(len(straight))]
            found, *_ = np.linalg.lstsq(known, slanted, rcond=None)
            assert abs(known @ found - slanted).max() < 1e-6 and np.linalg.det(found[:2]) > 0
            assert abs(found[1, 0]) < 1e-9  # upright edges stay upright
            (_, y), *others = (View(item.scene, frame, Slant(lean, width))(*at) for at in _ends(floor))
            assert all(y > other for _, other in others)  # the front corner is the lowest


def _ends(floor):
    rows, columns = len(floor), len(floor[0])
    return (rows, columns), (rows, 0), (0, columns), (0, 0)


def test_pictures_are_seen_from_several_sides_but_not_where_nearness_is_asked():
    seen = {slant_of(Style(0, seed), posed("count_cubes", 3, 1)[0].scene) for seed in range(200)}
    assert len(seen) == len(LEANS) * len(WIDTHS)
    assert {slant_of(Style(0, seed), posed("nearest", 3, 1)[0].scene).lean for seed in range(60)} == {0.0}


def test_a_shadow_lies_on_the_floor_beside_its_column():
    scene = StackScene(((("red",) * 2, (), ()), ((), (), ())))
    cast = next(seed for seed in range(40) if make_rng("cube shadows", seed).random() < SHADOW_RATE)
    bare = next(seed for seed in range(40) if make_rng("cube shadows", seed).random() >= SHADOW_RATE)
    pixels = []
    for seed in (cast, bare):
        view = View(
            scene, Frame(MARGIN * 448, MARGIN * 448, *(2 * (448 * (1 - 2 * MARGIN),))), slant_of(Style(0, seed), scene)
        )
        x, y = view(0.4, 1.3)
        pixels.append(np.array(draw(scene, 448, Style(0, seed)).image).astype(int)[round(y), round(x)])
    assert (pixels[0] < pixels[1] - 20).all()


def test_facts_are_true():
    for item in posed("count_columns", 5):
        flat = [height for row in item.scene.heights for height in row]
        truth = {"cubes are there": sum(flat), "tallest": max(flat), "tiles": sum(h > 0 for h in flat)}
        facts = {fact.question: fact.answer.value for fact in ENGINE.facts(item.scene, make_rng("facts"))}
        for words, value in truth.items():
            assert [value] == [found for question, found in facts.items() if words in question]


def test_a_floor_is_a_rectangle():
    with pytest.raises(ValueError, match=r"cube.stacks must have rows of one length, got \[2, 1\]"):
        StackScene(((("red",), ()), (("red",),)))
