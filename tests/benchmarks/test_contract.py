"""What holds for every benchmark, on small folders: ids, pictures, prompts, gold answers, modes, aggregates."""

import json
from pathlib import Path
from typing import Any

import pytest

from perc_jax import benchmarks
from perc_jax.benchmarks import BENCHMARKS, Benchmark, Item, Problem, files
from perc_jax.benchmarks.base import MAX_CHARS, STRICT_HINT
from tests.benchmarks.folders import WRITERS, picture, png, write_json, write_lines, write_parquet

pytest.importorskip("pyarrow", reason="pyarrow writes the small data sets")
NAMES = sorted(BENCHMARKS)


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Problem]]:
    found = {}
    for name, write in WRITERS.items():
        folder = tmp_path_factory.mktemp(name)
        write(folder)
        found[name] = BENCHMARKS[name].load(folder)
    return found


def boxed(answer: str) -> str:
    return rf"Some thought. <answer>\boxed{{{answer}}}</answer>"


def compare(gold: str, answer: str, rule: str) -> bool:
    """Stand in for the process that compares formulas: equal up to spaces and dollar signs."""
    return gold.replace("$", "").replace(" ", "") == answer.replace("$", "").replace(" ", "")


def written(benchmark: Benchmark, problem: Problem, mode: str) -> str:
    """A response that gives the gold answer as the protocol of a mode asks."""
    gold = problem.gold
    if benchmark.name == "dynamath" and mode != "lmms":
        return json.dumps({"solution": "because", "short answer": gold})
    if benchmark.name == "wemath" and mode == "official":
        return f"<Thought process>: <<so>> <Answer>: <<{gold}>>"
    if benchmark.name == "blindtest" and problem.kind == "grid":
        return f"({gold})"
    if benchmark.name == "visulogic" or (mode == "lmms" and benchmark.symbolic):
        return rf"\boxed{{{gold}}}"
    if benchmark.name == "mathverse" and problem.kind == "free":
        return f"The answer is {gold}"
    return gold


def test_every_benchmark_has_a_small_folder() -> None:
    assert set(WRITERS) == set(BENCHMARKS)


@pytest.mark.parametrize("name", NAMES)
def test_problems_have_unique_ids_questions_and_readable_pictures(loaded: dict, name: str) -> None:
    problems = loaded[name]
    assert len({problem.id for problem in problems}) == len(problems) > 1
    for problem in problems:
        assert problem.question and problem.gold and problem.kind
        if not (name == "hallusionbench" and problem.meta["visual_input"] == "0"):
            assert problem.images or (name == "dynamath" and problem.meta["variant"] == 2)
        assert all(image.read().startswith(b"\x89PNG") for image in problem.images)


def test_pictures_of_a_parquet_row_are_in_order_and_its_own(loaded: dict) -> None:
    two = loaded["blink"][0].images
    assert [image.column for image in two] == ["image_1", "image_2"]
    assert two[0].read() != two[1].read()


def test_pictures_of_many_columns_are_read_in_turn_from_one_row_group(tmp_path: Path, monkeypatch: Any) -> None:
    """MMMU's rows have up to seven pictures: a row group of a column is decoded once, not once a row."""
    names = [f"image_{number}" for number in range(1, 8)]
    rows = [{name: {"bytes": f"{name} {row}".encode(), "path": None} for name in names} for row in range(5)]
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "seven.parquet")
    decoded, real = [], parquet.ParquetFile.read_row_group
    monkeypatch.setattr(
        parquet.ParquetFile, "read_row_group", lambda *given, **how: decoded.append(how) or real(*given, **how)
    )
    for number, row in enumerate(files.rows(tmp_path, "*.parquet")):
        assert [image.read().decode() for image in row.images(*names)] == [f"{name} {number}" for name in names]
    assert len(decoded) == 7


@pytest.mark.parametrize("name", NAMES)
def test_prompts_exist_in_every_mode_and_the_strict_one_asks_for_the_box(loaded: dict, name: str) -> None:
    benchmark = BENCHMARKS[name]
    for problem in loaded[name]:
        for mode in benchmark.modes:
            prompt = benchmark.prompt(problem, mode)
            assert len(prompt) >= len(problem.question) - 100 and prompt
            assert (STRICT_HINT in prompt) == (mode == "strict")


@pytest.mark.parametrize("name", NAMES)
def test_gold_answers_are_right_in_every_mode_and_others_are_wrong(loaded: dict, name: str) -> None:
    benchmark = BENCHMARKS[name]
    for problem in loaded[name]:
        for mode in benchmark.modes:
            response = boxed(problem.gold) if mode == "strict" else written(benchmark, problem, mode)
            scored = benchmark.score(problem, response, mode, compare)
            if (name, mode, problem.kind) == ("mathvista", "vlmevalkit", "list"):
                assert not scored.correct  # the quirk that is copied
                continue
            if (name, mode, problem.kind) == ("mathvista", "vlmevalkit", "choice"):
                scored = benchmark.score(problem, "B", mode)
            if name == "mmmu" and problem.kind == "open":
                response = boxed("24") if mode == "strict" else "So the result is 24."
                scored = benchmark.score(problem, response, mode)
            assert scored.correct and scored.parsed, (mode, problem, response, scored)
            for wrong in ("", "I do not know.", "zebra", boxed("zebra")):
                other = benchmark.score(problem, wrong, mode, compare)
                guessed = (name, problem.kind) == ("mathvista", "choice") or (name, mode) == ("dynamath", "vlmevalkit")
                if not guessed and not (name == "blindtest" and problem.kind == "letter"):
                    assert not other.correct, (mode, problem, wrong, other)
                assert other.reason


@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_mode_is_one_clear_error(loaded: dict, name: str) -> None:
    benchmark, problem = BENCHMARKS[name], loaded[name][0]
    for call in (benchmark.score, benchmark.prompt):
        arguments = (problem, "A", "judge") if call == benchmark.score else (problem, "judge")
        with pytest.raises(ValueError, match=rf"mode of {name} must be one of .*strict, got 'judge'"):
            call(*arguments)
    assert name == "vstar" or "official" in benchmark.modes


@pytest.mark.parametrize("name", NAMES)
def test_aggregates_are_json_and_follow_the_items(loaded: dict, name: str) -> None:
    benchmark = BENCHMARKS[name]
    for mode in benchmark.modes:
        right = [Item(p, benchmarks.Scored(True, "x", "")) for p in loaded[name]]
        wrong = [Item(p, benchmarks.Scored(False, None, "")) for p in loaded[name]]
        summaries = [json.dumps(benchmark.summary(items, mode)) for items in (right, wrong)]
        assert name == "ai2d" or summaries[0] != summaries[1]  # AI2D has no groups
        total = benchmark.total(right)
        assert (total["n"], total["accuracy"]) == (len(right), 1.0)
        assert total["ci95"][0] <= 1.0 <= total["ci95"][1]


@pytest.mark.parametrize("name", NAMES)
def test_a_response_without_end_is_not_read(loaded: dict, name: str) -> None:
    benchmark = BENCHMARKS[name]
    mode = next(iter(benchmark.modes))
    scored = benchmark.score(loaded[name][0], "A" * (MAX_CHARS + 1), mode)
    assert scored == (False, None, f"longer than {MAX_CHARS} characters")


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_folder_and_one_that_is_not_there_are_clear_errors(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="must hold a file"):
        BENCHMARKS[name].load(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"{name}: .* must be a folder or file that exists"):
        BENCHMARKS[name].load(tmp_path / "nowhere")


def test_the_hubs_parquet_is_read_where_the_repository_has_json(tmp_path: Path) -> None:
    step = {"question": "?", "option": "A. 1", "answer": "A", "knowledge concept": "x", "image_path": picture()}
    write_parquet(tmp_path / "testmini.parquet", [{**step, "ID": "1", "key": key} for key in ("2steps_1", "2steps_2")])
    problems = BENCHMARKS["wemath"].load(tmp_path)
    assert [(problem.id, problem.images[0].read()) for problem in problems] == [
        ("1_2steps_1", png()),
        ("1_2steps_2", png()),
    ]
    row = {"id": "7", "question": "?", "image": "x.png", "decoded_image": picture(), "ground_truth": "1.5"}
    row |= {"answer_type": "float", "subject": "algebra", "knowledge_level": "high school"}
    for variant in (10, 2):
        write_parquet(tmp_path / "data" / f"sample_variant{variant}-00000-of-00001.parquet", [row])
    problems = BENCHMARKS["dynamath"].load(tmp_path)
    assert [(problem.id, problem.gold, problem.images[0].read()) for problem in problems] == [
        ("7_2", "1.5", png()),
        ("7_10", "1.5", png()),
    ]


def test_a_single_file_of_problems_is_enough(tmp_path: Path) -> None:
    WRITERS["dynamath"](tmp_path)
    problems = BENCHMARKS["dynamath"].load(tmp_path / "trial1.json")
    assert [problem.id for problem in problems] == ["1_1", "2_1", "3_1"]
    assert all(problem.images for problem in problems)


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "testmini.json").write_text("{")
    with pytest.raises(ValueError, match=r"testmini\.json must be JSON"):
        BENCHMARKS["mathvista"].load(tmp_path)
    write_json(tmp_path / "testmini.json", {"1": {"question_type": "free_form", "choices": None}})
    with pytest.raises(ValueError, match=r"testmini\.json row 0 \(problem 1\) must have the field 'answer_type'"):
        BENCHMARKS["mathvista"].load(tmp_path)
    (tmp_path / "test.jsonl").write_text('{"id": "1"}\nnonsense\n')
    with pytest.raises(ValueError, match=r"test\.jsonl line 2 must be JSON"):
        BENCHMARKS["mathvision"].load(tmp_path)
    (tmp_path / "x.parquet").write_text("nonsense")
    with pytest.raises(ValueError, match=r"x\.parquet must be a Parquet file"):
        BENCHMARKS["mmstar"].load(tmp_path)


def test_an_id_that_occurs_twice_is_an_error(tmp_path: Path) -> None:
    row = {"image_path": "", "question": "?", "tag": "Other", "id": "7", "label": "A"}
    write_lines(tmp_path / "data.jsonl", [row, row])
    with pytest.raises(ValueError, match=r"visulogic: ids must be unique .* got 7 twice"):
        BENCHMARKS["visulogic"].load(tmp_path)


def test_without_a_network_a_download_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="data set Lin-Chen/MMStar must be in a local folder") as error:
        BENCHMARKS["mmstar"].download()
    assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="logicvista has no data set on the hub"):
        BENCHMARKS["logicvista"].download()


def test_an_unknown_benchmark_lists_the_known() -> None:
    with pytest.raises(ValueError, match=r"benchmark must be one of dynamath, .*, got 'mathvist'"):
        benchmarks.get("mathvist")
