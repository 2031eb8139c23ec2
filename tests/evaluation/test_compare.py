"""Comparisons: differences and p-values worked by hand, questions both answered, files of every kind, complaints."""

import json
from pathlib import Path

import numpy as np
import pytest

import engines
from configs.debug_cpu import get_config
from perc_jax import compare as command
from perc_jax import statistics
from perc_jax.config import TableConfig, to_dict
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
    foreign = [
        {"items": []},
        {"items": [], "benchmark": "mmstar"},
        {"items": [], "benchmark": "none such", "mode": "official"},
        {"items": 3, "benchmark": "mmstar", "mode": "official"},
        {"items": [1], "benchmark": "mmstar", "mode": "official"},
        {"items": [{"id": "1"}], "benchmark": "mmstar", "mode": "official"},
        {"items": [], "benchmark": [], "mode": "official"},
        [],
    ]
    for number, content in enumerate(foreign):
        write_json(tmp_path / f"foreign_{number}.json", content)
    for before, after, words in (
        ("a.jsonl", "b.jsonl", "must be of one suite, got mmstar and blink"),
        ("a.jsonl", "c.jsonl", "must have answered a question, got none in common"),
        ("a.jsonl", "d.json", "must be what perc_jax.score wrote"),
        *(("a.jsonl", f"foreign_{number}.json", "must be what perc_jax.score wrote") for number in range(len(foreign))),
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
    assert out[0].startswith("test ") and out[1].startswith("  grid ") and out[1].endswith("▲ rose")
    assert out[2].startswith("  facts ") and "0.250 -> 0.333  +0.083" in out[2]


def test_few_questions_are_not_said_to_have_risen():
    """One of one gained, and three of six, are no more than chance; the interval is the paired one, and no point."""
    for right in ([0.0], [0.0] * 3 + [1.0] * 3):
        before = one({f"test_a/grid/size/0/{place}": value for place, value in enumerate(right)})
        found = compare.compare(before, one(dict.fromkeys(before.right, 1.0)))
        low, high = found["ci95"]
        paired = statistics.paired_difference(np.array(right), np.ones(len(right)))
        assert (low, high) == paired.ci95 and low < 0 < high < 1.001 and found["p_value"] == paired.p_value
        assert not any("rose" in line or "fell" in line for line in compare.lines_of("test_a", found))
    names = [f"test_a/grid/size/0/{place}" for place in range(12)]
    before, after = (one(dict.fromkeys(names, value), lambda name: str(name[-1] < "1")) for value in (0.0, 1.0))
    found = compare.compare(before, after)  # two units, all right: as sure as two questions
    assert found["ci95"] == list(statistics.paired_difference(np.zeros(2), np.ones(2)).ci95)
    assert found["ci95"][0] < 0 and "rose" not in "".join(compare.lines_of("test_a", found))


def test_no_interval_of_accuracies_is_a_point():
    """Nothing changed in three answers each to 20 questions, and one unit of which a part was gained."""
    same = one({str(place): (place % 3) / 3 for place in range(20)})
    none = np.zeros(20)
    assert compare.compare(same, same)["ci95"] == list(statistics.paired_difference(none, none).ci95)
    before, after = (one({"a": 0.0, "b": right}, lambda name: "unit") for right in (0.0, 1.0))
    found = compare.compare(before, after)
    assert found["ci95"] == [-1.0, 1.0] and found["test"] == "sign flips of 1 unit"


def test_terms_of_any_range_keep_the_interval_of_their_values():
    sides = [one({str(place): 1.0 for place in range(9)})._replace(terms={}) for _ in range(2)]
    values = [{str(place): level + place for place in range(9)} for level in (3.0, -40.0)]
    before, after = (side._replace(terms={"length": each}) for side, each in zip(sides, values, strict=True))
    assert compare.compare(before, after)["terms"]["length"]["ci95"] == [-43.0, -43.0]
    before, after = (side._replace(units=dict.fromkeys(side.right, "one")) for side in (before, after))
    found = compare.compare(before, after)
    assert found["terms"]["length"]["ci95"] is None
    assert "-43.000 [no interval]  p = 1 (" in compare.lines_of("mmstar", found)[1]


def run_file(folder, cells: list[str], right: list[int], **changes) -> Path:
    """One evaluation of a run, its config beside it."""
    config = to_dict(get_config())
    config["data"] |= changes
    write_json(folder / "config.json", config)
    (folder / "eval").mkdir()
    result = {"n": len(right), "accuracy": sum(right) / len(right), "by": {}, "correct": right, "asked": cells}
    names = {cell.partition(".")[0] for cell in cells} & engines.ENGINES.keys()
    result |= {"versions": engines.versions(names)} if names else {"units": list(range(len(right)))}
    write_json(folder / "eval" / "1_rl_000001.json", {"mine": result})
    return folder / "eval" / "1_rl_000001.json"


def test_what_differs_or_is_not_known_of_a_run_s_evaluations_is_told(tmp_path):
    grid, cube = ["grid.size/0", "cube.count/1"], ["cube.count/1", "cube.count/1"]

    def warnings(name: str, other: list[str], **changes) -> list[str]:
        folders = [tmp_path / name / side for side in "ab"]
        for folder in folders:
            folder.mkdir(parents=True)
        files = run_file(folders[0], grid, [0, 1]), run_file(folders[1], other, [1, 1], **changes)
        return compare.compare(*compare.sides("x", *files)["mine"])["warnings"]

    assert warnings("alike", grid) == []
    assert warnings("system", grid, system="Think.") == ['system "" before and "Think." after']
    [apart] = warnings("apart", cube)
    assert apart.startswith("of 2 places 1 ask other types or levels")
    for side in "ab":
        (tmp_path / "alike" / side / "config.json").unlink()
    alone = [tmp_path / "alike" / side / "eval" / "1_rl_000001.json" for side in "ab"]
    found = compare.compare(*compare.sides("x", *alone)["mine"])
    assert all("was asked is not known" in words for words in found["warnings"]) and len(found["warnings"]) == 2
    assert list(found["by"]["engine"]) == ["grid", "cube"] and found["by"]["engine"]["grid"]["gained"] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"rollout": {"max_tokens": 400}}, "max tokens 12 before and 400 after"),
        ({"model": {"dtype": "bfloat16"}}, 'dtype "float32" before and "bfloat16" after'),
        ({"codes": {"constrained": True}}, "constrained false before and true after"),
        ({"data": {"max_patches": 4096}}, "max patches 64 before and 4096 after"),
        ({"data": {"max_prompt_tokens": 1024}}, "max prompt tokens 64 before and 1024 after"),
        ({"environment": {"name": "jigsaw"}}, 'environment "none" before and {"name": "jigsaw"} after'),
        ({"mixture": {"pointing": 0.5}}, "pointing 0.0 before and 0.5 after"),
    ],
)
def test_replies_of_runs_that_came_about_otherwise_are_told(tmp_path, change, words):
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
    before, after = (run_file(tmp_path / side, ["grid.size/0"] * 2, [0, 1]) for side in "ab")
    [same] = compare.sides("x", before, after).values()
    assert compare.compare(*same)["warnings"] == []
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    for section, fields in change.items():
        for place in config["stages"] if section in ("environment", "mixture") else (config,):
            place[section] = place.get(section, {}) | fields if section != "environment" else fields
    write_json(tmp_path / "b" / "config.json", config)
    [other] = compare.sides("x", before, after).values()
    assert compare.compare(*other)["warnings"] == [words]


def test_versions_of_engines_are_kept_and_told(tmp_path):
    """Another version draws other scenes; of a file of before they were kept they are not known."""
    items = [Item("grid", "size", 0, True), Item("cube", "count", 1, False)]
    versions = {name: engines.ENGINES[name].version for name in ("cube", "grid")}
    assert summary(items)["versions"] == versions and "versions" not in summary([Item("mine", "number", 0, True)])
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
    before, after = (run_file(tmp_path / side, ["grid.size/0", "cube.count/1"], [0, 1]) for side in "ab")
    content = json.loads(after.read_text())
    content["mine"]["versions"] = versions | {"grid": 99}
    write_json(before, json.loads(before.read_text()) | {"mine": content["mine"] | {"versions": versions}})
    write_json(after, content)
    [pair] = compare.sides("x", before, after).values()
    [told] = compare.compare(*pair)["warnings"]
    assert told.startswith("versions of engines {") and '"grid": 99' in told.partition(" before and ")[2]
    for file in (before, after):
        content["mine"].pop("versions", None)
        write_json(file, content)
    [pair] = compare.sides("x", before, after).values()
    assert all(
        "which versions of the engines drew mine is not known" in one for one in compare.compare(*pair)["warnings"]
    )


def test_a_table_of_a_run_is_told_by_its_config_and_its_rows_are_not_known(tmp_path):
    sides = []
    for side in "ab":
        (tmp_path / side).mkdir()
        file = run_file(tmp_path / side, ["mine.number/0"] * 2, [0, 1])
        config = json.loads((tmp_path / side / "config.json").read_text())
        config["evaluation"]["tables"] = [to_dict(TableConfig(f"{side}.jsonl", name="mine"))]
        write_json(tmp_path / side / "config.json", config)
        sides.append(file)
    found = compare.compare(*compare.sides("x", *sides)["mine"])["warnings"]
    assert len(found) == 2 and "a.jsonl" in found[0] and "b.jsonl" in found[0] and "rows were the same" in found[1]


def test_an_old_file_that_does_not_know_its_groups_takes_those_of_the_other():
    names = [str(place) for place in range(6)]
    old, new = one(dict.fromkeys(names, 0.0)), one(dict.fromkeys(names, 1.0), lambda name: f"problem {int(name) // 3}")
    assert compare.compare(old, new)["test"] == compare.compare(new, old)["test"] == "sign flips of 2 units"
    old, new = (side._replace(head={"suite": "mathverse"}) for side in (old, one(new.right)))
    [warning] = compare.compare(old, new)["warnings"]
    assert warning.startswith("which questions share a problem is not known")
