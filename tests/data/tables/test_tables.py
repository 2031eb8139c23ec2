"""Tables: the peers' conventions give the peers' prompts; every form gives the same rows; nothing is held in memory."""

import json
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from perc_jax.config import TableConfig, VisionConfig, check
from perc_jax.data.tables import TableRow, changes, open_table
from perc_jax.data.tables.files import sampled_digest
from perc_jax.prompt.chat import PICTURE, Turn
from perc_jax.prompt.image import open_picture
from perc_jax.prompt.prompt import chat_prompt, lay_out
from perc_jax.prompt.tokenizer import load
from tests.data.tables import peers
from tests.prompt import chats

pa = pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")
VISION = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=112
)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """What tables unpack goes with the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "perc_jax" / "tables"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def opened(path: Path | str, **fields):
    config = TableConfig(str(path), **fields)
    check(config)
    return open_table(config)


def lines(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def seen(row: TableRow) -> list[np.ndarray]:
    return [open_picture(picture.name, picture.read()) for picture in row.pictures]


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.__name__)
def test_a_peer_s_table_is_read_as_the_peer_means_it(folder, peer):
    written = peer(folder)
    table = opened(written.path)
    assert table.reading.startswith(written.reading) and len(table) == len(written.messages)
    for number, messages in enumerate(written.messages):
        row = table[number]
        assert chats.messages(row.chat) == messages
        assert row.answer == written.answers[number] and row.target in ("", row.answer)
        shown = seen(row)
        assert len(shown) == len(written.pictures[number])
        assert all((a == b).all() for a, b in zip(shown, written.pictures[number], strict=True))
        json.dumps(row.columns, allow_nan=False)


@pytest.mark.parametrize("peer", peers.PEERS, ids=lambda peer: peer.__name__)
def test_a_peer_s_table_gives_transformers_prompts(folder, peer, reference_data):
    pytest.importorskip("transformers")
    published = reference_data / "qwen2_5_vl_7b"
    written, theirs, tokenizer = peer(folder), chats.processor(published), load(str(published))
    table = opened(written.path)
    for number, messages in enumerate(written.messages):
        row = table[number]
        prompt = chat_prompt(row.chat, seen(row), tokenizer=tokenizer, vision=VISION)
        wanted, grids = chats.ids(theirs, messages, written.pictures[number])
        assert prompt.tokens.tolist() == wanted.tolist()
        assert [[1, 2 * p.units[0], 2 * p.units[1]] for p in prompt.pictures] == grids


def test_further_columns_come_along(folder):
    """For reward functions of the user's own: everything but the prompt, and no bytes."""
    row = opened(peers.verl(folder).path)[1]
    assert row.columns["data_source"] == "hiyouga/geometry3k" and row.columns["extra_info"]["index"] == 1
    assert row.columns["reward_model"] == {"style": "rule", "ground_truth": "larger"}
    assert "images" not in row.columns and "prompt" not in row.columns and row.name == "train.parquet:1"
    rows = [{"question": "?", "answer": "1", "image": peers.feature(0), "other": peers.feature(1), "raw": b"ab"}]
    kept = opened(peers.parquet(folder / "t.parquet", rows))[0].columns
    assert kept == {"answer": "1", "other": {"path": None}}


ROWS = [
    {"question": "First <image>, then <image>?", "images": ["a.png", "b.png"], "answer": "x", "options": ["x", "y"]},
    {"question": "None?", "images": [], "answer": "1", "options": None},
    {"question": "One?", "images": ["b.png"], "answer": "2", "options": ["u"]},
]


def saved(folder: Path, rows: list[dict]) -> Path:
    """A folder of two splits as `datasets` saves them: Arrow streams and what names them."""
    for split, own in (("train", rows), ("test", rows[:1])):
        (folder / split).mkdir(parents=True)
        table = pa.Table.from_pylist(own)
        with pa.ipc.new_stream(str(folder / split / "data-00000-of-00001.arrow"), table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
        state = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}], "_fingerprint": "1", "_split": split}
        (folder / split / "state.json").write_text(json.dumps(state))
        (folder / split / "dataset_info.json").write_text("{}")
    (folder / "dataset_dict.json").write_text('{"splits": ["train", "test"]}')
    return folder


def two_files(folder: Path, rows: list[dict]) -> Path:
    folder.mkdir()
    lines(folder / "train-00000-of-00002.jsonl", *rows[:1])
    lines(folder / "train-00001-of-00002.jsonl", *rows[1:])
    lines(folder / "test.jsonl", *rows[:1])
    return folder


def json_list(folder: Path, rows: list[dict]) -> Path:
    folder.mkdir()
    (folder / "t.json").write_text(json.dumps(rows, indent=1))
    return folder / "t.json"


def json_lines(folder: Path, rows: list[dict]) -> Path:
    """Empty lines, spaces, ends of lines of another system, and no break at the end."""
    folder.mkdir()
    text = "\n  \n" + "\r\n".join(json.dumps(row) for row in rows)
    (folder / "t.jsonl").write_bytes(b"\xef\xbb\xbf" + text.encode())
    return folder / "t.jsonl"


def parquet_groups(folder: Path, rows: list[dict]) -> Path:
    folder.mkdir()
    return peers.parquet(folder / "t.parquet", rows, row_group_size=2)


@pytest.mark.parametrize("form", [saved, two_files, json_list, json_lines, parquet_groups], ids=lambda f: f.__name__)
def test_every_form_gives_the_same_rows_also_in_another_process(folder, form):
    root = folder / "pictures"
    root.mkdir()
    for name, number in (("a.png", 0), ("b.png", 1)):
        (root / name).write_bytes(peers.png(number))
    table = pickle.loads(pickle.dumps(opened(form(folder / "own", ROWS), root=str(root))))
    assert len(table) == 3 and [table[number].answer for number in (2, 0, 1)] == ["2", "x", "1"]
    assert table[0].chat == (Turn("user", ("First ", PICTURE, ", then ", PICTURE, "?", "\nA. x\nB. y")),)
    assert table[2].chat == (Turn("user", (PICTURE, "One?", "\nA. u")),)
    assert [row.choices for row in map(table.__getitem__, range(3))] == [("x", "y"), (), ("u",)]
    shown = [seen(table[number]) for number in range(3)]
    wanted = [[0, 1], [], [1]]
    for pictures, numbers in zip(shown, wanted, strict=True):
        assert all((a == peers.picture(b)).all() for a, b in zip(pictures, numbers, strict=True))
    with pytest.raises(IndexError, match="has rows 0 to 2, got 3"):
        table[3]


def test_a_row_goes_down_to_a_prompt_without_pictures(folder):
    row = opened(lines(folder / "t.jsonl", {"question": "How?", "answer": 1, "system": "Be brief."}))[0]
    assert row.chat == (Turn("system", ("Be brief.",)), Turn("user", ("How?",)))
    tokenizer = load("debug.model")
    prompt = chat_prompt(row.chat, seen(row), tokenizer=tokenizer, vision=VISION)
    batch = lay_out(prompt, max_tokens=64, max_patches=64, pad=tokenizer.ids.pad, vision=VISION)
    assert (batch.patch_image == -1).all() and batch.mask.sum() == len(prompt.tokens)


def test_a_line_that_is_no_json_hides_no_other_row(folder):
    lines = ['{"question": "Q", "answer": "1"}', '{"question": "Q', '{"question": "R", "answer": "2"}']
    (folder / "t.jsonl").write_text("\n".join(lines))
    table = open_table(TableConfig(str(folder / "t.jsonl")))
    assert len(table) == 3 and [table[number].answer for number in (0, 2)] == ["1", "2"]
    with pytest.raises(ValueError, match="line 2 must be JSON"):
        table[1]


def test_columns_are_read_as_they_are_named(folder):
    path = lines(folder / "t.jsonl", {"q": "How?", "question": "Not this", "gold": {"is": [1, 2]}, "pic": "a.png"})
    table = opened(path, question="q", answer="gold.is", images="pic", kind="math", tolerance=0.5, root="/elsewhere")
    row = table[0]
    assert table.reading == "named columns: chat in q, pictures in pic, answer in gold.is"
    assert row.chat == (Turn("user", (PICTURE, "How?")),) and row.answer == "[1, 2]"
    assert (row.kind, row.tolerance) == ("math", 0.5) and row.pictures[0].file == "/elsewhere/a.png"
    assert opened(path, kind="none")[0].answer == ""


def test_pictures_are_paths_bytes_structs_urls_or_parts(folder):
    import base64

    url = "data:image/png;base64," + base64.b64encode(peers.png(3)).decode()
    (folder / "a.png").write_bytes(peers.png(3))
    parts = [{"type": "text", "text": "See "}, {"type": "image", "image": "a.png"}, {"type": "text", "text": "?"}]
    openai = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "?"}]
    rows = [
        {"question": "?", "images": "a.png"},
        {"question": "?", "images": str(folder / "a.png")},
        {"question": "?", "images": {"bytes": None, "path": "a.png"}},
        {"question": "?", "images": [url]},
        {"question": [{"role": "user", "content": parts}]},
        {"question": [{"role": "user", "content": openai}]},
    ]
    table = opened(lines(folder / "t.jsonl", *rows))
    binary = opened(peers.parquet(folder / "t.parquet", [{"question": "?", "image": peers.png(3)}]))
    for row in (*map(table.__getitem__, range(len(rows))), binary[0]):
        (picture,) = seen(row)
        assert (picture == peers.picture(3)).all()
    assert table[4].chat == (Turn("user", ("See ", PICTURE, "?")),)


def test_what_the_assistant_says_last_is_the_target(folder):
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    row = opened(lines(folder / "t.jsonl", {"messages": messages, "answer": "B"}))[0]
    assert row.chat == (Turn("user", ("a",)),) and (row.target, row.answer) == ("b", "B")


def test_splits_are_told_apart_and_several_paths_are_one_table(folder):
    two_files(folder / "plain", ROWS)
    assert len(opened(folder / "plain", split="test")) == 1
    both = opened(f"{folder}/plain/train-*.jsonl, {folder}/plain/test.jsonl", name="both")
    assert len(both) == 4 and both.name == "both" and len(both.digests) == 3 + 2
    assert str(both.where(1)) == f"{folder}/plain/train-00001-of-00002.jsonl line 1"
    assert len(opened(saved(folder / "saved", ROWS), split="test")) == 1
    assert len(opened(f"{folder}/plain/train-*.jsonl", limit=2)) == 2


def test_a_hub_id_is_its_downloaded_folder(folder, monkeypatch):
    own = two_files(folder / "snapshot", ROWS)
    asked = []

    def snapshot(name: str, repo_type: str) -> str:
        asked.append((name, repo_type))
        return str(own)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    for path in ("owner/name", "hf://owner/name", "hf://datasets/owner/name"):
        assert len(opened(path)) == 3
    assert asked == [("owner/name", "dataset")] * 3


@pytest.mark.parametrize("form", [saved, two_files, json_list, parquet_groups], ids=lambda f: f.__name__)
def test_a_changed_file_is_noticed_and_named(folder, form):
    """The same content elsewhere is the same table; one other letter of the same length is not."""
    before = opened(form(folder / "own", ROWS))
    same = opened(form(folder / "copy", ROWS))
    assert same.fingerprint == before.fingerprint and not changes(before.digests, same.digests)
    after = opened(form(folder / "new", [*ROWS[:2], ROWS[2] | {"answer": "3"}]))
    assert after.fingerprint != before.fingerprint
    (line,) = changes(before.digests, after.digests)
    assert line.endswith("has changed")
    assert changes({"a": "1", "b": "2"}, {"b": "2", "c": "3"}) == ["a is gone", "c is new"]


def test_what_else_changes_the_order_of_rows_is_named(folder):
    path = two_files(folder / "own", [row | {"reply": row["answer"]} for row in ROWS])
    before, other, fewer = (opened(path, **how) for how in ({}, {"answer": "reply"}, {"limit": 2}))
    assert changes(before.digests, other.digests) == ["choice of columns has changed"]
    assert changes(before.digests, fewer.digests) == ["limit has changed"]
    assert len({table.fingerprint for table in (before, other, fewer)}) == 3


def test_a_large_file_s_digest_sees_its_size_its_end_and_pieces_all_over_it(folder):
    """Its first byte, its last, one between, and one more."""
    rows = [{"question": "?" * 10_000, "answer": str(number)} for number in range(1_000)]
    path = peers.parquet(folder / "t.parquet", rows, compression="none", use_dictionary=False)
    content = path.read_bytes()
    assert len(content) > 8 * 2**20
    first = opened(path)
    middle = len(content) // 63 * 31  # a piece is read at each 63rd
    for place in (0, middle, len(content) - 1):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert sampled_digest(path) != first.parts[0].digest, place
    path.write_bytes(content + content[-1:])
    assert sampled_digest(path) != first.parts[0].digest
    path.write_bytes(content[:middle] + b"#" + content[middle + 1 :])
    assert opened(path).fingerprint != first.fingerprint


def test_memory_is_that_of_a_few_rows(folder):
    """20 MB of rows in one row group, read all over: Python holds less than a tenth of it at any time."""
    rows = [{"question": f"{number}" + "?" * 20_000, "answer": str(number)} for number in range(1_000)]
    paths = [lines(folder / "t.jsonl", *rows), peers.parquet(folder / "t.parquet", rows, use_dictionary=False)]
    order = np.random.default_rng(0).permutation(1_000).tolist()
    for path in paths:
        tracemalloc.start()
        before = pa.total_allocated_bytes()
        table = opened(path)
        assert [table[number].answer for number in order] == [str(number) for number in order]
        peak, held = tracemalloc.get_traced_memory()[1], pa.total_allocated_bytes() - before
        tracemalloc.stop()
        assert peak < 2e6 + 8e6 * (path.suffix == ".jsonl") and held < 2e6, (peak, held)


def test_unpacked_rows_are_unpacked_once(folder, cache):
    table = opened(peers.parquet(folder / "t.parquet", ROWS * 60, row_group_size=90))
    table[3]
    assert [path.name for path in cache.rglob("*.arrow")] == ["0.arrow"]
    table[100]
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("*.arrow")}
    again = opened(folder / "t.parquet")
    assert again[90].answer == "x" and again[2].answer == "2"
    assert stamps == {path: path.stat().st_mtime_ns for path in cache.rglob("*.arrow")} and len(stamps) == 2
    elsewhere = opened(folder / "t.parquet", cache=str(folder / "here"))
    assert elsewhere[0].answer == "x" and len([*(folder / "here").rglob("*.arrow")]) == 1
