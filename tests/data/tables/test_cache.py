"""The cache of tables: what is out of date goes, what a process uses stays, what is half-way counts for nothing."""

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perc_jax.config import TableConfig
from perc_jax.data.tables import cache, open_table, parquet_rows
from tests import ROOT
from tests.data.tables import peers

pytest.importorskip("pyarrow", reason="the extra `tables` is not installed")

READER = """
import sys
from perc_jax.config import TableConfig
from perc_jax.data.tables import open_table
folder, tables = sys.argv[1], {}
for line in sys.stdin:
    path, number = line.split()
    if path not in tables:
        tables[path] = open_table(TableConfig(path, cache=folder))
    print(tables[path][int(number)].answer, flush=True)
"""


class Reader:
    """A process that opens tables and reads rows when it is told to."""

    def __init__(self, folder: Path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", READER, str(folder)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, path: Path, row: int) -> None:
        self.process.stdin.write(f"{path} {row}\n")
        self.process.stdin.flush()

    def read(self, path: Path, row: int = 0) -> str:
        self.ask(path, row)
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        with self.process:  # closes its pipes
            self.process.kill()


@pytest.fixture
def start(tmp_path):
    """Begins a reader of the cache folder `cache`."""
    begun = []

    def begin() -> Reader:
        begun.append(Reader(tmp_path / "cache"))
        return begun[-1]

    yield begin
    for reader in begun:
        reader.end()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


def write(path: Path, answers: str) -> Path:
    """A table with an answer a letter, each in a row group; it takes the place of what was there at once."""
    rows = [{"question": "?", "answer": one} for one in answers]
    return peers.parquet(path.with_suffix(".new"), rows, row_group_size=1).replace(path)


def opened(path: Path, folder: Path):
    return open_table(TableConfig(str(path), cache=str(folder)))


def entries(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_another_content_s_entry_goes_as_soon_as_nobody_uses_it(tmp_path, folder, start):
    path, first, second = write(tmp_path / "t.parquet", "ab"), start(), start()
    assert first.read(path) == "a"
    before = entries(folder)
    write(path, "cd")
    assert second.read(path) == "c" and before < entries(folder)
    assert first.read(path, 0) == "a"  # what it has opened stays whole
    first.end()
    other = write(tmp_path / "other.parquet", "xy")
    assert second.read(other, 1) == "y" and not before & entries(folder) and len(entries(folder)) == 2
    assert second.read(path, 1) == "d" and not [*folder.glob(f"{cache.GONE}*")]


def test_what_nobody_began_to_use_for_long_goes_and_what_is_used_stays(tmp_path, folder, start):
    unused, used = write(tmp_path / "unused.parquet", "ab"), write(tmp_path / "used.parquet", "cd")
    reader, ended = start(), start()
    assert (reader.read(used), ended.read(unused)) == ("c", "a")
    ended.end()
    old = time.time() - cache.KEPT_S
    for source in folder.glob(f"*/{cache.SOURCE}"):
        os.utime(source, (old + 60, old + 60))
    opened(write(tmp_path / "new.parquet", "ef"), folder)
    assert len(entries(folder)) == 3
    for source in folder.glob(f"*/{cache.SOURCE}"):
        os.utime(source, (old - 60, old - 60))
    opened(write(tmp_path / "newer.parquet", "gh"), folder)
    kept = {source.read_text() for source in folder.glob(f"*/{cache.SOURCE}")}
    assert kept == {str(tmp_path / name) for name in ("used.parquet", "new.parquet", "newer.parquet")}
    assert reader.read(used, 1) == "d"


def test_another_host_s_process_counts_as_living_for_as_long(tmp_path, folder, start):
    path, reader = write(tmp_path / "t.parquet", "ab"), start()
    reader.read(path)
    reader.end()
    before = entries(folder)
    [user] = (folder / cache.USERS).iterdir()
    there = user.rename(user.with_name("1@elsewhere"))
    opened(write(path, "cd"), folder)
    assert before < entries(folder) and there.exists()
    os.utime(there, (0, 0))
    opened(path, folder)
    assert not before & entries(folder) and not there.exists()


def test_a_reader_that_is_killed_half_way_leaves_nothing_that_counts(tmp_path, folder, start):
    """Killed while it writes a row group: not taken for whole, and removed while another process's part stays."""
    rows = [{"question": "?" * 10_000, "answer": str(number)} for number in range(10_000)]
    path, reader = peers.parquet(tmp_path / "t.parquet", rows, use_dictionary=False), start()
    reader.ask(path, 0)
    until = time.monotonic() + 60
    while not (parts := [*folder.glob(f"*/{cache.PART}*")]) and time.monotonic() < until:
        time.sleep(0.001)
    reader.end()
    assert parts and [*folder.rglob("*.arrow")] == []
    mine = cache.whole(parts[0].with_name("1.arrow"))
    with mine as part:
        part.write_bytes(b"")
        assert opened(path, folder)[9_999].answer == "9999"
        assert part.exists() and not parts[0].exists()
    assert {file.name for file in parts[0].parent.iterdir()} == {cache.SOURCE, "0.arrow", "1.arrow"}


def test_what_is_unpacked_is_of_the_content_that_was_opened(tmp_path, folder):
    """Of a file that is replaced before its rows are unpacked, nothing is kept under the former's name."""
    path = write(tmp_path / "t.parquet", "a" * 80)
    before = opened(path, folder)  # columns are recognised by the first 64
    parquet_rows._parquet.cache_clear()  # as in another process, or with many files
    write(path, "b" * 80)
    with pytest.raises(ValueError, match="must stay as it is while it is read, it has changed"):
        before[79]
    write(path, "a" * 80)
    assert before[79].answer == "a"


def test_what_is_not_of_the_cache_stays(tmp_path, folder):
    (folder / ("0" * 32)).mkdir(parents=True)
    (folder / "mine").write_text("kept")
    opened(write(tmp_path / "t.parquet", "ab"), folder)
    assert entries(folder) > {"0" * 32, "mine"}


def test_where_there_are_no_locks_rows_are_read_and_nothing_goes(tmp_path, folder, monkeypatch):
    def refused(*_: object) -> None:
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    path = write(tmp_path / "t.parquet", "ab")
    assert opened(path, folder)[1].answer == "b"
    before = entries(folder)
    assert opened(write(path, "cd"), folder)[1].answer == "d" and before < entries(folder)


def test_processes_that_open_changing_tables_at_once_all_read_what_they_opened(tmp_path, folder, start):
    """Each content is opened by a process of its own while others end: none misses a row, and one entry is left."""
    path, readers = tmp_path / "t.parquet", []
    for letter in "abcde":
        write(path, letter * 40)
        readers.append((start(), letter))
        assert readers[-1][0].read(path) == letter
        for reader, _ in readers:
            for row in range(1, 40):
                reader.ask(path, row)
        for reader, answer in readers:
            assert [reader.process.stdout.readline().strip() for _ in range(39)] == [answer] * 39
        if len(readers) == 3:
            readers.pop(0)[0].end()
    for reader, _ in readers:
        reader.end()
    last = start()
    assert last.read(path, 39) == "e" and len(entries(folder)) == 1
    assert len([*(folder / cache.USERS).iterdir()]) == 1
