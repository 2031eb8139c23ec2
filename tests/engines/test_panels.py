"""Panels: second opinions agree, bars end where their values say, scaled or exchanged panels answer as predicted."""

import dataclasses
import functools
import itertools
from fractions import Fraction

import numpy as np
import pytest

from engines.answer import Answer
from engines.base import Style, make_rng
from engines.lettering import X_HEIGHT
from engines.marks import faults, x_height_floor_px
from engines.oracles import readings
from engines.oracles.panels import ORACLES
from engines.panels import ENGINE
from engines.panels.draw import draw, look_of, text_px
from engines.panels.questions.draft import COURSES, Draft, changes, differences, summing
from engines.panels.scene import Axis, Panel, Panels
from engines.panels.words import TOPICS
from engines.style import theme_of
from tests.engines import posing

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


def scaled(scene, by):
    """The same panels with all numbers so many times as large."""
    panels = tuple(
        Panel(p.name, Axis(p.axis.low * by, p.axis.step * by), tuple(tuple(v * by for v in row) for row in p.values))
        for p in scene.panels
    )
    return dataclasses.replace(scene, panels=panels)


@EACH_KIND
def test_a_second_opinion_agrees_and_there_is_one_reading(kind):
    for level in range(10):
        for item in posed(kind.name, level, 6):
            sample = sample_of(item, kind.name)
            assert item.answer.accepts(ORACLES[kind.name](sample)), item.question
            assert not list(readings.ambiguities(sample))


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in itertools.product((0, 2, 4, 5, 7, 9), range(0, ENGINE.themes, 3)):
        (item,) = posed(kind.name, level, 1)
        for size_px in (kind.min_size_px[level], 448):
            assert not list(faults(draw(item.scene, size_px, Style(theme, 3))))


@pytest.mark.parametrize("name", ["gap", "total", "mean", "median"])
def test_twice_as_large_panels_have_twice_the_answer(name):
    for level in (0, 5, 9):
        for item in posed(name, level):
            assert int(ORACLES[name](sample_of(item, name, scaled(item.scene, 2)))) == 2 * item.answer.value


@pytest.mark.parametrize("name", ["change", "share", "lead"])
def test_percentages_and_leads_do_not_depend_on_the_unit(name):
    for level in (0, 5, 9):
        for item in posed(name, level):
            assert item.answer.accepts(ORACLES[name](sample_of(item, name, scaled(item.scene, 3))))


def test_exchanged_names_turn_a_difference_round():
    for level in (2, 8):
        for item in posed("gap", level):
            found = ORACLES["gap"](sample_of(item, "gap", names=item.query["names"][::-1]))
            assert int(found) == -item.answer.value


def test_one_is_above_or_below_the_other():
    for item in posed("both", 1, 20):
        found = int(ORACLES["both"](sample_of(item, "both", names=item.query["names"][::-1])))
        assert found + item.answer.value == len(item.scene.categories)  # never level


def test_claims_about_what_is_not_there_are_not_shown():
    """A name or time that a picture has is true or false of it; one that it has not is neither."""
    seen = set()
    for item in itertools.chain.from_iterable(posed("claim", level, 30) for level in (0, 5, 9)):
        names = {f"{p.name} {s}".strip() for p in item.scene.panels for s in item.scene.series}
        there = names | set(item.scene.categories)
        absent = [v for k, v in item.query.items() if k in "abcd" and v not in there]
        assert bool(absent) == (item.answer.value == "not shown")
        seen.add(item.answer.value)
    assert seen == {"true", "false", "not shown"}


def test_claims_turn_with_their_values():
    """A planted fault: with the values upside down, claims that one is above another are the other way round."""
    turned = 0
    for item in posed("claim", 1, 60):
        if item.query["kind"] not in ("over", "rise") or item.answer.value == "not shown":
            continue
        high = item.scene.panels[0].axis.high
        panels = tuple(
            p._replace(values=tuple(tuple(high - v for v in row) for row in p.values)) for p in item.scene.panels
        )
        found = ORACLES["claim"](sample_of(item, "claim", dataclasses.replace(item.scene, panels=panels)))
        assert {found, item.answer.value} == {"true", "false"}
        turned += 1
    assert turned > 10


def test_a_median_of_an_even_number_must_say_what_it_is():
    told = 0
    for item in posed("median", 8, 20):
        assert "two in the middle" in item.question
        vague = item._replace(question=item.question.partition(" Of an even")[0])
        told += bool(list(readings.ambiguities(sample_of(vague, "median"))))
    assert told > 5


@pytest.mark.parametrize("level", [5, 9])
def test_bars_end_where_their_values_say(level):
    """Pixels of the picture: a bar's colour just below its end, and none of it just above."""
    seen = 0
    for item in posed("mean", level, 12):
        scene, style = item.scene, Style(0, 11)
        if scene.kind != "bar":
            continue
        drawing = draw(scene, 448, style)
        image, boxes = np.asarray(drawing.image).astype(int), {m.name: m.box for m in drawing.marks if m.kind == "part"}
        colour, paper = look_of(scene, style).colours[0], theme_of(style).panel
        for panel in scene.panels:
            name = f"{panel.name} {scene.series[0]} {scene.categories[0]}"
            value, (left, top, _, bottom) = panel.values[0][0], boxes[name]
            has_hatch = len(scene.series) > 1 and look_of(scene, style).hatches[0]
            if value <= 0 or bottom - top < 8 or has_hatch:
                continue
            x = round(left + 3)
            assert (
                abs(image[round(top + 4), x] - colour).max() < 30 and abs(image[round(top - 3), x] - paper).max() < 90
            )
            seen += 1
    assert seen > 2


def test_values_lie_on_lines_or_half_way_where_no_number_is_printed():
    for level in range(5, 10):
        for item in posed("total", level, 4):
            for panel in item.scene.panels:
                assert all(v % (panel.axis.step // 2) == 0 for row in panel.values for v in row)
    assert all(step % 2 == 0 for topic in TOPICS for step in topic.steps)


def test_text_is_as_small_as_may_be():
    for size_px in (224, 336, 448):
        assert x_height_floor_px(size_px) <= text_px(size_px) * X_HEIGHT < 1.15 * x_height_floor_px(size_px)


def test_sums_of_what_does_not_add_up_are_not_asked_for():
    for name in ("total", "change", "share"):
        for level in range(10):
            for item in posed(name, level, 6):
                topic = next(topic for topic in TOPICS if topic.title == item.scene.title)
                assert topic.adds
    assert any(not topic.adds for topic in TOPICS)


def test_drafting_by_hand():
    assert differences((1, 2, 5), (1, 3, 10)) == {
        -5: [(1, 1)],
        -15: [(1, 2)],
        -25: [(1, 3)],
        0: [(2, 1)],
        -10: [(2, 2)],
        -20: [(2, 3)],
    }
    assert changes(2, 4) == {50: [(2, 3)], 100: [(2, 4)], -50: [(4, 2)], -25: [(4, 3)]}
    rng = make_rng("summing")
    for total in (6, 11, 20):
        row = summing(rng, [9, 1, 5, 3], total, 1, 5)
        assert sum(row) == total and all(1 <= value <= 5 for value in row)
    assert all(f(np.linspace(0, 1, 5)).min() >= 0 and f(np.linspace(0, 1, 5)).max() <= 1 for f in COURSES.values())
    draft = Draft(make_rng("align"), 9)
    draft.align(range(1, 4), 0)
    assert len(set(draft.axes)) == 1 and draft.finish().complexity() >= 48


def test_changes_are_whole_percents_of_what_was_before():
    for (low, high), share in itertools.product(((2, 35), (1, 8)), (-50, 25, 100)):
        for a, b in changes(low, high).get(share, ()):
            assert Fraction(b - a, a) == Fraction(share, 100)


def test_panels_that_cannot_be_are_refused():
    axis = Axis(0, 10)
    given = {"title": "Sales", "unit": "", "kind": "bar", "categories": ("Jan", "Feb"), "series": ("",)}
    with pytest.raises(ValueError, match="must have 1 x 2 values"):
        Panels(**given, panels=(Panel("North", axis, ((5,),)),), has_numbers=True)
    with pytest.raises(ValueError, match="multiples of 5 within its axis"):
        Panels(**given, panels=(Panel("North", axis, ((5, 7),)),), has_numbers=False)
    assert Answer.word("not shown", ("true", "false", "not shown")).accepts("Not shown.")
