"""A file is absent or complete, and JSON is JSON."""

import errno
import json
import math
import multiprocessing
import os
import sys
import time
from types import SimpleNamespace

import pytest
from etils import epath

from perc_jax.records.files import STALE_S, absolute, named, to_json, write_whole

WRITES, LONG = 40, 2_000_000  # long enough that two writers meet


def test_a_file_is_written_with_its_folder_and_replaced(tmp_path):
    path = epath.Path(tmp_path) / "new" / "a.json"
    for text in ("one", "é" * 5000, ""):
        write_whole(path, text)
        assert path.read_text() == text
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


def test_what_cannot_be_written_leaves_what_was_there(tmp_path):
    path = epath.Path(tmp_path) / "a.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "new \udcff")
    assert path.read_text() == "old" and [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_a_full_disk_is_told_with_the_file_that_it_has_no_room_for(tmp_path, monkeypatch):
    path = epath.Path(tmp_path) / "a.json"
    write_whole(path, "old")
    monkeypatch.setattr("uuid.uuid4", lambda: SimpleNamespace(hex="0" * 32))
    (tmp_path / f".a.json.{'0' * 32}.part").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as full:
        write_whole(path, "new")
    assert (full.value.errno, full.value.filename) == (errno.ENOSPC, str(path)) and path.read_text() == "old"
    with pytest.raises(FileNotFoundError) as named_already, named(path):
        (tmp_path / "none").read_text()
    assert named_already.value.filename == str(tmp_path / "none")


def _write_often(path: str, letter: str) -> None:
    for _ in range(WRITES):
        write_whole(epath.Path(path), letter * LONG)


def test_processes_that_write_one_file_at_once_end_well_and_every_reader_finds_it_whole(tmp_path):
    """A report that is asked for while the run writes its own."""
    path, context = tmp_path / "report.html", multiprocessing.get_context("spawn")
    write_whole(epath.Path(path), "a" * LONG)
    writers = [context.Process(target=_write_often, args=(str(path), letter)) for letter in "ab"]
    for writer in writers:
        writer.start()
    torn, reads = [], 0
    while any(writer.is_alive() for writer in writers):
        text, reads = path.read_text(), reads + 1
        torn += [] if text in (text[:1] * LONG,) else [len(text)]
    assert [writer.exitcode for writer in writers] == [0, 0] and not torn and reads
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_what_killed_writers_left_is_removed_when_it_is_old_and_nothing_else_is(tmp_path):
    folder, now = tmp_path / "run", time.time()
    folder.mkdir()
    left = {f".a.json.{'0' * 32}.part": 2 * STALE_S, f".b.json.{'1' * 32}.part": STALE_S / 2, ".c.part": 2 * STALE_S}
    for name, age in left.items():
        (folder / name).write_text("half")
        os.utime(folder / name, (now - age, now - age))
    write_whole(epath.Path(folder) / "a.json", "whole")
    assert {file.name for file in folder.iterdir()} == {"a.json", *list(left)[1:]}


def test_paths_are_absolute_but_on_gs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setitem(sys.modules, "gcsfs", SimpleNamespace(__spec__="there"))
    assert absolute("gs://bucket/run").as_posix() == "gs://bucket/run"
    assert absolute("run").as_posix() == f"{tmp_path}/run" and absolute("~/run").as_posix() == "/home/me/run"
    for local in ("a:b/run", "1:/run", "a/b:/c"):
        assert absolute(local).as_posix() == f"{tmp_path}/{local}"


@pytest.mark.parametrize(
    "path",
    ["s3://b/x", "http://b/x", "https://b/x", "az://b/x", "file:///x", "gs:/b/x", "GS://b/x", "gs://", "gs:///x"],
)
def test_other_schemes_are_refused_in_one_line(path):
    with pytest.raises(ValueError, match=f"^{path} must be a local path or gs://BUCKET/…$"):
        absolute(path)


def test_the_cloud_needs_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ValueError, match=r"^gs://bucket/run needs gcsfs: pip install 'perc_jax\[gcs\]'$"):
        absolute("gs://bucket/run")


def test_json_has_no_word_for_what_is_not_finite():
    values = {"a": [1.5, math.nan, (math.inf, -math.inf)], "b": {"c": math.nan, "d": "NaN", "e": True, "f": None}}

    def refuse(word):
        raise AssertionError(word)

    found = json.loads(to_json(values, indent=1), parse_constant=refuse)
    assert found == {"a": [1.5, None, [None, None]], "b": {"c": None, "d": "NaN", "e": True, "f": None}}
    assert to_json({"x": 0.1, "y": [1, 2]}) == json.dumps({"x": 0.1, "y": [1, 2]})
