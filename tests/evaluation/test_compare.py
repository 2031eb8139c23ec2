"""Comparisons: differences and p-values worked by hand, questions both answered, files of every kind, complaints."""

import json

import pytest

from perc_jax import compare as command
from perc_jax.evaluation import compare
from perc_jax.evaluation.compare import Answers
from perc_jax.evaluation.suites import Item, summary
from perc_jax.records.lines import Record, Records
from tests.benchmarks.folders import write_json


def one(right: dict[str, float], unit=lambda name: name, **head) -> Answers:
    return Answers({"suite": "mmstar"} | head, right, {name: unit(name) for name in right})


def test_single_questions_as_by_hand():
    before = one({"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0, "e": 0.0, "f": 1.0, "only": 1.0}, model="x", mode="official")
    after = one({"f": 1.0, "e": 1.0, "d": 1.0, "c": 1.0, "b": 1.0, "a": 0.0}, model="y", mode="official")
    found = compare.compare(before, after)
    assert (found["n"], found["gained"], found["lost"]) == (6, 4, 1)
    assert found["before"] == pytest.approx(2 / 6) and found["after"] == pytest.approx(5 / 6)
    assert found["difference"] == pytest.approx(0.5) and found["ci95"][0] < 0.5 < found["ci95"][1]
    assert found["test"] == "exact McNemar" and found["p_value"] == pytest.approx(2 * (1 + 5) / 2**5)
    assert (found["only_before"], found["only_after"], found["differ_in"]) == (1, 0, ["model"])
    assert "33.3 % ->  83.3 %  +50.0" in compare.line("mmstar", found) and "1 asked of one only" in compare.line(
        "", found
    )


def test_variants_of_a_seed_count_as_one_unit():
    """Two seeds of three variants, all gained: as sure as two questions, not as six."""
    names = [f"{seed}_{variant}" for seed in "12" for variant in "123"]
    before, after = (one(dict.fromkeys(names, value), lambda name: name[0]) for value in (0.0, 1.0))
    found = compare.compare(before, after)
    assert found["test"] == "sign flips of 2 units" and found["p_value"] == pytest.approx(2 / 4)
    alone = compare.compare(one(before.right), one(after.right))
    assert alone["p_value"] == pytest.approx(2 / 2**6)


def test_shares_of_several_answers_are_flipped_in_sign():
    before, after = one({"a": 0.25, "b": 0.5, "c": 1.0}), one({"a": 0.75, "b": 0.75, "c": 1.0})
    found = compare.compare(before, after)
    assert found["difference"] == pytest.approx(0.25) and found["p_value"] == pytest.approx(0.5)


def test_equal_evaluations_differ_by_nothing():
    side = one({"a": 1.0, "b": 0.0})
    found = compare.compare(side, side)
    assert (found["difference"], found["p_value"], found["differ_in"]) == (0.0, 1.0, [])


GREEDY = {"samples": 1, "temperature": 0.0, "seed": None, "max_tokens": 64, "dtype": "float32", "blind": False}


def test_answers_that_were_asked_otherwise_are_told(tmp_path, capsys):
    """Greedy answers beside four samples at temperature 1: said on the screen and in the JSON file, seeds apart."""
    sampled = GREEDY | {"samples": 4, "temperature": 1.0, "seed": 3}
    for name, head in (("a", GREEDY), ("b", sampled), ("c", sampled | {"seed": 4}), ("d", GREEDY)):
        kept(tmp_path / f"{name}.jsonl", {"suite": "mmstar", "model": name} | head, {"1": True, "2": False})
    for after, warns in (("b", True), ("d", False)):
        command.main([str(tmp_path / "a.jsonl"), str(tmp_path / f"{after}.jsonl"), "--json", str(tmp_path / "o.json")])
        [found] = json.loads((tmp_path / "o.json").read_text()).values()
        out, err = capsys.readouterr()
        assert bool(found["warnings"]) == bool(err) == warns and out.count("\n") == 1
        if warns:
            assert found["warnings"] == ["samples 1 before and 4 after", "temperature 0.0 before and 1.0 after"]
            assert err.startswith("warning: b: the two were not asked alike") and err.count("\n") == 1
            assert "samples 1 before and 4 after; temperature 0.0 before and 1.0 after" in err
    sides = [compare.read(tmp_path / f"{name}.jsonl") for name in "bc"]
    assert compare.compare(*sides)["warnings"] == []
    write_json(
        tmp_path / "s.json", {"benchmark": "mmstar", "mode": "official", "items": [{"id": "1", "correct": True}]}
    )
    unknown = compare.compare(compare.read(tmp_path / "s.json"), sides[0])["warnings"]
    assert 'mode "official" before and not known after' in unknown and "samples not known before and 4 after" in unknown


def test_engines_that_fell_are_marked_below_their_suite():
    names = [f"test_b/{engine}/any/0/{place}" for engine in ("sudoku", "grid") for place in range(40)]
    before = one({name: float(int(name.rpartition("/")[2]) < 9) for name in names})
    after = one({name: float("grid" in name or name.endswith("/0")) for name in names})
    found = compare.compare(before, after)
    assert list(found["by"]["engine"]) == ["grid", "sudoku"] and found["by"]["engine"]["sudoku"]["lost"] == 8
    whole, grid, sudoku = compare.lines_of("test_b", found)
    assert whole.startswith("test_b") and grid.endswith("▲ rose") and sudoku.endswith("▼ fell") and "n = 40" in sudoku
    assert "by" not in compare.compare(one({"a": 1.0}), one({"a": 1.0}))


def kept(file, head, right: dict[str, bool | None]) -> None:
    with Records(file, head) as records:
        for name, value in right.items():
            answer = ([], [], [], [], ["not asked"]) if value is None else (["x"], [True], [value], ["x"], ["because"])
            records.append([Record(name, name, "p", *answer)])


def test_folders_are_compared_file_by_file_and_questions_not_asked_do_not_count(tmp_path, capsys):
    for side, right in (("a", {"1": False, "2": None, "3": True}), ("b", {"1": True, "2": True, "3": True})):
        kept(tmp_path / side / "mmstar.jsonl", {"suite": "mmstar", "model": side}, right)
        kept(tmp_path / side / f"only_{side}.jsonl", {"suite": "blink"}, right)
    command.main([str(tmp_path / "a"), str(tmp_path / "b"), "--json", str(tmp_path / "c.json")])
    found = json.loads((tmp_path / "c.json").read_text())
    assert list(found) == ["mmstar"] and found["mmstar"]["n"] == 2 and found["mmstar"]["only_after"] == 1
    assert capsys.readouterr().out.startswith("mmstar ")


def test_what_score_wrote_is_compared_with_units_of_the_benchmark(tmp_path):
    for side, right in (("a", False), ("b", True)):
        items = [{"id": f"{seed}_1", "correct": right, "parsed": "1", "reason": "so"} for seed in range(3)]
        items.append({"id": "2_2", "correct": right, "parsed": "1", "reason": "so"})
        write_json(tmp_path / f"{side}.json", {"benchmark": "dynamath", "mode": "official", "items": items})
    found = compare.compare(*(compare.read(tmp_path / f"{side}.json") for side in "ab"))
    assert found["n"] == 4 and found["test"] == "sign flips of 3 units" and found["p_value"] == pytest.approx(2 / 8)


def test_what_cannot_be_compared_is_one_line(tmp_path, capsys):
    kept(tmp_path / "a.jsonl", {"suite": "mmstar"}, {"1": True})
    kept(tmp_path / "b.jsonl", {"suite": "blink"}, {"1": True})
    kept(tmp_path / "c.jsonl", {"suite": "mmstar"}, {"2": True})
    write_json(tmp_path / "d.json", {"n": 3})
    for before, after, words in (
        ("a.jsonl", "b.jsonl", "must be of one suite, got mmstar and blink"),
        ("a.jsonl", "c.jsonl", "must have answered a question, got none in common"),
        ("a.jsonl", "d.json", "must be what perc_jax.score wrote"),
        ("a.jsonl", ".", "must both be files or both be folders"),
        ("a.jsonl", "none.jsonl", "AFTER must be a file or a folder that exists, got "),
        ("none", "a.jsonl", "BEFORE must be a file or a folder that exists, got "),
    ):
        with pytest.raises(SystemExit) as end:
            command.main([str(tmp_path / before), str(tmp_path / after)])
        err = capsys.readouterr().err
        assert end.value.code == 2 and err.startswith("error: ") and err.count("\n") == 1 and words in err


def test_two_evaluations_of_a_run_are_compared_suite_by_suite_and_term_by_term(tmp_path, capsys):
    def evaluation(right: list[int], facts: list[float]) -> dict:
        items = [Item("grid", "size", 0, bool(one), (value,)) for one, value in zip(right, facts, strict=True)]
        return summary(items, ["facts"])

    write_json(tmp_path / "a.json", {"test": evaluation([0, 0, 1] * 20, [0.25] * 60), "old": evaluation([1], [0.5])})
    write_json(tmp_path / "b.json", {"test": evaluation([1, 0, 1] * 20, [0.5, 0.25, 0.25] * 20)})
    command.main([str(tmp_path / "a.json"), str(tmp_path / "b.json"), "--json", str(tmp_path / "c.json")])
    found = json.loads((tmp_path / "c.json").read_text())
    assert list(found) == ["test"] and found["test"]["n"] == 60 and found["test"]["gained"] == 20
    facts = found["test"]["terms"]["facts"]
    assert (facts["before"], facts["after"]) == pytest.approx((0.25, 1 / 3)) and facts["ci95"][0] > 0.04
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("test ") and out[1].startswith("  facts ") and "0.250 -> 0.333  +0.083" in out[1]
