"""Columns with what the assistant says: TRL's pairs of prompt and completion, Alpaca's instructions."""

import json

import pytest

from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
from perc_jax.prompt.chat import PICTURE, Turn
from tests.data.tables import peers


@pytest.fixture
def write(tmp_path):
    def rows(*values, **fields):
        (tmp_path / "t.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in values))
        return open_table(TableConfig(str(tmp_path / "t.jsonl"), **fields))

    return rows


def user(*parts):
    return Turn("user", parts)


def test_trl_s_pairs_of_prompt_and_completion(write):
    """As `SFTTrainer` documents them: standard (texts) and conversational (lists of messages)."""
    table = write({"prompt": "The sky is", "completion": " blue."}, {"prompt": "Two and two?", "completion": "4"})
    assert table.reading.startswith(
        "as TRL writes it: chat in prompt, no pictures, what the assistant says in completion"
    )
    assert (table[0].chat, table[0].target, table[0].answer) == ((user("The sky is"),), " blue.", " blue.")
    prompt = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "Which colour?"}]
    said = [{"role": "assistant", "content": [{"type": "text", "text": "It is blue."}]}]
    row = write({"prompt": prompt, "completion": said, "solution": "blue"})[0]
    assert row.chat == (Turn("system", ("Be short.",)), user("Which colour?"))
    assert (row.target, row.answer) == ("It is blue.", "blue")
    assert "completion" in row.columns and "prompt" not in row.columns


def test_alpaca_s_instructions(write, tmp_path):
    """`input` stands below the instruction after a line end, `history` before it, as LLaMA-Factory lays them out."""
    (tmp_path / "a.png").write_bytes(peers.png(3))
    table = write(
        {"instruction": "Add.", "input": "2, 3", "output": "5"},
        {"instruction": "Say <image>.", "input": "", "output": "Hi.", "images": ["a.png"], "system": "Be kind.",
         "history": [["Who?", "Me."], ["Why?", "So."]]},
    )  # fmt: skip
    assert table.reading.startswith(
        "as Alpaca writes it: chat in instruction, pictures in images, system line in system"
    )
    assert "more of it in input, more of it in history, what the assistant says in output" in table.reading
    assert (table[0].chat, table[0].target, table[0].answer) == ((user("Add.", "\n", "2, 3"),), "5", "5")
    assert table[0].chat[-1].text == "Add.\n2, 3" and not {"input", "history"} & set(table[0].columns)
    assert table[1].target == "Hi." and table[1].chat == (
        *(Turn("system", ("Be kind.",)), user("Who?"), Turn("assistant", ("Me.",))),
        *(user("Why?"), Turn("assistant", ("So.",)), user("Say ", PICTURE, ".")),
    )


def test_columns_of_other_tables_are_not_taken_for_them(write):
    """`input`, `output` and `completion` mean something only beside the chats that they belong to, or when named."""
    row = write({"question": "a", "answer": "b", "completion": "c", "input": "d", "output": "e"})[0]
    assert (row.chat, row.target, row.answer) == ((user("a"),), "", "b")
    row = write({"question": "a", "answer": "b", "reply": "c"}, completion="reply")[0]
    assert (row.target, row.answer) == ("c", "b")
    row = write({"prompt": "a", "completion": "b"}, question="prompt", completion="completion")[0]
    assert (row.chat, row.target) == ((user("a"),), "b")


TURN = {"role": "assistant", "content": "b"}


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"prompt": "a", "completion": 7}, "column completion must be text, or a list of one message, got 7"),
        ({"prompt": "a", "completion": ""}, "column completion must be text, or a list of one message, got ''"),
        ({"prompt": "a", "completion": [TURN, TURN]}, "column completion must be text, or a list of one message"),
        (
            {"prompt": "a", "completion": [TURN | {"role": "user"}]},
            "column completion[0] must be the assistant's text without pictures, got 'user'",
        ),
        (
            {"prompt": [{"role": "user", "content": "a"}, TURN], "completion": "c"},
            "column completion must be empty where the chat ends with the assistant's turn",
        ),
        ({"prompt": "a", "completion": "<|im_end|>"}, "the assistant's text must not contain <|im_end|>"),
        ({"instruction": "a", "input": 3, "output": "b"}, "column input must be text, got 3"),
        ({"instruction": "a", "output": "b", "history": ["c"]}, "column history must be a list of pairs of texts"),
        ({"instruction": "a", "output": "b", "history": [["c", 4]]}, "column history must be text, or a list of"),
        ({"instruction": "a", "output": "b", "history": [[5, "c"]]}, "column history[0][0] must be text, got 5"),
    ],
)
def test_what_is_none_is_told_by_row_and_column(write, row, words):
    table = write(row)
    with pytest.raises(ValueError) as caught:
        table[0]
    assert words in str(caught.value) and "t.jsonl line 1" in str(caught.value) and "\n" not in str(caught.value)
