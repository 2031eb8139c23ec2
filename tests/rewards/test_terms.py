"""Our terms by hand, boxes against all pairings, and that no text raises."""

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.answer import Answer
from perc_jax.config import TermConfig
from perc_jax.config.reward import OPTIONS
from perc_jax.rewards import boxes
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.forms import Form
from perc_jax.rewards.terms import FROM_VERDICT, Case, measure, not_repeated, novelty

ONE = '[{"bbox_2d": [10, 10, 50, 50], "point_2d": [30, 30]}]'


def value(text: str, term: TermConfig, gold=Gold("none", ""), tokens=0, **row) -> float:  # noqa: B008
    return measure(Case(text, gold, tokens, row), term, Form("plain"))[0]


def test_length_is_free_up_to_a_point():
    term = TermConfig("length", free=100)
    assert [value("x", term, tokens=tokens) for tokens in (0, 1, 100, 200, 400)] == [1, 1, 1, 0.5, 0.25]
    assert value("x" * 50, TermConfig("length", free=10, unit="characters"), tokens=1) == 0.2


def test_key_words_and_headings_by_config():
    term = TermConfig("keywords", column="key_words")
    assert value("A red sky", term, key_words=["red", "blue"]) == 0.5 and value("A red sky", term) == 0
    assert value("reddish", TermConfig("keywords", whole_words=False), keywords=["red"]) == 1
    below = TermConfig("keywords", section="# Seen")
    assert value("# Seen\nblue\n# Said\nred", below, keywords=["red", "blue"]) == 0.5
    seen = TermConfig("facts", section="# Seen")
    assert value("# Seen\nRow 1: red\n# Said\nRow 2: blue", seen, facts="Row 1: red. Row 2: blue.") == 0.5
    assert value("Row 1: red", TermConfig("facts", column="scene"), scene="Row 1: red") == 1
    assert value("x", TermConfig("facts")) == value("x", TermConfig("facts"), facts=["x"]) == 0
    headings = TermConfig("sections", headings=("A:", "B:"))
    assert [value(text, headings) for text in ("A:\n1\nB:\n2", "B:\n1\nA:\n2", "A: B:")] == [1, 0, 0]
    anywhere = TermConfig("sections", headings=("A:", "B:"), anywhere=True)
    assert [value(text, anywhere) for text in ("A:\n1\nB:\n2", "B:\n1\nA:\n2", "A: B:", "A:")] == [1, 1, 1, 0]


def test_repetition_of_sentences_and_of_runs():
    assert [not_repeated(text) for text in ("", "a. b. c.", "a. a. b.", "a. a. a.", "a. b. a. b.")] == [1, 1, 1, 0, 0]
    assert value("a. a. a.", TermConfig("repetition")) == 0
    assert novelty("a b c d", 2) == 1 and novelty("a b a b", 2) == pytest.approx(2 / 3)
    assert novelty("a " * 101, 2) == 0.01 and novelty("", 3) == novelty("a b", 3) == 1
    assert value("x y x y", TermConfig("repetition", ngram=2)) == pytest.approx(2 / 3)


BOXES = TermConfig("boxes")


def test_boxes_by_hand():
    gold = Gold("boxes", ONE)
    assert measure(Case(ONE, gold), BOXES, Form("plain")) == (3, 1, 1, 1)
    near = '[{"bbox_2d": [10, 10, 50, 28], "point_2d": [30, 20]}]'  # IoU 0.46, sides 5.5 px, point 10 px
    assert measure(Case(near, gold), BOXES, Form("plain")) == (2, 0, 1, 1)
    outside = '[{"bbox_2d": [10, 10, 50, 50], "point_2d": [51, 30]}]'  # within 30 px, but not in its own box
    assert measure(Case(outside, gold), BOXES, Form("plain")) == (2, 1, 1, 0)
    twice = json.dumps(json.loads(ONE) * 3)
    assert value(twice, BOXES, gold) == pytest.approx(1)  # one of three
    assert value(ONE, BOXES, Gold("boxes", twice)) == pytest.approx(1)
    assert value("[]", BOXES, gold) == value("[", BOXES, gold) == value('[{"bbox_2d": [1, 2]}]', BOXES, gold) == 0
    assert value(near, TermConfig("boxes", iou=0.4), gold) == 3
    assert value(near, TermConfig("boxes", iou=0.4, l1_px=2.0, point_px=5.0), gold) == 1
    assert value(ONE, BOXES, Answer.integer(7)) == value(ONE, BOXES, Gold("text", "x")) == 0
    assert value(twice, TermConfig("boxes", most=1), gold) == 3  # what is beyond is not read
    mixed = '[{"bbox_2d": [10, 10, 50, 50]}, {"point_2d": [90, 90]}]'  # a box has two things to get right, a point one
    assert measure(Case(mixed, Gold("boxes", mixed)), BOXES, Form("plain")) == (1.5, 0.5, 0.5, 0.5)
    box, point = (json.dumps([one]) for one in json.loads(mixed))
    assert [value(text, BOXES, Gold("boxes", mixed)) for text in (box, point)] == [1, 0.5]
    assert [value(mixed, BOXES, Gold("boxes", text)) for text in (box, point)] == [0, 0]
    lacking = '[{"bbox_2d": [10, 10, 50, 50]}]'
    assert value(lacking, BOXES, gold) == 0 and value(lacking, TermConfig("boxes_form")) == 1


SIDE = st.integers(0, 60).map(float)
OBJECT = st.builds(
    lambda x, y, w, h, p, q: boxes.Object((x, y, x + w, y + h), (p, q)), SIDE, SIDE, SIDE, SIDE, SIDE, SIDE
)


@given(st.lists(OBJECT, min_size=1, max_size=4), st.lists(OBJECT, min_size=1, max_size=4))
def test_the_pairing_is_the_best_of_all(found, gold):
    match = boxes.match(found, gold)
    rights = boxes._rights(found, gold, boxes.RULES).sum(axis=0)
    if len(found) > len(gold):
        rights = rights.T
    every = itertools.permutations(range(rights.shape[1]), rights.shape[0])
    best = max(sum(rights[row, column] for row, column in enumerate(order)) for order in every)
    assert match.total == pytest.approx(best / max(len(found), len(gold)))
    assert boxes.match(gold, gold).iou == 1 and boxes.is_same(gold, gold)


@given(OBJECT, OBJECT)
def test_overlap_is_a_share_of_pixels(one, other):
    def pixels(box):
        left, top, right, bottom = map(int, box)
        return {(x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)}

    first, second = pixels(one.box), pixels(other.box)
    [[found]] = boxes.overlaps(np.array([one.box], float), np.array([other.box], float))
    assert math.isclose(found, len(first & second) / len(first | second))


BROKEN = (
    *("", "null", "3", "{}", "[1]", "[[]]", '[{"bbox_2d": null}]', '[{"bbox_2d": [1, 2, 3, NaN]}]', "[" * 9999),
    *('[{"bbox_2d": [1, 2, 3, Infinity]}]', '[{"bbox_2d": [1, 2, 3, 1e999]}]', '[{"bbox_2d": [true, 0, 1, 1]}]'),
    *('[{"bbox_2d": [9, 9, 1, 1]}]', '[{"bbox_2d": ["1", 0, 1, 1]}]', '[{"point_2d": [1, 2, 3]}]', '{"a": 1}' * 3),
    *('["' + "]" * 5000 + '",' + "[" * 5000, '["]",' * 2700, '{"}": ' * 2000, "]" * 5000 + "[" * 5000),
    *('[{"bbox_2d": [1, 2, 3, 4]}, 5]', '[{"bbox_2d": [1, 2, 3, 4], "point_2d": "no"}]', "9" * 9999, '["' * 5000),
)


@pytest.mark.parametrize("text", BROKEN)
def test_broken_json_is_no_object(text):
    assert not boxes.parse(text) and value(text, BOXES, Gold("boxes", ONE)) == 0
    assert 0 <= value(text, TermConfig("boxes_form")) <= 1


@given(st.text(), st.sampled_from([term for term in OPTIONS if term not in (*FROM_VERDICT, "clip")]))
def test_no_text_raises_and_values_are_finite(text, term):
    options = {"repetition": {"ngram": 3}, "sections": {"headings": ("a", "b")}, "keywords": {"most_listed": 1}}
    for one in (TermConfig(term, **options.get(term, {})), TermConfig(term, headings=("a",))):
        found = measure(Case(text, Gold("boxes", ONE), 3, {"keywords": ["x"]}), one, Form("plain"))
        assert all(math.isfinite(number) for number in found)
