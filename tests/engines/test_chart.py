"""Charts: the oracles agree, scenes are sound, facts are true, wordings vary, guesses are as rare as declared."""

import collections
import functools
import itertools
import json
import re
from fractions import Fraction

import numpy as np
import pytest

from engines.base import Sample, make_rng
from engines.chart import ENGINE
from engines.chart.draw.cells import RAMPS, ramp
from engines.chart.questions.make import best_constant, neighbour_rate, spread
from engines.chart.scene import ROUND, Axis, BoxPlot, Chart, Histogram, Scatter
from engines.chart.words import TOPICS
from engines.oracles.chart import ORACLES

TYPES = {kind.name: kind for kind in ENGINE.types}
LEVELS = range(10)
NAMED = r"\b(\d+|(?!What|Which)[A-Z]\w*|red|blue|green|yellow|purple|orange|cyan|pink|brown)\b"
EACH = pytest.mark.parametrize("kind", TYPES)


@functools.cache
def poses(kind, level, count):
    return [TYPES[kind].pose(make_rng("test_chart", kind, level, index), level) for index in range(count)]


def sample_of(posed, kind, level, image=None, marks=()):
    """What an oracle gets: the scene and the query through JSON. Index 1 is not answered from pixels."""
    scene, query = json.loads(json.dumps([posed.scene.to_json(), dict(posed.query)]))
    return Sample(
        engine="chart", version=ENGINE.version, question_type=kind, split="train", index=1 if image is None else 0,
        level=level, size_px=448, photographed=False, image=image, question=posed.question, answer=posed.answer,
        facts=(), scene=scene, scene_text="", query=query, marks=marks, guess_rate=posed.guess_rate,
    )  # fmt: skip


@EACH
def test_an_oracle_that_reads_the_json_agrees(kind):
    for level in LEVELS:
        for posed in poses(kind, level, 10):
            opinion = ORACLES[kind](sample_of(posed, kind, level))
            assert posed.answer.accepts(opinion), (posed.question, posed.answer.text(), opinion)


def on_ticks(axis, values):
    return all(value in axis.ticks() for value in values)


@EACH
def test_scenes_are_sound(kind):
    for level in LEVELS:
        for posed in poses(kind, level, 8):
            scene = posed.scene
            axis = scene.axis
            assert axis.is_log or (axis.low <= axis.high and axis.unit >= 0)
            if not axis.is_log and axis.unit and kind != "pie_share":
                assert (axis.high - axis.low) % axis.step == 0 and axis.step % axis.unit == 0
            if isinstance(scene, Scatter):
                assert len({dot[:2] for dot in scene.dots}) == len(scene.dots)
                assert on_ticks(scene.x_axis, [dot.x for dot in scene.dots])
                assert on_ticks(axis, [dot.y for dot in scene.dots])
            elif isinstance(scene, Histogram):
                assert len(scene.edges) == len(scene.counts) + 1 and on_ticks(axis, scene.counts)
                assert len(set(np.diff(scene.edges))) == 1
            elif isinstance(scene, BoxPlot):
                assert all(list(box) == sorted(set(box)) and on_ticks(axis, box) for box in scene.boxes)
            else:
                check_chart(scene, kind)


def check_chart(scene, kind):
    (width,) = {len(row) for row in scene.values}
    assert not scene.categories or len(scene.categories) == width == len(set(scene.categories))
    assert not scene.series or len(scene.series) == len(scene.values) == len(set(scene.series))
    assert not scene.colours or [len(row) for row in scene.colours] == [width] * len(scene.values)
    if scene.kind in ROUND:
        assert sum(scene.values[0]) == scene.axis.high and min(scene.values[0]) > 0
        assert len(set(scene.colours[0])) == width
    elif "stacked" in scene.kind:
        tops = [sum(column) for column in zip(*scene.values, strict=True)]
        assert max(tops) <= scene.axis.high and min(map(min, scene.values)) >= scene.axis.unit
        assert on_ticks(scene.axis, [value for row in scene.values for value in row])
    elif kind == "read_between":
        assert not any(value in scene.axis.ticks() for value in scene.values[0])
    elif scene.kind not in ("table",):
        assert on_ticks(scene.axis, [value for row in scene.values for value in row])
    if len(scene.values) > 1 and scene.colours and len(set(scene.markers)) < 2:
        assert len({row[0] for row in scene.colours}) == len(scene.values), "lines must be told apart"


@EACH
def test_names_written_once_can_be_meant(kind):
    """A word that a question names is written in the chart, and as one thing only."""
    for level in LEVELS:
        for posed in poses(kind, level, 6):
            text = json.dumps(posed.scene.to_json())
            for key in ("category", "series", "from", "to"):
                name = posed.query.get(key)
                assert name is None or (text.count(f'"{name}"') == 1 and name in posed.question)


@EACH
def test_a_description_tells_all_that_is_there(kind):
    for level in (0, 5, 9):
        for posed in poses(kind, level, 6):
            scene = posed.scene
            text = scene.describe()
            assert text.isascii() and "  " not in text and text.endswith(".")
            names = [*getattr(scene, "categories", ()), *getattr(scene, "series", ()), scene.furniture.title]
            assert all(name in text for name in names)
            if isinstance(scene, Chart):
                assert all(scene.axis.text(value) in text for row in scene.values for value in row)
            assert scene.axis.label() in text


@EACH
def test_complexity_never_falls(kind):
    means = [np.mean([posed.scene.complexity() for posed in poses(kind, level, 30)]) for level in LEVELS]
    assert all(later >= earlier - 0.35 for earlier, later in itertools.pairwise(means)), means
    assert means[-1] > 1.5 * means[0]


@EACH
def test_wordings_vary_and_are_short_where_models_are_small(kind):
    for level in (0, 6):
        questions = [posed.question for posed in poses(kind, level, 60)]
        assert len({re.sub(NAMED, "_", question) for question in questions}) >= 4
        assert all(question.isascii() for question in questions)
    assert max(len(posed.question.split()) for posed in poses(kind, 0, 60)) <= 24


@EACH
def test_no_blind_guess_beats_the_stated_rate(kind):
    for level in (0, 2, 6):
        items = poses(kind, level, 120)
        (_, most), *_ = collections.Counter(posed.answer.text() for posed in items).most_common(1)
        stated = float(np.mean([posed.guess_rate for posed in items]))
        assert most / len(items) <= stated + 0.03 + 2.5 * (max(stated, 0.02) / len(items)) ** 0.5, (level, stated)


def test_rates_of_guesses_are_computed_right():
    assert best_constant(4, (1,)) == 1 / 4
    assert best_constant(2, (1, 2)) == 1 / 2  # 2 is two ticks of one, or one tick of two
    assert neighbour_rate(0, 4, 2) == pytest.approx(1 / 3)  # four letters in order: three pairs, always the same
    assert neighbour_rate(4, 6, 2) == pytest.approx(6 * 5 / (8 * 7) / 5)  # "A, B" must both be among six of eight
    for count, gap in ((5, 3), (3, 1)):
        for seed in range(20):
            found = spread(np.random.default_rng(seed), count, 2, 14, gap)
            assert min(found) >= 2 and max(found) <= 14 and min(np.diff(sorted(found))) >= gap


def expected_fact(question, data):
    """The answer of a fact from the JSON alone; None for those that are checked elsewhere."""
    if question == "How many points are there?":
        return len(data["dots"])
    if question == "How many bins are there?":
        return len(data["counts"])
    if question == "How many boxes are there?":
        return len(data["boxes"])
    if re.fullmatch(r"How many (bars|sectors|parts of bars) are there\?", question):
        return sum(map(len, data["values"]))
    if re.fullmatch(r"How many (lines|rows of values) are there\?", question):
        return len(data["values"])
    if re.fullmatch(r"How many (categories|columns of values|spokes) are there\?", question):
        return len(data["values"][0])
    if "largest number on" in question and not data["axis"]["is_log"]:
        return Fraction(data["axis"]["high"], 10 ** data["axis"]["decimals"])
    found = re.fullmatch(r"How many sectors are larger than 1/(\d) of the pie\?", question)
    return sum(value * int(found[1]) > data["axis"]["high"] for value in data["values"][0]) if found else None


@EACH
def test_three_further_facts_and_true_ones(kind):
    known = 0
    for level in LEVELS:
        for index, posed in enumerate(poses(kind, level, 6)):
            facts = ENGINE.facts(posed.scene, make_rng("facts", kind, level, index))
            assert len({fact.question for fact in facts} - {posed.question}) >= 3
            for question, answer in facts:
                assert answer.accepts(answer.text()) and question.isascii()
                expected = expected_fact(question, posed.scene.to_json())
                assert expected is None or answer.accepts(str(expected)), (question, answer.text())
                known += expected is not None
    assert known > 20


def test_values_between_ticks_are_right_within_half_a_tick():
    for level in LEVELS:
        for posed in poses("read_between", level, 8):
            axis = posed.scene.axis
            assert posed.answer.tolerance == Fraction(axis.unit, 2 * 10**axis.decimals)
            near = posed.answer.value + posed.answer.tolerance
            assert posed.answer.accepts(str(float(near))) and not posed.answer.accepts(
                str(float(near) + 0.1 * axis.unit)
            )


def test_axes_say_where_values_stand():
    log = Axis(10, 1000, 0, 0, is_log=True)
    assert log.numbers() == [10, 100, 1000] and log.ticks()[:3] == [10, 20, 30] and log.share(100) == pytest.approx(0.5)
    tenths = Axis(0, 40, 20, 10, decimals=1)
    assert [tenths.text(value) for value in (0, 10, 25, 40)] == ["0", "1", "2.5", "4"]
    broken = Axis(20, 40, 10, 5)
    assert broken.ticks() == [20, 25, 30, 35, 40] and broken.share(30) == 0.5


def test_colours_of_a_heat_map_stay_apart():
    """CIE76 of the approximate Lab of OpenCV's float conversion."""
    import cv2

    for number in range(len(RAMPS)):
        for count in (3, 4, 5, 6, 7):
            rgb = np.array([ramp(count, number)], np.float32) / 255
            lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)[0]
            far = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1e3 * np.eye(count)
            assert far.min() >= 25, (number, count, far.min())


def test_words_are_short_and_topics_complete():
    for topic in TOPICS:
        words = (*topic.categories, *topic.series)
        assert max(map(len, words)) <= 7 and len(set(words)) == len(words)
        assert len(topic.categories) >= 7 and len(topic.series) >= 6 and topic.title and topic.measure and topic.axis


def test_types_at_small_sizes_and_held_out():
    held_out = [kind.name for kind in ENGINE.types if kind.held_out]
    assert held_out == ["kth_largest", "line_rise", "pie_share", "heat_count", "table_best", "box_extreme"]
    assert sum(not kind.held_out and max(kind.min_size_px[:5]) == 112 for kind in ENGINE.types) >= 3
    assert len(TYPES) - len(held_out) >= 16 and set(ORACLES) == set(TYPES)
    kinds = {posed.answer.kind for kind in TYPES for level in (2, 6) for posed in poses(kind, level, 6)}
    assert kinds == {"integer", "decimal", "fraction", "word", "choice", "pair", "list", "set", "permutation"}
