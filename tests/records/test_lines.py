"""Records: what was written is there whatever happened to the process, and belongs to one evaluation."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.records import lines
from perc_jax.records.lines import Record, Records

HEAD = {"model": "abc", "suite": "dynamath", "samples": 2}
TEXT = st.text(max_size=20)


def record(name: str, text: str = "so it is 4") -> Record:
    return Record(name, name, "f00d", [text, ""], [True, False], [True, False], ["4", None], ["equal", "none"], 0)


def written(file, *names: str) -> bytes:
    with Records(file, HEAD) as kept:
        kept.append([record(name) for name in names])
    return file.read_bytes()


def test_a_process_killed_at_any_byte_leaves_every_whole_line(tmp_path):
    file = tmp_path / "folder" / "dynamath.jsonl"
    content = written(file, "1_1", "1_2", "2_1")
    ends = [place + 1 for place, byte in enumerate(content) if byte == ord("\n")]
    for cut in sorted({0, *range(1, len(content), 7), *(end + near for end in ends for near in (-1, 0, 1))}):
        file.write_bytes(content[:cut])
        with Records(file, HEAD) as kept:
            whole = sum(end <= cut for end in ends)
            assert list(kept.found) == ["1_1", "1_2", "2_1"][: max(0, whole - 1)]
            kept.append([record(name) for name in ("1_1", "1_2", "2_1") if name not in kept.found])
        assert file.read_bytes() == content


@given(TEXT, TEXT, TEXT)
def test_any_text_comes_back(name, response, parsed):
    one = Record(name, name, "", [response], [True], [False], [parsed], ["\u2028\r\n"], 1, response, parsed)
    head, found = lines.parse(json.dumps({"evaluation": HEAD}) + "\n" + one.line(), Path("file"))
    assert head == HEAD and found == {name: one}


@pytest.mark.parametrize(
    ("head", "words"),
    [
        (HEAD | {"model": "abd"}, "was begun with model 'abc', this evaluation has 'abd'; give another --out"),
        (HEAD | {"seed": 1}, "was begun with seed None, this evaluation has 1"),
        ({"model": "abc", "suite": "dynamath"}, "was begun with samples 2, this evaluation has None"),
    ],
)
def test_another_evaluation_is_refused_and_nothing_is_lost(tmp_path, head, words):
    file = tmp_path / "a.jsonl"
    content = written(file, "1")
    with pytest.raises(ValueError, match=words):
        Records(file, head)
    assert file.read_bytes() == content
    Records(file, HEAD).close()


def test_one_process_writes_at_a_time(tmp_path):
    file = tmp_path / "a.jsonl"
    with Records(file, HEAD), pytest.raises(ValueError, match="is being written by another process"):
        Records(file, HEAD)
    Records(file, HEAD).close()


def test_files_of_another_kind_and_doubled_questions_are_named_by_line(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": "1", "response": "A"}\n')
    with pytest.raises(ValueError, match=r"a\.jsonl line 1 must be of an evaluation's records"):
        Records(file, HEAD)
    file.unlink()
    content = written(file, "1")
    file.write_bytes(content + record("1").line().encode())
    with pytest.raises(ValueError, match="line 3 must be of another question, 1 has a line already"):
        Records(file, HEAD)


def test_a_file_without_questions_is_read_and_goes_on(tmp_path):
    """Lines that keep neither question nor right answer hold all that numbers are made of."""
    file = tmp_path / "a.jsonl"
    content = written(file, "1", "2")
    head, *rows = [json.loads(line) for line in content.decode().splitlines()]
    short = [{name: value for name, value in row.items() if name not in ("question", "gold")} for row in rows]
    file.write_text("".join(json.dumps(row) + "\n" for row in [head, *short]))
    with Records(file, HEAD) as kept:
        assert kept.found == {"1": record("1"), "2": record("2")}
        kept.append([record("3")._replace(question="How many?", gold="7")])
    assert [one.gold for one in lines.read(file)[1].values()] == ["", "", "7"]
    file.write_text(json.dumps(head) + "\n" + json.dumps(short[0] | {"mood": "good"}) + "\n")
    with pytest.raises(ValueError, match=r"a\.jsonl line 2 must be of an evaluation's records"):
        lines.read(file)


def test_a_file_that_is_still_written_can_be_read(tmp_path):
    file = tmp_path / "a.jsonl"
    content = written(file, "1", "2")
    file.write_bytes(content[:-5])
    head, found = lines.read(file)
    assert head == HEAD and list(found) == ["1"] and found["1"].responses == ["so it is 4", ""]
