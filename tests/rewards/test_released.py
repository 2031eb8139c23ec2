"""Our terms against the released rules of VisionReasoner and Med-R1: equal where those are sound, else as written in
`perc_jax/rewards/README.md`, a row there for every row here."""

import json
import random
from pathlib import Path

import pytest

import perc_jax.rewards
from perc_jax.config import TermConfig
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.forms import Form, read
from perc_jax.rewards.terms import Case, measure
from perc_jax.rewards.verifier import judge
from tests.rewards import released

THINK_ANSWER, ANSWER = Form("think_answer"), Form("answer")
CASES = 300
WORDS = ("the", "lesion", "left", "of", "two", "shadows", "seems", "round", "so", "it", "is", "clear")


def prose(rng: random.Random, sentences: int) -> str:
    return " ".join(" ".join(rng.choices(WORDS, k=rng.randint(2, 5))) + "." for _ in range(sentences))


def objects(rng: random.Random, count: int) -> list[dict]:
    found = []
    for _ in range(count):
        x, y, width, height = (rng.randint(low, 400) for low in (0, 0, 5, 5))
        point = [rng.randint(x, x + width), rng.randint(y, y + height)]
        found.append({"bbox_2d": [x, y, x + width, y + height], "point_2d": point})
    return found


def moved(rng: random.Random, one: dict) -> dict:
    """An object near another, or far from it, its point perhaps outside its box."""
    step = rng.choice((0, 3, 9, 12, 25, 60, 200))
    x0, y0, x1, y1 = (side + rng.randint(-step, step) for side in one["bbox_2d"])
    box = [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
    return {"bbox_2d": box, "point_2d": [side + rng.randint(-step, step) for side in one["point_2d"]]}


def boxes_case(rng: random.Random) -> tuple[str, str]:
    """A completion as VisionReasoner asks for, with thoughts, and its gold objects."""
    gold = objects(rng, rng.randint(1, 5))
    found = [moved(rng, one) for one in rng.sample(gold, rng.randint(1, len(gold)))]
    found += objects(rng, rng.choice((0, 0, 1)))
    rng.shuffle(found)
    if rng.random() < 0.1:
        del rng.choice(found)[rng.choice(("bbox_2d", "point_2d"))]
    answer = json.dumps(found)
    if rng.random() < 0.1:
        answer = answer[:-1]
    between = rng.choice(("", " ", "\n"))
    return f"<think>{prose(rng, rng.randint(1, 6))}</think>{between}<answer>{answer}</answer>", json.dumps(gold)


def test_vision_reasoner_is_met_on_300_cases():
    rng, seen = random.Random(7), set()
    for _ in range(CASES):
        text, gold = boxes_case(rng)
        if rng.random() < 0.3:
            text = text.replace("</think>", f"{prose(random.Random(1), 1)} {prose(random.Random(1), 1)}</think>")
        case = Case(text, Gold("boxes", gold))
        value, *parts = measure(case, TermConfig("boxes"), THINK_ANSWER)
        assert value == pytest.approx(released.boxes(text, gold), abs=1e-9), (text, gold)
        assert value == pytest.approx(sum(parts))
        [form] = measure(case, TermConfig("boxes_form"), THINK_ANSWER)
        assert form == pytest.approx(released.boxes_form(text)), text
        assert measure(case, TermConfig("repetition")) == (released.not_repeated(text),), text
        assert judge(text, case.answer, THINK_ANSWER).well_formed == released.thinks_then_answers(text)
        seen |= {("value", round(value, 1)), ("form", form), ("new", released.not_repeated(text))}
    assert len(seen) > 15  # all kinds of values came up


GOLDS = (("choice", "A"), ("choice", "D"), ("number", "12"), ("number", "0.5"), ("text", "lung nodule"))
ANSWERS = ("A", "B", "D", "12", "13", "0.5", "0.25", "lung nodule", "liver nodule", "")


def med_case(rng: random.Random) -> tuple[str, Gold, Form]:
    """A completion of Med-R1's with or without thoughts, sometimes with a tag lost, and its gold answer."""
    kind, value = rng.choice(GOLDS)
    answer = value if rng.random() < 0.4 else rng.choice(ANSWERS[:-1])
    space = rng.choice(("", " "))
    block, form = f"<answer>{space}{answer}{space}</answer>", rng.choice((THINK_ANSWER, ANSWER))
    if form == ANSWER:
        return rng.choice(("", " ")) + block, Gold(kind, value), form
    return f"<think>{prose(rng, 2)}</think>{rng.choice(('', chr(10)))}{block}", Gold(kind, value), form


def test_med_r1_is_met_on_300_cases():
    rng, seen = random.Random(11), []
    for _ in range(CASES):
        text, gold, form = med_case(rng)
        verdict = judge(text, gold, form)
        assert verdict.correct == released.med_accuracy(text, gold.value), (text, gold)
        for broken in (text, text.replace("</answer>", ""), text.replace("<answer>", "", 1), f"{text} more"):
            formed = released.answers_only(broken) if form == ANSWER else released.thinks_then_answers(broken)
            assert (read(broken, form) is not None) == formed, broken
        seen.append(verdict.correct)
    assert 60 < sum(seen) < 240


ONE = '[{"bbox_2d": [10, 10, 50, 50], "point_2d": [30, 30]}]'
FAR = '[{"bbox_2d": [300, 300, 350, 350], "point_2d": [320, 320]}]'
# In the README: what the model does, the released value, ours.
BOXES = {
    "a second answer block": (f"<think>so</think><answer>{ONE}</answer><answer>{FAR}</answer>", ONE, 3, 0),
    "an answer in the thoughts": (f"<think><answer>{ONE}</answer></think><answer>{FAR}</answer>", ONE, 3, 0),
    "no thoughts": (f"<answer>{ONE}</answer>", ONE, 3, 0),
    "text behind the answer": (f"<think>so</think><answer>{ONE}</answer> or not", ONE, 3, 0),
    "empty thoughts": (f"<think> </think><answer>{ONE}</answer>", ONE, 3, 0),
    "corners swapped": (
        '<think>so</think><answer>[{"bbox_2d": [14, 14, 10, 10], "point_2d": [12, 12]}]</answer>',
        '[{"bbox_2d": [10, 10, 14, 14], "point_2d": [12, 12]}]',
        1,
        0,
    ),
    "nothing there, nothing said": ("<think>so</think><answer>[]</answer>", "[]", 0, 3),
    "boxes without points asked for": (
        '<think>so</think><answer>[{"bbox_2d": [10, 10, 50, 50]}]</answer>',
        '[{"bbox_2d": [10, 10, 50, 50]}]',
        0,
        2,
    ),
    "a fence of Markdown": (f"<think>so</think><answer>```json\n{ONE}\n```</answer>", ONE, 0, 3),
    "one object without a list": (f"<think>so</think><answer>{ONE[1:-1]}</answer>", ONE, 0, 3),
}
FORMS = {
    "entries that are no numbers": (
        '<think>so</think><answer>[{"bbox_2d": ["a", 0, 0, 0], "point_2d": [null, 1]}]</answer>',
        2,
        0,
    ),
}
WELL_FORMED = {
    "empty thoughts": ("<think></think><answer>B</answer>", 1, 0),
    "an empty answer": ("<think>so</think><answer></answer>", 1, 0),
    "two rounds": ("<think>a</think><answer>A</answer><think>b</think><answer>B</answer>", 1, 0),
    "a block in a block": ("<think>so</think><answer><answer>B</answer></answer>", 1, 0),
    "a line end behind it": ("<think>so</think><answer>B</answer>\n", 0, 1),
}
ACCURACY = {
    "no tags at all": ("B", Gold("choice", "B"), 1, 0),
    "a second answer block": ("<think>so</think><answer>B</answer><answer>C</answer>", Gold("choice", "B"), 1, 0),
    "text around the answer": ("I say <answer>B</answer> or C", Gold("choice", "B"), 1, 0),
    "a number in the thoughts": ("<think>so</think>The answer is 12. <answer>13</answer>", Gold("number", "12"), 1, 0),
    "line ends in the block": ("<think>so</think><answer>\nB\n</answer>", Gold("choice", "B"), 0, 1),
    "a full stop": ("<think>so</think><answer>B.</answer>", Gold("choice", "B"), 0, 1),
    "the option's text": ("<think>so</think><answer>red</answer>", Gold("choice", "B", ("blue", "red")), 0, 1),
    "the letter and its option": (
        "<think>so</think><answer>B. red</answer>",
        Gold("choice", "B", ("blue", "red")),
        0,
        1,
    ),
    "other case": ("<think>so</think><answer>Lung Nodule</answer>", Gold("text", "lung nodule"), 0, 1),
}


@pytest.mark.parametrize(("text", "gold", "theirs", "ours"), BOXES.values(), ids=BOXES)
def test_boxes_differ_on_purpose(text, gold, theirs, ours):
    assert released.boxes(text, gold) == theirs
    assert measure(Case(text, Gold("boxes", gold)), TermConfig("boxes"), THINK_ANSWER)[0] == ours


@pytest.mark.parametrize(("text", "theirs", "ours"), FORMS.values(), ids=FORMS)
def test_the_form_of_boxes_differs_on_purpose(text, theirs, ours):
    assert released.boxes_form(text) == theirs
    assert measure(Case(text, Gold("none", "")), TermConfig("boxes_form"), THINK_ANSWER) == (ours,)


@pytest.mark.parametrize(("text", "theirs", "ours"), WELL_FORMED.values(), ids=WELL_FORMED)
def test_format_differs_on_purpose(text, theirs, ours):
    assert released.thinks_then_answers(text) == theirs
    assert (read(text, THINK_ANSWER) is not None) == ours


@pytest.mark.parametrize(("text", "gold", "theirs", "ours"), ACCURACY.values(), ids=ACCURACY)
def test_accuracy_differs_on_purpose(text, gold, theirs, ours):
    assert released.med_accuracy(text, gold.value) == theirs
    assert judge(text, gold, THINK_ANSWER).correct == ours


def test_every_difference_is_told():
    told = (Path(perc_jax.rewards.__file__).parent / "README.md").read_text()
    missing = [name for rows in (BOXES, FORMS, WELL_FORMED, ACCURACY) for name in rows if f"| {name} |" not in told]
    assert not missing
