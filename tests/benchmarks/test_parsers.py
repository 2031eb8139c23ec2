"""The readers of answers: boxes, phrases, numbers, letters; and the rules of single benchmarks, on made-up cases."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.benchmarks import BENCHMARKS, Item, Problem, Scored, choices, lmms, numbers, reading
from perc_jax.benchmarks.chartqa import relaxed
from perc_jax.benchmarks.hallusionbench import HallusionBench
from perc_jax.benchmarks.logicvista import extract
from perc_jax.benchmarks.mathvision import find_answer
from perc_jax.benchmarks.wemath import four

COLOURS = ("red", "dark red", "blue", "3.5")


def test_the_last_balanced_box_is_read() -> None:
    assert reading.last_box(r"\boxed{1} then \boxed{\frac{1}{2}} end \boxed{unclosed") == r"\frac{1}{2}"
    assert reading.last_box(r"\boxed{a \} b}") == r"a \} b"
    assert reading.last_box("no box") is None
    assert reading.marked(r"\boxed{7} <answer>\boxed{8}</answer>") == "8"
    assert reading.marked("<think>\\boxed{1}</think><answer> 9 </answer>") == " 9 "
    assert reading.after_thought("<think>A</think>B") == "B"


def test_what_follows_the_answer_is() -> None:
    assert reading.phrases("The answer is (B).\nmore") == ["(B)."]
    assert reading.phrases("Final answer: 12") == ["12"]
    assert reading.phrases("所以答案:D")[-1] == "D"
    assert reading.phrases("nothing here") == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-1,200.5", -1200.5),
        ("3/4", 0.75),
        (r"\frac{3}{4}", 0.75),
        (r"-\dfrac{3}{4}", -0.75),
        (r"2\frac{1}{2}", 2.5),
        ("5π", 5 * math.pi),
        (r"$4 \pi$", 4 * math.pi),
        (r"\frac{\sqrt{3}}{2}", math.sqrt(3) / 2),
        (r"2\sqrt{3}", 2 * math.sqrt(3)),
        ("3 × 10^{-2}", 0.03),
        ("1.5e3", 1500),
        ("35°", 35),
        (r"35^{\circ}", 35),
        ("12 cm²", 12),
        (r"12\text{ cm}", 12),
        ("x = 4.", 4),
        ("−7", -7),
        ("50%", 50),
        ("10³", 1000),
        ("-10^{2}", -100),
        ("2×10³", 2000),
        (r"1.5\cdot 10^{3}", 1500),
        (r"2\cdot\sqrt{3}\cdot\pi", 2 * math.sqrt(3) * math.pi),
        (r"-2\frac{1}{2}", -2.5),
        (r"2\frac{1}{2}\pi", 2.5 * math.pi),
        ("2½π", 2.5 * math.pi),
        (r"3\frac{\pi}{4}", 0.75 * math.pi),
        (r"2\frac{\sqrt{3}}{2}", math.sqrt(3)),
        (r"√3\frac{1}{2}", math.sqrt(3) / 2),
        (r"10^2\frac{1}{2}", 50),
        (r"4\cdot\frac{1}{2}", 2),
        ("60º", 60),
    ],
)
def test_numbers_as_models_write_them(text: str, value: float) -> None:
    assert numbers.value(text) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "1/0", "1 2", "3 apples and 4", "nan", "inf", "1e999", "--3", "1,2", "9" * 90),
        *("110^2", "110²", "210³", "510^{3}", "110^2/5", r"110^2\frac{1}{2}"),  # no sign before the power of ten
        *("3*", "3×", r"3\cdot", "2**π", "*π", "×10²", r"3*\cdot\frac{1}{2}"),  # signs without a factor
        *(r"3\frac{5}{2}", r"2.5\frac{1}{2}", r"3/4\frac{1}{2}", r"2\frac{1}{2}3"),  # neither mixed nor a product
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert numbers.value(text) is None


@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_decimals_are_read_back(number: float, places: int) -> None:
    written = f"{number:.{places}f}"
    assert numbers.value(written) == float(written)
    assert numbers.find(f"so it is {written} in all") == [written]


def test_numbers_in_a_text() -> None:
    assert numbers.find("from 2007-2008: 1,234 of 3.5, and −2.") == ["2007", "2008", "1234", "3.5", "-2"]
    assert numbers.spelled("There are two bars, Twenty in all, not twofold") == ["2", "20"]


def test_a_number_is_not_the_end_of_a_longer_one() -> None:
    assert choices.pick("It is 1,200°", "AB", ("200°", "50°")) is None
    assert choices.pick("of 1,200°, 50°", "AB", ("200°", "50°")) == "B"
    assert choices.pick("up,200°", "AB", ("200°", "50°")) == "A"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        ("(B)", "B"),
        ("B. dark red", "B"),
        ("**B**", "B"),
        ("The correct answer is (C) blue.", "C"),
        ("A is wrong. The answer is option B because it is.", "B"),
        ("I think the answer is: C", "C"),
        (r"Either A or C, so \boxed{C}.", "C"),
        (r"\boxed{\text{(D)}}", "D"),
        ("it is dark red", "B"),  # not the `red` inside it
        ("The colour is blue.", "C"),
        ("It measures 3.5", "D"),
        ("It measures 13.5", None),
        ("I cannot choose option A or B here.", None),
        ("Option C and nothing else", "C"),
        ("red or blue, I cannot say", None),
        ("A cat sits there", None),
        ("Long thought.\n\nC", "C"),
        ("所以选项B是正确答案。", "B"),
        ("<think>The answer is A</think>C", "C"),
        ("E", None),
        ("", None),
    ],
)
def test_free_text_chooses(text: str, letter: str | None) -> None:
    assert choices.pick(text, "ABCD", COLOURS) == letter


@given(
    st.sampled_from("ABCD"), st.sampled_from(["{}", "({})", "{}.", "The answer is {}.", r"\boxed{{{}}}", "Answer: {}"])
)
def test_plain_choices_are_read_by_every_reader_of_free_text(letter: str, form: str) -> None:
    text = form.format(letter)
    assert choices.pick(text, "ABCD", ("",) * 4) == letter
    assert choices.token_rule(text.replace("\\boxed", ""), "ABCD", ("x1", "x2", "x3", "x4")) == letter


def test_other_systems_rules_and_their_quirks() -> None:
    assert choices.leading("A cat", "ABCD") == "A"
    assert choices.token_rule("A b c d e f g", "ABCD", ("w", "x", "y", "z")) is None  # not among the last five words
    assert choices.token_rule("I can't process this file.", "ABCD", COLOURS) == "Z"
    assert choices.mmmu_rule("I take (B), not (C)", "ABCD", COLOURS) == "C"  # the last one
    assert choices.mmmu_rule("vitamin", "ABCD", COLOURS) is None
    assert choices.mmmu_rule("to my mind it is surely blue", "ABCD", ("teal", "pink", "blue", "grey")) == "C"
    assert lmms.score("B", "<answer>B: blue</answer>", lambda *_: False).correct
    assert lmms.score("3.14159", r"\boxed{3.1415}", lambda *_: False).correct is False
    assert lmms.score("3/4", r"so \boxed{\frac{3}{4}}", lambda *_: True).correct
    assert lmms.score("204", "thus we get\n204.", lambda *_: False).correct


@given(st.text("abcd", max_size=8), st.text("abcd", max_size=8), st.text("abcd", max_size=8))
def test_edit_distance_is_a_metric(a: str, b: str, c: str) -> None:
    assert (choices.edit_distance(a, b) == 0) == (a == b)
    assert choices.edit_distance(a, b) == choices.edit_distance(b, a)
    assert choices.edit_distance(a, c) <= choices.edit_distance(a, b) + choices.edit_distance(b, c)
    assert choices.edit_distance("kitten", "sitting") == 3


@pytest.mark.parametrize(
    ("answer", "gold", "right"),
    [
        *(("14.5", "14", True), ("15", "14", False), ("14%", "0.14", True), ("0", "0", True), ("0.0", "0", False)),
        *(("YES", "Yes", True), ("about 14", "14", False), ("nan", "14", False), ("-5", "5", False)),
    ],
)
def test_relaxed_accuracy(answer: str, gold: str, right: bool) -> None:
    assert relaxed(answer, gold) == right


def test_mathvision_cleaning_copies_the_official_quirks() -> None:
    assert find_answer(r"Thus \boxed{\dfrac{1}{2}\text{ units}}") == r"\frac{1}{2}"
    assert find_answer("x=0.5") == r"\frac{1}{2}"
    assert find_answer("3/4") == r"\frac{3}{4}"
    assert find_answer(r"\boxed{4} and more}") == "4"
    degrees = Problem("1", "?", (), "B", "choice", ("$36^{\\circ}$", "$40$", "C", "D", "E"))
    mathvision = BENCHMARKS["mathvision"]
    assert mathvision.score(degrees, "40").correct
    assert not mathvision.score(Problem("1", "?", (), "A", "choice", degrees.options), "36").correct


def test_mathvista_guesses_as_the_official_protocol_where_nothing_is_chosen() -> None:
    mathvista, options = BENCHMARKS["mathvista"], ("Yes, it is enough information", "N")
    for gold, response in (
        (0, "I do not have enough information."),  # quoted
        (1, "The question is ambiguous, so it is impossible to give a correct answer."),  # N/A
        (1, "None of the given options is right."),
        (1, "(E) Yes, there is enough"),  # the letter E
        (1, ""),
    ):
        scored = mathvista.score(Problem("1", "?", (), options[gold], "choice", options), response)
        assert scored.correct and scored.parsed is None, response
    years = Problem("1", "In which year was it highest?", (), "2016", "integer", meta={"precision": None})
    assert mathvista.score(years, "It was highest in 2016, with 94% of them.").correct
    assert mathvista.score(years, "The question does not provide enough information on 2016.").parsed == "2016"
    value = Problem("1", "What is f(0)?", (), "0", "integer", meta={"precision": None})
    assert mathvista.score(value, "The question does not provide enough information on f(0).").parsed is None
    assert mathvista.score(value, "f(0) = 0").correct


def test_logicvista_reads_several_letters() -> None:
    for text in ("A, C", "The answer is A and C.", r"\boxed{A, C}", "(A) and (C)", "Final answer: C, A"):
        assert extract(text) == {"A", "C"}, text
    assert extract("The answer is C because A is not.") == {"C"}
    assert extract("no idea") == frozenset()


def test_wemath_counts_the_four_kinds() -> None:
    pairs = [
        (True, [True, True]),
        (True, [True, False]),
        (True, [False, False]),
        (False, [True, True]),
        (False, [True, False]),
    ]
    assert four(pairs, strict=True) == {"n": 5, "score": 0.3, "IK": 1, "IG": 1, "CM": 1, "RM": 2}
    assert four(pairs, strict=False) == {"n": 5, "score": 0.5, "IK": 1, "IG": 1, "CM": 2, "RM": 1}


def test_hallusionbench_accuracies() -> None:
    def item(category: str, figure: str, question: str, right: bool) -> Item:
        visual = "0" if category == "VS" and figure == "0" else "1"
        meta = {"category": category, "subcategory": "map", "visual_input": visual, "set_id": "0"}
        meta |= {"figure_id": figure, "question_id": question}
        return Item(
            Problem(f"{category}{figure}{question}", "?", (), "yes", "yes_no", meta=meta), Scored(right, "yes", "")
        )

    items = [item("VS", "0", "0", False), item("VS", "1", "0", True), item("VS", "1", "1", True)]
    items += [item("VD", "0", "0", True), item("VD", "0", "1", False)]
    found = HallusionBench().summary(items)
    assert [found[name]["accuracy"] for name in ("aAcc", "fAcc", "qAcc")] == [0.6, 0.5, 0.5]
    found = HallusionBench().summary(items, "vlmevalkit")  # without the question that has no picture
    assert [found[name]["accuracy"] for name in ("aAcc", "fAcc", "qAcc")] == [0.75, 0.5, 0.75]


def test_dynamath_quirks_by_mode() -> None:
    score = BENCHMARKS["dynamath"].score
    text = Problem("1_1", "?", (), "Sep", "text", meta={})
    assert score(text, '{"short answer": "In Sep."}', "official").correct
    assert not score(text, '{"short answer": "sep"}', "official").correct
    assert score(text, '{"short answer": "e"}', "vlmevalkit").correct  # the other direction
    number = Problem("2_1", "?", (), "15.708", "float", meta={})
    assert score(number, '{"short answer": "5π"}', "official").correct
    assert score(number, "it is\n15.708.", "official").correct  # the last line without its last character
    assert not score(number, '{"short answer": "15.71"}', "official").correct
    six = Problem("3_1", "?", (), "F", "choice", ("",) * 6, meta={})
    assert score(six, '{"short answer": "F"}', "official").correct
    assert not score(six, '{"short answer": "F, not E"}', "vlmevalkit").correct  # it looks for A to E only
    edge = Problem("4_1", "?", (), "0.5", "float", meta={})
    assert score(edge, r"<answer>\boxed{0.501}</answer>", "strict").correct
    assert not score(edge, r"<answer>\boxed{0.5011}</answer>", "strict").correct


def test_a_mean_of_tasks_is_not_the_accuracy() -> None:
    items = [
        Item(Problem(str(i), "?", (), "A", "choice", meta={"task": t}), Scored(r, "A", ""))
        for i, (t, r) in enumerate([("a", True), ("b", False), ("b", False), ("b", True)])
    ]
    found = BENCHMARKS["blink"].summary(items)
    assert found["mean_of_tasks"] == pytest.approx((1 + 1 / 3) / 2)
    assert BENCHMARKS["blink"].total(items)["accuracy"] == 0.5


@pytest.mark.parametrize("box", ["5,5", "5, 5", "(5,5)", "{5}{5}", "(5)(5)", "5x5", "5 × 5", "5 5", "{5}, {5}"])
def test_rows_and_columns_are_two_numbers(box: str) -> None:
    problem = Problem("1", "?", (), "5,5", "grid")
    assert BENCHMARKS["blindtest"].score(problem, rf"<answer>\boxed{{{box}}}</answer>", "strict").correct


@pytest.mark.parametrize(
    ("box", "gold"), [("55", "5,5"), ("123", "12,3"), ("1,23", "12,3"), ("5,", "5,5"), ("(55)", "5,5")]
)
def test_one_number_is_no_rows_and_columns(box: str, gold: str) -> None:
    scored = BENCHMARKS["blindtest"].score(
        Problem("1", "?", (), gold, "grid"), rf"<answer>\boxed{{{box}}}</answer>", "strict"
    )
    assert not scored.correct and scored.parsed in (None, box)
