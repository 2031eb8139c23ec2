"""Function graphs: answers found again by second opinions, pictures fit to read, curves drawn where they are."""

import dataclasses
import json
import re

import numpy as np
import pytest

from engines.base import Posed, Sample, Style, make_rng
from engines.function import ENGINE
from engines.function.questions import levels
from engines.function.scene import Curve, FunctionScene, PanelsScene, absolute, formula, line, parabola
from engines.marks import contrast_faults, faults
from engines.oracles import oracles_of
from engines.plot import looks_matplotlib
from engines.style import COLOURS, colour_of

TYPES = {kind.name: kind for kind in ENGINE.types}
EACH_TYPE = pytest.mark.parametrize("name", TYPES)
PIXELS = ("y_intercept", "extremum", "centre", "radius", "region")  # answered from the picture
PLAIN, MATPLOTLIB = Style(3, 10), Style(3, 19)


def posed(name: str, level: int, count: int) -> list[Posed]:
    return [TYPES[name].pose(make_rng("test", name, level, i), level) for i in range(count)]


def sample_of(name: str, item: Posed, scene=None, query=None, style: Style | None = None) -> Sample:
    """The sample of what was posed, with another scene or query if given; drawn only for a style."""
    scene = scene or item.scene
    drawing = ENGINE.draw(scene, 448, style) if style else None
    image = np.asarray(drawing.image) if drawing else np.zeros((1, 1, 3), np.uint8)
    data, query = json.loads(json.dumps(scene.to_json())), dict(query or item.query)
    return Sample(
        "function", 2, name, "train", 0, 0, 448, False, image, item.question, item.answer, (), data, "", query,
        drawing.marks if drawing else (), 0.0,
    )  # fmt: skip


def opinion(name: str, item: Posed, **given) -> str:
    return oracles_of("function")[name](sample_of(name, item, **given))


@EACH_TYPE
def test_answers_are_found_again(name):
    for level in (0, 3, 6, 9) if name in PIXELS else range(10):
        for index, item in enumerate(posed(name, level, 2 if name in PIXELS else 4)):
            style = Style((level + index) % ENGINE.themes, 10 * level + (9 if index else 0)) if name in PIXELS else None
            found = opinion(name, item, style=style)
            assert item.answer.accepts(found), (level, index, item.question, found, item.answer.text())


@EACH_TYPE
def test_pictures_are_fit_to_read(name):
    for level, is_matplotlib in ((0, False), (4, True), (9, False)):
        for item in posed(name, level, 1):
            for size_px in (TYPES[name].min_size_px[level], 448):
                drawing = ENGINE.draw(
                    item.scene, size_px, Style((level + len(name)) % 8, 10 * level + 9 * is_matplotlib)
                )
                found = [*faults(drawing), *contrast_faults(np.asarray(drawing.image), drawing.marks)]
                assert not found, (level, size_px, found, item.question)
                assert drawing.image.size == (size_px, size_px)


@EACH_TYPE
def test_facts_are_true_of_the_scene(name):
    for item in posed(name, 5, 4):
        found = ENGINE.facts(item.scene, make_rng("facts", name))
        assert len({fact.question for fact in found}) == len(found) >= 3
        for fact in found:
            at = re.fullmatch(r"What is y at x = (-?\d+) on (.*)\?", fact.question)
            if at:
                names = [item.scene.name(i) for i in range(len(item.scene.curves))]
                curve = item.scene.curves[names.index(at[2])]
                assert curve.heights(np.array([float(at[1])]))[0] == pytest.approx(fact.answer.value)


@pytest.mark.parametrize("style", [PLAIN, MATPLOTLIB], ids=["canvas", "matplotlib"])
def test_curves_stand_where_they_should(style):
    assert looks_matplotlib(style) == (style is MATPLOTLIB)
    curves = (
        line(1, 1, "red"),
        parabola(1, -2, 1, "blue"),
        Curve("sine", (2, 2, 0, 0), "green"),
        Curve("hyperbola", (2, -1, 1), "purple"),
        Curve("exponential", (1, 2, 0, -3), "orange"),
        absolute(0, -3, 2, -4, 4, "brown"),
    )
    for curve in curves:
        scene = FunctionScene(-4, 4, -4, 4, (curve,))
        drawing = ENGINE.draw(scene, 448, style)
        image = np.asarray(drawing.image).astype(int)
        near = np.abs(image - colour_of(curve.colour, style)).max(-1) < 60
        (zero,) = (mark.box[:2] for mark in drawing.marks if mark.name == "origin")
        numbers = {int(m.name): m.box for m in drawing.marks if m.kind == "text" and m.box[1] > zero[1] + 150}
        unit = ((numbers[3][0] + numbers[3][2]) - (numbers[1][0] + numbers[1][2])) / 4
        xs = np.linspace(-3.9, 3.9, 60)
        ys = curve.heights(xs)
        shown = [(x, y) for x, y in zip(xs, ys, strict=True) if abs(y) < 3.8 and abs(x + 1) > 0.1]
        seen = 0
        for x, y in shown:
            column, row = round(zero[0] + x * unit), round(zero[1] - y * unit * (0.80 / 0.78 if style is PLAIN else 1))
            seen += near[row - 4 : row + 5, column - 3 : column + 4].any()
        assert seen >= 0.9 * len(shown) > 10, curve.family


def test_a_dashed_curve_has_gaps_and_a_legend_names_its_colours():
    curves = (dataclasses.replace(line(0, 2, "red"), dashed=True), line(0, -2, "blue"))
    plain = np.asarray(ENGINE.draw(FunctionScene(-4, 4, -4, 4, curves), 448, PLAIN).image).astype(int)
    share = [
        (np.abs(plain - colour_of(colour, PLAIN)).max(-1) < 60).any(0).sum() for colour in ("red", "blue")
    ]  # columns in which the colour shows
    assert share[0] < 0.7 * share[1] and share[1] > 300
    for style in (PLAIN, MATPLOTLIB):
        drawing = ENGINE.draw(FunctionScene(-4, 4, -4, 4, curves, names=("g", "f")), 448, style)
        image = np.asarray(drawing.image).astype(int)
        boxes = {mark.name: mark.box for mark in drawing.marks if mark.name in "fg"}
        for name, curve in zip(("g", "f"), curves, strict=True):
            left, top, _, bottom = (round(side) for side in boxes[name])
            beside = image[top : bottom + 1, left - 40 : left]
            assert (np.abs(beside - colour_of(curve.colour, style)).max(-1) < 60).any(), name


@EACH_TYPE
def test_scenes_vary_and_answers_are_balanced(name):
    items = posed(name, 4, 120)
    assert len({str(item.scene.to_json()) + item.question for item in items}) >= 110
    texts = [item.answer.text() for item in items]
    stated = float(np.mean([item.guess_rate for item in items]))
    assert max(map(texts.count, texts)) / 120 <= stated + 0.13
    assert all(item.answer.accepts(item.answer.text()) for item in items)


def test_levels_grow_and_the_first_is_small():
    for table in (levels.HALF, levels.SHIFT, levels.CURVES, levels.FAMILY_COUNT, levels.MOST_CROSSINGS):
        assert len(table) == 10 and list(table) == sorted(table)
    assert len(TYPES) >= 14 and sum(kind.held_out for kind in ENGINE.types) >= 3
    for item in posed("axis_crossings", 0, 60):
        assert len(item.scene.curves) == 1 and len(item.question.split()) <= 13
        assert item.scene.x_high - item.scene.x_low == 6 and item.answer.value <= 2
        assert item.scene.curves[0].family == "polynomial" or len(item.scene.curves[0].corners) <= 5


def test_values_are_exact_and_agree_with_the_drawn_ones():
    curves = [
        parabola(1, -2, 3, "red"),
        absolute(1, 2, -2, -5, 5, "red"),
        Curve("sine", (3, 4, 1, -1), "red"),
        Curve("exponential", (-1, 2, 1, 4), "red"),
        Curve("hyperbola", (4, -3, 1), "red"),
        Curve("branches", (-5, 0, 1, 3, 1, 0, 1, -1, 5, 1, 1, 1), "red"),
    ]
    for curve in curves:
        known = []
        for x in range(-5, 6):
            try:
                known.append((x, curve.at(x)))
            except ValueError as error:
                assert f"no exact value at {x}" in str(error)
        inner = [(x, y) for x, y in known if x not in (-5, 1, 5)]
        assert len(inner) >= 3
        ys = curve.heights(np.array([float(x) for x, _ in inner]))
        assert ys == pytest.approx([float(y) for _, y in inner])
    assert curves[-1].at(1) == -1 and curves[3].at(3) == 0


def test_descriptions_tell_the_curves():
    assert formula((3, -1, 1)) == "x^2 - x + 3" and formula((0,)) == "0" and formula((0, -2)) == "-2x"
    for name in TYPES:
        for level in (0, 9):
            for item in posed(name, level, 3):
                text = item.scene.describe()
                assert text.isascii() and all(curve.colour in text for curve in item.scene.curves)
                if isinstance(item.scene, PanelsScene):
                    assert all(f"Panel {letter}" in text for letter in "ABCD")
                else:
                    assert all(f"Point {point.letter}: ({point.x}, {point.y})" in text for point in item.scene.points)


def test_colours_can_be_named_and_told_apart():
    for name in TYPES:
        for level in (0, 5, 9):
            for item in posed(name, level, 3):
                used = [curve.colour for curve in item.scene.curves]
                assert set(used) <= set(COLOURS) - {"yellow"}
                assert isinstance(item.scene, PanelsScene) or len(set(used)) == len(used)
