"""Tables whose rows differ in their columns: what a row holds is shown, or the row is refused; nothing is left out."""

import json
from dataclasses import replace

import pytest

from perc_jax.config import MixtureConfig, RewardConfig, TableConfig, TermConfig
from perc_jax.data import sound, table_prompts
from perc_jax.data.tables import open_table
from perc_jax.prompt.chat import PICTURE, Turn
from tests.config.test_config import CONFIG, GRPO
from tests.data.tables import peers

FEW = range(1, 11)  # of a thousand rows, between those by which columns are recognised


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(peers.png(number))
    return tmp_path


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def mostly(folder, few, usual=None, **fields):
    """A thousand rows, a few of which are others."""
    usual = usual or {"question": "Which?", "answer": "2"}
    return open_table(
        TableConfig(
            str(lines(folder / "t.jsonl", [few if number in FEW else usual for number in range(1000)])), **fields
        )
    )


@pytest.mark.parametrize("name", ["image", "images"])
@pytest.mark.parametrize("form", ["lines", "list"])
def test_pictures_of_few_rows_are_shown(folder, name, form):
    few = {"question": "How many?", name: "0.png", "answer": "2"}
    if form == "lines":
        table = mostly(folder, few)
    else:
        rows = [few if number in FEW else {"question": "Which?", "answer": "2"} for number in range(1000)]
        (folder / "t.json").write_text(json.dumps(rows))
        table = open_table(TableConfig(str(folder / "t.json")))
    assert table[3].chat == (Turn("user", (PICTURE, "How many?")),)
    assert [picture.read() for picture in table[3].pictures] == [peers.png(0)]
    assert name not in table[3].columns and table[500].pictures == ()
    assert table.reading.endswith("(of 64 rows all over it; each shows its own pictures, choices and system line)")


@pytest.mark.parametrize("name", ["choices", "options"])
def test_choices_of_few_rows_are_shown(folder, name):
    table = mostly(folder, {"question": "Which?", name: ["cat", "dog"], "answer": "B"})
    assert table[3].chat == (Turn("user", ("Which?", "\nA. cat\nB. dog")),)
    assert table_prompts.gold_of(table, 3, table[3]).accepts("dog") and table[500].choices == ()


def test_system_lines_and_answers_of_few_rows_are_read(folder):
    table = mostly(folder, {"question": "Which?", "system": "Be brief.", "answer": "2"})
    assert table[3].chat[0] == Turn("system", ("Be brief.",)) and len(table[500].chat) == 1
    table = mostly(folder, {"question": "Which?", "solution": "7"}, {"question": "Which?"})
    assert table[3].answer == "7" and table[500].answer == ""


def test_what_stands_beside_the_chat_in_few_rows_is_read(folder):
    usual = {"instruction": "Say it.", "output": "It."}
    table = mostly(folder, usual | {"input": "More.", "history": [["a", "b"]]}, usual)
    assert [turn.text for turn in table[3].chat] == ["a", "b", "Say it.\nMore."] and len(table[500].chat) == 1
    table = mostly(folder, {"prompt": "Say it.", "completion": "It."}, {"prompt": "Say it.", "answer": "1"})
    assert table[3].target == "It." and table[500].target == ""


@pytest.mark.parametrize("order", [("image", "images"), ("images", "image")])
def test_files_may_name_their_columns_differently(folder, order):
    rows = [{"question": "How many?", name: f"{place}.png", "answer": "2"} for place, name in enumerate(order)]
    a, b = (lines(folder / f"{name}.jsonl", [row] * 4) for name, row in zip("ab", rows, strict=True))
    table = open_table(TableConfig(f"{a},{b}"))
    for number in range(8):
        [picture] = table[number].pictures
        assert picture.read() == peers.png(number // 4) and not {"image", "images"} & table[number].columns.keys()
    rows = [{"question": "Which?", name: ["cat", "dog"], "answer": "B"} for name in ("choices", "options")]
    a, b = (lines(folder / f"{name}.jsonl", [row] * 4) for name, row in zip("ab", rows, strict=True))
    table = open_table(TableConfig(f"{a},{b}"))
    assert {table[number].chat[0].text for number in range(8)} == {"Which?\nA. cat\nB. dog"}


@pytest.mark.parametrize("named", [False, True])
def test_two_columns_that_differ_are_refused_unless_one_is_named(folder, named):
    row = {"question": "How many?", "image": "0.png", "images": ["1.png"], "answer": "2"}
    path = str(lines(folder / "t.jsonl", [row]))
    if named:
        kept = open_table(TableConfig(path, images="image"))[0]
        assert [picture.read() for picture in kept.pictures] == [peers.png(0)] and kept.columns["images"] == ["1.png"]
        return
    rule = (
        r"t\.jsonl line 1: column image must be empty beside images, or be named by the table's images, got '0\.png'$"
    )
    with pytest.raises(ValueError, match=rule):
        open_table(TableConfig(path))[0]
    same = lines(folder / "t.jsonl", [row | {"images": ["0.png"]}, row | {"images": []}, row | {"image": None}])
    table = open_table(TableConfig(str(same)))
    assert [[one.read() for one in table[number].pictures] for number in range(3)] == [
        [peers.png(place)] for place in (0, 0, 1)
    ]
    row = {"question": "Which?", "choices": ["a"], "options": ["b"], "answer": "A"}
    path = str(lines(folder / "t.jsonl", [row]))
    with pytest.raises(ValueError, match="line 1: column options must be empty beside choices"):
        open_table(TableConfig(path))[0]
    assert open_table(TableConfig(path, kind="text"))[0].chat[0].text == "Which?"


def test_an_answer_is_not_lost_beside_what_the_assistant_says(folder):
    chat = [{"role": "user", "content": "?"}, {"role": "assistant", "content": "It is 7."}]
    table = mostly(folder, {"messages": chat, "solution": "7"}, {"messages": chat, "answer": "7"})
    with pytest.raises(ValueError, match="line 4: column answer must not be null where solution is not, got None"):
        table[3]


@pytest.mark.parametrize(
    ("field", "name", "few"),
    [
        ("images", "pic", {"pic": "0.png"}),
        ("choices", "of", {"of": ["cat", "dog"]}),
        ("answer", "gold.is", {"gold": {"is": "2"}}),
        ("completion", "s\u00e4id", {"s\u00e4id": "It."}),
        ("system", 'a "b"', {'a "b"': "Be brief."}),
    ],
)
def test_a_named_column_may_be_that_of_few_rows(folder, field, name, few):
    usual = {"question": "Which? pic of gold", "answer": "2"}
    table = mostly(folder, usual | few | {"answer": "A"}, usual, **{field: name})
    assert getattr(table.columns, field) == name
    if field == "images":
        assert [len(table[number].pictures) for number in (0, 3, 500)] == [0, 1, 0]
    with pytest.raises(ValueError, match=rf"column {name}s must be there, as the table's {field} says"):
        mostly(folder, usual | few, usual, **{field: f"{name}s"})
    with pytest.raises(ValueError, match=rf"column {name} must be there, as the table's {field} says"):
        mostly(folder, usual | few, usual, **{field: name}, limit=1)


def test_a_reward_s_column_may_be_that_of_few_rows(folder):
    usual = {"question": "Which? key_words", "answer": "2"}
    for few, found in (({"key_words": ["red"]}, True), ({"more": {"key_words": ["red"]}}, False)):
        table = TableConfig(mostly(folder, usual | few, usual).config.path, limit=1000 - found)
        stage = replace(
            GRPO,
            mixture=MixtureConfig((), (), tables=(table,)),
            reward=RewardConfig((TermConfig("keywords", column="key_words"), TermConfig("accuracy"))),
        )
        evaluation = replace(CONFIG.evaluation, suites=(), samples=(), hard_levels=())
        told = [str(one) for one in sound.violations(replace(CONFIG, stages=(stage,), evaluation=evaluation))]
        assert (told == []) == found, told


def test_a_struct_that_is_null_in_the_first_rows_has_its_fields(folder):
    pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
    rows = [{"prompt": "?", "more": None}] * 100 + [{"prompt": "?", "more": {"is": "7"}}]
    path = str(peers.parquet(folder / "t.parquet", rows))
    assert open_table(TableConfig(path, answer="more.is"))[100].answer == "7"
    with pytest.raises(ValueError, match=r"column more\.was must be there, as the table's answer says"):
        open_table(TableConfig(path, answer="more.was"))
