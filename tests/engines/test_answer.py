"""Typed answers: gold is accepted, near misses are not, and nothing that a model may write raises."""

import json
import pickle
import time
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.answer import Answer, parse

SHAPES = ("circle", "light star", "x-ray")

# answer, gold text, other spellings that are right, spellings that are wrong or outside the grammar
CASES = [
    (
        Answer.integer(-7),
        "-7",
        [" -7 ", "-07", "-7.", r"\text{-7}", r"\text{-7}.", r"\text{ -7. } "],
        ["7", "- 7", "-7.0", "-7-", "−7", "x=-7", "", r"\text{-7.}."],
    ),
    (Answer.integer(1200), "1200", ["1,200", "+1200"], ["1,20", "12,00", "1_200", "1.2e3", "1200 or 1", "1 200"]),
    (
        Answer.decimal(3.5, 0.25),
        "3.5",
        ["3.25", "3.750", "+3.5"],
        ["3.24", "3.76", "7/2", "3,5", "nan", "inf", "3.5e0"],
    ),
    (
        Answer.decimal(Fraction(2401, 2), 50),
        "1200.5",
        ["1,200.5", "1,200", "+1,250", "1150.50"],
        ["1,20", "12,00", "1,2000", ",200", "1,200,", "1,251", "1.200,5", "1, 200"],
    ),
    (Answer.decimal(1_234_567), "1234567", ["1,234,567", "1,234,567.000"], ["1,234567", "1234,567", "0,001,234,567"]),
    (Answer.decimal(-2), "-2", ["-2.0", "-2.000000"], ["2", "-2.0000000", "-2.01"]),
    (
        Answer.fraction(Fraction(-3, 4)),
        "-3/4",
        ["-6/8", r"-\frac{3}{4}", "-0.75", "-0.750"],
        ["3/4", "0.75", "-0.8", "-0.74", "-.75", "-0.7500000", "-75%", "3/-4", "-3/0", "3//4"],
    ),
    (Answer.fraction(Fraction(1, 2)), "1/2", ["0.5", "+0.50", r"\text{0.5}."], ["0,5", "0.5/1", "1/2.0", "0.6", "50"]),
    (Answer.fraction(Fraction(1, 3)), "1/3", ["2/6"], ["0.3", "0.33", "0.333333", "0.3333333"]),
    (Answer.fraction(Fraction(2)), "2", ["4/2", "2.0"], ["2.1", "2,0", "2^1", "1+1"]),
    (
        Answer.word("light star", SHAPES),
        "light star",
        ["Light  Star", r"\text{light star}"],
        ["lightstar", "star", "circle"],
    ),
    (Answer.word("x-ray", SHAPES), "x-ray", ["X-Ray."], ["x - ray", "circle or x-ray", "circle, x-ray"]),
    (Answer.choice("B", "ABCD"), "B", [" B", r"\mathrm{B}", r" \text{B}. "], ["b", "(B)", "AB", "A", "E", "B or C"]),
    (Answer.pair(2, 5), "(2, 5)", ["(2,5)", "2, 5", "[2,5]"], ["(5, 2)", "(2, 5", "2 5", "(2, 5, 1)", "((2, 5))", "2"]),
    (
        Answer.listing([3, 1, 1]),
        "3, 1, 1",
        ["[3,1,1]"],
        ["1, 3, 1", "3 1 1", "3, 1", "3, 1, 1, ", "3 1, 1", "311", "3, , 1"],
    ),
    (Answer.listing(["A", "C"], "ABC"), "A, C", ["(A, C)", "a, c"], ["C, A", "A", "A, C, C", "A and C"]),
    (Answer.set_of([3, 1]), "1, 3", ["3,1", r"\{3, 1\}"], ["1", "1, 3, 3", "1, 2, 3", "none"]),
    (Answer.set_of([]), "none", ["None"], ["", "0", "{}", "()"]),
    (Answer.permutation("BAC"), "B, A, C", ["B,A,C"], ["B, A", "A, B, C", "B, A, C, C", "BAC"]),
    (Answer.name("BA"), "AB", ["BA"], ["A", "AA", "ABC", "AC", "ab", "A B"]),
    (Answer.name("CBA"), "ABC", ["CBA"], ["ACB", "BAC", "AB", "ABCD", "ABA"]),
    (
        Answer.grid([[1, 0], [2, 1]]),
        "1 0; 2 1",
        ["1  0;2 1"],
        ["1 0 2 1", "1 0; 2", "1 0; 2 1;", "1 0; 1 2", "1,0; 2,1"],
    ),
    (
        Answer.point_on([(20, 10, 12), (21, 10, 10), (21, 12, 12)], (12, 21)),
        "(12, 21)",
        ["10, 20", "[12, 20]", "(11,20)", "(10, 21)"],
        ["(11, 21)", "(9, 20)", "(13, 21)", "(11, 19)", "(10, 22)", "(12)", "none"],
    ),
    (
        Answer.point((9.5, 20, 31, 40.2)),
        "(20, 30)",
        ["10, 20", "[31, 40]", "(25,33)"],
        ["(9, 30)", "(32, 30)", "(20, 19)", "(20, 41)", "(20)", "(20, 30, 20)", "20 30", "(20.5, 30)", "none"],
    ),
]
ANSWERS = [case[0] for case in CASES]


@pytest.mark.parametrize("answer", [*ANSWERS, Answer.decimal(Fraction(1, 3), Fraction(1, 7))], ids=Answer.text)
def test_an_answer_survives_json(answer):
    assert Answer.from_json(json.loads(json.dumps(answer.to_json()))) == answer


def test_json_of_no_answer_is_refused():
    with pytest.raises(ValueError, match="kind must be one of"):
        Answer.from_json({"kind": "code", "text": "1"})
    with pytest.raises(ValueError, match="writable in its grammar"):
        Answer.from_json({"kind": "integer", "text": "1 or 2"})
    with pytest.raises(ValueError, match="spans of kind point must not be empty"):
        Answer.point_on([], (0, 0))


@pytest.mark.parametrize("answer, gold, right, wrong", CASES)
def test_gold_and_its_spellings_are_accepted_and_near_misses_are_not(answer, gold, right, wrong):
    assert answer.text() == gold
    for content in [gold, *right]:
        assert answer.accepts(content), content
    for content in wrong:
        assert not answer.accepts(content), content


@pytest.mark.parametrize("answer", ANSWERS)
def test_answers_are_values(answer):
    assert pickle.loads(pickle.dumps(answer)) == answer
    assert hash(answer) == hash(pickle.loads(pickle.dumps(answer)))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Answer.integer(10**9),
        lambda: Answer.decimal(Fraction(1, 3)),
        lambda: Answer.fraction(Fraction(1, 10**7)),
        lambda: Answer.word("red", ("blue",)),
        lambda: Answer.word("a,b", ("a,b", "c")),
        lambda: Answer.word("red", ("red", "Red")),
        lambda: Answer.word("none", ("none", "one")),
        lambda: Answer.choice("E", "ABCD"),
        lambda: Answer.listing([]),
        lambda: Answer.set_of([1, 1]),
        lambda: Answer.permutation("AA"),
        lambda: Answer.name("AA"),
        lambda: Answer.grid([[1, 2], [3]]),
        lambda: Answer("number", 3),
        lambda: Answer.point_on([(20, 10, 12)], (13, 20)),
    ],
)
def test_an_answer_outside_its_own_grammar_cannot_be_made(make):
    with pytest.raises(ValueError, match=r"^answer\.(value|vocabulary|kind) "):
        make()


@given(content=st.text(max_size=300), answer=st.sampled_from(ANSWERS))
@settings(max_examples=400, deadline=None)
def test_no_text_raises(content, answer):
    answer.accepts(content)


@given(content=st.text(alphabet=r"0123456789-+.,;/\{}()[]ABCabc frac", max_size=24), answer=st.sampled_from(ANSWERS))
@settings(max_examples=600, deadline=None)
def test_what_is_accepted_has_the_gold_value(content, answer):
    if answer.accepts(content) and answer.kind != "decimal":
        assert parse(content, answer) == answer.value == parse(answer.text(), answer)


@given(value=st.integers(-(10**9) + 1, 10**9 - 1), places=st.integers(0, 6), shift=st.integers(-50, 50))
def test_decimal_tolerance_is_exact_at_its_edge(value, places, shift):
    gold, step = Fraction(value, 10**places), Fraction(1, 10**places)
    answer = Answer.decimal(gold, 20 * step)
    other = Answer.decimal(gold + shift * step).text() if abs(value + shift) < 10**9 else answer.text()
    assert answer.accepts(other) == (abs(parse(other, answer) - gold) <= 20 * step)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("unit", ["1", "1,", "(", "9/", "\\frac{", "A, ", "\\text{", " ", "1 ", "-"])
def test_long_contents_are_refused_at_once(answer, unit):
    content, start = unit * (1_000_000 // len(unit)), time.process_time()
    assert not answer.accepts(content)
    assert time.process_time() - start < 0.1
