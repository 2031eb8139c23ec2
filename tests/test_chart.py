"""Charts: answers are re-derived from the JSON and from pixels, strict comparisons keep their margin in pixels."""

import dataclasses
import itertools
import re
from fractions import Fraction

import cv2
import numpy as np
import pytest

from engines.base import Style, make_rng
from engines.canvas import text_width_px
from engines.chart.draw import INSETS, MARGIN, draw, layout, text_size_px
from engines.chart.questions import COLOURS, ENGINE, LETTERS
from engines.style import PALETTE, THEMES, theme_of

TYPES = {kind.name: kind for kind in ENGINE.types}
LEVELS = range(10)
BARS = ("read_bar", "extreme_bar", "count_above", "compare_bars", "second_bar")


def poses(kind, level, count):
    return [TYPES[kind].pose(make_rng("test_chart", kind, level, index), level) for index in range(count)]


def size_of(kind, level):
    return TYPES[kind].min_size_px[level]


def mentioned(question, values, labels, colours):
    """Values of the bars that a question names, in the order of its words."""
    by_colour = dict(zip(colours, values, strict=True)) if len(set(colours)) == len(colours) else {}
    by_label = dict(zip(labels, values, strict=True)) if labels else {}
    found = []
    for word in re.findall(r"\w+", question):
        if word in COLOURS:
            found.append(by_colour[word])
        elif len(word) == 1 and word in LETTERS and word.isupper():
            found.append(by_label[word])
    return found


def name_of(question, index, labels, colours):
    return colours[index] if "colour" in question.lower() else labels[index]


def derive(kind, question, data):
    """The answer's text from the JSON of a scene and the words of the question."""
    values, labels, colours = data["values"], data["labels"], data["colours"]
    row = values[0]
    if kind == "read_bar":
        return str(mentioned(question, row, labels, colours[0])[0])
    if kind == "compare_bars":
        found = mentioned(question, row, labels, colours[0])
        return str(abs(found[0] - found[1]))
    if kind in ("extreme_bar", "extreme_sector"):
        largest = any(word in question for word in ("highest", "longest", "largest"))
        end = (max if largest else min)(row)
        assert row.count(end) == 1
        return name_of(question, row.index(end), labels, colours[0])
    if kind == "second_bar":
        second = sorted(row)[-2]
        assert row.count(second) == 1 and row.count(max(row)) == 1
        return name_of(question, row.index(second), labels, colours[0])
    if kind == "count_above":
        limit = data["threshold"] if "line" in question else int(re.search(r"\d+", question)[0])
        assert limit not in row
        return str(sum(value > limit for value in row))
    asked = [word for word in re.findall(r"\w+", question) if word in COLOURS]
    if kind == "pie_share":
        return str(Fraction(row[colours[0].index(asked[0])], data["top"]))
    series = next((s for s, names in enumerate(colours) if names[0] == (asked or [names[0]])[0]), None)
    places = [labels.index(word) for word in re.findall(r"\b[A-Z]\b", question)]
    if kind == "line_rise":
        start, end = sorted(places)
        return str(values[series][end] - values[series][start])
    return str(values[series][places[0]])


@pytest.mark.parametrize("kind", TYPES)
def test_answers_follow_from_the_json(kind):
    for level in LEVELS:
        for posed in poses(kind, level, 20):
            assert derive(kind, posed.question, posed.scene.to_json()) == posed.answer.text(), posed


@pytest.mark.parametrize("kind", TYPES)
def test_scenes_are_sound(kind):
    for level in LEVELS:
        for posed in poses(kind, level, 10):
            scene = posed.scene
            shape = [len(row) for row in scene.values]
            assert shape == [len(row) for row in scene.colours] and len(set(scene.labels)) == len(scene.labels)
            assert not scene.labels or len(scene.labels) == shape[0]
            if scene.kind == "pie":
                assert sum(scene.values[0]) == scene.top and min(scene.values[0]) > 0
                assert len(set(scene.colours[0])) == shape[0]
            else:
                assert all(0 <= v <= scene.top and v % scene.unit == 0 for row in scene.values for v in row)
                assert scene.top % scene.step == 0 and scene.step % scene.unit == 0
            named = [names[0] for names in scene.colours]
            assert len(named) == 1 or len(set(named)) == len(named)


def nearest(picture):
    """Name of the palette colour that each pixel shows, or "" where it is ink, paper or a blend."""
    names = list(PALETTE)
    far = np.stack([np.abs(picture - np.asarray(colour)).sum(axis=2) for colour in PALETTE.values()])
    best = far.argmin(axis=0)
    return np.where(far.min(axis=0) < 45, np.asarray(names)[best], "")


@pytest.mark.parametrize("level", [0, 2, 4, 6, 8])
def test_bar_values_can_be_measured_in_the_picture(level):
    """Gridlines give the scale, the coloured pixels give each bar's end; no layout code is asked."""
    size_px, checked = size_of("read_bar", level), 0
    for index, posed in enumerate(poses("read_bar", level, 16)):
        scene = dataclasses.replace(posed.scene, gridlines=False)
        style = Style(0, index)
        if len(set(scene.colours[0])) < len(scene.colours[0]):
            continue
        bare = np.asarray(draw(scene, size_px, style)).astype(int)
        lined = np.asarray(draw(dataclasses.replace(scene, gridlines=True), size_px, style)).astype(int)
        along = 1 if scene.kind == "hbar" else 0
        changed = (np.abs(bare - lined).max(axis=2) > 12).sum(axis=1 - along)
        lines = runs(np.flatnonzero(changed > 4))
        assert len(lines) == scene.top // scene.step
        numbers = np.arange(1, len(lines) + 1) * scene.step
        scale, origin = np.polyfit(lines if along else lines[::-1], numbers, 1)
        shown = nearest(bare)
        for name, value in zip(scene.colours[0], scene.values[0], strict=True):
            # The largest patch is the bar; blends at another bar's outline may look like this colour.
            left, top, width, _, area = max(
                cv2.connectedComponentsWithStats((shown == name).astype(np.uint8))[2][1:],
                key=lambda stats: stats[cv2.CC_STAT_AREA],
                default=(0,) * 5,
            )
            if area >= 20:  # a low bar may be all outline
                end = left + width + 0.5 if along else top - 1.0
                assert end * scale + origin == pytest.approx(value, abs=0.6 * scene.unit)
                checked += 1
    assert checked > 10


def runs(indices):
    """Middles of runs of neighbouring indices."""
    parts = np.split(indices, np.flatnonzero(np.diff(indices) > 1) + 1)
    return np.array([part.mean() for part in parts])


@pytest.mark.parametrize("kind", ["extreme_sector", "pie_share"])
def test_pie_shares_can_be_measured_in_the_picture(kind):
    for level in (0, 3, 6, 9):
        for index, posed in enumerate(poses(kind, level, 4)):
            scene = posed.scene
            shown = nearest(np.asarray(draw(scene, 224, Style(index % len(THEMES), index))).astype(int))
            areas = {name: (shown == name).sum() for name in scene.colours[0]}
            total = sum(areas.values())
            for name, value in zip(scene.colours[0], scene.values[0], strict=True):
                assert areas[name] / total == pytest.approx(value / scene.top, abs=0.02)
            if kind == "extreme_sector":
                pick = max if "largest" in posed.question else min
                assert pick(areas, key=areas.get) == posed.answer.text()


@pytest.mark.parametrize("kind", TYPES)
def test_a_unit_is_four_pixels_and_numbers_keep_apart(kind):
    for level, inset in itertools.product(LEVELS, (0, INSETS)):
        size_px = size_of(kind, level)
        for posed in poses(kind, level, 4):
            scene = dataclasses.replace(posed.scene, inset=inset)
            if scene.kind == "pie":
                ordered = sorted(scene.values[0])
                if kind == "extreme_sector":
                    pair = ordered[-2:] if "largest" in posed.question else ordered[:2]
                    assert (pair[1] - pair[0]) / scene.top * 360 >= 4  # degrees
                continue
            for theme in THEMES:
                plot = layout(scene, size_px, theme.font)
                length = plot.right - plot.left if plot.is_sideways else plot.bottom - plot.top
                across = plot.bottom - plot.top if plot.is_sideways else plot.right - plot.left
                assert length * scene.unit / scene.top >= 4
                last = [str(value) for value in (scene.top - scene.step, scene.top)]
                halves = sum(text_width_px(number, plot.text_px, theme.font) for number in last) / 2 + 2
                assert length * scene.step / scene.top >= (halves if plot.is_sideways else plot.text_px)
                assert across / len(scene.values[0]) >= 1.0 * plot.text_px
                bar_px = 0.72 * across / sum(map(len, scene.values)) if scene.kind != "line" else 99
                assert bar_px >= 5


def test_points_of_different_lines_keep_apart():
    for level in range(5, 10):
        size_px = size_of("line_value", level)
        for posed in poses("line_value", level, 10):
            plot = layout(posed.scene, size_px, "sans-bold")
            for column in zip(*posed.scene.values, strict=True):
                heights = sorted(plot.at(0, value)[1] for value in column)
                assert np.diff(heights).min() >= 2 * 0.22 * plot.text_px


@pytest.mark.parametrize("kind", TYPES)
def test_nothing_leaves_the_frame(kind):
    for level in LEVELS:
        size_px = size_of(kind, level)
        edge = int(MARGIN * size_px) - 2
        for index, posed in enumerate(poses(kind, level, 4)):
            style = Style((index + level) % len(THEMES), index)
            scene = dataclasses.replace(posed.scene, inset=0)
            picture = np.asarray(draw(scene, size_px, style))
            assert picture.shape == (size_px, size_px, 3)
            ring = np.ones((size_px, size_px), bool)
            ring[edge:-edge, edge:-edge] = False
            assert (picture[ring] == theme_of(style).background).all(), (kind, level, scene)


def test_text_is_legible():
    assert text_size_px(112) * 0.73 >= 8  # pixels, height of a digit
    for level in LEVELS:
        for posed in poses("line_value", level, 3):
            for theme in THEMES:
                plot = layout(posed.scene, size_of("line_value", level), theme.font)
                widest = max(text_width_px(text, plot.text_px, theme.font) for text in posed.scene.labels)
                assert widest + 2 <= (plot.right - plot.left) / len(posed.scene.labels)
            title = posed.scene.title
            assert text_width_px(title, plot.text_px, "sans-bold") < 0.9 * size_of("line_value", level)


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("kind", TYPES)
def test_no_blind_guess_beats_the_stated_rate(kind, level):
    posed = poses(kind, level, 300)
    answers = [one.answer.text() for one in posed]
    top = max(answers.count(text) for text in set(answers)) / len(answers)
    assert top <= max(one.guess_rate for one in posed) + 0.08


@pytest.mark.parametrize("kind", TYPES)
def test_scenes_and_sentences_vary(kind):
    for level in (0, 2):
        posed = poses(kind, level, 300)
        assert len({str(one.scene.to_json()) for one in posed}) >= 290
    words = "|".join(COLOURS)
    assert len({re.sub(rf"\d+|\b([A-Z]|{words})\b", "_", one.question) for one in posed}) >= 4
    assert max(len(one.question.split()) for one in posed) <= 16


@pytest.mark.parametrize("kind", BARS)
def test_reordering_bars_keeps_the_answer(kind):
    """Bars in another order are another picture with the same answer."""
    for posed in poses(kind, 4, 10):
        data = posed.scene.to_json()
        for name in ("values", "colours"):
            data[name] = [row[::-1] for row in data[name]]
        data["labels"] = data["labels"][::-1]
        assert derive(kind, posed.question, data) == posed.answer.text()


def test_facts_are_true():
    for posed in itertools.chain(poses("group_value", 3, 5), poses("line_value", 6, 5), poses("pie_share", 2, 5)):
        data = posed.scene.to_json()
        count = len(data["values"]) if data["kind"] == "line" else sum(map(len, data["values"]))
        assert posed.facts[0].answer.text() == str(count)
        assert all(fact.answer.text() == str(data["top"]) for fact in posed.facts[1:])


def test_held_out_types():
    assert [kind.name for kind in ENGINE.types if kind.held_out] == ["second_bar", "line_rise", "pie_share"]
    assert sum(not kind.held_out and max(kind.min_size_px[:5]) == 112 for kind in ENGINE.types) >= 3
