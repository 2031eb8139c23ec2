"""Measured figures: second opinions agree, what is drawn is what is written, too little is refused."""

import collections
import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest

from engines.base import Style
from engines.marks import contrast_faults, faults
from engines.measures import ENGINE
from engines.measures.draw import draw
from engines.measures.questions import figures, plans
from engines.measures.scene import FORMS, Figure, Plan
from engines.oracles import readings
from engines.oracles.measures import ORACLES
from tests.engines import posing

pytest.importorskip("shapely", reason="the oracles of measures use shapely and SymPy")
pytest.importorskip("sympy", reason="the oracles of measures use shapely and SymPy")

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
FIGURES = ("angle", "circle_angle", "right", "parallel")
PLANS = ("area", "perimeter", "side", "shaded")
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


@EACH_KIND
def test_a_second_opinion_agrees_and_there_is_one_reading(kind):
    for level in range(10):
        for item in posed(kind.name, level, 5):
            sample = sample_of(item, kind.name)
            assert item.answer.accepts(ORACLES[kind.name](sample)), item.question
            assert not list(readings.ambiguities(sample))


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in itertools.product((0, 3, 5, 9), range(0, ENGINE.themes, 3)):
        for item in posed(kind.name, level, 2):
            for size_px in (kind.min_size_px[level], 448):
                drawing = draw(item.scene, size_px, Style(theme, 3))
                assert not list(faults(drawing))
                assert not list(contrast_faults(np.asarray(drawing.image), drawing.marks))


@pytest.mark.parametrize("name", FIGURES)
def test_what_is_drawn_is_what_is_written(name):
    """Angles and lengths are measured in the picture: x is the answer, in degrees or to the scale of the others."""
    for level in range(10):
        for item in posed(name, level, 4):
            drawing = draw(item.scene, 448, Style(0, 1))
            spots = {mark.name[-1]: mark.box[:2] for mark in drawing.marks if mark.kind == "part"}
            scales = []
            for label, text in item.scene.labels:
                number = item.answer.value if text == "x" else int(text)
                if len(label) == 2:
                    scales.append(math.dist(spots[label[0]], spots[label[1]]) / number)
                    continue
                one, corner, other = (complex(*spots[letter]) for letter in label)
                turn = abs(math.degrees(np.angle((one - corner) / (other - corner))))
                assert turn == pytest.approx(number, abs=0.01), (item.scene.form, label)
            assert not scales or max(scales) == pytest.approx(min(scales))


@pytest.mark.parametrize("name", FIGURES)
def test_marks_tell_the_truth(name):
    """Lines with a stroke are as long as each other, lines with arrows parallel, marked angles right."""
    for level in range(10):
        for item in posed(name, level, 3):
            shape = item.scene.shape()
            spots = {letter: complex(*spot) for letter, spot in shape.points.items()}
            lengths = [abs(spots[a] - spots[b]) for a, b in shape.equal]
            assert not lengths or max(lengths) == pytest.approx(min(lengths))
            ways = [spots[a] - spots[b] for a, b in shape.parallel]
            assert all((way / ways[0]).imag == pytest.approx(0, abs=1e-9) for way in ways)
            for a, b, c in shape.right:
                assert ((spots[a] - spots[b]) / (spots[c] - spots[b])).real == pytest.approx(0, abs=1e-9)
            if shape.circle:
                on_rim = [abs(spots[x]) for x in spots if x not in "OP"]
                assert on_rim == pytest.approx([shape.circle] * len(on_rim))


@pytest.mark.parametrize("name", PLANS)
def test_doubling_every_length_doubles_or_quadruples_the_answer(name):
    for level in (1, 5, 9):
        for item in posed(name, level, 4):
            scene = item.scene
            twice = Plan(
                tuple((2 * x, 2 * y) for x, y in scene.outline),
                tuple(tuple((2 * x, 2 * y) for x, y in ring) for ring in scene.cuts),
                tuple(
                    line._replace(
                        start=(2 * line.start[0], 2 * line.start[1]),
                        end=(2 * line.end[0], 2 * line.end[1]),
                        text=line.text if line.text == "x" else str(2 * int(line.text)),
                    )
                    for line in scene.lengths
                ),
                scene.colour,
            )
            factor = 4 if name in ("area", "shaded") else 2
            assert int(ORACLES[name](sample_of(item, name, twice))) == factor * item.answer.value


@pytest.mark.parametrize("name", ["area", "perimeter", "side"])
def test_a_length_less_leaves_the_figure_open_and_a_wrong_one_does_not_close_it(name):
    for item in posed(name, 6, 5):
        lines = item.scene.lengths
        upright = [line for line in lines if line.start[0] == line.end[0] and line.text != "x"]
        fewer = tuple(line for line in lines if line not in upright[:2])
        with pytest.raises(ValueError, match="at most one side"):
            ORACLES[name](sample_of(item, name, dataclasses.replace(item.scene, lengths=fewer)))
    (item,) = posed("area", 0, 1)
    first, *others = item.scene.lengths
    wrong = dataclasses.replace(item.scene, lengths=(first._replace(text=str(int(first.text) + 1)), *others))
    with pytest.raises(ValueError, match="must close"):
        ORACLES["area"](sample_of(item, "area", wrong))


def test_an_angle_that_does_not_follow_is_refused():
    for item in posed("angle", 6, 5):
        fewer = tuple(label for label in item.scene.labels if label[1] == "x")
        with pytest.raises(ValueError, match="must follow"):
            ORACLES["angle"](sample_of(item, "angle", dataclasses.replace(item.scene, labels=fewer)))


def test_figures_by_hand():
    assert plans.outline([2, 3], [4, 1]) == [(0, 0), (0, 4), (2, 4), (2, 1), (5, 1), (5, 0)]
    assert plans.area(plans.outline([2, 3], [4, 1])) == 2 * (8 + 3)
    assert (3, 4, 5) in figures.triples() and (20, 21, 29) in figures.triples()
    assert all(a * a + b * b == c * c for a, b, c in figures.triples())
    assert 12 in figures.right_cases("leg") and figures.right_cases("stair").keys() >= {29, 34}
    assert set(figures.beams()) == set(range(2, 13))


def test_every_form_is_asked_about_and_told_in_words():
    asked = {item.scene.form for name in FIGURES for level in range(10) for item in posed(name, level, 12)}
    assert asked == set(FORMS)
    for form in FORMS.values():
        assert form.words.isascii() and form.words.endswith(".") and form.steps >= 1


def test_scenes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"figure\.form must be one of"):
        Figure("blob", (), ())
    with pytest.raises(ValueError, match="three corners or more"):
        Plan(((0, 0), (0, 1)), (), (), "red")


@pytest.mark.parametrize(
    "name, level", [("area", 0), ("shaded", 4), ("shaded", 5), ("shaded", 7), ("circle_angle", 8), ("circle_angle", 9)]
)
def test_the_commonest_answer_is_as_common_as_stated(name, level):
    answers = collections.Counter(item.answer.text() for item in posed(name, level, 600))
    (item,) = posed(name, level, 1)
    assert abs(answers.most_common(1)[0][1] / 600 - item.guess_rate) < 0.025, answers.most_common(2)
