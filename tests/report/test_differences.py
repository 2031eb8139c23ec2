"""What got worse is shown as plainly as what got better: groups, intervals, counts, one scale of tints."""

import json
import random
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_jax.evaluation import suites
from perc_jax.report import grids, seeds
from perc_jax.report.differences import changes, changes_section, compare, group_of
from perc_jax.report.page import Evaluation, engine_order
from perc_jax.report.runs import write_report
from perc_jax.report.tables import breakdown_section
from perc_jax.statistics import independent_difference, paired_difference, wilson_interval
from tests.report.test_report import check_html, write_config, write_metrics, write_samples

N = 40
BEFORE, AFTER = {"grid": 5, "sudoku": 9}, {"grid": 30, "sudoku": 1}  # right ones of N


def result(right: dict[str, int], seed: int = 0) -> dict:
    """A suite's result; the engines' questions come mixed, always in the same order."""
    items = [suites.Item(name, "any", place % 2, place < count) for name, count in right.items() for place in range(N)]
    random.Random(seed).shuffle(items)
    return suites.summary(items)


def evaluations(suite: str = "test_b") -> list[Evaluation]:
    return [
        Evaluation(0, "start", 0, {suite: result({"grid": 0, "sudoku": 0})}),
        Evaluation(1, "warmup", 3, {suite: result(BEFORE)}),
        Evaluation(2, "rl", 6, {suite: result(AFTER)}),
    ]


def by_name(found):
    return {(change.kind, change.name): change for change in found}


def test_groups_are_compared_question_by_question_where_it_is_known_which_are_theirs():
    before, after = result(BEFORE), result(AFTER)
    found = by_name(changes({"test_b": before}, {"test_b": after}))
    sudoku, grid = found["engine", "sudoku"], found["engine", "grid"]
    rows = [[int(place < right["sudoku"]) for place in range(N)] for right in (BEFORE, AFTER)]
    assert sudoku.ci95 == paired_difference(*map(np.array, rows)).ci95
    assert (sudoku.n, sudoku.difference) == (N, pytest.approx(-8 / N)) and sudoku.fell and not sudoku.rose
    assert grid.rose and found["suite", ""].rose and found["type", "sudoku.any"].fell
    assert sudoku.words().startswith("sudoku on test_b 22 → 2 %, -20.0 [")
    for side in (before, after):
        del side["asked"]  # files of a run that did not keep it
    wider = by_name(changes({"test_b": before}, {"test_b": after}))["engine", "sudoku"]
    assert wider.ci95 == independent_difference(9, N, 1, N) and wider.ci95[1] > sudoku.ci95[1]


def test_other_questions_are_not_taken_for_the_same():
    """As many of another engine and level: no pair, in the list of changes, between seeds or within them."""
    cells = (["grid.size/0"] * 4, ["cube.count/3"] * 4)
    first, second = (
        {"n": 4, "accuracy": 0.5, "by": {}, "correct": right, "asked": asked}
        for right, asked in zip(([1, 1, 0, 0], [0, 0, 1, 1]), cells, strict=True)
    )
    assert compare(first, second) is None and compare(first, first | {"correct": [0, 0, 1, 1]})
    assert seeds.difference(first, second) is None
    [change] = changes({"a": first}, {"a": second}, ("suite",))
    assert change.ci95 == independent_difference(2, 4, 2, 4)
    sides = [{"n": 4, "by_seed": {"0": side, "1": side}} for side in (first, second)]
    assert seeds.difference(*sides) is None and seeds.difference(sides[0], sides[0]).value == 0
    old = [{name: value for name, value in side.items() if name != "asked"} for side in (first, second)]
    assert compare(*old).difference == 0  # of before it was kept


def test_groups_of_a_cell():
    assert [group_of("grid.count/3", kind) for kind in ("engine", "type", "level")] == ["grid", "grid.count", "3"]


def test_suites_that_one_side_lacks_and_empty_groups_are_left_out():
    assert changes({}, {"test_a": result(AFTER)}) == []
    assert by_name(changes({"a": result({"grid": 3})}, {"a": result(AFTER)})).keys() >= {("engine", "grid")}
    assert ("engine", "sudoku") not in by_name(changes({"a": result({"grid": 3})}, {"a": result(AFTER)}))
    assert changes_section(evaluations()[:1]) == changes_section([]) == ""


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_independent_differences_hold_the_difference_and_turn_round_with_it(n, m, data):
    first, second = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    low, high = independent_difference(first, n, second, m)
    assert -1 - 1e-9 <= low <= second / m - first / n + 1e-9 and second / m - first / n - 1e-9 <= high <= 1 + 1e-9
    assert independent_difference(second, m, first, n) == pytest.approx((-high, -low))


def test_an_independent_difference_as_published():
    """Newcombe 1998, table II, row (a), method 10: 56/70 - 48/80."""
    assert independent_difference(48, 80, 56, 70) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_losses_stand_beside_gains():
    section = check_html(changes_section(evaluations()))
    worse, better = section.index("Got worse: "), section.index("Got better: ")
    assert worse < section.index("test_b, sudoku<") < better < section.index("test_b, grid<")
    assert "22 → 2 %<small>n 40</small>" in section and '<b class="bad">▼ -20.0</b>' in section
    still = [evaluations()[0], evaluations()[0]._replace(order=1, step=3)]
    assert "Got worse: 0" in changes_section(still) and section.count("Nothing beyond its interval") == 0


def test_the_tables_by_group_hold_n_interval_and_change():
    section = check_html(breakdown_section(evaluations(), ["sudoku", "grid"]))
    assert section.index("<th>sudoku</th>") < section.index("<th>grid</th>")
    row = section[section.index("<th>sudoku</th>") : section.index("<th>grid</th>")]
    low, high = wilson_interval(1, N)
    assert f'<td class="number">{N}</td>' in row and f"2<small>{100 * low:.0f} to {100 * high:.0f}</small>" in row
    assert "▼ -20.0" in row
    assert breakdown_section([], []) == ""
    assert "change" not in breakdown_section(evaluations()[:1], []).replace("Change", "")


def written(folder, suite: str = "test_b", **more) -> str:
    write_config(folder)
    write_metrics(folder)
    write_samples(folder)
    config = json.loads((folder / "config.json").read_text()) | more
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "eval").mkdir()
    for one in evaluations(suite):
        file = folder / "eval" / f"{one.order}_{one.stage}_{one.step:06d}.json"
        file.write_text(json.dumps(one.suites))
    return check_html(Path(write_report(str(folder))).read_text())


def test_an_equal_share_has_an_equal_tint_everywhere_on_the_page(tmp_path):
    text = written(tmp_path)
    tints: dict[str, set[str]] = {}
    for style, share in re.findall(r'style="(--share:[^"]+)"[^>]*>(\d+)<', text):
        tints.setdefault(share, set()).add(style)
    assert len(tints) > 4 and "background:rgba" not in text
    assert all(abs(float(style.removeprefix("--share:")) - int(share) / 100) <= 0.0051 for share in tints
               for style in tints[share])  # fmt: skip
    assert grids.tinted(0.97).style == "--share:0.970" and "--share:0.25" in grids.scale()


def test_the_head_of_the_page_says_what_fell_and_where_the_run_comes_from(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    write_config(tmp_path)
    text = written(tmp_path)
    head = text[: text.index("<h2>")]
    assert "1 ▲" in head and '<span class="sign bad">1 ▼</span>' in head and "worst: sudoku on test_b 22 → 2 %" in head
    found = json.loads((tmp_path / "eval" / "1_warmup_000003.json").read_text())
    for file in (tmp_path / "eval").iterdir():
        file.write_text(json.dumps(found))
    write_report(str(tmp_path))
    head = (tmp_path / "report.html").read_text().partition("<h2>")[0]
    assert "none surely" in head and "0 ▲" not in head
    facts = {"command": "python -m perc_jax.train --seed 3", "commit": "abc & more", "jax": "0.10.2"}
    (tmp_path / "run.json").write_text(json.dumps(facts))
    write_report(str(tmp_path))
    head = (tmp_path / "report.html").read_text().partition("<h2>")[0]
    assert "<code>python -m perc_jax.train --seed 3</code>" in head and "<code>abc &amp; more</code>" in head
    assert "Whole config" in text


def test_what_a_curriculum_measures_is_shown_only_where_there_is_one(tmp_path):
    for name, kind in (("plain", "none"), ("steered", "stratified")):
        folder = tmp_path / name
        folder.mkdir()
        stages = [{"name": "rl", "kind": "grpo", "steps": 2, "mixture": {"curriculum": {"kind": kind}}}]
        (folder / "config.json").write_text(json.dumps({"stages": stages}))
        lines = [{"step": step, "stage": "rl", "curriculum/cells/hard": step, "curriculum/band_share": 0.1 * step,
                  "train/loss": 0.1} for step in (1, 2)]  # fmt: skip
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        text = Path(write_report(str(folder))).read_text()
        assert ("Cells by difficulty" in text) == ("In the band" in text) == (kind != "none")
        assert kind != "none" or "curriculum/" not in text.partition("Whole config")[0]
    assert engine_order({}) == []


def test_answers_on_a_test_set_have_no_columns_of_dashes(tmp_path):
    write_config(tmp_path)
    (tmp_path / "samples").mkdir()
    answer = {"text": "7", "parsed": "7", "reward": 1.0, "accuracy": 1.0, "well_formed": True, "ended": True}
    for name, advantage in (("000001_eval_rl", None), ("000002_rl", 0.5)):
        sheet = [{"engine": "grid", "question": "How many?", "answers": [answer | {"advantage": advantage}]}]
        (tmp_path / "samples" / f"{name}.json").write_text(json.dumps(sheet))
    text = check_html(Path(write_report(str(tmp_path))).read_text())
    trained, asked = text[text.index("rl, step 2") :].split("eval rl, step 1")
    assert "advantage</th>" in trained and "+0.50" in trained
    assert "advantage" not in asked.partition("<h2>")[0] and "–</td>" not in asked.partition("<h2>")[0]


def test_on_a_narrow_screen_every_cell_of_the_main_table_has_its_heading(tmp_path):
    text = written(tmp_path)
    main = text[text.index("<h2>Accuracy</h2>") : text.index("<h2>Better")]
    assert 'class="cards' in main
    assert re.findall(r'data-label="([^"]*)"', main) == [
        "at the start, step 0", "after warmup, step 3", "change", "after rl, step 6", "change",
    ]  # fmt: skip
    css = text[text.index("max-width: 640px") : text.index("@media print")]
    assert "attr(data-label)" in css and ".swipe { display: block; }" in css
    many = [Evaluation(n, f"stage{n}", n, {"test_a": result(AFTER)}) for n in range(5)]
    assert "swipe it sideways" in breakdown_section(many, []) and "swipe" not in breakdown_section(many[:3], [])
