"""The tables written from the engines: whole, the same again, and with answers that their pictures bear out."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from engines.tables import DESCRIBED, HEADINGS, LETTERS, MARK, MOST_CELLS, TABLES, Asked, described, main
from perc_jax.rewards.descriptions import below, told
from perc_jax.rewards.facts import judge
from perc_jax.rewards.forms import Form, read

EIGHT = "ABCDEFGH"
COUNTS = {"": 12, "test_": 4}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("tables")
    assert main(["--out", str(out), "--rows", "12", "--test-rows", "4"]) == 0
    return out


def rows(folder, name):
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text().splitlines()]


def size(path):
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.parametrize("prefix", COUNTS)
@pytest.mark.parametrize("name", TABLES)
def test_every_row_has_a_mark_per_picture_and_the_pictures_are_there(folder, name, prefix):
    found = rows(folder, prefix + name)
    assert len(found) == COUNTS[prefix]
    for row in found:
        question = row["messages"][0]["content"] if name == "described" else row["question"]
        assert question.count(MARK) == len(row["images"]) == {"two": 2, "text": 0}.get(name, 1)
        assert row["answer"] and all(size(folder / path) == (112, 112) for path in row["images"])


def test_the_same_again_is_the_same_bytes(folder, tmp_path):
    assert main(["--out", str(tmp_path), "--rows", "12", "--test-rows", "4"]) == 0
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert files == {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert all((folder / path).read_bytes() == (tmp_path / path).read_bytes() for path in files)


def test_training_and_test_scenes_are_others(folder):
    for name in TABLES:
        pictures = [path.read_bytes() for path in sorted((folder / "pictures").glob(f"*{name}_*"))]
        assert len(set(pictures)) == len(pictures)
    words = [TABLES["text"](Asked(split, i, 0, 112)).question for split in ("train", "test_a") for i in range(100)]
    assert len(set(words)) == len(words)


def test_a_letter_stands_for_the_colour_that_is_right():
    letters = set()
    for index in range(24):
        row = TABLES["choice"](Asked("train", index, 0, 112))
        assert row.choices[LETTERS.index(row.answer)] == row.samples[0].answer.value
        assert all(f"{letter}: {option}." in row.question for letter, option in zip(LETTERS, row.choices, strict=False))
        letters.add(row.answer)
    assert letters == set("ABC")


@pytest.mark.parametrize("level", [2, 5, 9])
def test_every_sector_is_an_option_with_a_letter(level):
    for index in range(6):
        row = TABLES["choice"](Asked("train", index, level, 448))
        scene = row.samples[0].scene
        names = scene["categories"] or scene["colours"][0]
        assert sorted(row.choices) == sorted(names)
        assert row.question.count(": ") == len(names)
        assert all(f"{letter}: {name}." in row.question for letter, name in zip(EIGHT, row.choices, strict=False))
        assert row.choices[EIGHT.index(row.answer)] == extreme(row.samples[0], row.question)


def extreme(sample, question):
    """The sector that a question asks for, from the chart's values."""
    [values], choose = sample.scene["values"], max if "largest" in question else min
    assert ("largest" in question) != ("smallest" in question)
    place = values.index(choose(values))
    return (sample.scene["categories"] or sample.scene["colours"][0])[place]


def test_a_box_holds_the_digits_ink():
    """The pixels of the box that differ from its border: a digit is inside and not only next to it."""
    for index in range(12):
        row = TABLES["boxes"](Asked("train", index, 0, 112))
        [box] = json.loads(row.answer)
        x1, y1, x2, y2 = box["bbox_2d"]
        inside = row.samples[0].image[y1:y2, x1:x2].astype(int)
        assert np.abs(inside - inside[0, 0]).max() > 60


@pytest.mark.parametrize("level", [2, 4, 6, 9])
def test_a_board_of_boxes_has_digits_at_every_level(level):
    for index in range(4):
        row = TABLES["boxes"](Asked("train", index, level, 448))
        scene = row.samples[0].scene
        place = [int(number) - 1 for number in re.search(r"row (\d), column (\d)", row.question).groups()]
        cell = 448 / scene["side"]
        x1, y1, x2, y2 = json.loads(row.answer)[0]["bbox_2d"]
        middle = ((y1 + y2) / 2, (x1 + x2) / 2)
        assert scene["kind"] == "digits" and scene["cells"][place[0] * scene["side"] + place[1]]
        assert all(abs(at - (number + 0.5) * cell) < cell / 2 for at, number in zip(middle, place, strict=True))


def test_of_two_pictures_each_is_asked_about():
    wanted = set()
    for index in range(12):
        row = TABLES["two"](Asked("train", index, 0, 112))
        number = int(row.question.split()[-1].rstrip("?"))
        assert row.answer == row.samples[number - 1].answer.text()
        wanted.add(number)
    assert wanted == {1, 2}


@pytest.mark.parametrize("level", [0, 2, 5, 9])
def test_the_part_of_one_of_two_pictures_is_the_one_that_the_words_mean(level):
    said = set()
    for index in range(12):
        row = TABLES["two"](Asked("train", index, level, 448))
        sample = row.samples[int(row.question[-2]) - 1]
        assert row.answer == extreme(sample, row.question)
        called = row.question.partition("2: <image> ")[2].split()[0]
        assert called == ("Name" if sample.scene["categories"] else "Colour")
        said.add(("largest" in row.question, called))
    assert len(said) >= {0: 1, 2: 2, 5: 3, 9: 3}[level]


def test_words_are_counted():
    rows = [TABLES["text"](Asked("train", index, 0, 112)) for index in range(24)]
    assert {row.answer for row in rows} > {"0", "1"}
    for row in rows:
        listed = re.sub(r"Row \d:", ",", row.question.partition(" How")[0])
        cells = [cell.strip(" .") for cell in listed.split(",") if cell.strip(" .")]
        assert len(cells) >= 4 and row.answer == str(cells.count("empty"))


@pytest.mark.parametrize(("option", "value"), [("--rows", "0"), ("--level", "10"), ("--size-px", "20")])
def test_a_wrong_number_is_one_line(tmp_path, option, value):
    ended = subprocess.run(
        [sys.executable, "-m", "engines.tables", "--out", str(tmp_path / "x"), option, value],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2 and f"{option} must be" in ended.stderr and not (tmp_path / "x").exists()


def test_a_description_says_all_and_its_answer_is_right():
    """What is written earns everything by the terms that judge it, and nothing that is told is wrong."""
    form, asked = Form("sections", HEADINGS), [Asked("train", index, 0, 112) for index in range(30)]
    rows = [described(one) for one in asked]
    assert {row.samples[0].question_type for row in rows} == set(DESCRIBED)
    for row in rows:
        sample = row.samples[0]
        assert sample.scene_text.count(",") + sample.scene_text.count("Row ") <= MOST_CELLS
        assert read(row.response, form) == row.answer and sample.answer.accepts(row.answer)
        said = below(row.response, HEADINGS[0])
        assert judge(said, row.more["facts"]).value == 1
        assert told(said, row.more["key_words"]).share == 1 and row.more["key_words"]
        assert concluded(below(row.response, "### Step 1:"), row.question) == row.answer


def concluded(step: str, question: str) -> str:
    """What the one step of the reasoning says about a question, by its words alone."""
    if place := re.search(r"row \d, column (\d)", question):
        return step.strip().partition(": ")[2].rstrip(".").split(", ")[int(place[1]) - 1].split()[0]
    if size := re.search(r"(\d) rows and (\d) columns", step):
        return size[1 + ("columns" in question)]
    return "0" if step.strip() == "none." else str(step.count(",") + 1)


def test_tables_are_written_by_name(tmp_path, capsys):
    assert main(["--out", str(tmp_path), "--tables", "text", "--rows", "2", "--test-rows", "1"]) == 0
    assert sorted(path.name for path in tmp_path.glob("*.jsonl")) == ["test_text.jsonl", "text.jsonl"]
    with pytest.raises(SystemExit):
        main(["--out", str(tmp_path), "--tables", "text,none"])
    assert "--tables must be of number, choice" in capsys.readouterr().err
