"""The comparison of runs and the heat maps: right numbers in the right cells, whatever is missing."""

import json
from pathlib import Path

import numpy as np
import pytest
from etils import epath

from perc_jax.evaluation.suites import Item, summary
from perc_jax.report.__main__ import main
from perc_jax.report.compare import steps_to
from perc_jax.report.heat import difficulty_section, heat_map_section
from perc_jax.report.page import Evaluation
from perc_jax.report.runs import read_run, write_comparison, write_report
from perc_jax.report.seeds import _mean_suites, difference, mean_run, settings
from perc_jax.statistics import paired_difference, wilson_interval
from tests.report.test_report import check_html, suite, write_config, write_metrics


def cells(accuracy: float) -> dict:
    return {"test_a": {"by": {"cell": {f"grid.count/{level}": {"n": 10, "accuracy": accuracy} for level in (0, 2)}}}}


def made(folder, seed: int, right: int):
    folder.mkdir()
    write_config(folder)
    config = json.loads((folder / "config.json").read_text()) | {"seed": seed}
    (folder / "config.json").write_text(json.dumps(config))
    write_metrics(folder)
    (folder / "eval").mkdir()
    for name, count in (("0_start_000000", 40), ("1_warmup_000003", 40), ("2_rl_000006", right)):
        (folder / "eval" / f"{name}.json").write_text(json.dumps({"test_a": suite([1] * count + [0] * (100 - count))}))
    return str(folder)


def test_runs_stand_side_by_side_with_paired_differences(tmp_path):
    runs = [made(tmp_path / "plain", 0, 60), made(tmp_path / "better", 1, 80)]
    page = check_html(
        (tmp_path / "page.html").read_text() if write_comparison(runs, str(tmp_path / "page.html")) else ""
    )
    assert "<th>seed</th><td>0</td><td>1</td>" in page and "stages[rl]" not in page
    assert "+20.0 [+1" in page and "+0.0 [" in page
    assert '<td class="number">6</td><td class="number">4</td>' in page  # 60 % after 3 + 3 x 20 / 40 steps
    assert page.count("<svg") >= 3


def test_engines_on_which_a_run_falls_behind_the_first_are_named(tmp_path):
    """The second run is better as a whole, and worse on sudoku."""
    runs = [made(tmp_path / name, seed, 60) for seed, name in enumerate(("first", "second"))]
    for run, right in zip(runs, ({"grid": 10, "sudoku": 9}, {"grid": 90, "sudoku": 1}), strict=True):
        items = [Item(engine, "any", 0, place < count) for engine, count in right.items() for place in range(100)]
        (Path(run) / "eval" / "2_rl_000006.json").write_text(json.dumps({"test_a": summary(items)}))
    write_comparison(runs, str(tmp_path / "page.html"))
    page = check_html((tmp_path / "page.html").read_text())
    fell, rose = page.index("second: sudoku on test_a 9 → 1 %"), page.index("second: grid on test_a 10 → 90 %")
    assert fell < rose and "▼" in page[fell - 30 : fell] and "▲" in page[rose - 30 : rose]


def test_runs_that_differ_in_their_seed_alone_are_one_line(tmp_path):
    runs = [made(tmp_path / f"plain_{seed}", seed, right) for seed, right in ((0, 60), (1, 50))]
    runs += [made(tmp_path / f"better_{seed}", seed, right) for seed, right in ((1, 80), (0, 70))]
    for path in runs[2:]:
        config = json.loads((Path(path) / "config.json").read_text()) | {"name": "other"}
        (Path(path) / "config.json").write_text(json.dumps(config))
    found = settings([read_run(epath.Path(path)) for path in runs])
    assert [(setting.name, [run.config["seed"] for run in setting.runs]) for setting in found] == [
        ("plain", [0, 1]),
        ("better", [0, 1]),
    ]
    plain, better = (mean_run(setting) for setting in found)
    before, after = (run.evaluations[-1].suites["test_a"] for run in (plain, better))
    assert (before["accuracy"], after["accuracy"]) == pytest.approx((0.55, 0.75))
    assert before["ci95"][0] < 0.55 < before["ci95"][1]
    paired = difference(before, after)
    assert paired.value == pytest.approx(0.2) and paired.each == pytest.approx((0.1, 0.3))
    assert paired.ci95[0] < 0.2 < paired.ci95[1]
    records = [[{"step": 1, "loss": 1.0}, {"step": 2, "loss": 3.0, "stage": "rl"}], [{"step": 2, "loss": 1.0}]]
    runs_with = [run._replace(records=each) for run, each in zip(found[0].runs, records, strict=True)]
    assert mean_run(found[0]._replace(runs=tuple(runs_with))).records == [{"step": 2, "loss": 2.0}]
    write_comparison(runs, str(tmp_path / "page.html"))
    page = check_html((tmp_path / "page.html").read_text())
    assert "Means over seeds" in page and "+20.0 [" in page and "<small>+10.0, +30.0</small>" in page
    assert "<small>5, 4</small>" in page  # from 40 %: 60 of 70 % after 3 + 3 x 20 / 30 steps, 50 of 80 % after 3.75


def test_intervals_over_seeds_take_questions_for_units_not_answers():
    """Seeds that agree on every question know no more than one of them."""
    once, thrice = ([0, 1] * 50, [1, 1] * 50), 3
    one, many = (
        [{"n": 100, "by_seed": {str(seed): {"correct": answers} for seed in range(seeds)}} for answers in once]
        for seeds in (1, thrice)
    )
    assert difference(*one).ci95 == difference(*many).ci95
    assert difference(*one).seeds == difference(*many).seeds == ()
    assert difference(one[0], many[1]).each == (0.5,) and difference(one[0], many[1]).seeds == ("0",)


def test_an_interval_over_seeds_is_never_a_point():
    """Two seeds that are wrong, or right, everywhere: as sure as so many questions."""
    none, every = ([{"correct": [right] * 40, "asked": []} for _ in range(2)] for right in (0, 1))
    mean = _mean_suites([{"test_a": each} for each in none], ["0", "1"])["test_a"]
    assert list(mean["ci95"]) == list(wilson_interval(0, 40))
    sides = [{"n": 40, "by_seed": dict(enumerate(each))} for each in (none, every)]
    assert difference(sides[0], sides[0]).ci95 == paired_difference(np.zeros(40), np.zeros(40)).ci95
    assert difference(*sides).ci95 == paired_difference(np.zeros(40), np.ones(40)).ci95


def test_intervals_over_seeds_take_rows_on_one_picture_for_one():
    none, every = ([{"correct": [right] * 40, "asked": [], "units": [0, 1] * 20} for _ in "01"] for right in (0, 1))
    mean = _mean_suites([{"mine": each} for each in none], ["0", "1"])["mine"]
    assert list(mean["ci95"]) == list(wilson_interval(0, 2))
    sides = [{"n": 40, "by_seed": dict(enumerate(each))} for each in (none, every)]
    assert difference(*sides).ci95 == paired_difference(np.zeros(2), np.ones(2)).ci95


def configured(folder, **fields) -> str:
    """A run that differs from the others of this module in these fields of its config."""
    config = json.loads((Path(folder) / "config.json").read_text()) | fields
    (Path(folder) / "config.json").write_text(json.dumps(config))
    return str(folder)


def test_only_equal_seeds_are_paired(tmp_path):
    """Seeds 0 and 1 against 1 and 2: the difference is that of seed 1, where there is none."""
    made_of = {("plain", 0): 50, ("plain", 1): 60, ("better", 1): 60, ("better", 2): 70}
    runs = []
    for (name, seed), right in made_of.items():
        runs.append(configured(made(tmp_path / f"{name}_{seed}", seed, right), name=name))
    plain, better = (mean_run(setting) for setting in settings([read_run(epath.Path(path)) for path in runs]))
    paired = difference(*(run.evaluations[-1].suites["test_a"] for run in (plain, better)))
    assert (paired.value, paired.each, paired.seeds) == (0, (0,), ("1",))
    write_comparison(runs, str(tmp_path / "page.html"))
    page = check_html((tmp_path / "page.html").read_text())
    assert "<small>seed 1 alone: +0.0</small>" in page and "+10.0, +10.0" not in page
    runs = [run for run in runs if not run.endswith("_1")] + [
        configured(made(tmp_path / f"{name}_{seed}", seed, 60), name=name)
        for name, seed in (("plain", 3), ("better", 4))
    ]
    plain, better = (mean_run(setting) for setting in settings([read_run(epath.Path(path)) for path in runs]))
    assert difference(*(run.evaluations[-1].suites["test_a"] for run in (plain, better))) is None
    write_comparison(runs, str(tmp_path / "page.html"))
    assert "Means over seeds" in check_html((tmp_path / "page.html").read_text())


def test_runs_that_began_with_the_same_training_under_other_seeds_are_one_line(tmp_path):
    for seed in (0, 1):
        made(tmp_path / f"warm_{seed}", seed, 40)
        configured(made(tmp_path / f"cold_{seed}", seed, 40), name="cold")
    runs = []
    for first, name in (("warm", "rl"), ("cold", "other")):
        for seed in (0, 1):
            origin = f"{tmp_path}/{first}_{seed}@best"
            runs.append(configured(made(tmp_path / f"{name}_{seed}", seed, 60), begin_from=origin))
    read = [read_run(epath.Path(path)) for path in runs]
    assert [setting.name for setting in settings(read)] == ["rl", "other"]
    configured(tmp_path / "rl_1", begin_from=f"{tmp_path}/warm_1@3")  # another checkpoint of it
    assert len(settings([read_run(epath.Path(path)) for path in runs])) == 3
    configured(tmp_path / "rl_1", begin_from=f"{tmp_path}/gone_1@best")  # of which nothing is known
    assert len(settings([read_run(epath.Path(path)) for path in runs])) == 3
    configured(tmp_path / "warm_0", begin_from=f"{tmp_path}/warm_0")  # a circle ends
    assert len(settings([read_run(epath.Path(path)) for path in runs])) == 3


@pytest.mark.parametrize(
    ("first", "second", "row"),
    [
        (
            {"terms": [{"name": "", "weight": 0.2}, {"name": "", "weight": 1.0}]},
            {"terms": [{"name": "", "weight": 0.7}, {"name": "", "weight": 1.0}]},
            "<th>terms[1].weight</th><td>0.2</td><td>0.7</td>",
        ),
        (
            {"tables": [{"path": "a.jsonl"}, {"path": "b.jsonl", "name": "b"}]},
            {"tables": [{"path": "c.jsonl"}, {"path": "b.jsonl", "name": "b"}]},
            "<th>tables[1].path</th><td>a.jsonl</td><td>c.jsonl</td>",
        ),
        (
            {"parts": [{"name": "a", "n": 1}, {"name": "a", "n": 2}]},
            {"parts": [{"name": "a", "n": 3}, {"name": "a", "n": 2}]},
            "<th>parts[1].n</th><td>1</td><td>3</td>",
        ),
        (
            {"parts": [{"name": "a"}, {"name": "b"}]},
            {"parts": [{"name": "b"}, {"name": "a"}]},
            "<th>parts</th><td>a, b</td><td>b, a</td>",
        ),
        ({"parts": ["a, b"]}, {"parts": ["a", "b"]}, "<th>parts</th><td>a, b</td><td>a, b</td>"),
        ({"rate": 1}, {"rate": "1"}, "<th>rate</th><td>1</td><td>1</td>"),
        ({"part": {}}, {}, "<th>part</th><td>{}</td><td>–</td>"),
        ({"parts": []}, {}, "<th>parts</th><td></td><td>–</td>"),
    ],
)
def test_any_difference_between_configs_is_told(tmp_path, first, second, row):
    for name, fields in (("a", first), ("b", second)):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name)
        configured(tmp_path / name, **fields)
    write_comparison([str(tmp_path / "a"), str(tmp_path / "b")], str(tmp_path / "page.html"))
    page = check_html((tmp_path / "page.html").read_text())
    assert row in page and "The configs are equal" not in page and page.count("<tr><th>") == 2  # and the head


def test_a_first_run_without_a_suite_or_an_evaluation_is_told(tmp_path):
    first, second = made(tmp_path / "first", 0, 60), made(tmp_path / "second", 1, 80)
    for file in (tmp_path / "second" / "eval").iterdir():
        file.write_text(json.dumps(json.loads(file.read_text()) | {"test_b": suite([1, 0])}))
    write_comparison([first, second], str(tmp_path / "page.html"))
    page = check_html((tmp_path / "page.html").read_text())
    assert "first, which the others are compared with, has no evaluation of test_b." in page
    assert "reaches 60.0 % at step" in page and "reaches 50.0 % at step" not in page
    write_comparison([second, first], str(tmp_path / "page.html"))  # the other way round
    assert '<td class="number">0</td><td class="number">–</td>' in check_html((tmp_path / "page.html").read_text())
    for file in (tmp_path / "first" / "eval").iterdir():
        file.unlink()
    write_comparison([first, second], str(tmp_path / "page.html"))
    page = check_html((tmp_path / "page.html").read_text())
    assert all(f"has no evaluation of {name}." in page for name in ("test_a", "test_b")) and "reaches" not in page


def test_equal_runs_without_evaluations_are_compared_too(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_config(tmp_path / name)
    write_comparison([str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "a")], str(tmp_path / "page.html"))
    page = check_html((tmp_path / "page.html").read_text())
    assert "The configs are equal" in page and "No evaluation yet" in page and "No steps yet" in page


def test_steps_to_an_accuracy_are_those_after_which_it_stays():
    reached = [(0, 0.2), (10, 0.6), (20, 0.4), (30, 0.8)]
    seen = [Evaluation(1, "rl", step, {"test_a": {"accuracy": accuracy}}) for step, accuracy in reached]
    assert steps_to(seen, "test_a", 0.5) == pytest.approx(22.5)
    assert steps_to(seen, "test_a", 0.1) == 0 and steps_to(seen, "test_a", 0.9) is None
    assert steps_to([], "test_a", 0.5) is None


def test_the_heat_map_has_a_type_per_row_and_before_and_after_in_each_level():
    evaluations = [
        Evaluation(0, "start", 0, cells(0.0)),
        Evaluation(1, "warmup", 5, cells(0.25)),
        Evaluation(2, "rl", 7, cells(0.4), is_end=False),
        Evaluation(2, "rl", 9, cells(0.75)),
    ]
    section = check_html(heat_map_section(evaluations, ["grid"]))
    assert "level 0" in section and "level 2" in section and "level 1" not in section
    assert section.count(">25<small>n 10<") == section.count(">75<small>n 10<") == 2 and ">40<" not in section
    assert section.count('class="tint rose"') == 2 and "fell" not in section.replace(
        "cell fell", ""
    )  # 25 to 75 % of 10
    assert heat_map_section(evaluations[:1], []) == "" and heat_map_section([], []) == ""


def test_difficulty_over_time_shows_rates_and_what_is_drawn_more():
    phases = [
        {
            "step": 10 * number, "stage": "rl", "cells": ["grid.count/0", "cube.view/1"],
            "rate": [None if number == 0 else 0.5, 0.1], "share": [0.5, 0.5] if number == 0 else [0.9, 0.1],
            "kind": ["new", "hard"], "groups": [3, 4],
        }
        for number in range(20)
    ]  # fmt: skip
    section = check_html(difficulty_section(phases, ["cube", "grid"]))
    assert section.index("cube.view, level 1") < section.index("grid.count, level 0")
    assert section.count(">50</td>") == 11 and section.count('class="tint drawn"') == 11 and "<th>190</th>" in section
    assert difficulty_section(phases[:1], []) == ""


def test_a_run_with_phases_shows_them(tmp_path):
    folder = tmp_path / "run"
    made(folder, 0, 60)
    (folder / "curriculum").mkdir()
    phase = {"stage": "rl", "cells": ["grid.count/0"], "rate": [0.5], "share": [1.0], "kind": ["band"], "groups": [3]}
    for number in (0, 1):
        (folder / "curriculum" / f"{number:06d}_rl_{number}.json").write_text(json.dumps({"step": number} | phase))
    page = check_html(Path(write_report(str(folder))).read_text())
    assert "Difficulty over time" not in page  # no curriculum steers this run
    config = json.loads((folder / "config.json").read_text())
    config["stages"][1]["mixture"] = {"curriculum": {"kind": "stratified"}}
    (folder / "config.json").write_text(json.dumps(config))
    assert "Difficulty over time" in Path(write_report(str(folder))).read_text()


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "RUN must be the folder of a run, got none"),
        (("a", "--workdir", "b"), "--workdir must be left out where RUN is given, got 'b'"),
        (
            ("a", "--out", "x.html"),
            "--out must be left out for a single run, whose page is its report.html, got 'x.html'",
        ),
        (("a", "b"), "--out must be the file of the comparison of 2 runs, got none"),
        (("a", "b", "--out", "c.html", "--picture", "d.png"), "--picture must be left out for 2 runs, got 'd.png'"),
        (("--workdir", "a", "--out", "b"), "--out must be left out"),
        (("--workdir", "nowhere"), "--workdir must be the folder of a run, got 'nowhere'"),
        (("nowhere",), "RUN must be the folder of a run, got 'nowhere'"),
        (("nowhere", "neither", "--out", "x.html"), "RUN must be the folder of a run, got 'nowhere'"),
        (("tests", "tests", "--out", "x.html"), "RUN must be the folder of a run, got 'tests', which has neither"),
    ],
)
def test_mistakes_are_told(words, complaint, capsys):
    with pytest.raises(SystemExit) as end:
        main(list(words))
    assert end.value.code == 2 and complaint in capsys.readouterr().err


def test_evaluations_within_a_stage_are_told_from_its_end(tmp_path):
    folder = tmp_path / "run"
    made(folder, 0, 60)
    (folder / "eval" / "1_warmup_000002.json").write_text(json.dumps({"test_a": suite([1] * 10)}))
    (folder / "eval" / "2_rl_000005.json").write_text(json.dumps({"test_a": suite([1] * 10)}))
    found = {e.step: e.is_end for e in read_run(epath.Path(folder)).evaluations}
    assert found == {0: True, 2: False, 3: True, 5: False, 6: True}
    (folder / "eval" / "2_rl_000006.json").unlink()  # the run is in the middle of its last stage
    assert not read_run(epath.Path(folder)).evaluations[-1].is_end
    (folder / "config.json").unlink()
    assert read_run(epath.Path(folder)).evaluations[-1].is_end
