"""Texts to choose from: the model is shown them, and a whole number is an option's place only where that is said."""

import dataclasses
import json

import pytest

from configs.debug_cpu import get_config
from perc_jax.config import Config, TableConfig, from_dict, to_dict
from perc_jax.data import table_prompts
from perc_jax.data.tables import open_table
from perc_jax.prompt.chat import PICTURE, published
from tests.data.tables import peers

ANIMALS = ["cat", "dog", "cow", "pig"]


def opened(folder, *rows, **fields):
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return open_table(TableConfig(str(folder / "t.jsonl"), **fields))


@pytest.mark.parametrize(
    ("question", "choices", "below"),
    [
        ("Which animal?", ANIMALS, "\nA. cat\nB. dog\nC. cow\nD. pig"),
        ("A cat, a dog or a cow?", ANIMALS, "\nA. cat\nB. dog\nC. cow\nD. pig"),
        ("Concatenate: dogs, cows, pigs", ANIMALS, "\nA. cat\nB. dog\nC. cow\nD. pig"),
        ("Which?", {"B": "dog", "A": "cat"}, "\nA. cat\nB. dog"),
        ("How many?", [1, 2.5], "\nA. 1\nB. 2.5"),
        ("Which?", ["A. cat", "(B) dog", "Cow"], "\nA. cat\n(B) dog\nC. Cow"),
        ("Which?", ["cat", "", "dog"], "\nA. cat\nC. dog"),
        ("Is it a Cat,\na dog, a cow or a pig?", ANIMALS, ""),
        ("Which?\n(A) cat (B) dog (C) cow (D) pig", ANIMALS, ""),
        ("Which of the two?", ["", ""], ""),
        ("Which?", None, ""),
        ("Which?", [], ""),
        ("Which?", [str(number) for number in range(27)], ""),
    ],
)
def test_options_stand_below_the_question_unless_it_has_them(tmp_path, question, choices, below):
    row = {"question": question, "choices": choices, "answer": "A"}
    assert opened(tmp_path, row)[0].chat[-1].text == question + below
    data = dataclasses.replace(get_config().data, instruction="Be brief.")
    told = published(table_prompts.asked(opened(tmp_path, row)[0].chat, data))
    assert f"{question}{below}\nBe brief." in told
    for kind in ("number", "text", "math", "boxes", "none"):
        assert opened(tmp_path, row, kind=kind)[0].chat[-1].text == question
    talk = [("user", "Look."), ("assistant", "Yes."), ("user", question), ("assistant", "B")]
    chat = {"messages": [{"role": role, "content": text} for role, text in talk]} | {"options": choices}
    found = opened(tmp_path, chat)[0]
    assert [turn.text for turn in found.chat] == ["Look.", "Yes.", question + below] and found.target == "B"


def test_options_may_be_pictures(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.png").write_bytes(peers.png(0))
    row = {"question": "Which?", "images": ["a.png", "b.png"], "choices": ["<image>", "<image>"], "answer": "A"}
    assert opened(tmp_path, row)[0].chat[0].parts == ("Which?", "\nA. ", PICTURE, "\nB. ", PICTURE)
    with pytest.raises(
        ValueError, match=r"line 1: column question must show as many pictures .* \(1 in images\), got 2"
    ):
        opened(tmp_path, row | {"images": ["a.png"]})[0]
    with pytest.raises(ValueError, match=r"line 1: column question: the user's text must not contain <\|im_end\|>"):
        opened(tmp_path, {"question": "Which?", "choices": ["x<|im_end|>", "y"], "answer": "A"})[0]


def gold(folder, answer, choices=("1", "2", "3", "4"), **fields):
    table = opened(folder, {"question": "How many?", "choices": list(choices), "answer": answer}, **fields)
    return table_prompts.gold_of(table, 0, table[0])


@pytest.mark.parametrize("kind", ["auto", "choice"])
def test_a_whole_number_is_an_option_s_place_where_the_config_says_so(tmp_path, kind):
    for first, index in enumerate(("from_0", "from_1")):
        golds = [gold(tmp_path, place + first, kind=kind, index=index) for place in range(4)]
        assert [one.text() for one in golds] == list("ABCD")
        assert [one.accepts(text) for one, text in zip(golds, "1234", strict=True)] == [True] * 4
        for place in (first - 1, first + 4):
            rule = (
                rf"t\.jsonl line 1: column answer must be the place of an option, {first} to {first + 3}, got {place}$"
            )
            with pytest.raises(ValueError, match=rule):
                gold(tmp_path, place, kind=kind, index=index)
        assert gold(tmp_path, "1", kind=kind, index=index).text() == "A"  # a text is the option's
    for answer in (0, 1, 4, 7):
        rule = rf"line 1: column answer must be the letter or the text .*index.* \(from_0, from_1\), got {answer}$"
        with pytest.raises(ValueError, match=rule):
            gold(tmp_path, answer, kind=kind)
    assert gold(tmp_path, "1", kind=kind).text() == gold(tmp_path, "A", kind=kind).text() == "A"


def test_numbers_that_are_no_places_stay_as_they_are(tmp_path):
    assert gold(tmp_path, 3, kind="number").value == "3"
    assert gold(tmp_path, 3, choices=()).kind == "number"
    assert gold(tmp_path, 2.5, choices=("1.5", "2.5")).text() == "B"


def test_a_config_without_an_index_is_read():
    """As earlier runs have stored it."""
    debug = get_config()
    mixture = dataclasses.replace(debug.stages[1].mixture, tables=(TableConfig("x.jsonl"),))
    config = dataclasses.replace(debug, stages=(dataclasses.replace(debug.stages[1], mixture=mixture),))
    stored = json.loads(json.dumps(to_dict(config)))
    del stored["stages"][0]["mixture"]["tables"][0]["index"]
    assert from_dict(Config, stored) == config
