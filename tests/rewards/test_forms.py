"""Answer forms: what each reads, and that no cheat of the corpus is read in any."""

import time

import pytest

from perc_jax.rewards.descriptions import divided
from perc_jax.rewards.forms import BLANKS, Form, read, shortest

HEADINGS = ("### Image Description:", "### Rationales:", "### Step 1:", "### The final answer is:")
PEBR = "\n".join(
    f"{heading}\n{text}" for heading, text in zip(HEADINGS, ("a cat", "it sits", "look", "7"), strict=True)
)
FORMS = {
    **{kind: Form(kind) for kind in ("strict", "answer", "think_answer", "answer_think", "boxed", "plain")},
    "sections": Form("sections", HEADINGS),
    "heading": Form("sections", HEADINGS[-1:]),
}
READ = {
    "strict": {r"So 7. <answer>\boxed{7}</answer>": "7", r"<answer> \boxed{\frac{1}{2}} </answer>": r"\frac{1}{2}"},
    "answer": {"<answer>7</answer>": "7", " <answer>\n7 cm\n</answer>\n": "7 cm", "<answer>[1, 2]</answer>": "[1, 2]"},
    "think_answer": {"<think>so</think><answer>7</answer>": "7", " <think>a\nb</think>\n\n<answer> 7 </answer>\n": "7"},
    "answer_think": {"<answer>7</answer><think>for so</think>": "7", "<answer>7</answer>\n<think>x</think>": "7"},
    "boxed": {
        r"\boxed{7}": "7",
        r"First \boxed{5}, no: \boxed{7}, as I said.": "7",
        r"a { b \boxed{\frac{1}{2}} c": r"\frac{1}{2}",
        r"\boxed{\{1, 2\}}": r"\{1, 2\}",
        r"\boxed {7}": "7",
    },
    "plain": {"7": "7", " seven \n": "seven"},
    "sections": {PEBR: "7", PEBR.replace("\n7", " 7"): "7", PEBR.replace("a cat", "a\n\ncat") + "\n": "7"},
    "heading": {PEBR: "7", "I think.\n### The final answer is: 7": "7", "### The final answer is:\n7": "7"},
}
CHEATS = {
    "answer": [
        *("", "7", "<answer></answer>", "<answer> \n </answer>", "<answer>7", "7</answer>", "so <answer>7</answer>"),
        *("<answer>7</answer> so", "<answer>7</answer><answer>8</answer>", "<answer><answer>7</answer></answer>"),
        *(
            "<think>so</think><answer>7</answer>",
            "</answer>7<answer>",
            "<ANSWER>7</ANSWER>",
            "<answer>7</answer></answer>",
        ),
    ],
    "think_answer": [
        *("<answer>7</answer>", "<think></think><answer>7</answer>", "<think> </think><answer>7</answer>"),
        *("<think>so</think>", "<think>so</think><answer></answer>", "<think>so<answer>7</answer></think>"),
        *("<think>so</think> is <answer>7</answer>", "<answer>7</answer><think>so</think>"),
        *(
            "<think>so</think><answer>7</answer><answer>8</answer>",
            "<think><answer>8</answer></think><answer>7</answer>",
        ),
        *("<think>a</think><think>b</think><answer>7</answer>", "<think>so</think><answer>7</answer>.", "so"),
        "x<think>so</think><answer>7</answer>",
    ],
    "answer_think": [
        *("<think>so</think><answer>7</answer>", "<answer>7</answer>", "<answer>7</answer><think></think>"),
        *("<answer></answer><think>so</think>", "<answer>7</answer><think>so</think><answer>8</answer>"),
    ],
    "boxed": [
        *("", "7", r"\boxed", r"\boxed{", r"\boxed{}", r"\boxed{ }", r"\boxed{\boxed{7}}", r"\boxed{7} \boxed{8"),
        *(r"\boxed{a \boxed{7} b}", r"\boxed{{7}", r"\boxed 7", r"\\boxed{\}"),
    ],
    "plain": ["", "  ", "\n"],
    "sections": [
        *("", "7", HEADINGS[-1] + "\n7", PEBR.replace("a cat", " "), PEBR.replace("\n7", ""), PEBR + "\n" + PEBR),
        *(PEBR.replace(HEADINGS[0], "x"), PEBR.replace(HEADINGS[1], "so " + HEADINGS[1]), f"{PEBR}\n{HEADINGS[2]}\n8"),
        "\n".join(f"{heading}\n7" for heading in reversed(HEADINGS)),
    ],
    "heading": [
        "7",
        "so ### The final answer is: 7",
        "### The final answer is:",
        f"{HEADINGS[-1]} 7\n{HEADINGS[-1]} 8",
    ],
}


@pytest.mark.parametrize("kind", FORMS)
def test_each_form_is_read(kind):
    assert {text: read(text, FORMS[kind]) for text in READ[kind]} == READ[kind]


@pytest.mark.parametrize("kind", CHEATS)
def test_what_only_resembles_a_form_is_not_read(kind):
    assert not [text for text in CHEATS[kind] if read(text, FORMS[kind]) is not None]


@pytest.mark.parametrize("kind", FORMS)
def test_the_shortest_completion_of_a_form_is_read_back(kind):
    assert read(shortest("7", FORMS[kind]), FORMS[kind]) == "7"


@pytest.mark.parametrize("kind", FORMS)
def test_what_is_read_is_never_blank_and_never_too_long(kind):
    assert read(shortest("x" * 20000, FORMS[kind]), FORMS[kind]) is None
    assert read(shortest("7", FORMS[kind]) + " " * 2**17, FORMS[kind]) is None
    for text in READ[kind]:
        found = read(text, FORMS[kind])
        assert found and found == found.strip(BLANKS)


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize(
    "piece", ["<answer>", "</answer>", "<think>", r"\boxed{", "{", "}", "\\", "#", HEADINGS[-1], " "]
)
def test_long_texts_take_no_longer_than_their_length(kind, piece):
    start = time.monotonic()
    read(piece * (2**16 // len(piece)), FORMS[kind])
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    "headings",
    [
        ("Answer", "The final Answer"),
        ("The final Answer", "Answer"),
        ("### Step 1", "### Step 10", "### Step 100"),
        ("### Step 10", "### Step 1"),
    ],
)
def test_headings_of_which_one_contains_another_are_told_apart(headings):
    """The longer one that stands there is not the shorter one too; each must still be there once, in order."""
    form = Form("sections", headings)
    text = shortest("7", form)
    assert read(text, form) == "7" and divided(text, headings) == (1.0, 0.0)
    assert {read(f"{text}\n{heading}\n8", form) for heading in headings} == {None}
    assert {read(text.replace(f"{heading}\n", "x\n", 1), form) for heading in headings} == {None}
    backwards = "\n".join(f"{heading}\n7" for heading in reversed(headings))
    assert read(backwards, form) is None and divided(backwards, headings, anywhere=True) == (1.0, 0.0)
    assert divided(f"{text}\n{headings[0]}\n8", headings) == (0.0, 1 / len(headings))
