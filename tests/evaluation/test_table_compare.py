"""Two exams on a user's table, before and after a run, compared row by row by the command."""

import json

import numpy as np
import pytest
from PIL import Image

from perc_jax import compare as command
from perc_jax import statistics
from perc_jax.config import TableConfig
from perc_jax.data import table_prompts
from perc_jax.evaluation import compare
from perc_jax.evaluation.suites import Item, summary
from perc_jax.evaluation.table_exam import TableExam
from perc_jax.records.lines import Records
from perc_jax.report.differences import changes
from tests.evaluation.test_evaluating import CONFIG, READER, Oracle, examiner
from tests.run.test_rewarded import Here

ROWS = [{"question": f"What is {number} + 0?", "answer": str(number)} for number in range(9)]


@pytest.fixture
def ask(tmp_path):
    """Asks a table of rows, of which some are answered rightly, and keeps the records in a folder."""

    def ask(side: str, right: set[int], rows=tuple(ROWS)) -> dict:
        (tmp_path / "mine.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        table_prompts.opened.cache_clear()  # as in another process
        exam = TableExam(CONFIG, TableConfig(str(tmp_path / "mine.jsonl")), READER, Here())

        def answer(name: str, k: int, light: float) -> str:
            number = json.loads(rows[int(name.partition(":")[2]) - 1]["answer"])
            return rf"<answer>\boxed{{{number if number in right else number + 1}}}</answer>"

        head = {"model": side, **exam.head(), "samples": 1, "temperature": 0.0}
        with Records(tmp_path / side / "mine.jsonl", head) as kept:
            found = examiner(Oracle(answer)).ask(exam, kept)
        return {name: record.correct[0] for name, record in found.items()}

    return ask


def test_two_exams_of_one_table_are_compared_row_by_row(ask, tmp_path, capsys):
    before, after = ask("before", {0, 1}), ask("after", {1, 2, 3, 4, 5, 6, 7})
    assert (sum(before.values()), sum(after.values()), len(before)) == (2, 7, 9)
    command.main([str(tmp_path / "before"), str(tmp_path / "after"), "--json", str(tmp_path / "found.json")])
    told = capsys.readouterr()
    assert "22.2 % ->  77.8 %  +55.6" in told.out and "n = 9, 6 gained, 1 lost" in told.out and not told.err
    [(name, found)] = json.loads((tmp_path / "found.json").read_text()).items()
    assert (name, found["test"], found["differ_in"]) == ("mine", "exact McNemar", ["model"])
    assert found["p_value"] == pytest.approx(2 * (1 + 7) / 2**7) and found["ci95"][0] > 0


def test_rows_on_one_picture_count_as_one(ask, tmp_path, capsys):
    """Three questions on each of six pictures, all gained: as sure as six questions."""
    for number in range(6):
        Image.new("RGB", (56, 56), (40 * number, 0, 0)).save(tmp_path / f"{number}.png")
    rows = [
        {"question": f"<image>What is {number} + 0?", "answer": str(number), "images": [f"{number // 3}.png"]}
        for number in range(18)
    ]
    ask("before", set(), rows)
    ask("after", set(range(18)), rows)
    command.main([str(tmp_path / "before"), str(tmp_path / "after"), "--json", str(tmp_path / "found.json")])
    found = json.loads((tmp_path / "found.json").read_text())["mine"]
    assert found["test"] == "sign flips of 6 units" and found["p_value"] == pytest.approx(2 / 2**6)


def test_of_a_table_that_has_changed_the_same_rows_are_compared(ask, tmp_path, capsys):
    """A new first row moves all others, and none is compared with another in its line; a new last row moves none."""
    ask("before", {0, 1})
    ask("after", {0, 1, 2}, (*ROWS, {"question": "New?", "answer": "7"}))
    command.main([str(tmp_path / "before"), str(tmp_path / "after")])
    told = capsys.readouterr()
    assert "n = 9, 1 gained, 0 lost, 1 asked of one only" in told.out and "table " in told.err
    ask("moved", {0, 1, 2}, ({"question": "New?", "answer": "7"}, *ROWS))
    with pytest.raises(SystemExit):
        command.main([str(tmp_path / "before"), str(tmp_path / "moved")])
    assert "must have answered a question, got none in common" in capsys.readouterr().err


def test_a_run_s_own_evaluations_of_a_table_are_compared_pairwise():
    """What the report's table of changes and its list of what rose and fell are made from."""
    before, after = ({"mine": {"n": 9, "accuracy": sum(side) / 9, "correct": side, "by": {}}} for side in SIDES)
    [change] = changes(before, after, ("suite",))
    assert change.words().startswith("mine 22 → 78 %, +55.6 [") and (change.suite, change.n) == ("mine", 9)
    turned = {"mine": after["mine"] | {"correct": sorted(SIDES[1], reverse=True)}}  # of which none is lost
    assert changes(before, turned, ("suite",))[0].ci95 != change.ci95  # by row, not by counts


def test_rows_on_one_picture_count_as_one_in_a_run_s_own_evaluations(tmp_path):
    """Three rows on each of six pictures, all gained: as sure as six questions, in the report and in the command."""
    items = [[Item("mine", "number", 0, right, (), 1 + place // 3) for place in range(18)] for right in (False, True)]
    before, after = ({"mine": summary(side)} for side in items)
    found = changes(before, after, ("suite", "type"))
    six = statistics.paired_difference(np.zeros(6), np.ones(6)).ci95
    assert [change.ci95 for change in found] == [six, six] and [change.n for change in found] == [18, 18]
    old = {name: value for name, value in before["mine"].items() if name != "units"}
    assert changes({"mine": old}, after, ("suite",))[0].ci95 == six  # the other side knows
    assert changes({"mine": old}, {"mine": {**after["mine"], "units": list(range(18))}}, ("suite",))[0].ci95 != six
    folders = [tmp_path / side for side in "ab"]
    for folder, content in zip(folders, (before, after), strict=True):
        (folder / "eval").mkdir(parents=True)
        (folder / "eval" / "1.json").write_text(json.dumps(content))
    sides = compare.sides("x", *(folder / "eval" / "1.json" for folder in folders))["mine"]
    found = compare.compare(*sides)
    assert found["test"] == "sign flips of 6 units" and found["p_value"] == pytest.approx(2 / 2**6)
    assert found["ci95"] == list(six) and not any("same picture" in words for words in found["warnings"])
    for folder in folders:
        (folder / "eval" / "1.json").write_text(json.dumps({"mine": old}))
    sides = compare.sides("x", *(folder / "eval" / "1.json" for folder in folders))["mine"]
    told = "which rows of mine show the same picture is not known, and they are taken as independent"
    assert told in compare.compare(*sides)["warnings"]


SIDES = [[1, 1, 0, 0, 0, 0, 0, 0, 0], [0, 1, 1, 1, 1, 1, 1, 1, 0]]
