"""Strict verification: the one form is accepted, every known way around it is worth nothing, and fast."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engines
from engines.answer import Answer
from engines.verify import extract, is_well_formed, verify

FOUR = Answer.integer(4)

ACCEPTED = [
    r"<answer>\boxed{4}</answer>",
    "I count four of them.\n<answer> \\boxed{ 4 } </answer>\n",
    r"<think>2 + 2</think><answer>\boxed{4.}</answer>",
    r"<think>never closed <answer>\boxed{\text{4}}</answer>",
    "<answer>\n\\boxed{+4}\n</answer>\r\n",
]

# Each row: the way around, and completions that use it. None of them may count as 4.
REFUSED = {
    "nothing": ["", " ", "4", r"\boxed{4}", "The answer is 4.", "<answer>4</answer>", "<answer></answer>", r"\boxed{}"],
    "empty box": [r"<answer>\boxed{}</answer>", r"<answer>\boxed{ }</answer>", r"<answer>\boxed{\text{}}</answer>"],
    "several answers": [
        r"<answer>\boxed{3}</answer><answer>\boxed{4}</answer>",
        r"<answer>\boxed{4}</answer> <answer>\boxed{4}</answer>",
        r"<answer>\boxed{4}\boxed{4}</answer>",
        r"<answer>\boxed{3}, \boxed{4}</answer>",
        r"3 is wrong, \boxed{3}, so <answer>\boxed{4}</answer>",
        r"<answer><answer>\boxed{4}</answer></answer>",
        r"<answer>\boxed{\boxed{4}}</answer>",
        "<answer>\\boxed{3}</answer>\n\nWait.\n<answer>\\boxed{4}</answer>",
    ],
    "hedges": [
        rf"<answer>\boxed{{{content}}}</answer>"
        for content in (
            "3 or 4",
            "4 or 3",
            "3, 4",
            "4, 4",
            "4/3/2",
            "1=2=3=4",
            "x=4",
            "4=4",
            "3-5",
            "3..5",
            "~4",
            "about 4",
        )
    ],
    "text around the box": [
        r"<answer>4 \boxed{4}</answer>",
        r"<answer>\boxed{4} cubes</answer>",
        r"<answer>$\boxed{4}$</answer>",
        r"<answer>\boxed{4}.</answer>",
        r"<answer>**\boxed{4}**</answer>",
    ],
    "text after the end": [
        r"<answer>\boxed{4}</answer>.",
        r"<answer>\boxed{4}</answer> I am sure.",
        r"<answer>\boxed{4}</answer></answer>",
        r"<answer>\boxed{4}</answer><|im_end|>",
        "<answer>\\boxed{4}</answer>\u200b",
        "<answer>\\boxed{4}</answer>\x00",
    ],
    "broken tags": [
        r"<answer>\boxed{4}",
        r"\boxed{4}</answer>",
        r"</answer>\boxed{4}<answer>",
        r"<answer>\boxed{4}<answer>",
        r"<Answer>\boxed{4}</Answer>",
        r"<answer >\boxed{4}</answer>",
        r"<answer>\boxed{4}</answer",
        "<answer>\\boxed{4}</ answer>",
        r"&lt;answer&gt;\boxed{4}&lt;/answer&gt;",
    ],
    "broken braces": [
        r"<answer>\boxed{4</answer>",
        r"<answer>\boxed 4</answer>",
        r"<answer>\boxed{4}}</answer>",
        r"<answer>\boxed{{4}</answer>",
        r"<answer>\boxed{4}{4}</answer>",
        r"<answer>\boxed{4\}</answer>",
        r"<answer>\boxed{{4}}</answer>",
        r"<answer>\boxed (4)</answer>",
        r"<answer>boxed{4}</answer>",
        r"<answer>\Boxed{4}</answer>",
        r"<answer>\fbox{4}</answer>",
        r"<answer>\boxed {4}</answer>",
        r"<answer>\\boxed{4}</answer>",
    ],
    "arithmetic": [
        rf"<answer>\boxed{{{content}}}</answer>"
        for content in (
            "2+2",
            "2^2",
            "2**2",
            "8/2",
            r"\sqrt{16}",
            r"\frac{8}{2}",
            "len('abcd')",
            "4!/6",
            "0x4",
            "1e0",
            "4e0",
            "4.0",
        )
    ],
    "code": [
        rf"<answer>\boxed{{{content}}}</answer>"
        for content in (
            "__import__('os').getpid()",
            "exit()",
            "lambda: 4",
            "9**9**9**9",
            "'4'",
            '"4"',
            "[4]",
            "(4)",
            "None",
            "True",
        )
    ],
    "other digits": [
        f"<answer>\\boxed{{{content}}}</answer>" for content in ("４", "٤", "४", "④", "4\u0301", "Ⅳ", "1_0", "４.")
    ],
    "hidden characters": [
        f"<answer>\\boxed{{{content}}}</answer>"
        for content in ("4\u200b", "\u202e4", "4\x00", "4\t", "4\n", "\ufeff4", "4\u00a0", "4\u2060")
    ],
    "not numbers": [
        f"<answer>\\boxed{{{content}}}</answer>"
        for content in ("nan", "inf", "-inf", "four", "IV", "4 cubes", "4%", "+-4")
    ],
    "too long": [f"<answer>\\boxed{{{'0' * 300}4}}</answer>", f"<answer>\\boxed{{4{' ' * 400}}}</answer>"],
    "huge numbers": [
        f"<answer>\\boxed{{{content}}}</answer>" for content in ("9" * 5000, "1e400", "10!", "2^99999999")
    ],
}


@pytest.mark.parametrize("text", ACCEPTED)
def test_the_required_form_is_accepted(text):
    assert verify(text, FOUR) and is_well_formed(text)
    assert not verify(text, Answer.integer(5))


@pytest.mark.parametrize("way", REFUSED)
def test_every_way_around_is_worth_nothing(way):
    for text in REFUSED[way]:
        assert not verify(text, FOUR), text


@pytest.mark.parametrize(
    "way", ["nothing", "empty box", "several answers", "text around the box", "text after the end", "broken tags"]
)
def test_form_is_refused_whatever_the_answer(way):
    for text in REFUSED[way]:
        assert not is_well_formed(text) or extract(text) == r"\text{}", text


def test_what_stands_in_the_box_is_given_back():
    assert extract(r"so <answer>\boxed{\frac{1}{2}}</answer>") == r"\frac{1}{2}"
    assert extract(r"<answer>\boxed{\{1, 2\}}</answer>") == r"\{1, 2\}"
    assert verify(r"<answer>\boxed{\{2, 1\}}</answer>", Answer.set_of([1, 2]))


def test_the_package_takes_a_sample_or_an_answer():
    sample = engines.sample("grid", split="train", index=0, level=0, size_px=112)
    text = f"<answer>\\boxed{{{sample.answer.text()}}}</answer>"
    assert engines.verify(text, sample) and engines.verify(text, sample.answer)
    assert not engines.verify(sample.answer.text(), sample)


@pytest.mark.parametrize(
    "unit",
    [
        "4",
        "<",
        "<answer>",
        "</answer>",
        "\\boxed{",
        "{",
        "}",
        "\\",
        "\\boxed",
        "<answer",
        " ",
        "\n",
        "<answer>\\boxed{4}</answer>",
    ],
)
def test_a_megabyte_is_refused_fast(unit):
    body = unit * (1_000_000 // len(unit))
    for text in (
        body,
        f"<answer>{body}</answer>",
        f"<answer>\\boxed{{{body}}}</answer>",
        f"<answer>\\boxed{{4}}</answer>{body}",
    ):
        start = time.process_time()
        is_right = verify(text, FOUR)
        assert time.process_time() - start < 0.25
        assert not is_right or text.strip() == r"<answer>\boxed{4}</answer>"


PIECES = [
    "<answer>",
    "</answer>",
    "\\boxed",
    "{",
    "}",
    "\\",
    "4",
    " ",
    "\n",
    "or",
    ",",
    "\u200b",
    "<answer>\\boxed{4}</answer>",
]


@given(parts=st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=14))
@settings(max_examples=800, deadline=None)
def test_any_text_gives_a_verdict_and_a_right_one_has_one_answer(parts):
    text = "".join(parts)
    if verify(text, FOUR):
        assert text.count("<answer>") == text.count("</answer>") == text.count("\\boxed") == 1
        assert text.rstrip(" \r\n").endswith("</answer>")
        assert parts.count("or") == 0 or text.index("or") < text.index("<answer>")
