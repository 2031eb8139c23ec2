"""Questions that belong together are not independent: intervals by problems, sets and seeds, and what a mode counts."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from perc_jax import statistics
from perc_jax.benchmarks import BENCHMARKS, base, files
from perc_jax.benchmarks.base import Item, Problem, Scored
from perc_jax.evaluation import compare, evaluating, scoring
from perc_jax.statistics import wilson_interval


def item(name: str, right: bool, **meta: str) -> Item:
    return Item(Problem(name, "?", (), "yes", "choice", meta=meta), Scored(right, "yes", "because"))


def mathverse(problems: int = 60) -> list[Item]:
    """Five versions of each problem, all answered alike."""
    return [
        item(str(5 * number + version), number % 2 == 0, problem=str(number), version=f"v{version}", subject="s")
        for number in range(problems)
        for version in range(5)
    ]


def hallusionbench(sets: int = 10) -> list[Item]:
    """A question with a picture, that is right, and the same without, that is wrong."""
    meta = {"category": "VS", "subcategory": "map", "question_id": "0"}
    return [
        item(f"{number}_{seen}", seen == "1", **meta, set_id=str(number), figure_id=seen, visual_input=seen)
        for number in range(sets)
        for seen in "10"
    ]


def wemath(problems: int = 40) -> list[Item]:
    """Two steps and the whole of each problem, all answered alike."""
    return [
        item(f"{number}_2steps_{key}", number % 2 == 0, problem=str(number), key=f"2steps_{key}")
        for number in range(problems)
        for key in ("1", "2", "multi")
    ]


@pytest.mark.parametrize(("name", "made"), [("mathverse", mathverse()), ("wemath", wemath())])
def test_versions_and_steps_of_a_problem_count_as_one(name, made):
    """As many answers as problems, each said several times: the interval is that of the problems."""
    total, count = BENCHMARKS[name].total(made), len({one.problem.meta["problem"] for one in made})
    low, high = total["ci95"]
    assert (total["n"], total["accuracy"]) == (len(made), 0.5)
    least, most = statistics.wilson_interval(count // 2, count)
    assert high - low == pytest.approx(most - least, rel=0.1)
    values = np.array([one.scored.correct for one in made], float)
    units = [one.problem.meta["problem"] for one in made]
    assert (low, high) == statistics.clustered_mean(values, units, np.random.default_rng(0))[1:]
    summary = BENCHMARKS[name].summary(made)
    group = summary["subject"]["s"] if name == "mathverse" else summary["steps"]["1-step"]
    assert group["ci95"][1] - group["ci95"][0] == pytest.approx(most - least, rel=0.1)
    if name == "mathverse":  # one version has each problem once
        assert summary["version"]["v0"] == base.share([one.scored.correct for one in made[::5]])


def test_all_right_is_as_sure_as_so_many_problems():
    made = [one._replace(scored=Scored(True, "", "")) for one in mathverse(12)]
    assert BENCHMARKS["mathverse"].total(made) == {
        "n": 60,
        "accuracy": 1.0,
        "ci95": list(statistics.wilson_interval(12, 12)),
    }


def test_score_tells_compare_which_questions_belong_together(tmp_path):
    """Twenty versions of four problems, all gained: as sure as four questions."""
    rules = BENCHMARKS["mathverse"]
    problems = [dataclasses.replace(one.problem, gold="A", options=("",) * 6) for one in mathverse(4)]
    found = []
    for answer in "BA":
        result = scoring.score(rules, problems, {problem.id: f"The answer is {answer}" for problem in problems})
        file = tmp_path / f"{answer}.json"
        file.write_text(json.dumps(result))
        found.append(compare.read(file))
    difference = compare.compare(*found)
    assert difference["test"] == "sign flips of 4 units" and difference["p_value"] == pytest.approx(2 / 2**4)
    assert difference["warnings"] == []


def test_hallusionbench_counts_what_the_mode_counts():
    made, rules = hallusionbench(), BENCHMARKS["hallusionbench"]
    assert [rules.total(made)[name] for name in ("n", "accuracy")] == [20, 0.5]
    for found in (rules.total(made, "vlmevalkit"), rules.summary(made, "vlmevalkit")["aAcc"]):
        assert (found["n"], found["accuracy"]) == (10, 1.0)
    units = [rules.unit(one.problem) for one in made]
    assert units[::2] == units[1::2] and len(set(units)) == 10
    responses = {one.problem.id: "yes" if one.scored.correct else "no" for one in made}
    problems = [one.problem for one in made]
    found = scoring.score(rules, problems, responses, "vlmevalkit")
    assert (found["n"], found["accuracy"], len(found["items"])) == (10, 1.0, 10)
    seen = {name: text for name, text in responses.items() if name.endswith("1")}
    assert scoring.score(rules, problems, seen, "vlmevalkit") == found  # as `evaluate` keeps them
    assert scoring.score(rules, problems, responses)["n"] == 20


def test_robustness_needs_the_variants():
    def dynamath(variants: dict[str, int]) -> list[Item]:
        names = [(seed, variant) for seed, count in variants.items() for variant in range(count)]
        kept = {"subject": "algebra", "level": "easy"}
        return [item(f"{seed}_{variant}", variant > 0, seed=seed, **kept) for seed, variant in names]

    summary = BENCHMARKS["dynamath"].summary
    for lacking in ({"1": 1, "2": 1}, {"1": 2, "2": 1}):
        found = summary(dynamath(lacking))
        assert "robustness" not in found and "worst_case" not in found and "average" in found
        assert set(found["subject"]["algebra"]) == {"average"}
    whole = summary(dynamath({"1": 10, "2": 10}))
    assert (whole["worst_case"]["accuracy"], whole["robustness"], whole["variants"]) == (0.0, 0.0, 10)


def test_a_mean_of_counts_is_written_as_one():
    """We-Math's kinds of problems, over two evaluations: half a problem is no 50 %."""
    runs = [[1, 0, 1], [1, 1, 1]]
    trees = [
        {
            "strict": BENCHMARKS["wemath"].summary(
                [
                    item(f"{number}_2steps_{key}", bool(right), problem=str(number), key=f"2steps_{key}")
                    for number, right in enumerate(run)
                    for key in ("1", "2", "multi")
                ]
            )["strict"]
        }
        for run in runs
    ]
    lines = list(scoring.lines_of(evaluating.mean_of_trees(trees)))
    assert [line.split() for line in lines[1:]] == [
        ["n", "3"],
        ["score", "83.3", "%"],
        ["IK", "0.5"],
        ["IG", "0"],
        ["CM", "2.5"],
        ["RM", "0"],
    ]


def ai2d(folder: Path, pictures: list[bytes]) -> list[Problem]:
    """One question about each picture, in the hub's form."""
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [
        {"question": "?", "options": ["w", "x", "y", "z"], "answer": "0", "image": {"bytes": one, "path": None}}
        for one in pictures
    ]
    folder.mkdir()
    parquet.write_table(arrow.Table.from_pylist(rows), folder / "test.parquet", row_group_size=7)
    return BENCHMARKS["ai2d"].load(folder)


def test_questions_on_one_picture_count_as_one(tmp_path):
    """Five questions on each of forty pictures, all answered alike: as sure as forty questions."""
    rules = BENCHMARKS["ai2d"]
    problems = ai2d(tmp_path / "five", [b"picture %d" % (number // 5) for number in range(200)])
    assert [rules.unit(problem) for problem in problems] == [f"picture of {n // 5 * 5}" for n in range(200)]
    total = rules.total([Item(problem, Scored(int(problem.id) % 10 < 5, "A", "")) for problem in problems])
    least, most = statistics.wilson_interval(20, 40)
    assert total["accuracy"] == 0.5
    assert total["ci95"][1] - total["ci95"][0] == pytest.approx(most - least, rel=0.1)


def test_a_question_on_a_picture_of_its_own_is_itself(tmp_path):
    rules = BENCHMARKS["ai2d"]
    problems = ai2d(tmp_path / "own", [b"a", b"b", b"a", b"c"])
    assert [rules.unit(problem) for problem in problems] == ["picture of 0", "1", "picture of 0", "3"]
    gone, none = {name: (files.Image(tmp_path / "gone.png"),) for name in "ab"}, {name: () for name in "ab"}
    assert base.on_same_pictures(gone) == base.on_same_pictures(none) == {}


def test_one_picture_tells_nothing_of_others():
    assert base.share_of_units([True, False], ["a", "a"])["ci95"] == [0.0, 1.0]
    assert base.share_of_units([True, True], ["a", "a"])["ci95"] == list(statistics.wilson_interval(1, 1))


@pytest.mark.parametrize("right", [False, True])
def test_variants_that_are_all_alike_are_as_sure_as_so_many_questions(right):
    found, interval = base.cases({str(seed): [right] * 10 for seed in range(30)}), list(wilson_interval(30 * right, 30))
    assert found["average"]["ci95"] == found["worst_case"]["ci95"] == interval and interval[0] < interval[1]
    assert base.cases({"0": [True, False]})["average"]["ci95"] == [0.0, 1.0]


def test_files_beside_a_table_are_told_apart_by_what_they_hold(tmp_path):
    """ChartQA's repository names the same chart in several questions."""
    (tmp_path / "png").mkdir()
    for name in "ab":
        (tmp_path / "png" / f"{name}.png").write_bytes(name.encode())
    rows = [{"imgname": f"{name}.png", "query": "?", "label": "1"} for name in "aab"]
    (tmp_path / "test_human.json").write_text(json.dumps(rows))
    units = [BENCHMARKS["chartqa"].unit(problem) for problem in BENCHMARKS["chartqa"].load(tmp_path)]
    assert units == ["picture of human_0", "picture of human_0", "human_2"]
    rules, problems = BENCHMARKS["chartqa"], BENCHMARKS["chartqa"].load(tmp_path)
    found = scoring.score(rules, problems, {problem.id: "1" for problem in problems})
    assert [one.get("unit") for one in found["items"]] == ["picture of human_0", "picture of human_0", None]
    assert rules.summary([Item(one, Scored(True, "1", "")) for one in problems])["half"]["human"]["ci95"] == list(
        statistics.wilson_interval(2, 2)
    )
