"""Charts changed on purpose: scaled, reversed, mirrored, recoloured, relabelled, turned. The answer follows."""

import copy
import json

import pytest

from engines.base import Sample, make_rng
from engines.chart import ENGINE
from engines.oracles.chart import ORACLES

TYPES = {kind.name: kind for kind in ENGINE.types}
LEVELS = (1, 4, 7)


def samples(kind, count=6):
    """Scenes and queries of a type through JSON, with the engine's answer."""
    for level in LEVELS:
        for index in range(count):
            posed = TYPES[kind].pose(make_rng("test_chart_changes", kind, level, index), level)
            scene, query = json.loads(json.dumps([posed.scene.to_json(), dict(posed.query)]))
            yield posed, scene, query


def answer(kind, posed, scene, query):
    """What the data say after a change."""
    return ORACLES[kind](Sample(
        engine="chart", version=1, question_type=kind, split="train", index=1, level=0, size_px=448,
        photographed=False, image=None, question="", answer=posed.answer, facts=(), scene=scene, scene_text="",
        query=query, marks=(), guess_rate=0.0,
    ))  # fmt: skip


def reverse_categories(scene):
    for name in ("values", "colours"):
        scene[name] = [row[::-1] for row in scene[name]]
    scene["categories"].reverse()


def reverse_series(scene):
    for name in ("values", "colours", "series", "markers"):
        scene[name].reverse()


def turn_over(scene):
    """High becomes low: every value is reflected in the axis."""
    axis = scene["axis"]
    scene["values"] = [[axis["high"] + axis["low"] - value for value in row] for row in scene["values"]]


def scale(scene, factor):
    for key in ("low", "high", "step", "unit"):
        scene["axis"][key] *= factor
    for key in ("values", "boxes"):
        if key in scene:
            scene[key] = [[factor * value for value in row] for row in scene[key]]
    if "counts" in scene:
        scene["counts"] = [factor * count for count in scene["counts"]]


BY_NAME = (
    "read_bar", "extreme_bar", "kth_largest", "count_above", "count_marks", "compare_bars", "sum_bars", "ratio_bars",
    "rank_order", "extreme_sector", "pie_share", "stacked_part", "group_value", "best_series", "legend_lookup",
    "radar_value", "line_value", "line_crossings", "table_cell", "heat_value", "heat_count", "table_best",
)  # fmt: skip


@pytest.mark.parametrize("kind", BY_NAME)
def test_the_order_of_categories_and_series_does_not_matter_to_names(kind):
    for posed, scene, query in samples(kind):
        for change in (reverse_categories, reverse_series):
            other = copy.deepcopy(scene)
            change(other)
            assert posed.answer.accepts(answer(kind, posed, other, query))


@pytest.mark.parametrize(
    "kind", ["read_bar", "compare_bars", "sum_bars", "stacked_part", "group_value", "radar_value", "line_value",
             "line_rise", "table_cell", "heat_value", "hist_bin", "box_value", "axis_step"]
)  # fmt: skip
def test_a_scaled_chart_has_a_scaled_answer(kind):
    for posed, scene, query in samples(kind):
        scale(scene, 3)
        assert int(answer(kind, posed, scene, query)) == 3 * posed.answer.value


SHAPES = (
    "extreme_bar", "rank_order", "ratio_bars", "pie_share", "steepest", "longest_run", "line_crossings",
    "crossing_place", "trend_lines", "table_best", "box_extreme",
)  # fmt: skip


@pytest.mark.parametrize("kind", SHAPES)
def test_a_scaled_chart_has_the_same_shape(kind):
    for posed, scene, query in samples(kind):
        scale(scene, 3)
        assert posed.answer.accepts(answer(kind, posed, scene, query))


@pytest.mark.parametrize("kind", ["extreme_bar", "kth_largest", "rank_order", "best_series", "table_best"])
def test_a_chart_turned_over_answers_the_opposite_question(kind):
    for posed, scene, query in samples(kind):
        turn_over(scene)
        query["end"] = "low" if query["end"] == "high" else "high"
        assert posed.answer.accepts(answer(kind, posed, scene, query))


def test_an_order_turned_over_is_read_backwards():
    for posed, scene, query in samples("rank_order"):
        turn_over(scene)
        assert answer("rank_order", posed, scene, query).split(", ") == list(posed.answer.value)[::-1]


@pytest.mark.parametrize("kind", ["steepest", "longest_run"])
def test_a_mirrored_line_falls_where_it_rose(kind):
    for posed, scene, query in samples(kind):
        reverse_categories(scene)
        query["sign"] *= -1
        assert posed.answer.accepts(answer(kind, posed, scene, query))
        turn_over(scene)
        query["sign"] *= -1
        assert posed.answer.accepts(answer(kind, posed, scene, query))


def test_mirrored_crossings_stay_crossings():
    for kind in ("line_crossings", "crossing_place"):
        for posed, scene, query in samples(kind):
            reverse_categories(scene)
            turn_over(scene)
            assert posed.answer.accepts(answer(kind, posed, scene, query))


def test_lines_that_rise_are_those_that_fall_in_the_mirror():
    for posed, scene, query in samples("trend_lines"):
        known = scene["series"] or [row[0] for row in scene["colours"]]
        reverse_categories(scene)
        found = answer("trend_lines", posed, scene, query)
        falling = set(known) - set(posed.answer.value)
        assert set() if found == "none" else set(found.split(", ")) == falling


def test_recoloured_and_renamed_charts_have_renamed_answers():
    renamed = {"red": "blue", "blue": "red"}
    for kind in ("extreme_bar", "extreme_sector", "kth_largest"):
        for posed, scene, query in samples(kind):
            if query["by"] == "colour":
                scene["colours"] = [[renamed.get(name, name) for name in row] for row in scene["colours"]]
            else:
                scene["categories"] = [f"{name}x" for name in scene["categories"]]
            expected = renamed.get(posed.answer.value, posed.answer.value) if query["by"] == "colour" else (
                f"{posed.answer.value}x")  # fmt: skip
            assert answer(kind, posed, scene, query) == expected


def test_differences_change_their_sign_and_ratios_turn_over():
    for posed, scene, query in samples("compare_bars"):
        query["bar"], query["less"] = query["less"], query["bar"]
        assert int(answer("compare_bars", posed, scene, query)) == -posed.answer.value
    for posed, scene, query in samples("ratio_bars"):
        query["bar"], query["whole"] = query["whole"], query["bar"]
        assert answer("ratio_bars", posed, scene, query) == str(1 / posed.answer.value)


def test_a_table_laid_on_its_side_swaps_rows_and_columns():
    for posed, scene, query in samples("table_find"):
        scene["values"] = [list(column) for column in zip(*scene["values"], strict=True)]
        scene["categories"], scene["series"] = scene["series"], scene["categories"]
        row, column = posed.answer.value
        assert answer("table_find", posed, scene, query) == f"({column}, {row})"


@pytest.mark.parametrize("kind", ["scatter_point", "scatter_outlier"])
def test_a_plane_with_swapped_or_shifted_axes(kind):
    for posed, scene, query in samples(kind):
        x, y = posed.answer.value
        scene["dots"] = [[b, a, series] for a, b, series in scene["dots"]]
        assert answer(kind, posed, scene, query) == f"({y}, {x})"
        scene["dots"] = [[a + 3, b - 2, series] for a, b, series in scene["dots"]]
        assert answer(kind, posed, scene, query) == f"({y + 3}, {x - 2})"


def test_quadrants_share_all_points_and_mirrors_swap_them():
    for posed, scene, query in samples("scatter_count"):
        sides = [(right, above) for right in (True, False) for above in (True, False)]
        counts = [int(answer("scatter_count", posed, scene, query | {"right": r, "above": a})) for r, a in sides]
        assert sum(counts) == len(scene["dots"])
        scene["dots"] = [[2 * query["x"] - x, y, series] for x, y, series in scene["dots"]]
        mirrored = query | {"right": not query["right"]}
        assert posed.answer.accepts(answer("scatter_count", posed, scene, mirrored))


def test_bins_add_up_and_shift_with_their_edges():
    for posed, scene, query in samples("hist_bin"):
        scene["edges"] = [edge + 100 for edge in scene["edges"]]
        moved = query | {"low": query["low"] + 100, "high": query["high"] + 100}
        assert posed.answer.accepts(answer("hist_bin", posed, scene, moved))
        whole = query | {"low": scene["edges"][0], "high": scene["edges"][-1]}
        assert int(answer("hist_bin", posed, scene, whole)) == sum(scene["counts"])


def test_a_box_upside_down_swaps_its_numbers():
    for posed, scene, query in samples("box_value"):
        axis = scene["axis"]
        total = axis["high"] + axis["low"]
        scene["boxes"] = [[total - value for value in box[::-1]] for box in scene["boxes"]]
        found = answer("box_value", posed, scene, query | {"part": 4 - query["part"]})
        assert int(found) == total - posed.answer.value
