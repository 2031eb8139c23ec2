"""Facts: the engines' scene texts are read whole, any error costs, and no way of saying more than one knows pays."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import engines
from engines.base import pose
from perc_jax.rewards.facts import judge, read

GOLD = "A grid of 2 rows.\nRow 1: red circle, empty.\nRow 2: blue square, red circle."
TYPES = [(e, t, level) for e in engines.ENGINES.values() for t in e.types for level in (0, 4, 9)]


def texts(count: int = 1):
    """Scene texts of every question type, at a level in turn."""
    for place, (engine, question_type, level) in enumerate(TYPES):
        if place % 3 == len(question_type.name) % 3:
            for index in range(count):
                posed = pose(engine, question_type, split="test_a", index=index, level=level)
                yield f"{engine.name}.{question_type.name}/{level}", posed.scene.describe()


def test_the_language_by_hand():
    assert read(GOLD) == {
        ("", ""): {"a grid of 2 rows"},
        ("row 1", "1"): {"red circle"},
        ("row 1", "2"): {"empty"},
        ("row 2", "1"): {"blue square"},
        ("row 2", "2"): {"red circle"},
    }
    assert read("Series 1: orange: 3.5, cyan: 1;  A dot: (1, 2), (3, -4).") == {
        ("series 1", "orange"): {"3.5"},
        ("series 1", "cyan"): {"1"},
        ("a dot", ""): {"(1, 2)", "(3, -4)"},
    }
    assert read("Left:\n#.\n..\nRight:\n##\n") == {
        ("", ""): {"left", "right"},
        ("left", "1"): {"#."},
        ("left", "2"): {".."},
        ("right", "1"): {"##"},
    }
    assert read("") == read(" . ; \n:") == {}


@pytest.mark.parametrize(
    ("said", "value", "precision", "recall"),
    [
        (GOLD, 1, 1, 1),
        ("row 2: Blue  square, red circle\nROW 1: red circle, empty; a grid of 2 rows", 1, 1, 1),
        (f"{GOLD} {GOLD}", 1, 1, 1),
        ("Row 1: red circle, empty.", 0.4, 1, 0.4),
        ("Row 1: red circle, green square.", 0, 0.5, 0.2),
        ("Row 1: red circle, empty, empty.", 0.2, 2 / 3, 0.4),
        ("Row 3: red circle, empty.", 0, 0, 0),
        ("A red circle, I think.", 0, 0, 0),
        ("", 0, 0, 0),
        ("Row 1: red circle. Row 1: blue circle. Row 2: blue square, red circle.", 0, 0.5, 0.4),
    ],
)
def test_values_by_hand(said, value, precision, recall):
    assert judge(said, GOLD) == pytest.approx((value, precision, recall))
    assert judge(said, "") == (0, 0, 0)


def test_every_scene_text_is_worth_all_and_every_changed_word_costs():
    rng = np.random.default_rng(0)
    for name, text in texts():
        assert judge(text, text) == (1, 1, 1), name
        facts = read(text)
        assert all(entry for entries in facts.values() for entry in entries) and facts, name
        words = [found.span() for found in re.finditer(r"\w+", text)]
        for begin, end in (words[place] for place in rng.choice(len(words), size=min(4, len(words)), replace=False)):
            wrong = judge(f"{text[:begin]}zzz{text[end:]}", text)
            assert wrong.value < 1 and wrong.precision < 1 and wrong.recall < 1, (name, text[begin:end])


def test_scenes_are_told_apart():
    """Another scene of the same type is not described as well, and where two texts say the same, they are the same."""
    for engine, question_type, level in TYPES[::7]:
        posed = [pose(engine, question_type, split="train", index=index, level=level) for index in range(4)]
        said = [one.scene.describe() for one in posed]
        for one in said:
            for other in said:
                assert (judge(one, other).value == 1) == (one == other), (engine.name, question_type.name)


COLOURS = ("red", "green", "blue", "yellow")


def test_listing_all_that_might_be_there_earns_nothing():
    """All colours at every place; every point of a plane; every one of them only once per line."""
    gold = "Row 1: red, blue. Row 2: green, red."
    every = " ".join(f"Row {row}: {colour}, {colour}." for row in (1, 2) for colour in COLOURS)
    assert judge(every, gold) == (0, 0, 0)
    points = "Points: (1, 1), (2, 3)."
    plane = f"Points: {', '.join(f'({x}, {y})' for x in range(5) for y in range(5))}."
    assert judge(plane, points) == pytest.approx((0, 2 / 25, 1))


def test_a_statement_pays_if_it_is_likelier_true_than_false():
    """Expected values over what might be there, of a place that is known with probability p."""
    for known in (0.2, 0.45, 0.55, 0.9):
        base = "Row 1: red."
        gold = ["Row 1: red. Row 2: blue.", "Row 1: red. Row 2: green."]
        said = [judge(f"{base} Row 2: blue.", one).value for one in gold]
        expected = known * said[0] + (1 - known) * said[1]
        assert (expected > judge(base, gold[0]).value) == (known > 0.5)


@given(st.text(alphabet="Row 12:,;.()#ab\n", max_size=80), st.text(alphabet="Row 12:,;.()#ab\n", max_size=80))
def test_no_text_raises_and_all_is_within_bounds(said, gold):
    found = judge(said, gold)
    assert all(0 <= number <= 1 for number in found)
    assert found.value <= found.recall
    if read(gold):
        assert judge(gold, gold).recall == judge(gold, gold).precision


def test_long_texts_take_linear_time():
    text = "Row 1: " + "(" * 20_000 + ", (" * 10_000 + ":" * 9000
    assert judge(text, GOLD).value == 0
