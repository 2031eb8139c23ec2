"""Whatever stands in a row: it is read, or refused in one line; never anything else."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
from perc_jax.prompt.chat import check, picture_count

TEXT = st.sampled_from(
    ["", " ", "a", "<image>", "a<image>b", "data:image/png;base64,AA", "http://a", "<|im_end|>", "\0", "../x", "\ud800"]
)
KEYS = st.sampled_from(
    [
        "role",
        "content",
        "from",
        "value",
        "type",
        "text",
        "image",
        "image_url",
        "url",
        "bytes",
        "path",
        "A",
        "C",
        "0",
        "2",
    ]
)
WORDS = st.sampled_from(["user", "assistant", "system", "human", "gpt", "text", "image", "image_url"])
NUMBERS = st.integers(-3, 10**20) | st.floats(allow_nan=True, allow_infinity=True)
DEEP = "<deep>"  # in its place the file has lists in each other without end
VALUES = st.recursive(
    TEXT | WORDS | NUMBERS | st.booleans() | st.none() | st.just(DEEP),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
PART = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image", "image_url"])}, optional={"text": TEXT, "image": VALUES}
)
MESSAGE = st.fixed_dictionaries({"role": WORDS | VALUES, "content": TEXT | st.lists(PART, max_size=3) | VALUES})
CHAT = st.lists(MESSAGE, max_size=4) | VALUES
OTHERS = {
    "images": VALUES | st.lists(TEXT, max_size=2),
    "image": VALUES | TEXT,
    "answer": VALUES,
    "system": VALUES,
    "choices": VALUES,
    "options": VALUES,
    "videos": VALUES,
    "other": VALUES,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "t.jsonl"


@settings(max_examples=400)
@given(
    st.sampled_from(["question", "messages", "conversations", "prompt", "problem"]),
    CHAT,
    st.fixed_dictionaries({}, optional=OTHERS),
)
def test_any_row_is_read_or_refused_in_one_line(file, name, chat, others):
    text = json.dumps({name: chat} | others)
    file.write_text(text.replace(json.dumps(DEEP), "[" * 700 + "]" * 700))
    try:
        table = open_table(TableConfig(str(file)))
        row = table[0]
    except ValueError as error:
        assert str(error).startswith(str(file)) and "\n" not in str(error) and len(str(error)) < 600
        return
    check(row.chat)
    assert picture_count(row.chat) == len(row.pictures) and isinstance(row.answer, str) and isinstance(row.target, str)
    json.dumps(row.columns, allow_nan=False)
    for picture in row.pictures:
        try:
            picture.read()
        except ValueError as error:
            assert str(error).startswith(f"{file} line 1: column ")
