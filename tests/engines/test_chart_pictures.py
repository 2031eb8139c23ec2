"""Pictures of charts: legible at every size and in every look, margins kept, and answers found again in the pixels."""

import itertools
import json
import math

import numpy as np
import pytest

from engines.base import Sample, Style, make_rng
from engines.chart import ENGINE
from engines.chart.draw import PAINTERS, draw
from engines.chart.draw.faces import face_of
from engines.chart.draw.sheet import least_difference_px
from engines.chart.scene import Chart
from engines.marks import Turn, contrast_faults, faults, x_height_floor_px
from engines.oracles import chart_pixels

TYPES = {kind.name: kind for kind in ENGINE.types}
EACH = pytest.mark.parametrize("kind", TYPES)
CANVAS, FACE = 10, 9  # seeds of styles drawn by the canvas, and by matplotlib


def pose(kind, level, index):
    return TYPES[kind].pose(make_rng("test_chart_pictures", kind, level, index), level)


def drawn(kind, level, index, size_px, style):
    """A sample as the engine would give it, but of any size and style."""
    posed = pose(kind, level, index)
    drawing = draw(posed.scene, size_px, style)
    scene, query = json.loads(json.dumps([posed.scene.to_json(), dict(posed.query)]))
    return Sample(
        engine="chart", version=ENGINE.version, question_type=kind, split="train", index=0, level=level,
        size_px=size_px, photographed=False, image=np.array(drawing.image), question=posed.question,
        answer=posed.answer, facts=(), scene=scene, scene_text="", query=query, marks=drawing.marks, guess_rate=0.0,
    )  # fmt: skip


@EACH
def test_nothing_is_clipped_overlaps_or_is_too_small(kind):
    for level in range(10):
        for index, size_px in enumerate((TYPES[kind].min_size_px[level], 448)):
            style = Style((level + 3 * index) % ENGINE.themes, CANVAS * (level + 1) + index)
            drawing = draw(pose(kind, level, index).scene, size_px, style)
            found = [*faults(drawing), *contrast_faults(np.asarray(drawing.image), drawing.marks)]
            assert not found, (level, size_px, style, found)
            assert any(mark.kind == "part" for mark in drawing.marks)


def test_every_kind_of_chart_is_asked_about():
    seen = {pose(kind, level, index).scene.kind for kind in TYPES for level in (1, 3, 9) for index in range(12)}
    assert seen == set(PAINTERS)


def test_matplotlib_draws_what_it_can_and_leaves_the_rest():
    faces = 0
    for kind, level in itertools.product(("read_bar", "stacked_part", "line_value", "scatter_point", "hist_bin"), (3,)):
        for index in range(2):
            scene, style = pose(kind, level, index).scene, Style(index, 2 * CANVAS * index + FACE)
            face = face_of(scene, 448, style)
            faces += face is not None
            drawing = draw(scene, 448, style)
            assert not list(faults(drawing))
            if face is not None:
                plain = draw(scene, 448, style._replace(rng_seed=CANVAS))
                named = [{mark.name for mark in d.marks if mark.kind == "part"} for d in (face, plain)]
                assert named[0] == named[1] and (np.array(face.image) == np.array(drawing.image)).all()
    assert faces >= 6
    assert face_of(pose("pie_share", 3, 0).scene, 448, Style(0, FACE)) is None


@pytest.mark.parametrize(
    "kind", ["read_bar", "extreme_bar", "extreme_sector", "pie_share", "scatter_point", "heat_value"]
)
def test_answers_can_be_read_off_the_pixels(kind):
    oracle = {
        "read_bar": chart_pixels.bar_value,
        "extreme_bar": chart_pixels.extreme_bar,
        "extreme_sector": chart_pixels.extreme_sector,
        "pie_share": chart_pixels.pie_share,
        "scatter_point": chart_pixels.point_position,
        "heat_value": chart_pixels.heat_value,
    }[kind]
    answered = 0
    for level, index in itertools.product((0, 2, 4, 6), range(4)):
        sample = drawn(kind, level, index, 448, Style(index % 3, CANVAS * (index + 1)))
        opinion = oracle(sample)
        assert opinion is None or sample.answer.accepts(opinion), (sample.question, sample.answer.text(), opinion)
        answered += opinion is not None
    assert answered >= (5 if kind in ("read_bar", "extreme_bar") else 11)


def test_a_picture_of_other_values_is_answered_otherwise():
    """The pixel oracles read the picture and not the JSON: given another chart's picture they find its answer."""
    one, other = (drawn("scatter_point", 2, index, 448, Style(0, CANVAS)) for index in (0, 1))
    mixed = Sample(**{**vars(one), "image": other.image, "marks": other.marks, "query": other.query})
    assert other.answer.accepts(chart_pixels.point_position(mixed)) and not one.answer.accepts(
        chart_pixels.point_position(mixed)
    )


def points_of(drawing, scene, row):
    """Pixels of a line's points, from the marks."""
    name = scene.series[row] if scene.series else scene.colours[row][0]
    boxes = {mark.name: mark.box for mark in drawing.marks if mark.kind == "part"}
    return [boxes[f"{category} {name}"][:2] for category in scene.categories]


def crossings_of(one, other):
    """Where two polylines over the same places cross, in pixels."""
    for (a, b), (c, d) in zip(itertools.pairwise(one), itertools.pairwise(other), strict=True):
        before, after = a[1] - c[1], b[1] - d[1]
        if before * after < 0:
            along = before / (before - after)
            yield a[0] + along * (b[0] - a[0]), a[1] + along * (b[1] - a[1])


def test_crossings_are_apart_and_lines_do_not_run_together():
    for level, index in itertools.product(range(10), range(4)):
        size_px = TYPES["line_crossings"].min_size_px[level]
        posed = pose("line_crossings", level, index)
        drawing = draw(posed.scene, size_px, Style(0, CANVAS))
        one, other = (points_of(drawing, posed.scene, row) for row in (0, 1))
        found = list(crossings_of(one, other))
        assert len(found) == int(posed.answer.text())
        floor_px = 2 * least_difference_px(size_px)
        assert all(math.dist(a, b) >= floor_px for a, b in itertools.pairwise(found))
        assert all(abs(a[1] - b[1]) >= floor_px for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("kind", ["read_bar", "compare_bars", "count_above", "stacked_part", "radar_value", "hist_bin"])
def test_ticks_and_different_values_keep_their_distance_with_room_for_a_photograph(kind):
    for level, index in itertools.product(range(10), range(3)):
        size_px = TYPES[kind].min_size_px[level]
        scene = pose(kind, level, index).scene
        drawing = draw(scene, size_px, Style(index % ENGINE.themes, CANVAS))
        assert drawing.margins
        for margin in drawing.margins:
            room = 1.0 if scene.axis.is_log else 1.15
            assert margin.floor_px >= 2 and math.dist(*margin.points()) >= room * margin.floor_px, (level, size_px)


def test_sectors_that_are_compared_differ_by_four_degrees():
    for level, index in itertools.product(range(10), range(6)):
        posed = pose("extreme_sector", level, index)
        ordered = sorted(posed.scene.values[0])
        first, second = ordered[-2:] if posed.query["end"] == "high" else ordered[:2]
        assert (second - first) / posed.scene.axis.high * 360 >= 4
        margins = draw(posed.scene, 224, Style(0, CANVAS)).margins
        assert all(isinstance(margin, Turn) for margin in margins) and len(margins) >= len(ordered) - 2


def test_points_of_a_scatter_plot_do_not_cover_each_other():
    for kind, level in itertools.product(("scatter_point", "scatter_outlier", "scatter_count"), range(10)):
        size_px = TYPES[kind].min_size_px[level]
        drawing = draw(pose(kind, level, 0).scene, size_px, Style(0, CANVAS))
        places = [mark.box[:2] for mark in drawing.marks if mark.kind == "part"]
        least = min(math.dist(a, b) for a, b in itertools.combinations(places, 2))
        assert least >= max(4.0, 8.0 * size_px / 448)


def test_small_letters_are_legible_and_sizes_shared():
    for level, kind in itertools.product((0, 4, 9), ("read_bar", "best_series", "table_cell")):
        size_px = TYPES[kind].min_size_px[level]
        drawing = draw(pose(kind, level, 0).scene, size_px, Style(level % ENGINE.themes, CANVAS))
        texts = [mark for mark in drawing.marks if mark.kind == "text"]
        assert texts and min(mark.x_height_px for mark in texts) >= x_height_floor_px(size_px)


def test_the_picture_of_the_debug_recipe_is_small_and_bare():
    for index in range(6):
        posed = pose("extreme_sector", 0, index)
        drawing = draw(posed.scene, 112, Style(index % ENGINE.themes, CANVAS))
        assert isinstance(posed.scene, Chart) and posed.scene.kind == "pie" and len(posed.scene.values[0]) == 3
        assert not [mark for mark in drawing.marks if mark.kind == "text"] and len(posed.question.split()) <= 11
