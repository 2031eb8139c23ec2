"""Broken tables: each is one line that names file, row, column and rule, whenever the reader meets it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
from perc_jax.prompt.image import open_picture
from tests.data.tables import peers

pa = pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
GOOD = {"question": "How many?", "answer": "3", "images": ["a.png"]}
PROBE = {"question": "Why?", "answer": "x", "images": []}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a sound picture; what tables unpack goes beside it."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.png").write_bytes(peers.png(0))
    return tmp_path / "data"


class Broken(NamedTuple):
    """A table and what is said of it, after the folder's name."""

    name: str
    make: Callable[[Path], Any]  # writes it; gives its path where that is not the file's
    said: str
    fields: tuple[tuple[str, str], ...] = ()  # of its config


def text(content: str | bytes, name: str = "t.jsonl") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
        return folder / name

    return write


def row(**values: Any) -> Callable[[Path], Path]:
    """A sound row, and on line 2 one with these values in its place; without what is `...`."""
    kept = {name: value for name, value in (GOOD | values).items() if value is not ...}
    return text(json.dumps(GOOD) + "\n" + json.dumps(kept) + "\n")


def chat(*turns: Any, **values: Any) -> Callable[[Path], Path]:
    """On line 1 a sound chat, on line 2 this one."""
    good = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]}
    return text(json.dumps(good) + "\n" + json.dumps({"messages": list(turns)} | values) + "\n")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def parquet(*rows: dict[str, Any]) -> Callable[[Path], Path]:
    return lambda folder: peers.parquet(folder / "t.parquet", list(rows))


def cut_parquet(folder: Path) -> Path:
    path = peers.parquet(folder / "t.parquet", [PROBE])
    path.write_bytes(path.read_bytes()[:-20])
    return path


def damaged_parquet(folder: Path) -> Path:
    """Its footer is sound, a page is not."""
    path = peers.parquet(folder / "t.parquet", [{"question": "?" * 500, "answer": "1"}], use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[4:40] = b"\xff" * 36
    path.write_bytes(content)
    return path


def twice_named(folder: Path) -> Path:
    from pyarrow import parquet as pq

    texts = pa.array(["a"])
    pq.write_table(pa.Table.from_arrays([texts, texts], names=["question", "question"]), folder / "t.parquet")
    return folder / "t.parquet"


def two_schemas(folder: Path) -> Path:
    peers.parquet(folder / "a.parquet", [{"question": "?", "answer": "1"}])
    peers.parquet(folder / "b.parquet", [{"question": "?", "answer": 1}])
    return folder / "*.parquet"


def missing_column_in_one(folder: Path) -> Path:
    peers.parquet(folder / "a.parquet", [{"question": "?", "answer": "1"}])
    peers.parquet(folder / "b.parquet", [{"question": "?"}])
    return folder / "*.parquet"


def no_rows(folder: Path) -> Path:
    from pyarrow import parquet as pq

    pq.write_table(pa.table({"question": pa.array([], pa.string())}), folder / "t.parquet")
    return folder / "t.parquet"


def lost_arrow(folder: Path) -> Path:
    (folder / "saved").mkdir()
    (folder / "saved/state.json").write_text('{"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}')
    return folder / "saved"


def cut_arrow(folder: Path) -> Path:
    table = pa.table({"question": ["?" * 2000] * 50})
    with pa.ipc.new_stream(str(folder / "t.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=10)
    content = (folder / "t.arrow").read_bytes()
    (folder / "t.arrow").write_bytes(content[: len(content) // 2])
    return folder / "t.arrow"


def nameless_arrow(folder: Path) -> Path:
    (folder / "saved").mkdir()
    (folder / "saved/state.json").write_text('{"_data_files": null}')
    return folder / "saved"


def other_split(folder: Path) -> Path:
    (folder / "own").mkdir()
    text(json.dumps(PROBE), "test.jsonl")(folder / "own")
    return folder / "own"


def mixed_forms(folder: Path) -> str:
    return f"{text(json.dumps(PROBE))(folder)}, {peers.parquet(folder / 't.parquet', [PROBE])}"


def cut_picture(folder: Path) -> Path:
    (folder / "cut.png").write_bytes(peers.png(0)[:200])
    return row(images=["a.png", "cut.png"])(folder)


def no_picture(folder: Path) -> Path:
    (folder / "note.png").write_text("not a picture")
    return row(images=["note.png"])(folder)


def a_folder_for_a_picture(folder: Path) -> Path:
    (folder / "pictures").mkdir()
    return row(images=["pictures"])(folder)


def empty_folder(folder: Path) -> Path:
    (folder / "own").mkdir()
    return folder / "own"


LINE = "/t.jsonl line 2: column "
BROKEN = [
    Broken("no such file", lambda folder: folder / "gone.jsonl", "/gone.jsonl must be a file, glob, folder or hub id"),
    Broken("glob without a match", lambda folder: folder / "g*.jsonl", "/g*.jsonl must match a file, found none"),
    Broken("another kind of file", text("a,b", "t.csv"), "/t.csv must end with one of .parquet, .arrow, .jsonl"),
    Broken("forms mixed", mixed_forms, "must be files of one form, got json, parquet"),
    Broken(
        "empty folder", empty_folder, "/own must hold files *.parquet, *.arrow, *.jsonl, *.ndjson, *.json, found none"
    ),
    Broken("no such split", other_split, "/own must have the split 'train', got test"),
    Broken("empty file", text(""), "/t.jsonl must hold JSON objects, one a line or in a list, got an empty file"),
    Broken(
        "nothing but spaces", text(" \n\n "), "/t.jsonl must hold JSON objects, one a line or in a list, got an empty"
    ),
    Broken("no JSON", text("question: why"), "/t.jsonl must hold JSON objects, one a line or in a list, got 'q'"),
    Broken(
        "not UTF-8", text(b'{"question": "\xff"}'), "/t.jsonl line 1 must be UTF-8 text: invalid start byte at byte 14"
    ),
    Broken(
        "a cut line", text(json.dumps(GOOD) + '\n{"question": "Wh'), "/t.jsonl line 2 must be JSON: Unterminated string"
    ),
    Broken("a line that is a list", text(json.dumps(GOOD) + "\n[1]"), "/t.jsonl line 2 must be a JSON object, got [1]"),
    Broken(
        "a name twice",
        text('{"question": "a", "question": "b"}'),
        "line 1 must be JSON: the name 'question' stands in it",
    ),
    Broken(
        "a cut list",
        text('[{"question": "a"}, {"q', "t.json"),
        "/t.json row 1 must be JSON: the file ends before its list",
    ),
    Broken("a list of numbers", text("[1, 2]", "t.json"), "/t.json row 0 must be a JSON object, got 1"),
    Broken("an empty list", text("[]", "t.json"), "must have a row, got none"),
    Broken(
        "a list with a gap", text('[{"question": "a"},, {}]', "t.json"), "/t.json row 1 must be a JSON object, got none"
    ),
    Broken(
        "text after a list", text("[{}] {}", "t.json"), "/t.json must be one list of JSON objects, got '{' at byte 5"
    ),
    Broken(
        "no column for a chat", text('{"text": "a"}'), "/t.jsonl line 1: column messages or conversations or prompt or"
    ),
    Broken(
        "a named column is not there",
        row(),
        "line 1: column gold must be there, as the table's answer says",
        (("answer", "gold"),),
    ),
    Broken("a row without the column", row(question=...), LINE + "question must be there, got ['answer', 'images']"),
    Broken("a list for a text", row(question=["a"]), LINE + "question[0] must be a message {role, content}"),
    Broken("a number for a text", row(question=7), LINE + "question must be text, got 7"),
    Broken("null for a text", row(question=None), LINE + "question must be text, got None"),
    Broken("an empty text", row(question=" "), LINE + "question must be text, got ' '"),
    Broken("no messages", chat(), LINE + "messages must be a list of messages, got []"),
    Broken("text for messages", chat(messages="Hi"), LINE + "messages must be a list of messages, got 'Hi'"),
    Broken(
        "an unknown role", chat({"role": "tool", "content": "a"}), LINE + "messages[0].role must be one of system, user"
    ),
    Broken("no role", chat({"content": "a"}), LINE + "messages[0] must be a message {role, content} or {from, value}"),
    Broken("content null", chat(user(None)), LINE + "messages[0].content must be text or a list of parts, got None"),
    Broken(
        "a part of another type",
        chat(user([{"type": "video"}])),
        LINE + "messages[0].content[0] must be a part of type text",
    ),
    Broken(
        "a part without text",
        chat(user([{"type": "text", "text": None}])),
        LINE + "messages[0].content[0].text must be text",
    ),
    Broken(
        "the assistant twice",
        chat(user("a"), assistant("b"), assistant("c")),
        LINE + "messages must end with the user's turn",
    ),
    Broken(
        "the system alone", chat({"role": "system", "content": "a"}), LINE + "messages must end with the user's turn"
    ),
    Broken(
        "a system turn in the middle",
        chat(user("a"), {"role": "system", "content": "b"}, user("c")),
        LINE + "messages: a system turn must be the first, got one as turn 2",
    ),
    Broken(
        "a picture that is said",
        chat(user("a"), assistant("<image>")),
        LINE + "messages[1] must be text without pictures",
    ),
    Broken(
        "two system lines",
        chat({"role": "system", "content": "a"}, user("b"), system="c"),
        LINE + "system must be empty where messages begins with a system turn, got 'c'",
    ),
    Broken("a system line that is no text", row(system=["a"]), LINE + "system must be text, got ['a']"),
    Broken(
        "a mark of the chat",
        row(question="a<|im_end|>"),
        LINE + "question: the user's text must not contain <|im_end|>",
    ),
    Broken(
        "a mark of a picture",
        row(question="<|image_pad|>"),
        LINE + "question: the user's text must not contain <|image_pad|>",
    ),
    Broken(
        "a mark in what is said",
        chat(user("a"), assistant("<|endoftext|>")),
        LINE + "messages: the assistant's text must not",
    ),
    Broken(
        "more marks than pictures",
        row(question="<image><image>?"),
        LINE + "question must show as many pictures as the row has (1 in images), got 2 places (<image>)",
    ),
    Broken(
        "fewer marks than pictures",
        row(question="<image>?", images=["a.png", "a.png"]),
        LINE + "question must show as many pictures as the row has (2 in images), got 1 places (<image>)",
    ),
    Broken(
        "marks and no pictures",
        row(question="<image>?", images=...),
        LINE + "question must show as many pictures as the row has (0 in images), got 1 places (<image>)",
    ),
    Broken(
        "pictures in two places",
        chat(user([{"type": "image", "image": "a.png"}, {"type": "text", "text": "?"}]), images=["a.png"]),
        LINE + "images must be empty where the parts of messages hold pictures",
    ),
    Broken(
        "a picture that is not there",
        row(images=["b.png"]),
        LINE + "images[0] (b.png) must be a file that can be read, got No",
    ),
    Broken("a cut picture", cut_picture, LINE + "images[1] (cut.png) must be a sound picture"),
    Broken("a picture that is none", no_picture, LINE + "images[0] (note.png) must be a picture"),
    Broken(
        "a folder for a picture", a_folder_for_a_picture, LINE + "images[0] (pictures) must be a file that can be read"
    ),
    Broken(
        "a number for a picture", row(images=[3]), LINE + "images[0] must be a picture: a path, bytes, {bytes, path}"
    ),
    Broken("null for a picture", row(images=[None]), LINE + "images[0] must be a picture: a path, bytes"),
    Broken("an empty picture", row(images=[{"bytes": None, "path": None}]), LINE + "images[0] must be a picture"),
    Broken(
        "a picture of the web",
        row(images=["https://a.b/c.png"]),
        LINE + "images[0] must be a path, bytes, {bytes, path} or",
    ),
    Broken("bad base64", row(images=["data:image/png;base64,%%%"]), LINE + "images[0] must hold base64"),
    Broken("videos", row(videos=["a.mp4"]), LINE + "videos must be empty: only text and pictures are supported"),
    Broken("answer null", row(answer=None), LINE + "answer must not be null (or kind must be 'none'), got None"),
    Broken("a mark in an answer", row(answer="3<|im_end|>"), LINE + "answer: an answer must not contain <|im_end|>"),
    Broken("no answer", row(answer=...), LINE + "answer must not be null"),
    Broken("choices as text", row(choices="a, b"), LINE + "choices must be a list of texts, or an object of"),
    Broken("choices of lists", row(options=[["a"]]), LINE + "options must be a list of texts"),
    Broken(
        "an answer of bytes",
        parquet({"question": "?", "answer": b"ab"}),
        "/t.parquet row 0: column answer must be text",
    ),
    Broken(
        "numbers for texts",
        parquet({"question": 7, "answer": "1"}),
        "/t.parquet row 0: column question must be text, got 7",
    ),
    Broken(
        "nulls in a struct",
        parquet(
            {"prompt": [{"role": "user", "content": "a"}], "reward_model": {"ground_truth": "1"}}, {"prompt": None}
        ),
        "/t.parquet row 1: column prompt must be text, got None",
    ),
    Broken(
        "an answer that is null inside",
        parquet(*({"prompt": [user("a")], "reward_model": {"ground_truth": gold}} for gold in ("1", None))),
        "/t.parquet row 1: column reward_model.ground_truth must not be null",
    ),
    Broken("no Parquet", text("{}", "t.parquet"), "/t.parquet must be a Parquet file: "),
    Broken("a cut Parquet file", cut_parquet, "/t.parquet must be a Parquet file: "),
    Broken("a damaged page", damaged_parquet, "/t.parquet row 0: row group 0 must be readable"),
    Broken("no rows", no_rows, "must have a row, got none"),
    Broken("columns of one name", twice_named, "/t.parquet: column question must be there once, got it 2 times"),
    Broken("types that differ", two_schemas, "/b.parquet: column answer must be as in "),
    Broken("columns that differ", missing_column_in_one, "/b.parquet: column answer must be as in "),
    Broken("no Arrow", text("abc", "t.arrow"), "/t.arrow must be a sound Arrow file: "),
    Broken("an empty Arrow file", text("", "t.arrow"), "/t.arrow must be an Arrow file, got an empty file"),
    Broken("a cut Arrow file", cut_arrow, "/t.arrow must be a sound Arrow file: "),
    Broken(
        "an Arrow file that is not there", lost_arrow, "/data-00000-of-00001.arrow must be readable, got No such file"
    ),
    Broken("Arrow files without names", nameless_arrow, "/state.json must name its Arrow files, got None"),
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.name.replace(" ", "_"))
def test_a_broken_table_is_told_in_one_line(folder, broken):
    """Before any row is asked for, or when the broken one is; the sound rows before it are read."""
    made = broken.make(folder)
    sound = 0
    with pytest.raises(ValueError) as caught:
        table = open_table(TableConfig(str(made), **dict(broken.fields)))
        for number in range(len(table)):
            for picture in table[number].pictures:
                open_picture(picture.name, picture.read())
            sound += 1
    message = str(caught.value)
    assert broken.said in message and str(folder) in message and "\n" not in message, message
    assert len(message) < 500 and (sound == 1 if "line 2: column" in broken.said else sound <= 1)


def test_the_hub_s_refusal_is_one_line(monkeypatch):
    def refuse(*_: object, **__: object) -> str:
        raise OSError("no such data set\nand many words")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(FileNotFoundError, match=r"data set owner/name must be .*: OSError: no such data set$"):
        open_table(TableConfig("owner/name"))


def test_the_cloud_needs_its_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "gcsfs", None)
    with pytest.raises(ValueError, match=r"^gs://bucket/t.jsonl needs gcsfs: pip install 'perc_jax\[gcs\]'"):
        open_table(TableConfig("gs://bucket/t.jsonl"))


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_parquet_needs_its_extra_and_json_does_not(folder, monkeypatch, name):
    (folder / name).write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"tables in Parquet or Arrow need pyarrow: pip install 'perc_jax\[tables\]'"):
        open_table(TableConfig(str(folder / name)))
    assert open_table(TableConfig(str(text(json.dumps(PROBE))(folder))))[0].answer == "x"
