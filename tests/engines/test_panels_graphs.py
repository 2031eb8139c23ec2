"""Graphs, clouds, courses and maps: changed scenes answer as predicted, foils are seen to be wrong, pixels agree."""

import dataclasses
import functools
import itertools
from fractions import Fraction

import numpy as np
import pytest

from engines.base import Style, make_rng
from engines.oracles.panels import ORACLES
from engines.panels import ENGINE
from engines.panels.draw import draw
from engines.panels.draw.window import Window
from engines.panels.questions import heights, slopes, trends
from engines.panels.scene import HALF, LETTERS, SIDE, Clouds, Courses, Graph, Graphs, Hill, Map, Strips
from engines.panels.scene.clouds import SPAN, Cloud
from engines.panels.scene.courses import Course
from tests.engines import posing

posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)
XS = np.linspace(-HALF, HALF, 401)


def values(graph):
    return np.polyval([float(number) for number in reversed(graph.numbers)], XS)


def test_polynomials_by_hand():
    assert slopes.product((1, -2), 3) == (-6, 3, 3)
    assert slopes.slope((Fraction(5), Fraction(2), Fraction(3))) == (2, 6)
    above = slopes.rise((Fraction(-1), Fraction(0), Fraction(3)), 1)  # 3 x^2 - 1, so x^3 - x
    assert above == (0, -1, 0, 1)
    assert slopes._middle((0,)) == (-1, 1) and slopes._middle((-3, -1, 2)) == (-3, 2)


@pytest.mark.parametrize("name", ["derivative", "primitive"])
def test_foils_are_seen_not_to_be_the_slope(name):
    """Found from floats: they have another sign over a good part of the window, or touch the axis elsewhere."""
    for level in (0, 4, 7, 9):
        for item in posed(name, level, 6):
            (given,) = item.scene.given
            for option in item.scene.options:
                below, above = (option, given) if name == "derivative" else (given, option)
                slope, rise = values(below)[:-1], np.diff(values(above))
                wrong = (slope * rise < 0).mean()
                other = abs(slope / abs(slope).max() - rise / abs(rise).max()).max()
                if option.name == item.answer.value:
                    assert wrong < 0.02 and other < 0.03
                else:
                    assert wrong > 0.11 or (other > 0.1 and slopes.ROOTS[level] == "touch")


def test_graphs_turned_upside_down_belong_together_as_before():
    for level in (1, 5, 9):
        for item in posed("derivative", level, 4):
            turned = [
                tuple(g._replace(numbers=tuple(-number for number in g.numbers)) for g in group)
                for group in (item.scene.given, item.scene.options)
            ]
            scene = Graphs(*turned, item.scene.steps)
            assert item.answer.accepts(ORACLES["derivative"](sample_of(item, "derivative", scene)))


def test_from_level_4_on_one_of_four_graphs_is_none_of_the_three():
    for level in (0, 3, 4, 9):
        for item in posed("orders", level, 6):
            assert len(item.scene.options) == (4 if level >= slopes.DECOY_FROM_LEVEL else 3)
            names = item.answer.value
            first, second, third = (next(g for g in item.scene.options if g.name == name) for name in names)
            assert slopes.slope(first.numbers) == second.numbers and slopes.slope(second.numbers) == third.numbers


def test_slopes_upside_down_bend_the_other_way():
    for level in (1, 4, 7, 9):
        for item in posed("bends", level, 8):
            scene = item.scene
            turned = dataclasses.replace(scene, slopes=tuple(-slope for slope in scene.slopes))
            query = {"first": -item.query["first"], "second": -item.query["second"]}
            assert item.answer.accepts(ORACLES["bends"](sample_of(item, "bends", turned, **query)))
            other = ORACLES["bends"](sample_of(item, "bends", first=0, second=item.query["second"]))
            assert set(item.answer.value) <= set(other.split(", "))
            if item.query["first"]:  # f' has one sign in each strip
                assert all(a * b >= 0 for a, b in itertools.pairwise(scene.slopes))


def test_the_line_that_fits_best_is_near_the_one_of_all_lines():
    for level in (0, 6, 9):
        for item in posed("fit", level, 8):
            points = np.array(item.scene.clouds[0].points, float)
            slope, height = np.polyfit(points[:, 0] - SPAN / 2, points[:, 1], 1)
            grid = np.linspace(20, 80, 13) - SPAN / 2
            gaps = [
                ((float(line.slope) * grid + float(line.height) - slope * grid - height) ** 2).mean()
                for line in item.scene.lines
            ]
            assert LETTERS[int(np.argmin(gaps))] == item.answer.value


def test_mirrored_clouds_are_in_the_opposite_order_and_their_strengths_in_the_same():
    for level in (1, 4, 8):
        for item in posed("correlation", level, 6):
            clouds = tuple(Cloud(tuple((x, SPAN - y) for x, y in cloud.points)) for cloud in item.scene.clouds)
            scene = dataclasses.replace(item.scene, clouds=clouds)
            form = item.query["form"]
            if form == "strength":
                assert item.answer.accepts(ORACLES["correlation"](sample_of(item, "correlation", scene)))
            elif form == "order":
                found = ORACLES["correlation"](sample_of(item, "correlation", scene))
                assert found.split(", ") == [*item.answer.value][::-1]
            else:
                other = {"positive": "negative", "negative": "positive"}[form]
                assert ORACLES["correlation"](sample_of(item, "correlation", scene, form=other)) == item.answer.value
            every = [np.corrcoef(np.array(cloud.points).T)[0, 1] for cloud in item.scene.clouds]
            sizes = sorted(map(abs, every)) if form == "strength" else sorted(every)
            assert np.diff(sizes).min() > (0.2 if form == "strength" else 0.33)


def test_a_cloud_has_the_correlation_that_it_should_have():
    for wanted in (-0.9, 0.0, 0.5):
        points = np.array(trends.cloud(make_rng("cloud", wanted), 16, wanted).points)
        assert abs(np.corrcoef(points.T)[0, 1] - wanted) < 0.03


def test_values_between_points_grow_with_the_axis_and_lie_between_them():
    for level in (0, 4, 6, 9):
        for item in posed("between", level, 6):
            scene = item.scene
            courses = tuple(Course(c.name, tuple((x, 3 * y) for x, y in c.points)) for c in scene.courses)
            tall = dataclasses.replace(scene, step=3 * scene.step, courses=courses)
            assert int(ORACLES["between"](sample_of(item, "between", tall))) == 3 * item.answer.value
            name, x = item.query["names"][0], item.query["x"]
            points = next(c.points for c in scene.courses if c.name == name)
            assert (x > points[-1][0]) == (item.query["form"] == "beyond")
            if item.query["form"] == "value":
                found = np.interp(x, *zip(*points, strict=True))
                assert abs(found - item.answer.value) < 1e-6


def test_raised_ground_moves_no_answer_and_a_map_upside_down_turns_the_order():
    for level in (0, 5, 8):
        for item in posed("summit", level, 6):
            scene = item.scene
            raised = dataclasses.replace(scene, base=scene.base + 2 * scene.step)
            assert item.answer.accepts(ORACLES["summit"](sample_of(item, "summit", raised)))
            hills = tuple(hill._replace(tall=-hill.tall) for hill in scene.hills)
            turned = dataclasses.replace(scene, base=1000 - scene.base, hills=hills)
            ask = {"highest": "lowest", "lowest": "highest", "order": "order"}[item.query["ask"]]
            found = ORACLES["summit"](sample_of(item, "summit", turned, ask=ask)).split(", ")
            given = item.answer.value
            assert found == ([*given][::-1] if ask == "order" else [given])


def test_arrows_that_do_not_climb_fall_by_more_than_a_line():
    for level in (0, 4, 9):
        for item in posed("climb", level, 6):
            for letter, (start, end) in zip(LETTERS, item.scene.arrows, strict=False):
                spots = np.array(start) + np.linspace(0, 1, 300)[:, None] * (np.array(end) - start)
                along = heights.heights(item.scene.base, item.scene.hills, spots)
                drop = (np.maximum.accumulate(along) - along).max() / item.scene.step
                assert drop == 0 if letter == item.answer.value else drop >= 1.2


def test_heights_by_hand_and_by_floats():
    ground = Map(100, (Hill(50, 50, 200, 10),), 50)
    assert ground.at(Fraction(50), Fraction(50)) == 300 and ground.at(Fraction(60), Fraction(50)) == 200
    found = heights.heights(100, ground.hills, np.array([[60, 50], [50, 70]]))
    assert np.allclose(found, [200, 140])


def test_numbered_lines_are_drawn_where_the_ground_has_their_height():
    """Pixels: on a bold line there is ink, half-way to the next line there is paper."""
    scene = Map(130, (Hill(50, 50, 300, 20),), 50)
    image = np.asarray(draw(scene, 448, Style(0, 3)).image).astype(int)
    window = Window((0.03 * 448, 0.03 * 448, 0.97 * 448, 0.97 * 448), (0, SIDE), (0, SIDE))
    dark = []
    for height in (200, 300, 275, 225):  # to the lower left, where no number is
        away = 20 * (300 / (height - 130) - 1) ** 0.5
        column, row = window.at(50 - away * 0.6, 50 - away * 0.8)
        around = image[round(row) - 1 : round(row) + 2, round(column) - 1 : round(column) + 2]
        dark.append(int(around.sum(-1).min()))
    assert max(dark[:2]) < 480 < 600 < min(dark[2:])


def test_curves_leave_the_window_and_come_back_in_pieces():
    window = Window((0.0, 0.0, 80.0, 40.0), (-4, 4), (-1, 1))
    assert window.at(0, 0) == (40.0, 20.0) and window.at(4, 1) == (80.0, 0.0)
    ways = window.curve(XS, 2 * np.sin(XS * np.pi / 2))
    assert len(ways) == 5 and all(0 <= y <= 40 for way in ways for _, y in way)


def test_scenes_that_cannot_be_are_refused():
    flat = Graph("A", (Fraction(1),), 0, 1)
    with pytest.raises(ValueError, match="names of their own"):
        Graphs((), (flat,), 1)
    with pytest.raises(ValueError, match="change in every strip"):
        Strips((1, 1), False, 1)
    with pytest.raises(ValueError, match=r"within 0\.\.100"):
        Clouds((Cloud(((0, 101),)),), (), "red", 1)
    with pytest.raises(ValueError, match="go to the right"):
        Courses(4, (Course("P", ((3, 2), (1, 2))),), False, "red", 1)
    with pytest.raises(ValueError, match="map points must lie"):
        Map(100, (), 50, points=((0, 4),))
