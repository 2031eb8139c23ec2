"""Strict verification: the one form is accepted, every known way around it is worth nothing, and fast."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engines
from engines.answer import Answer
from engines.verify import MAX_COMPLETION_CHARS, extract, is_well_formed, verify
from tests.engines.cheats import CHEATS, FOUR, REFUSED, RIGHT

ACCEPTED = [
    r"<answer>\boxed{4}</answer>",
    "I count four of them.\n<answer> \\boxed{ 4 } </answer>\n",
    r"<think>2 + 2</think><answer>\boxed{4.}</answer>",
    r"<think>never closed <answer>\boxed{\text{4}}</answer>",
    "<answer>\n\\boxed{+4}\n</answer>\r\n",
]


@pytest.mark.parametrize("text", ACCEPTED)
def test_the_required_form_is_accepted(text):
    assert verify(text, FOUR) and is_well_formed(text)
    assert not verify(text, Answer.integer(5))


@pytest.mark.parametrize("way", CHEATS)
def test_every_way_around_is_worth_nothing(way):
    for answer, text in CHEATS[way]:
        assert not verify(text, answer), text[-200:]
        assert not engines.verify(text, answer)


def test_the_corpus_is_large_and_its_answers_are_right_ones():
    texts = {(answer, text) for pairs in CHEATS.values() for answer, text in pairs}
    assert len(texts) >= 300 and len({answer.kind for answer, _ in texts}) == 11
    for answer, _ in texts:
        assert verify(f"<answer>\\boxed{{{answer.text()}}}</answer>", answer)


def typical_us(text: str, answer: Answer) -> float:
    """Microseconds of this thread that a verification takes, in the median of 100."""
    spent = []
    for _ in range(100):
        start = time.thread_time_ns()
        verify(text, answer)
        spent.append(time.thread_time_ns() - start)
    return float(np.median(spent)) / 1e3


def test_each_cheat_is_refused_within_fifty_microseconds():
    """Or, on a slow machine, within some ten honest answers' time."""
    honest = min(typical_us(RIGHT, FOUR) for _ in range(8))
    limit = max(50.0, 10 * honest)
    slow = {}
    for answer, text in (pair for pairs in CHEATS.values() for pair in pairs):
        # A neighbour may have slowed the core down: then once more.
        found = next((us for us in (typical_us(text, answer) for _ in range(8)) if us < limit), None)
        if found is None:
            slow[text[:60]] = typical_us(text, answer)
    assert not slow, (slow, limit)


def test_long_reasoning_is_read_and_longer_is_refused():
    room = MAX_COMPLETION_CHARS - len(RIGHT)
    assert verify("x" * room + RIGHT, FOUR) and not verify("x" * (room + 1) + RIGHT, FOUR)
    assert verify(RIGHT + "\n" * 900, FOUR) and not verify(RIGHT + "\n" * 1100, FOUR)


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
