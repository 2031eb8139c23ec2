"""Grid: second opinions agree, every word of a question counts, and a moved scene moves its answer as predicted."""

import itertools

import numpy as np
import pytest

import engines
from engines.base import Style, make_rng
from engines.grid import ENGINE
from engines.grid.draw import draw
from engines.grid.questions import panels, region
from engines.grid.scene import STEPS, GridScene, Mark, RegionScene, RingsScene, TrailScene
from engines.marks import faults
from engines.oracles.grid import ORACLES
from engines.style import COLOURS, colour_of

SHAPE_WORDS = ("circle", "square", "triangle", "star", "cross", "diamond")
EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
DRAWN = ("read_colour", "area", "difference", "exit", "circles", "nested")


def sample(kind, level, index=0, size_px=224):
    split = "test_d" if kind.held_out else "train"
    size_px = max(size_px, kind.min_size_px[level])
    return engines.sample("grid", split=split, index=index, level=level, question_type=kind.name, size_px=size_px)


def posed(name, level, count=20):
    kind = next(kind for kind in ENGINE.types if kind.name == name)
    return [kind.pose(make_rng("grid test", level, index), level) for index in range(count)]


@EACH_KIND
def test_a_second_opinion_agrees(kind):
    for level in range(10):
        for index in range(2):
            item = sample(kind, level, 2 * index)
            assert item.answer.accepts(ORACLES[kind.name](item)), item.question
            assert len(item.facts) >= 3


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_is_fit_to_look_at(name):
    kind = next(kind for kind in ENGINE.types if kind.name == name)
    for level, theme in itertools.product((0, 4, 9), range(0, ENGINE.themes, 2)):
        scene = kind.pose(make_rng("grid look", level), level).scene
        for size_px in (kind.min_size_px[level], 448):
            assert not list(faults(draw(scene, size_px, Style(theme, 3))))


def test_colour_and_shape_are_both_needed():
    for item in itertools.chain.from_iterable(posed("count_both", level, 5) for level in range(10)):
        marks = [mark for _, _, mark in item.scene.marks()]
        count, query = item.answer.value, item.query
        assert sum(m.colour == query["colour"] for m in marks) > count < sum(m.shape == query["shape"] for m in marks)


def test_turning_a_region_changes_neither_area_nor_perimeter():
    for item in posed("perimeter", 5):
        scene = item.scene
        turned = frozenset((column, scene.rows + 1 - row) for row, column in scene.shaded)
        assert region.perimeter(turned) == item.answer.value and len(turned) == len(scene.shaded)
        assert not region.has_hole(turned, scene.columns, scene.rows)


def test_a_ring_of_cells_has_a_hole_and_an_l_has_none():
    ring = frozenset((r, c) for r in (1, 2, 3) for c in (1, 2, 3) if (r, c) != (2, 2))
    assert region.has_hole(ring, 3, 3) and not region.has_hole(ring - {(1, 2)}, 3, 3)
    assert region.perimeter(ring) == 16  # 12 around, 4 around the hole


def test_mirroring_both_panels_mirrors_the_different_cell():
    for item in posed("difference", 6):
        n = item.scene.columns
        left, right = ({(r, n + 1 - c) for r, c in side} for side in (item.scene.left, item.scene.right))
        row, column = item.answer.value
        assert left ^ right == {(row, n + 1 - column)}


def test_moves_undo_each_other():
    cells = [(r, c) for r in range(1, 5) for c in range(1, 5)]
    back = {
        "quarter turn clockwise": "quarter turn anticlockwise",
        "quarter turn anticlockwise": "quarter turn clockwise",
    }
    for name, move in panels.MOVES.items():
        undo = panels.MOVES[back.get(name, name)]
        assert [undo(move(cell, 4), 4) for cell in cells] == cells
    assert panels.MOVES["quarter turn clockwise"]((1, 1), 4) == (1, 4)  # the top left corner goes to the top right


def test_turning_a_trail_turns_its_exit_to_the_same_letter():
    turn = {"up": "right", "right": "down", "down": "left", "left": "up"}
    for item in posed("exit", 7):
        scene, n = item.scene, item.scene.side + 1

        def turned(cell, n=n):
            return cell[1], n - cell[0]

        moved = TrailScene(
            scene.side,
            tuple((turned(cell), turn[way]) for cell, way in scene.arrows),
            turned(scene.start),
            tuple((turned(place), letter) for place, letter in scene.exits),
        )
        last = moved.trail()[-1]
        down, right = STEPS[dict(moved.arrows)[last]]
        assert dict(moved.exits)[last[0] + down, last[1] + right] == item.answer.value
        assert len(moved.trail()) == len(scene.trail())


def test_swapping_colours_of_circles_keeps_their_relation():
    for item in posed("circles", 5):
        other = {colour: COLOURS[-1 - i] for i, colour in enumerate(COLOURS)}
        rings = tuple(ring._replace(colour=other[ring.colour]) for ring in item.scene.rings)
        query = item.query | {key: other[item.query[key]] for key in ("one", "two")}
        seen = engines.sample("grid", split="train", index=0, level=5, question_type="circles", size_px=224)
        moved = type(seen)(**{**vars(seen), "scene": RingsScene(rings).to_json(), "query": query})
        assert ORACLES["circles"](moved) == item.answer.value


@pytest.mark.parametrize("theme", range(ENGINE.themes))
def test_a_cell_shows_its_colour_at_its_place(theme):
    marks = [Mark(COLOURS[i % 10], SHAPE_WORDS[i % 6]) for i in range(12)]
    scene, style = GridScene(3, 4, tuple(marks), has_headers=False), Style(theme, 7)
    drawing = draw(scene, 112, style)
    image, places = np.array(drawing.image).astype(int), {mark.name: mark.box for mark in drawing.marks}
    for row, column, mark in scene.marks():
        x, y, _, _ = places[f"{row},{column}"]
        assert abs(image[int(y), int(x)] - colour_of(mark.colour, style)).max() <= 2


def test_a_shaded_cell_is_shaded_and_its_neighbour_is_not():
    scene, style = RegionScene(3, 3, frozenset({(2, 2)}), "red"), Style(0, 1)
    image = np.array(draw(scene, 112, style).image).astype(int)
    assert abs(image[56, 56] - colour_of("red", style)).max() <= 2 and image[56, 20].min() > 240


def test_a_scene_must_give_every_cell():
    with pytest.raises(ValueError, match="must have rows x columns = 4 entries, got 3"):
        GridScene(2, 2, (None,) * 3, has_headers=False)
