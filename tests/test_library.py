"""perc_jax from Python, as its docstring shows it: a trained model is loaded, asked, examined on a table, scored."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from perc_jax import library
from perc_jax.config import TableConfig


@pytest.fixture(scope="module")
def model(reference_run):
    return library.load(str(reference_run.workdir), batch=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table with two pictures in a row, one, none, and a row that is wrong."""
    out = tmp_path_factory.mktemp("library")
    for name in ("a", "b"):
        noise = np.random.default_rng(ord(name)).integers(0, 256, (112, 112, 3)).astype(np.uint8)
        Image.fromarray(noise).save(out / f"{name}.png")
    rows = [
        {"question": "<image>Count the rows.", "images": ["a.png"], "answer": "37"},
        {"question": "Is <image> or <image> darker?", "images": ["a.png", "b.png"], "answer": "neither"},
        {"question": "What is 20 + 21?", "images": [], "answer": "41"},
        {"question": "<image>Gone?", "images": ["gone.png"], "answer": "2"},
    ]
    (out / "mine.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return out


def test_one_question_has_as_many_replies_as_are_wanted(model, folder):
    [greedy] = library.sample(model, [folder / "a.png"], "Count the rows.")
    assert [greedy] == library.sample(model, [folder / "a.png"], "Count the rows.")
    drawn = library.sample(model, [folder / "a.png"], "Count the rows.", samples=3, temperature=1.0)
    assert len(drawn) == 3 and len({reply.text for reply in drawn}) > 1
    with pytest.raises(ValueError, match=r"mine\.jsonl"):
        library.sample(model, [folder / "mine.jsonl"], "Count the rows.")


def test_a_table_is_examined_and_a_wrong_row_counts_as_wrong(model, folder):
    found = library.evaluate(model, str(folder / "mine.jsonl"))
    assert found["n"] == 4 and found["accuracy"] == 0 == sum(found["correct"])  # it has learnt a few words
    assert found["by"]["kind"]["number"]["n"] == 3 and found["by"]["kind"]["text"]["n"] == 1
    assert found["not_asked_ids"] == ["mine.jsonl:4"] and found["ci95"][0] == 0 < found["ci95"][1] < 1
    several = library.evaluate(model, TableConfig(str(folder / "mine.jsonl"), limit=3), samples=2)
    assert several["n"] == 3 and set(several["pass_at"]) == {"1", "2"} and several["not_asked"] == 0


def test_what_a_model_says_is_right_where_the_table_says_so(model, folder, tmp_path):
    """The answers of a table made of the model's own replies are all right, in the form that takes the whole text."""
    [reply] = library.sample(model, [folder / "a.png"], "Count the rows.")
    config = model.described.config
    data = dataclasses.replace(config.data, answer_form="plain")
    asked = model._replace(described=model.described._replace(config=dataclasses.replace(config, data=data)))
    row = {"question": "<image>Count the rows.", "images": [str(folder / "a.png")], "answer": reply.text}
    (tmp_path / "own.jsonl").write_text(json.dumps(row) + "\n")
    assert library.evaluate(asked, TableConfig(str(tmp_path / "own.jsonl"), kind="text"))["accuracy"] == 1


def test_a_run_that_cannot_be_is_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match=r"seed must be within 0\.\.4294967295, got -1"):
        library.train("configs/smoke_cpu.py", workdir=str(tmp_path / "run"), overrides={"seed": -1})
    assert not (tmp_path / "run").exists()
