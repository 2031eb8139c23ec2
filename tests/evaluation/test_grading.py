"""Grading: buckets by hand, intervals that cover, fits that find a slope, and the command on a run's model."""

import dataclasses
import json

import numpy as np
import pytest

from configs.smoke_cpu import get_config
from perc_jax.config import MixtureConfig, TableConfig, to_dict
from perc_jax.data import streams
from perc_jax.data.curriculum import Cell, graded_cells
from perc_jax.data.listed import of_mixture
from perc_jax.data.tables.graded import DIFFICULTIES, difficulty
from perc_jax.data.tables.table import open_table
from perc_jax.evaluation import grading
from perc_jax.evaluation.grading import cells_asked, fit_levels, rate_interval, summary
from perc_jax.grade import _levels, main
from perc_jax.records.lines import Record
from perc_jax.statistics import wilson_interval
from tests.benchmarks.folders import WRITERS


def record(name: str, right: int, k: int = 4) -> Record:
    correct = [place < right for place in range(k)]
    return Record(name, name, "print", ["x"] * k, [True] * k, correct, ["x"] * k, ["y"] * k)


def test_buckets_are_all_some_and_none():
    assert [difficulty([place < right for place in range(8)]) for right in (8, 7, 1, 0)] == [
        "easy", "medium", "medium", "hard",
    ]  # fmt: skip


def test_a_summary_is_as_by_hand():
    names = [f"train/grid/locate/{level}/{index}" for level in (0, 1) for index in (7, 8)]
    found = summary([record(name, right) for name, right in zip(names, (4, 2, 1, 0), strict=True)], 4)
    assert found["questions"] == 4 and found["pass_rate"] == pytest.approx(7 / 16)
    assert {name: found[name] for name in DIFFICULTIES} == {"easy": 1, "medium": 2, "hard": 1}
    assert found["cells"]["grid.locate/0"]["pass_rate"] == 0.75 and found["lists"]["hard"] == [names[3]]
    assert found["fits"]["grid.locate"]["slope"] < 0
    lines = grading.lines(found)
    rates = [line for line in lines if "%  [" in line]
    assert [line.split("  ")[0] for line in rates] == [
        "grid.locate/0", "grid.locate/1", "all of level 0", "all of level 1", "all",
    ]  # fmt: skip
    assert rates == lines[-5:] and " 43.8 %" in lines[-1] and lines[-1].endswith("4")  # the last word is the pass rate
    assert found["levels"]["1"]["pass_rate"] == pytest.approx(1 / 8)


@pytest.mark.parametrize(("right", "words"), [(0, "no answer is right"), (4, "every answer is right")])
def test_a_slope_is_claimed_only_where_there_is_something_to_fit(right, words):
    found = summary([record(f"train/grid/locate/{level}/{index}", right) for level in (0, 1) for index in (7, 8)], 4)
    lines = grading.lines(found)
    assert not any("+0.00" in line for line in lines) and sum(words in line for line in lines) == 2
    assert f"{25 * right:.1f} %" in lines[-1]


def test_other_questions_are_one_cell_and_unasked_ones_are_counted():
    found = summary([record("17", 4), record("a/b/c/d/e", 0), Record("18", "18", "print", reason=("not asked",))], 4)
    assert list(found["cells"]) == ["all questions"] and found["not_asked"] == 1 and found["fits"] == {}
    assert summary([], 4)["questions"] == 0


def test_questions_on_one_picture_count_as_one():
    """Five on each of four pictures, never right: as sure as four questions."""
    made = [
        Record(f"q{number}", f"picture {number % 4}", "p", ["x"] * 8, [True] * 8, [False] * 8, [None] * 8, ["no"] * 8)
        for number in range(20)
    ]
    assert summary(made, 8)["ci95"] == list(wilson_interval(0, 4))
    alone = [one._replace(unit=one.id) for one in made]
    assert summary(alone, 8)["ci95"] == list(rate_interval(np.zeros(20), 8))


def test_intervals_cover_the_truth_where_answers_to_a_question_are_alike():
    rng, inside, narrow = np.random.default_rng(0), 0, 0
    for _ in range(300):
        rates = rng.binomial(8, rng.beta(0.6, 0.9, size=40)) / 8
        low, high = rate_interval(rates, 8)
        inside += low <= 0.4 <= high
        n, p = 320, rates.mean()
        narrow += abs(p - 0.4) <= 1.96 * (p * (1 - p) / n) ** 0.5
    assert inside / 300 > 0.92 > 0.8 > narrow / 300  # answers taken for independent would promise too much
    assert rate_interval(np.zeros(5), 8)[1] > 0.3 and rate_interval(np.ones(5), 8)[0] < 0.7


@pytest.mark.parametrize("slope", [-1.0, -0.3, 0.0, 0.5])
def test_a_fit_finds_the_slope_within_its_interval(slope):
    rng, inside, found = np.random.default_rng(1), 0, []

    def drawn(questions: int) -> grading.Fit:
        """Questions of a level differ: the slope of their mean is flatter than that of each."""
        levels = np.repeat(np.arange(5.0), questions)
        chance = 1 / (1 + np.exp(-(0.5 + slope * (levels - 2) + rng.normal(0, 1, len(levels)))))
        return fit_levels(levels, rng.binomial(8, chance) / 8, 8)

    true = drawn(20_000).slope
    for _ in range(100):
        fit = drawn(30)
        found.append(fit.slope)
        inside += fit.ci95[0] <= true <= fit.ci95[1]
    assert inside >= 88 and np.mean(found) == pytest.approx(true, abs=0.05)
    assert abs(true) == pytest.approx(0.8 * abs(slope), abs=0.1)


def test_a_fit_stays_finite_where_levels_part_the_answers_cleanly():
    fit = fit_levels(np.array([0.0, 0, 1, 1]), np.array([1.0, 1, 0, 0]), 8)
    assert -20 < fit.slope < -2 and fit.half_level == pytest.approx(0.5)
    assert fit_levels(np.zeros(4), np.ones(4), 8) is None


def test_cells_are_named_by_engine_and_type():
    assert cells_asked(["grid.locate"], [2, 0]) == [Cell("grid", "locate", 2), Cell("grid", "locate", 0)]
    assert len(cells_asked(["cube"], [1])) == 16 and len(cells_asked([], [0])) > 100
    with pytest.raises(
        ValueError, match=r"--types must name engines, or trained types as engine.type, got 'grid.nest'"
    ):
        cells_asked(["grid.nest"], [0])
    assert _levels("3,1,3") == [3, 1]
    with pytest.raises(ValueError, match=r"--levels must be whole numbers within 0..9"):
        _levels("1,x")


def test_a_grading_draws_its_cells_in_turn_and_the_same_from_anywhere():
    config = get_config()
    config = dataclasses.replace(
        config,
        data=dataclasses.replace(config.data, workers=0),
        evaluation=dataclasses.replace(config.evaluation, batch=4),
    )
    cells = (Cell("grid", "grid_size", 0), Cell("cube", "extreme_colour", 3), Cell("grid", "grid_size", 1))
    with streams.grading(config, cells, 10) as stream:
        whole = [info for batch in stream for info in batch.samples]
    for place, info in enumerate(whole[:10]):
        assert Cell(info.engine, info.question_type, info.level) == cells[place % 3] and info.split == "train"
    with streams.grading(config, cells, 10, 4) as stream:
        assert [info.sample_id for batch in stream for info in batch.samples] == [i.sample_id for i in whole[4:]]
    assert streams.why_unfit(config, cells[0]) == ""
    assert "not legible at 112 px" in streams.why_unfit(config, Cell("chart", "axis_step", 9))
    narrow = dataclasses.replace(config, data=dataclasses.replace(config.data, max_prompt_tokens=32))
    assert "data buckets must fit" in streams.why_unfit(narrow, cells[0])


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--rollouts", "0"), "--rollouts must be >= 1, got 0"),
        (("--seed", "-1"), "--seed must be within 0..4294967295, got -1"),
        (("--seed", "4294967296"), "--seed must be within 0..4294967295, got 4294967296"),
        (("--temperature", "0"), "--temperature must be within 0.01..10, got 0.0"),
        (("--top-p", "0"), "--top-p must be within 0.01..1, got 0.0"),
        (("--out", "x.json"), "--out must be a local file that ends in .jsonl, got 'x.json'"),
        (("--source", "engine"), "--source must be one of engines, "),
    ],
)
def test_mistakes_are_told_before_anything_is_loaded(words, complaint, capsys):
    with pytest.raises(SystemExit) as end:
        main(["--model", "nowhere", "--out", "x.jsonl", *words])
    assert end.value.code == 2 and complaint in capsys.readouterr().err


def test_a_grading_of_a_run_is_resumable_and_seeds_a_curriculum(reference_run, tmp_path, capsys):
    out = tmp_path / "g.jsonl"
    how = ["--model", str(reference_run.workdir), "--types", "grid.grid_size,cube.extreme_colour", "--levels", "0,1"]
    how += ["--questions", "2", "--rollouts", "3", "--batch", "8", "--out", str(out)]
    main(how)
    table = capsys.readouterr().out
    result, whole = json.loads(out.with_suffix(".json").read_text()), out.read_text()
    assert result["questions"] == 8 and len(result["cells"]) == 4 and "grid.grid_size/1" in table
    assert len(whole.splitlines()) == 9
    out.write_text("".join(whole.splitlines(keepends=True)[:4])[:-20])  # killed while it wrote the third answer
    main(how)
    assert out.read_text() == whole and json.loads(out.with_suffix(".json").read_text()) == result
    assert graded_cells(out)[Cell("cube", "extreme_colour", 1)][0] == 6
    size_px, names = get_config().data.image_px, result["lists"]
    for kind in [kind for kind in DIFFICULTIES if names[kind]]:
        mixture = MixtureConfig(("grid", "cube"), (1.0, 1.0), levels=(0, 1), difficulty=kind, grade=str(out))
        drawn = of_mixture(mixture, size_px).names
        assert sorted("train/" + "/".join(map(str, name)) for name in drawn) == sorted(names[kind])
    with pytest.raises(SystemExit):
        main([*how, "--seed", "1"])
    assert "was begun with seed 0" in capsys.readouterr().err
    assert to_dict(get_config())["stages"][1]["mixture"]["curriculum"]["grade"] == ""


def test_a_benchmark_is_graded_by_its_own_rules(reference_run, tmp_path, capsys):
    WRITERS["mmstar"](tmp_path / "mmstar")
    out = tmp_path / "g.jsonl"
    how = ["--model", str(reference_run.workdir), "--source", "mmstar", "--data", str(tmp_path), "--rollouts", "2"]
    main([*how, "--max-tokens", "4", "--out", str(out)])
    result = json.loads(out.with_suffix(".json").read_text())
    assert result["questions"] == len(out.read_text().splitlines()) - 1 > 0 and result["fits"] == {}
    assert list(result["cells"]) == ["all questions"] and "all questions" in capsys.readouterr().out
    assert sum(len(ids) for ids in result["lists"].values()) == result["questions"]


def test_a_table_is_graded_and_drawn_by_difficulty(reference_run, tmp_path):
    rows = [{"question": f"What is {n} + {n}?", "answer": 2 * n} for n in range(5)] + [{"question": "Broken"}]
    table, out = tmp_path / "sums.jsonl", tmp_path / "g.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    how = ["--model", str(reference_run.workdir), "--source", str(table), "--rollouts", "2", "--max-tokens", "4"]
    main([*how, "--temperature", "1.2", "--top-p", "0.99", "--out", str(out)])
    result = json.loads(out.with_suffix(".json").read_text())
    assert result["questions"] == 5 and result["not_asked"] == 1
    with pytest.raises(SystemExit):
        main([*how, "--temperature", "1.2", "--top-p", "0.9", "--out", str(out)])
    hard = TableConfig(str(table), difficulty="hard", grade=str(out))
    assert open_table(hard).names() == result["lists"]["hard"] != []
