"""The program that scores saved responses: its JSON, its table, its complaints."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perc_jax import compare, score
from perc_jax.evaluation import scoring
from perc_jax.records.lines import Record, Records
from tests.benchmarks.folders import dynamath, visulogic, write_json, write_lines

pytest.importorskip("pyarrow", reason="the small data sets are written with it")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    visulogic(tmp_path / "data")
    return tmp_path


def run(folder: Path, *more: str, name: str = "visulogic", responses: str = "r.jsonl") -> None:
    score.main([name, "--problems", str(folder / "data"), "--responses", str(folder / responses), *more])


def complaint(capsys: pytest.CaptureFixture[str], folder: Path, *more: str, **names: str) -> str:
    with pytest.raises(SystemExit) as end:
        run(folder, *more, **names)
    _, err = capsys.readouterr()
    assert end.value.code == 2 and err.startswith("error: ") and err.count("\n") == 1
    return err


def test_json_and_table(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(folder / "r.jsonl", [{"id": "0", "response": r"\boxed{A}"}, {"id": "1", "response": "no idea"}])
    run(folder, "--json", str(folder / "out" / "scores.json"))
    result = json.loads((folder / "out" / "scores.json").read_text())
    assert {key: result[key] for key in ("benchmark", "mode", "n", "accuracy", "unparsed", "timed_out")} == {
        "benchmark": "visulogic",
        "mode": "official",
        "n": 2,
        "accuracy": 0.5,
        "unparsed": 1,
        "timed_out": 0,
    }
    assert result["ci95"][0] < 0.5 < result["ci95"][1]
    assert [set(item) for item in result["items"]] == [{"id", "correct", "parsed", "reason", "unit"}] * 2  # one picture
    assert [(item["id"], item["correct"], item["parsed"]) for item in result["items"]] == [
        ("0", True, "A"),
        ("1", False, None),
    ]
    out = capsys.readouterr().out
    assert "visulogic, official: the authors' box" in out
    assert "accuracy" in out and "50.0 %" in out and "n = 2" in out and "Other" in out


def test_json_for_other_programs(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    """`-` is standard output, instead of the table, and no file of that name."""
    write_lines(folder / "r.jsonl", [{"id": "0", "response": r"\boxed{A}"}, {"id": "1", "response": "no idea"}])
    monkeypatch.chdir(folder)
    run(folder, "--json", "-")
    out = capsys.readouterr().out
    assert json.loads(out)["accuracy"] == 0.5 and not (folder / "-").exists()
    write_lines(folder / "scores.json", [json.loads(out)])
    compare.main([str(folder / "scores.json"), str(folder / "scores.json"), "--json", "-"])
    assert [one["n"] for one in json.loads(capsys.readouterr().out).values()] == [2] and not (folder / "-").exists()


def test_dynamath_reports_average_worst_case_and_robustness(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dynamath(tmp_path / "data")
    good = {"1_1": "1.5", "1_2": "2.5", "2_1": "B", "2_2": "A", "3_1": "06:09", "3_2": "07:00"}
    write_json(tmp_path / "r.json", {name: json.dumps({"short answer": answer}) for name, answer in good.items()})
    run(tmp_path, "--json", str(tmp_path / "s.json"), name="dynamath", responses="r.json")
    result = json.loads((tmp_path / "s.json").read_text())
    assert result["accuracy"] == pytest.approx(4 / 6)
    summary = result["summary"]
    assert summary["average"]["n"] == summary["worst_case"]["n"] == 3  # intervals resample seeds
    assert (summary["worst_case"]["accuracy"], summary["robustness"]) == (pytest.approx(1 / 3), pytest.approx(0.5))
    assert "worst case" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"id": "0", "response": "A"}], "1 missing: 1"),
        ([{"id": i, "response": "A"} for i in "01x"], "1 unknown: x"),
        ([{"id": "0", "response": "A"}] * 2, "every id must occur once, got 0 twice"),
        ([{"id": "0", "response": 3}, {"id": "1", "response": "A"}], "response of 0 must be text, got 3"),
        ([{"id": "0", "answer": "A"}], "response 1 must be an object with id and response"),
    ],
)
def test_ids_and_texts_are_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], rows: list[dict], words: str
) -> None:
    write_lines(folder / "r.jsonl", rows)
    assert words in complaint(capsys, folder)


def test_wrong_names_modes_and_files_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lines(folder / "r.jsonl", [{"id": i, "response": "A"} for i in "01"])
    assert "benchmark must be one of dynamath," in complaint(capsys, folder, name="visulogik")
    assert "mode of visulogic must be one of official, lmms, strict, got 'gpt'" in complaint(
        capsys, folder, "--mode", "gpt"
    )
    assert "No such file" in complaint(capsys, folder, responses="nowhere.jsonl")
    (folder / "r.json").write_text("3")
    assert "must hold a list or an object of responses, got int" in complaint(capsys, folder, responses="r.json")


def test_a_field_of_official_output_files_can_be_named(folder: Path) -> None:
    write_json(
        folder / "r.json", {"0": {"extraction": "A", "response": "?"}, "1": {"extraction": "D", "response": "?"}}
    )
    responses = scoring.read_responses(folder / "r.json", "extraction")
    assert responses == {"0": "A", "1": "D"}


def test_the_key_of_an_object_is_the_id_and_occurs_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever else an object calls an id, as the number of a picture."""
    write_json(folder / "r.json", {"0": {"id": "7", "response": "A"}, "1": {"id": "8", "response": "D"}})
    assert scoring.read_responses(folder / "r.json") == {"0": "A", "1": "D"}
    (folder / "r.json").write_text('{"0": "A", "1": "B", "0": "C"}')
    assert "r.json: every id must occur once, got 0 twice" in complaint(capsys, folder, responses="r.json")


def test_a_table_says_how_many_groups_it_leaves_out() -> None:
    groups = {f"g{number:02}": {"n": 1, "accuracy": 1.0} for number in range(45)}
    lines = list(scoring.lines_of({"subject": groups, "few": dict(list(groups.items())[:40])}))
    assert lines[40].startswith("  g39 ") and lines[41] == "  … and 5 more"
    assert lines[42] == "few" and lines[-1].startswith("  g39 ")


def test_the_program_starts_without_jax_and_lists_benchmarks_and_modes() -> None:
    code = "import sys, perc_jax.score; assert 'jax' not in sys.modules, 'jax'; perc_jax.score.main(['--help'])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert "dynamath" in found.stdout and "vlmevalkit" in found.stdout and "--field" in found.stdout


def test_the_lines_that_evaluate_keeps_are_scored_again(folder: Path) -> None:
    rows = [
        Record(i, i, "p", [answer], [True], [False], [None], ["?"]) for i, answer in (("0", "A"), ("1", r"\boxed{D}"))
    ]
    with Records(folder / "kept.jsonl", {"suite": "visulogic"}) as kept:
        kept.append(rows)
    assert scoring.read_responses(folder / "kept.jsonl") == {"0": "A", "1": r"\boxed{D}"}
    with Records(folder / "two.jsonl", {"suite": "visulogic"}) as kept:
        kept.append([rows[0]._replace(responses=["A", "B"])])
    with pytest.raises(ValueError, match=r"two\.jsonl must have one response per question, got 2 to 0"):
        scoring.read_responses(folder / "two.jsonl")
