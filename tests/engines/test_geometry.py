"""Geometry: mirrored, turned, enlarged, relettered figures change the answer as predicted; labels stand free."""

import collections
import json
import math
import re
from types import SimpleNamespace

import numpy as np
import pytest

from engines.answer import Answer
from engines.base import Posed, Style, make_rng
from engines.geometry import ENGINE
from engines.geometry.labels import arranged, dot_px, letter_px, stands
from engines.geometry.layout import LETTERS
from engines.geometry.questions import angles, circles, counting, graphs, lattice, lines, points, polygons, special
from engines.geometry.scene import FRAME, GeometryScene, Mark
from engines.marks import faults
from engines.oracles.geometry import ORACLES
from engines.style import COLOURS, THEMES, theme_of

pytest.importorskip("shapely", reason="the oracles of geometry use shapely")

TYPES = {kind.name: kind for kind in ENGINE.types}
CASES = [(name, level) for name in TYPES for level in (0, 4, 9)]
EACH = pytest.mark.parametrize("name", TYPES)


def posed(name: str, level: int, count: int = 4) -> list[Posed]:
    return [TYPES[name].pose(make_rng("test", name, level, i), level) for i in range(count)]


def second_opinion(name: str, scene: GeometryScene, query: dict) -> str:
    data = json.loads(json.dumps([scene.to_json(), dict(query)]))
    return ORACLES[name](SimpleNamespace(scene=data[0], query=data[1]))


def with_text(answer: Answer, text: str) -> Answer:
    """An answer of the same kind with another value."""
    return Answer.from_json({**answer.to_json(), "text": text})


def mapped(scene: GeometryScene, move, scale: int = 1) -> GeometryScene:
    """The scene with every point moved and every radius enlarged; labels and margins are left behind."""
    shapes = [s._replace(points=tuple(map(move, s.points)), radius=s.radius * scale) for s in scene.shapes]
    found = [a._replace(vertex=move(a.vertex), first=move(a.first), second=move(a.second)) for a in scene.angles]
    marks = [mark._replace(at=move(mark.at)) for mark in scene.marks]
    notes = [note._replace(start=move(note.start), end=move(note.end)) for note in scene.notes]
    return GeometryScene(tuple(shapes), tuple(marks), tuple(found), tuple(notes))


def mirrored(at):
    return FRAME - at[0], at[1]


def turned(at):
    return FRAME - at[1], at[0]


MOVES = {"mirrored": (mirrored, 1), "turned": (turned, 1), "enlarged": (lambda at: (3 * at[0], 3 * at[1]), 3)}
ON_NETS = {"coordinates", "lattice_area"}
PAINTED = {"containing", "inside"}  # their oracle paints a picture of the frame


UNMOVED = {(name, move) for name in ON_NETS for move in MOVES} | {(name, "enlarged") for name in PAINTED}
MOVED = [(name, move) for name in TYPES for move in MOVES if (name, move) not in UNMOVED]


@pytest.mark.parametrize(("name", "move"), MOVED)
def test_moving_a_figure_changes_nothing_but_the_way_around_it(name, move):
    for level in (1, 6):
        for item in posed(name, level):
            moved, value = mapped(item.scene, *MOVES[move]), item.answer.text()
            if name == "vertex_order" and move == "mirrored":
                first, *rest = item.answer.value
                value = ", ".join([first, *rest[::-1]])
            opinion = second_opinion(name, moved, item.query)
            expected = item.answer if item.answer.kind == "decimal" else with_text(item.answer, value)
            assert expected.accepts(opinion)


@EACH
def test_new_letters_and_colours_rename_the_answer(name):
    for item in posed(name, 6):
        new = dict(zip(LETTERS, LETTERS[7:] + LETTERS[:7], strict=True))
        colour = dict(zip(COLOURS, COLOURS[3:] + COLOURS[:3], strict=True))
        scene = json.loads(json.dumps(item.scene.to_json()))
        for part in ("shapes", "marks", "angles"):
            for thing in scene[part]:
                thing["colour"] = colour[thing["colour"]]
                if "letter" in thing:
                    thing["letter"] = new.get(thing["letter"], "")
        keys = {"line", "side", "corner", "point", "first", "name", "other", "top"} - (
            {"other"} if name in ("relation", "circle_circle") else set()
        )
        query = {}
        for key, word in item.query.items():
            word = colour.get(word, word) if isinstance(word, str) else word
            is_letters = key in keys and isinstance(word, str) and re.fullmatch("[A-Z]+", word)
            query[key] = "".join(new[letter] for letter in word) if is_letters else word
        for key in {"line", "side", "name", "other"} & set(query):
            query[key] = "".join(sorted(query[key])) if len(query[key]) == 2 else query[key]
        opinion = ORACLES[name](SimpleNamespace(scene=scene, query=query))
        expected = item.answer.text()
        if item.answer.kind in ("choice", "set", "name", "permutation"):
            expected = "".join(new.get(c, c) for c in expected) if expected[0].isupper() else expected
        words = sorted(re.findall(r"[A-Za-z]+|[-\d.]+", expected))
        if item.answer.kind in ("word", "set") and set(words) <= set(COLOURS):
            words = sorted(colour[word] for word in words)
        found = re.findall(r"[A-Za-z]+|[-\d.]+", opinion)
        if item.answer.kind == "name":
            assert sorted(opinion) == sorted(expected)
        elif item.answer.kind == "permutation":
            assert found == re.findall("[A-Z]", expected)
        else:
            assert sorted(found) == words


@pytest.mark.parametrize(("name", "level"), CASES)
def test_labels_stand_free_beside_what_they_name(name, level):
    for size in {TYPES[name].min_size_px[level], 448}:
        for item in posed(name, level, 2):
            unit, high = size / FRAME, letter_px(size)
            places = stands(item.scene, size)
            assert len(places) == len(item.scene.leans)
            for label, place in places:
                assert 0.5 * high <= min(place) * unit and max(place) * unit <= size - 0.5 * high
                if label.owner >= 0 and len(label.text) == 1:
                    own = math.dist(place, item.scene.marks[label.owner].at)
                    others = [m.at for i, m in enumerate(item.scene.marks) if i != label.owner]
                    assert all(math.dist(place, other) >= 1.5 * own for other in others)
                    assert own * unit >= dot_px(size) + 0.5 * high
                    assert all(shape.distance(place) * unit >= 0.45 * high for shape in item.scene.shapes)


@pytest.mark.parametrize(("name", "level"), CASES)
def test_pictures_keep_their_margins_in_every_theme(name, level):
    for i, item in enumerate(posed(name, level, 3)):
        size, style = (TYPES[name].min_size_px[level], 448)[i % 2], Style((i * 3 + level) % ENGINE.themes, i)
        drawing = ENGINE.draw(item.scene, size, style)
        assert list(faults(drawing)) == []
        image = np.array(drawing.image)
        unlike = (image != np.array(theme_of(style).panel)).any(axis=-1)
        assert image.shape == (size, size, 3) and 0.003 < unlike.mean() < 0.75
        assert any(mark.kind == "part" for mark in drawing.marks)
    assert ENGINE.themes == len(THEMES)


@EACH
def test_scenes_vary_and_questions_are_short_at_the_start(name):
    for level in (0, 4):
        samples = posed(name, level, 60)
        assert len({str(sample.scene) for sample in samples}) == 60
        (_, most), *_ = collections.Counter(sample.answer.text() for sample in samples).most_common(1)
        assert most / 60 <= max(sample.guess_rate for sample in samples) + 0.22
        assert max(len(sample.question.split()) for sample in samples) <= 18
        assert all(sample.question.isascii() and sample.query for sample in samples)


def test_facts_hold_for_what_is_drawn():
    for name, level in CASES:
        (item,) = posed(name, level, 1)
        facts = {fact.question: fact.answer.text() for fact in ENGINE.facts(item.scene, make_rng(name, level))}
        assert len(facts) >= 3
        asked = {"circles": "circle", "closed shapes with straight sides": "polygon"}
        for words, kind in asked.items():
            text = facts.get(f"How many {words} are there in the picture?")
            assert text in (None, str(sum(shape.kind == kind for shape in item.scene.shapes)))
        assert item.scene.describe().isascii()


def test_levels_grow():
    growing = [angles.SIZE_COUNTS, angles.NOTED, lines.SEGMENTS, lines.OTHERS, lines.PAIRS, lines.TICKED, points.POINTS]
    growing += [points.SEVERAL, special.FOILS, special.PARTS, circles.LINES, circles.CANDIDATES, circles.RINGS]
    growing += [counting.MOST_SIDES, counting.MOST_CROSSINGS, counting.MOST_TRIANGLES, counting.CUTS, graphs.POINTS]
    growing += [polygons.DENTED, polygons.DASHED, lattice.AXES, lattice.CELLS]
    growing += [kind.min_size_px for kind in ENGINE.types]
    for table in growing:
        assert len(table) == 10 and list(table) == sorted(table)
    for table in (angles.MARGIN, lines.TURN_MARGIN, lines.LENGTH_RATIO, points.POINT_MARGIN_PX, circles.GAP_PX):
        assert len(table) == 10 and list(table) == sorted(table, reverse=True)
    assert sum(kind.held_out for kind in ENGINE.types) >= 3
    assert TYPES["longest"].min_size_px[0] == 112


def test_a_label_without_room_is_refused():
    near, far = Mark((200, 200), "A"), Mark((300, 200), "B")
    assert arranged(GeometryScene(marks=(near, far)), 112) is not None
    assert arranged(GeometryScene(marks=(near, far._replace(at=(212, 200)))), 112) is None
