"""Starts and heartbeats on the disk: whole, of this start alone, and never in the way of the next one."""

import json

import pytest
from etils import epath

from perc_jax.records import attempts
from perc_jax.records.attempts import Attempt, Beat, End
from perc_jax.records.files import Harmless


def beat(number: int, rank: int, **fields) -> Beat:
    return Beat(attempt=number, rank=rank, host=f"host-{rank}", time=100.0 + rank, **fields)


@pytest.fixture
def folder(tmp_path) -> epath.Path:
    return epath.Path(tmp_path) / "run"


def test_starts_are_numbered_and_the_last_ones_end_is_entered_by_the_next(folder):
    assert attempts.attempts(folder) == [] and attempts.next_number(folder) == 1
    attempts.begin(folder, Attempt(1, 50.0, 2))
    ended = End(143, "terminated; step 3 is kept", 101.0)
    for rank in (0, 1):
        attempts.write_beat(folder, beat(1, rank, step=3, ended=ended))
    assert attempts.attempts(folder)[0].ended is None and attempts.next_number(folder) == 2
    attempts.begin(folder, Attempt(2, 200.0, 1))
    assert attempts.attempts(folder) == [Attempt(1, 50.0, 2, ended), Attempt(2, 200.0, 1)]
    assert attempts.next_number(folder) == 3


def test_a_start_that_said_nothing_is_unheard_of_since_its_last_beat(folder):
    attempts.begin(folder, Attempt(1, 50.0, 2))
    attempts.write_beat(folder, beat(1, 1))
    attempts.begin(folder, Attempt(2, 200.0, 2))
    attempts.begin(folder, Attempt(3, 300.0, 2))
    first, second, _ = attempts.attempts(folder)
    assert first.ended == End(None, attempts.UNHEARD, 101.0) and second.ended == End(None, attempts.UNHEARD, 200.0)


def test_the_first_process_that_knows_the_cause_says_it(folder):
    told = {0: beat(1, 0), 2: beat(1, 2, ended=End(1, "process 1 of 3 ended the run: x", 1.0))}
    assert attempts.ending(told) == told[2].ended and attempts.ending({0: told[0]}) is None


def test_beats_are_of_this_start_alone(folder):
    attempts.begin(folder, Attempt(1, 50.0, 3))
    for rank in range(3):
        attempts.write_beat(folder, beat(1, rank))
    assert list(attempts.beats_of(folder, Attempt(1, 50.0, 3))) == [0, 1, 2]
    attempts.begin(folder, Attempt(2, 60.0, 2))  # the third file goes, the others wait for their processes
    assert sorted(file.name for file in (folder / attempts.FOLDER).iterdir()) == ["0000.json", "0001.json"]
    assert attempts.beats_of(folder, Attempt(2, 60.0, 2)) == {}
    attempts.write_beat(folder, beat(2, 1, step_s=0.5))
    assert attempts.beats_of(folder, Attempt(2, 60.0, 2)) == {1: beat(2, 1, step_s=0.5)}


@pytest.mark.parametrize("content", ["", "{", "[3]", '{"attempt": 1}', '[{"number": 1}]', "null"])
def test_what_cannot_be_understood_is_not_there(folder, content):
    attempts.begin(folder, Attempt(1, 50.0, 2))
    attempts.write_beat(folder, beat(1, 1))
    (folder / attempts.FOLDER / "0000.json").write_text(content)
    assert attempts.beats_of(folder, Attempt(1, 50.0, 2)) == {1: beat(1, 1)}
    (folder / attempts.FILE).write_text(content)
    assert attempts.attempts(folder) == [] and attempts.next_number(folder) == 1


def test_fields_of_a_later_version_are_left_out(folder):
    attempts.write_beat(folder, beat(1, 0))
    file = folder / attempts.FOLDER / "0000.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"mood": "good"}))
    assert attempts.beats_of(folder, Attempt(1, 50.0, 1)) == {0: beat(1, 0)}


@pytest.mark.parametrize("error", [OSError(28, "full"), RuntimeError("x"), LookupError("of a library")])
def test_what_is_harmless_is_told_and_ends_nothing(error):
    told = []
    with Harmless(told.append):
        raise error
    assert told == [error]


def test_ends_of_the_interpreter_are_not_harmless():
    with pytest.raises(SystemExit), Harmless(print):
        raise SystemExit(3)
