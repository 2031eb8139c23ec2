"""Logs: what was said is there in its order, once, on a disk and in parts where nothing can be appended."""

import re

import pytest
from etils import epath

from perc_jax.records import logs
from perc_jax.records.logs import Log

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ")


def said(folder) -> list[str]:
    """The lines of all files in their order, without their times."""
    lines = [line for file in sorted((folder / "logs").iterdir()) for line in file.read_text().splitlines()]
    assert all(LINE.match(line) for line in lines)
    return [LINE.sub("", line) for line in lines]


def test_lines_are_appended_start_by_start_and_rank_by_rank(tmp_path):
    for attempt, rank in ((1, 0), (1, 1), (2, 0)):
        log = Log(epath.Path(tmp_path), attempt, rank)
        for number in range(3):
            log.add(f"{attempt} {rank} {number}\nand more")
            log.write()
    names = sorted(file.name for file in (tmp_path / "logs").iterdir())
    assert names == ["0001-0000.log", "0001-0001.log", "0002-0000.log"]
    wanted = [f"{start} {number}" for start in ("1 0", "1 1", "2 0") for number in range(3)]
    assert said(tmp_path) == [line for one in wanted for line in (one, "and more")]


def test_nothing_said_writes_nothing(tmp_path):
    Log(epath.Path(tmp_path), 1, 0).write()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("each", [1, 3, 4, 11])
def test_where_nothing_can_be_appended_parts_are_whole(tmp_path, monkeypatch, each):
    monkeypatch.setattr(logs, "PART", 4)
    log = Log(epath.Path(tmp_path), 1, 0)
    log._is_remote = True
    for first in range(0, 22, each):
        for number in range(first, min(first + each, 22)):
            log.add(str(number))
        log.write()
        assert said(tmp_path) == [str(number) for number in range(min(first + each, 22))]
    sizes = [len(file.read_text().splitlines()) for file in sorted((tmp_path / "logs").iterdir())]
    assert sizes == [4, 4, 4, 4, 4, 2]


def test_what_could_not_be_written_is_written_later_once(tmp_path):
    log = Log(epath.Path(tmp_path), 1, 0)
    (tmp_path / "logs").write_text("a file where the folder should be")
    log.add("first")
    with pytest.raises(OSError, match="logs"):
        log.write()
    (tmp_path / "logs").unlink()
    log.add("second")
    log.write()
    log.write()
    assert said(tmp_path) == ["first", "second"]
