"""Files, rows and pictures by their places: each file once, names that hold in another folder, paths told in full."""

import json
import shutil

import pytest

from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
from perc_jax.data.tables.graded import rows_of
from perc_jax.records.lines import Record, Records
from tests.data.tables import peers


def write(path, count=3, **values):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"question": f"{n}?", "answer": str(n)} | values) + "\n" for n in range(count)))
    return path


def graded(file, table, names):
    with Records(file, {"suite": table.name, "table": table.fingerprint}) as records:
        records.append(
            Record(name, name, "", ("a", "b"), (True, True), (True, False), ("a", "b"), ("", "")) for name in names
        )
    return str(file)


def test_files_of_one_name_are_told_apart_by_their_folders_wherever_they_lie(tmp_path):
    """A grading of them holds when the table is moved."""
    for name in ("x", "y"):
        write(tmp_path / "a/deep" / name / "part.jsonl", source=name)
    table = open_table(TableConfig(f"{tmp_path}/a/*/*/part.jsonl", name="t"))
    names = [f"{folder}/part.jsonl:{line}" for folder in "xy" for line in (1, 2, 3)]
    assert table.names() == names == [table[number].name for number in range(6)]
    grade = graded(tmp_path / "g.jsonl", table, names[2:4])
    shutil.move(tmp_path / "a", tmp_path / "b")
    moved = open_table(TableConfig(f"{tmp_path}/b/*/*/part.jsonl", name="t", difficulty="medium", grade=grade))
    assert [(moved[number].columns["source"], moved[number].answer) for number in (0, 1)] == [("x", "2"), ("y", "0")]
    assert open_table(TableConfig(f"{tmp_path}/b/deep/x/part.jsonl"))[0].name == "part.jsonl:1"


def test_folders_that_differ_only_above_are_named_from_there(tmp_path):
    for name in ("a/same", "b/same"):
        write(tmp_path / name / "t.jsonl", 1)
    table = open_table(TableConfig(f"{tmp_path}/a/same/t.jsonl,{tmp_path}/b/same/t.jsonl"))
    assert table.names() == ["a/same/t.jsonl:1", "b/same/t.jsonl:1"]


def test_a_grading_of_rows_that_are_not_there_is_one_line(tmp_path):
    table = open_table(TableConfig(str(write(tmp_path / "t.jsonl"))))
    grade = graded(tmp_path / "g.jsonl", table, ["t.jsonl:1", "t.jsonl:9"])
    rows = {name: number for number, name in enumerate(table.names())}
    with pytest.raises(ValueError, match=r"must name rows of this table, such as 't\.jsonl:1', .* names 't\.jsonl:9'$"):
        rows_of(grade, "medium", rows, table.fingerprint)


@pytest.mark.parametrize("path", ["{0}/t.jsonl,{0}/t.jsonl", "{0}/*.jsonl, {0}/t.jsonl", "{0}/../{1}/t.jsonl,{0}"])
def test_a_file_that_is_named_twice_is_refused(tmp_path, path):
    write(tmp_path / "t.jsonl")
    with pytest.raises(ValueError, match=r"must name each file once, got .*/t\.jsonl twice$"):
        open_table(TableConfig(path.format(tmp_path, tmp_path.name)))


@pytest.mark.parametrize("path", [",", " , "])
def test_a_path_of_nothing_is_one_line(path):
    with pytest.raises(ValueError, match=rf"table '{path}' must name a file, glob, folder or hub id"):
        open_table(TableConfig(path))


@pytest.mark.parametrize("path", ["data/my.jsonl", "data/my.parquet", "data/my.json"])
def test_a_file_that_is_not_there_is_not_asked_of_the_hub(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: pytest.fail("the hub was asked"))
    with pytest.raises(ValueError, match=rf"^table {path} must be a file, glob, folder or hub id .*, found none$"):
        open_table(TableConfig(path))


def test_the_root_of_all_folders_is_a_root(tmp_path):
    (tmp_path / "a.png").write_bytes(peers.png(0))
    path = write(tmp_path / "data/t.jsonl", 1, image=str(tmp_path / "a.png")[1:])
    [picture] = open_table(TableConfig(str(path), root="/"))[0].pictures
    assert picture.file == str(tmp_path / "a.png") and picture.read() == peers.png(0)
    [picture] = open_table(TableConfig(str(path), root=f"{tmp_path}/"))[0].pictures
    assert picture.file == f"{tmp_path}{tmp_path}/a.png"


def complaint(path, **fields):
    [picture] = open_table(TableConfig(str(path), **fields))[0].pictures
    with pytest.raises(ValueError) as caught:
        picture.read()
    message = str(caught.value)
    assert "\n" not in message and len(message) < 600 and "line 1: column image" in message
    return message


def test_a_picture_that_is_not_there_is_told_with_the_place_that_was_tried(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path / "t.jsonl", 1, image="in/a.png")
    assert complaint(path).endswith(
        f"(in/a.png) must be a file that can be read, got No such file or directory: {tmp_path}/in/a.png"
    )
    assert complaint(path, root="here").endswith(f"directory: {tmp_path}/here/in/a.png")
    assert complaint(path, root="/else/where/").endswith("directory: /else/where/in/a.png")


def test_what_was_meant_to_be_base64_is_not_printed_whole(tmp_path):
    message = complaint(write(tmp_path / "t.jsonl", 1, image="iVBORw0KGgo" + "A" * 5000 + "end"))
    assert "(iVBORw0KGgoAAAAAAAAA…" in message and "end)" in message
    message = complaint(write(tmp_path / "t.jsonl", 1, image="a\nb" * 40))
    assert r"(a\nba\nb" in message
    image = {"path": "p" * 5000, "bytes": None}
    assert "…" in complaint(write(tmp_path / "t.jsonl", 1, image=image))
