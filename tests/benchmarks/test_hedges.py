"""What chooses no option: negations, alternatives, lists; and what does, in every script and form of a letter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.benchmarks import BENCHMARKS, Problem, choices, hedges, reading
from perc_jax.benchmarks.logicvista import extract

COLOURS = ("red", "dark red", "blue", "3.5")
NONE = ("",) * 4
OPEN = (
    *(
        "The answer is not A.",
        "The answer cannot be A.",
        "Not (A)",
        r"\boxed{not A}",
        "It isn't option C.",
        "答案不是A",
    ),
    *(
        "The answer is B or C.",
        "The answer is (A) or (B).",
        "Either B or C.",
        "(A) or (B)",
        r"\boxed{A or B}",
        "Answer: A/B",
    ),
    *(r"\boxed{B, C, D, A}", r"\boxed{B and C}", "B, C", "The answer is B, C and D.", "Neither A nor B.", "答案是B或C"),
    *("The answer is (A) red or (B) dark red.", "I would go with option A or option B.", "The answer is B or maybe C"),
    *("(A) red\n(B) dark red\n(C) blue\n(D) 3.5", "The answer is either A or B, I cannot say."),
)
CHOSEN = (
    *(("The answer is B, not A.", "B"), ("The answer is not A but B.", "B"), ("A is wrong. The answer is C.", "C")),
    *(
        ("Either A or C, so the answer is C.", "C"),
        (r"A or B? \boxed{B}", "B"),
        ("Option A is incorrect, so (B).", "B"),
    ),
    *(("The answer is neither A nor B, it is C.", "C"), ("The answer is A because B is wrong.", "A")),
    *(("The answer is (B), since A and C are too small.", "B"), ("B. It is not A or C.", "B")),
    *(
        ("選B", "B"),
        ("选 C", "C"),
        ("答案：Ｂ", "B"),
        ("故選Ｃ", "C"),
        ("正確答案為：Ｄ", "D"),
        ("我選擇Ｄ", "D"),
        ("应选Ａ。", "A"),
    ),
    *(("選項Ａ不正確，選Ｂ", "B"), ("Ｂ", "B"), ("（Ｂ）", "B"), ("The answer is Ⓑ", "B"), ("所选的选项是C", "C")),
    *((r"\boxed{d}", "D"), (r"\boxed{(d)}", "D"), (r"\boxed{\text{d}}", "D"), ("<answer>b</answer>", "B")),
    *((r"\boxed{\text{B}.}", "B"), (r"\boxed{Ｂ}", "B")),
)


@pytest.mark.parametrize("options", [COLOURS, NONE], ids=["texts", "letters"])
@pytest.mark.parametrize("text", OPEN)
def test_nothing_is_chosen(text: str, options: tuple[str, ...]) -> None:
    assert choices.pick(text, "ABCD", options) is None


@pytest.mark.parametrize("options", [COLOURS, NONE], ids=["texts", "letters"])
@pytest.mark.parametrize(("text", "letter"), CHOSEN)
def test_a_letter_is_chosen(text: str, letter: str, options: tuple[str, ...]) -> None:
    assert choices.pick(text, "ABCD", options) == letter


def test_an_options_text_that_is_denied_is_not_chosen() -> None:
    assert choices.pick("The answer is not red.", "ABCD", COLOURS) is None
    assert choices.pick("It is not the blue one.", "ABCD", COLOURS) is None
    assert choices.pick("It is not red but blue.", "ABCD", COLOURS) == "C"


def test_a_text_that_finds_no_option_right_chooses_none() -> None:
    for end in (
        "None of the options match this.",
        "So the correct answer is not in the options.",
        "None of the given choices.",
    ):
        assert choices.pick(f"I get 3.5 for the length. {end}", "ABCD", COLOURS) is None
    assert choices.pick("None of the options red or blue fit. The answer is D.", "ABCD", COLOURS) == "D"


def test_every_benchmark_of_free_text_leaves_open_what_is_open() -> None:
    golds = {"mathverse": "A", "logicvista": "A", "dynamath": "A"}
    for text in ("The answer is not A.", "The answer is A or C."):
        for name, gold in golds.items():
            problem = Problem("1", "?", (), gold, "choice", ("",) * 6, meta={})
            mode = "vlmevalkit" if name == "dynamath" else "official"
            scored = BENCHMARKS[name].score(problem, text, mode)
            assert (scored.correct, scored.parsed) == (False, None), (name, text)
        problem = Problem("1", "?", (), "red", "choice", ("red", "blue", "grey"))
        assert BENCHMARKS["mathvista"].score(problem, text).parsed is None
        agreed = Problem("1", "Is it?", (), "no", "choice", ("yes", "no"))
        assert BENCHMARKS["mathvista"].score(agreed, "The answer is not A.").parsed is None


def test_logicvista_tells_several_answers_from_alternatives() -> None:
    for text in (
        "The answer is B or C.",
        r"\boxed{B or C}",
        "The answer is A, C or D.",
        "The answer is not A.",
        "B or C",
    ):
        assert extract(text) == frozenset(), text
    assert extract(r"\boxed{A, C}") == {"A", "C"}
    assert extract("The answer is B, not A.") == extract("not A but B") == extract("選B") == {"B"}
    assert extract(r"\boxed{c}") == extract("答案：Ｃ") == {"C"}


@given(st.permutations("ABCD"), st.sampled_from([" or ", ", ", " and ", "/", "、", "; "]), st.integers(2, 4))
def test_lists_of_any_letters_are_open(letters: list[str], separator: str, count: int) -> None:
    text = separator.join(letters[:count])
    assert hedges.is_open(text, "ABCD") and hedges.is_hedged(text, "ABCD")
    assert (
        choices.pick(rf"\boxed{{{text}}}", "ABCD", NONE) is choices.pick(f"The answer is {text}.", "ABCD", NONE) is None
    )


def test_plain_characters_keep_the_value() -> None:
    assert reading.fold("（Ａ）１２：３％") == "(A)12:3%"
    assert reading.fold("3² cm², 3½, x₁") == "3² cm², 3½, x₁"


def test_a_response_that_goes_on_with_a_question_answers_the_first() -> None:
    assert reading.reply("(A) yes\n\nQuestion: And now?\nAnswer: (B) no") == "(A) yes"
    assert reading.reply("B\n**Question 2:** what?\n C") == "B"
    assert reading.reply("Question: which?\nAnswer: B") == "Question: which?\nAnswer: B"
    echo = "Hint: Please answer.\nQuestion: which?\nAnswer: B"
    assert reading.reply(echo) == echo
    problem = Problem("1", "How many?", (), "4", "integer", meta={"precision": None})
    assert BENCHMARKS["mathvista"].score(problem, "4\n\nQuestion: How many more?\nAnswer: 7").correct


@pytest.mark.parametrize(
    ("response", "gold", "options"),
    [
        ("A) no", "no", ("yes", "no")),
        ("C. 3.5", "3.5", ("1", "2", "3", "3.5")),
        ("B. The time shown is quarter past", "quarter past", ("quarter past", "half past", "quarter to")),
        ("The answer is B. quarter past", "quarter past", ("quarter past", "half past")),
        (r"\boxed{A) no}", "no", ("yes", "no")),
        ("A) yes, it is not", "yes", ("yes", "no")),  # its own text, with another behind it
        ("A. because 3.5 is too large", "1", ("1", "2", "3", "3.5")),  # a reason and no text written out
        ("B", "no", ("yes", "no")),
    ],
)
def test_an_options_text_goes_before_the_letter_in_front_of_it(
    response: str, gold: str, options: tuple[str, ...]
) -> None:
    scored = BENCHMARKS["mathvista"].score(Problem("1", "?", (), gold, "choice", options), response)
    assert scored.correct and scored.parsed == gold
