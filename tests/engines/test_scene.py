"""Things on a floor: second opinions agree, pixels are counted right, and a mirrored floor answers as predicted."""

import dataclasses
import functools
import itertools

import numpy as np
import pytest

from engines.base import Style, make_rng
from engines.marks import faults
from engines.oracles import readings
from engines.oracles import scene as oracle
from engines.scene import ENGINE
from engines.scene.draw import draw
from engines.scene.questions.place import GAPS, MOST_HIDDEN
from engines.scene.scene import Floor, Thing, counts, hidden, outline, overlap
from engines.scene.scene.sight import SIDE
from engines.style import colour_of
from tests.engines import posing

pytest.importorskip("shapely", reason="the oracles of scenes use shapely")

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


def mirrored(scene):
    """A floor seen in a mirror that stands beside it."""
    return Floor(tuple(t._replace(x=1000 - t.x, turn=90 - t.turn) for t in scene.things))


@EACH_KIND
def test_a_second_opinion_agrees_and_there_is_one_reading(kind):
    for level in range(10):
        for item in posed(kind.name, level, 4):
            sample = sample_of(item, kind.name)
            assert item.answer.accepts(oracle.ORACLES[kind.name](sample)), item.question
            assert not list(readings.ambiguities(sample))


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in itertools.product((0, 5, 9), range(0, ENGINE.themes, 3)):
        (item,) = posed(kind.name, level, 1)
        for size_px in (kind.min_size_px[level], 448):
            assert not list(faults(draw(item.scene, size_px, Style(theme, 3))))


@EACH_KIND
def test_nothing_that_is_asked_for_is_hidden_too_far_and_no_two_things_are_level(kind):
    for level in (0, 3, 6, 9):
        for item in posed(kind.name, level, 6):
            most = 0.47 if kind.name in ("covered", "hider") else MOST_HIDDEN[level] + 0.02
            assert all(hidden(seen) <= most for seen in item.scene.seen)
            for name in ("x", "y"):
                places = sorted(getattr(thing, name) for thing in item.scene.things)
                assert min(b - a for a, b in itertools.pairwise(places)) >= GAPS[level] - 1


def test_pixels_are_counted_as_shapely_measures():
    for item in posed("covered", 9):
        for (seen, whole), (outline_, part) in zip(item.scene.seen, oracle._seen(item.scene.to_json()), strict=True):
            pixel = (1000 / SIDE) ** 2
            assert (
                abs(whole * pixel - outline_.area) < 12 * outline_.length / 4 and abs(seen * pixel - part.area) < 2500
            )
            assert abs(seen / whole - part.area / outline_.area) < 0.08


def test_one_thing_behind_another_by_hand():
    back, front = (
        Thing("red", "sphere", "large", "matte", 500, 500, 80),
        Thing("blue", "sphere", "large", "matte", 500, 620, 80),
    )
    (all_of_it, whole), (front_seen, front_whole) = counts((back, front._replace(x=800)))
    assert all_of_it == whole and front_seen == front_whole
    (seen, whole), _ = counts((back, front))
    # Two circles of radius 80 whose middles are 120 apart share 2 r^2 acos(d / 2r) - d / 2 sqrt(4 r^2 - d^2).
    lens = 2 * 80**2 * np.arccos(120 / 160) - 60 * np.sqrt(160**2 - 120**2)
    assert 1 - seen / whole == pytest.approx(lens / (np.pi * 80**2), abs=0.02)
    assert overlap(back, front) == pytest.approx(lens / (np.pi * 80**2), abs=0.02)
    assert counts((front, back))[1] == (seen, whole)  # the order in which things are named changes nothing


@pytest.mark.parametrize("name", ["count", "nearest", "covered", "hider", "depth", "area"])
def test_a_mirror_changes_no_answer(name):
    for item in posed(name, 6):
        assert item.answer.accepts(oracle.ORACLES[name](sample_of(item, name, mirrored(item.scene))))


def test_a_mirror_turns_an_order_round():
    for item in posed("order", 8):
        found = oracle.ORACLES["order"](sample_of(item, "order", mirrored(item.scene)))
        assert tuple(found.split(", ")) == item.answer.value[::-1]


def test_every_word_of_a_count_counts():
    for level in (2, 5, 9):
        for item in posed("count", level):
            wanted = {name: value for name, value in item.query.items() if name != "ask"}
            things = [thing._asdict() for thing in item.scene.things]
            for left_out in wanted:
                rest = {name: value for name, value in wanted.items() if name != left_out}
                assert sum(rest.items() <= thing.items() for thing in things) > item.answer.value


def test_what_hides_a_thing_must_stand_before_it():
    """Were the one in front moved away, nothing would hide the thing that is asked about."""
    for item in posed("hider", 9):
        gone = Floor(tuple(t for t in item.scene.things if t.colour != item.answer.value))
        with pytest.raises(ValueError):
            oracle.ORACLES["hider"](sample_of(item, "hider", gone))


def test_an_order_that_hangs_on_what_is_hidden_is_told():
    """A planted fault: a cube so far behind another that the middle of what is seen of it changes sides."""
    (item,) = posed("order", 9, 1)
    back = Thing("red", "cube", "large", "matte", 500, 500, 80, 25)
    front = Thing("blue", "cylinder", "large", "matte", 440, 540, 80, 0)
    level = Thing("green", "cube", "large", "matte", 510, 800, 80, 25)
    fault = dataclasses.replace(item.scene, things=(back, front, level))
    item = item._replace(query={"ask": "order", "shape": "cube"})
    item = item._replace(answer=type(item.answer).listing(["red", "green"], item.answer.vocabulary))
    assert list(readings.ambiguities(sample_of(item, "order", fault)))


@pytest.mark.parametrize("theme", range(ENGINE.themes))
def test_a_matte_thing_shows_its_colour_at_its_place(theme):
    things = [
        Thing(c, s, "large", "matte", 160 + 220 * i, 600, 70, 25)
        for i, (c, s) in enumerate(
            zip(("red", "blue", "green", "yellow"), ("cube", "sphere", "cylinder", "cone"), strict=True)
        )
    ]
    style = Style(theme, 5)
    image = np.array(draw(Floor(tuple(things)), 448, style).image).astype(int)
    for thing in things:
        x, y = outline(thing).mean(0) * 0.448
        assert abs(image[int(y), int(x)] - colour_of(thing.colour, style)).max() < 75


def test_adjectives_stand_in_one_order():
    said = [item.question for level in range(2, 10) for item in posed("compose", level, 30)]
    for text in said:
        words = text.replace(",", " ").split()
        for one, other in itertools.pairwise(words):
            assert (one, other) not in {
                (a, b) for a in ("matte", "shiny", "striped") for b in ("small", "large", "red")
            }
            assert not (one in ("red", "blue", "green") and other in ("small", "large"))


def test_a_size_is_asked_for_only_where_both_are_shown():
    asked = set()
    for level in (0, 1, 5):
        for item in posed("count", level, 20):
            is_asked = any("small or large" in fact.question for fact in ENGINE.facts(item.scene, make_rng("facts")))
            assert is_asked == (len({thing.size for thing in item.scene.things}) == 2)
            asked.add(is_asked)
    assert asked == {True, False}
