"""Marked points: second opinions agree, no look of the marks or of their bodies tells the order, all is legible."""

import collections
import dataclasses
import functools
import itertools
import statistics

import numpy as np
import pytest

from engines.base import Style
from engines.depth import ENGINE
from engines.depth.draw import draw
from engines.depth.questions.place import COLOURS, GAPS
from engines.depth.scene import Body, Hall, Point, near_row
from engines.marks import contrast_faults, faults
from engines.oracles import depth as oracle
from engines.oracles import readings
from tests.engines import posing

pytest.importorskip("shapely", reason="the oracles of marked points use shapely")

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


@EACH_KIND
def test_a_second_opinion_agrees_and_there_is_one_reading(kind):
    for level in range(10):
        for item in posed(kind.name, level, 4):
            sample = sample_of(item, kind.name)
            assert item.answer.accepts(oracle.ORACLES[kind.name](sample)), item.question
            assert not list(readings.ambiguities(sample))


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in itertools.product((0, 2, 5, 9), range(0, ENGINE.themes, 3)):
        (item,) = posed(kind.name, level, 1)
        for size_px in (kind.min_size_px[level], 448):
            drawing = draw(item.scene, size_px, Style(theme, 3))
            assert not list(faults(drawing))
            assert not list(contrast_faults(np.asarray(drawing.image), drawing.marks))
    assert kind.min_size_px[2] == 112


@pytest.mark.parametrize("name", oracle.POINTS)
def test_marks_are_seen_whole_lie_on_what_they_mark_and_differ_in_depth(name):
    """The body under a mark is the one that the picture shows around it, and no disc touches another."""
    for level in (0, 2, 5, 9):
        reach = 0.9 * (46 if level < 3 else 23)
        for item in posed(name, level, 6):
            scene = item.scene.to_json()
            outlines = [oracle.outline(thing) for thing in scene["things"]]
            for point in item.scene.points:
                row = oracle.place(scene, (point.x, point.y))
                assert row == pytest.approx(item.scene.place(point), abs=0.5)
                around = [(point.x + dx * reach, point.y + dy * reach) for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0))]
                for (x, y), other in itertools.product(around, enumerate(scene["things"], 1)):
                    number, thing = other
                    is_before = point.on == 0 or thing["y"] > scene["things"][point.on - 1]["y"]
                    box = outlines[number - 1].bounds
                    assert not (number != point.on and is_before and box[0] < x < box[2] and box[1] < y < box[3])
            for one, other in itertools.combinations(item.scene.points, 2):
                assert np.hypot(one.x - other.x, one.y - other.y) > 2 * reach
                assert abs(item.scene.place(one) - item.scene.place(other)) >= GAPS[level] - 2


def looks(scene, point):
    """What an onlooker may go by who looks at the marks and at their bodies, and not at where those stand."""
    body = scene.bodies[point.on - 1] if point.on else Body("", "", 0, point.y, 0, 0)
    return {
        "the lowest mark": point.y,
        "the mark with the first letter": -ord(point.letter),
        "the leftmost mark": -point.x,
        "the mark nearest to the middle": -abs(point.x - 500),
        "the tallest thing": body.height,
        "the widest thing": body.radius,
        "the largest thing": body.height * body.radius,
        "the thing that ends highest": body.height - body.y,
    }


@pytest.mark.parametrize("name, sign", [("nearest_point", 1), ("farthest_point", -1), ("nearer_of_two", 1)])
def test_no_look_of_marks_or_bodies_is_worth_more_than_the_stated_guess(name, sign):
    """Each guess, and its opposite, level by level and over all levels; ties earn their share."""
    count, earned = 160, collections.defaultdict(list)
    for level in range(10):
        found = collections.Counter()
        for item in posed(name, level, count):
            points = [p for p in item.scene.points if p.letter in item.query.get("letters", [p.letter])]
            seen = [looks(item.scene, point) for point in points]
            for rule, way in itertools.product(seen[0], (1, -1)):
                best = max(way * look[rule] for look in seen)
                picked = [p.letter for p, look in zip(points, seen, strict=True) if way * look[rule] == best]
                found[rule, way] += (item.answer.value in picked) / len(picked)
        stated = item.guess_rate
        for rule, right in found.items():
            assert right / count < stated + 0.03 + 3.5 * (stated * (1 - stated) / count) ** 0.5, (level, rule)
            earned[rule].append(right / count - stated)
    for rule, differences in earned.items():
        assert statistics.mean(differences) < 0.045, rule


def test_the_order_of_marks_in_the_picture_says_nothing_of_their_order_in_depth():
    """Every order of heights comes as often as any other, with three points and with all five."""
    for level, often in ((1, 6), (9, 120)):
        orders = collections.Counter()
        for item in posed("order_points", level, 480):
            by_height = sorted(item.scene.points, key=lambda point: -point.y)
            letters = [point.letter for point in by_height]
            orders[tuple(letters.index(letter) for letter in item.answer.value)] += 1
        expected = 480 / often
        chi = sum((orders[order] - expected) ** 2 / expected for order in itertools.permutations(range(len(letters))))
        assert chi < often - 1 + 4 * (2 * (often - 1)) ** 0.5, orders


@pytest.mark.parametrize("name", oracle.POINTS)
def test_a_mirror_changes_no_answer_and_new_letters_change_it_as_they_should(name):
    for item in posed(name, 6):
        turned = Hall(
            tuple(body._replace(x=1000 - body.x, turn=90 - body.turn) for body in item.scene.bodies),
            tuple(point._replace(x=1000 - point.x) for point in item.scene.points),
        )
        assert item.answer.accepts(oracle.ORACLES[name](sample_of(item, name, turned)))
    for item in posed("nearest_point", 6):
        swap = str.maketrans("ABCDE", "BCDEA"[: len(item.scene.points) - 1] + "A" + "ABCDE"[len(item.scene.points) :])
        renamed = tuple(p._replace(letter=p.letter.translate(swap)) for p in item.scene.points)
        found = oracle.ORACLES["nearest_point"](sample_of(item, name, dataclasses.replace(item.scene, points=renamed)))
        assert found == item.answer.value.translate(swap)


def test_near_and_far_by_hand():
    """A near column's high mark is nearer than a far box's low one; one on the floor between them lies between."""
    column = Body("red", "column", 300, 800, 60, 600)
    box = Body("blue", "box", 700, 450, 60, 300, 25)
    hall = Hall((box, column), (Point("A", 300, 260, 2), Point("B", 700, 400, 1), Point("C", 500, 640)))
    assert hall.place(hall.points[0]) == pytest.approx(800 + 0.36 * 60)
    assert 450 < hall.place(hall.points[1]) < 450 + 0.36 * 0.8 * 60 * 2**0.5 + 1e-6
    assert [point.letter for point in hall.by_nearness()] == ["A", "C", "B"]
    assert near_row(column, 300 + 60) == pytest.approx(800) == near_row(column, 300 - 60)
    scene = hall.to_json()
    assert [oracle.place(scene, (p.x, p.y)) for p in hall.points] == pytest.approx(
        [*map(hall.place, hall.points)], abs=0.1
    )


def test_an_order_that_hangs_on_where_one_measures_is_told():
    """A planted fault: a point high above a place a little farther is nearer to the eye than one on the floor."""
    (item,) = posed("nearest_point", 0, 1)
    tall = Body("red", "column", 300, 780, 60, 700)
    hall = Hall((tall,), (Point("A", 300, 150, 1), Point("B", 700, 830)))
    item = item._replace(query={"ask": "nearest_point"}, answer=type(item.answer).choice("B", "AB"))
    sample = sample_of(item, "nearest_point", hall)
    assert item.answer.accepts(oracle.ORACLES["nearest_point"](sample))
    assert list(readings.ambiguities(sample))


@pytest.mark.parametrize("level", [0, 2, 5, 9])
def test_things_that_are_counted_are_seen(level):
    """Of each thing at least half its width is free, and every count comes up."""
    counts = collections.Counter()
    for name in ("count_things", "count_colour"):
        for item in posed(name, level, 60):
            counts[name, item.answer.value] += 1
            outlines = [oracle.outline(thing) for thing in item.scene.to_json()["things"]]
            for body, whole in zip(item.scene.bodies, outlines, strict=True):
                for other, cover in zip(item.scene.bodies, outlines, strict=True):
                    if other.y > body.y:
                        whole = whole.difference(cover)
                left, _, right, _ = whole.bounds
                assert right - left > 0.5 * body.radius and whole.area > 0.15 * body.radius**2
                assert body.colour in COLOURS
    assert {value for name, value in counts if name == "count_things"} >= set(range(1, 5))
    assert {value for name, value in counts if name == "count_colour"} >= set(range(4))


@pytest.mark.parametrize("name, sign", [("nearest_thing", 1), ("farthest_thing", -1)])
def test_a_thing_is_nearest_or_farthest_wherever_one_measures_and_no_look_tells_it(name, sign):
    """By every part of its foot; and neither its size nor its place across says more than it must."""
    for level in (0, 2, 5, 9):
        found, items = collections.Counter(), posed(name, level, 120)
        for item in items:
            (first,) = [body for body in item.scene.bodies if body.colour == item.answer.value]
            assert len({body.colour for body in item.scene.bodies}) == len(item.scene.bodies)
            for body in item.scene.bodies:
                assert body is first or sign * (first.y - body.y) >= GAPS[level]
            for rule in ("height", "radius", "x"):
                for way in (1, -1):
                    picked = max(item.scene.bodies, key=lambda body: way * getattr(body, rule))
                    found[rule, way] += picked is first
        share = 1 / len(items[0].scene.bodies)
        for rule, right in found.items():
            # What stands near may be taller: there is more room above it.
            most = share + (0.3 if rule[0] == "height" else 0.1)
            assert right / len(items) < most + 3 * (share * (1 - share) / len(items)) ** 0.5, (level, rule)
