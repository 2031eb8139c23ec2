"""Against published labels of real systems: DynaMath's tables, MathVista's and MATH-Vision's scored responses.

The offline rules were made on the half of the ids whose hash is even; agreement is asked of the other half.
"""

import csv
import hashlib
import json
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from perc_jax.benchmarks import BENCHMARKS, Item, Scored, base
from perc_jax.benchmarks.dynamath import DynaMath
from perc_jax.benchmarks.mathvision import MathVision, extract
from perc_jax.benchmarks.mathvista import MathVista
from perc_jax.benchmarks.symbolic import Comparer

TABLES = {  # published average and worst case, in percent
    "Qwen2-72B": (55.1, 28.5),
    "Qwen2-7B": (42.1, 13.8),
    "InternVL2-8b": (39.3, 10.4),
    "llava1.5-7B": (16.4, 1.8),
}
SYSTEMS = ("bard", "claude", "gpt4", "instruct_blip2_vicuna_13b", "llava_llama_2_13b", "random_guess")


def held_out(name: str) -> bool:
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


# --- DynaMath ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def dynamath(reference_data: Path) -> list[base.Problem]:
    return DynaMath().load(reference_data / "dynamath")


def test_dynamath_opens_ten_variants_and_the_pictures_of_the_first(dynamath: list[base.Problem]) -> None:
    assert len(dynamath) == 5010 == len({problem.id for problem in dynamath})
    assert {problem.meta["variant"] for problem in dynamath} == set(range(1, 11))
    kinds = [problem.kind for problem in dynamath]
    assert (kinds.count("float"), kinds.count("choice"), kinds.count("text")) == (2960, 1740, 310)
    pictures = [image for problem in dynamath if problem.meta["variant"] == 1 for image in problem.images]
    assert len({image.file for image in pictures}) == 501
    assert all(image.read().startswith(b"\x89PNG") for image in pictures[::50])


@pytest.mark.parametrize("table", TABLES)
def test_dynamath_tables_give_the_published_average_and_worst_case(
    reference_data: Path, dynamath: list[base.Problem], table: str
) -> None:
    problems = {problem.id: problem for problem in dynamath}
    with (reference_data / "dynamath" / f"{table}-result.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if re.fullmatch(r"Q\d+", row["Question ID"])]
    items = [
        Item(problems[f"{row['Question ID'][1:]}_{variant}"], Scored(row[f"Variant {variant}"] == "correct", "", ""))
        for row in rows
        for variant in range(1, 11)
    ]
    found = DynaMath().summary(items)
    average, worst = TABLES[table]
    assert len(items) == 5010
    assert 100 * found["average"]["accuracy"] == pytest.approx(average, abs=0.05)
    assert 100 * found["worst_case"]["accuracy"] == pytest.approx(worst, abs=0.05)
    assert found["robustness"] == pytest.approx(found["worst_case"]["accuracy"] / found["average"]["accuracy"])
    for name, width in (("average", 0.1), ("worst_case", 0.09)):
        low, high = found[name]["ci95"]
        assert low < found[name]["accuracy"] < high < low + width


def dynamath_response(answer: str, mode: str) -> str:
    if mode == "strict":
        return rf"<answer>\boxed{{{answer}}}</answer>"
    return f"<answer>{answer}</answer>" if mode == "lmms" else json.dumps({"solution": "so", "short answer": answer})


@pytest.mark.parametrize("mode", DynaMath.modes)
def test_dynamath_gold_answers_score_everything(dynamath: list[base.Problem], mode: str) -> None:
    wrong = [
        problem.id
        for problem in dynamath
        if not DynaMath().score(problem, dynamath_response(problem.gold, mode), mode).correct
    ]
    assert not wrong


@pytest.mark.parametrize("mode", ["official", "vlmevalkit", "strict"])
def test_dynamath_two_decimals_are_scored_as_the_rule_of_a_thousandth_says(
    dynamath: list[base.Problem], mode: str
) -> None:
    floats = [problem for problem in dynamath if problem.kind == "float"]
    rounded = [round(float(problem.gold), 2) for problem in floats]
    near = [
        abs(Fraction(str(two)) - Fraction(problem.gold)) <= Fraction(1, 1000)
        for problem, two in zip(floats, rounded, strict=True)
    ]
    scored = [
        DynaMath().score(problem, dynamath_response(f"{two:.2f}", mode), mode).correct
        for problem, two in zip(floats, rounded, strict=True)
    ]
    assert scored == near
    assert scored.count(False) == 507


# --- MathVista --------------------------------------------------------------------------------------------------------


def mathvista_pairs(reference_data: Path, field: str, mode: str) -> list[tuple[bool, bool, bool]]:
    """(held out, agrees, has text) per response of six systems."""
    benchmark = MathVista()
    problems = {problem.id: problem for problem in benchmark.load(reference_data / "mathvista")}
    found = []
    for system in SYSTEMS:
        rows: dict[str, Any] = json.loads(
            (reference_data / "mathvista" / "outputs" / f"output_{system}.json").read_text()
        )
        for name, row in rows.items():
            scored = benchmark.score(problems[name], row[field], mode)
            found.append((held_out(name), scored.correct == row["true_false"], bool(row["response"].strip())))
    assert len(found) == 6000
    return found


def test_mathvista_agrees_from_the_stored_extraction(reference_data: Path) -> None:
    pairs = mathvista_pairs(reference_data, "extraction", "extracted")
    for half in (False, True):
        agrees = [agree for out, agree, _ in pairs if out == half]
        assert sum(agrees) / len(agrees) >= 0.9985


def test_mathvista_agrees_from_the_response_alone(reference_data: Path) -> None:
    pairs = mathvista_pairs(reference_data, "response", "official")
    agrees = [agree for out, agree, text in pairs if out and text]
    everything = [agree for out, agree, _ in pairs if out]
    assert (len(agrees), len(everything)) == (2415, 2784)
    assert sum(agrees) / len(agrees) >= 0.966  # where there is a response
    assert sum(everything) / len(everything) >= 0.956  # 369 are empty, and 157 of their labels are guesses


def test_mathvista_vlmevalkit_agrees_as_far_as_a_rule_without_its_judge_can(reference_data: Path) -> None:
    agrees = [agree for _, agree, _ in mathvista_pairs(reference_data, "response", "vlmevalkit")]
    assert sum(agrees) == 5051  # of 6,000; 33 fewer without the rule on "answer is"


# --- MATH-Vision ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mathvision(reference_data: Path) -> dict[str, base.Problem]:
    return {problem.id: problem for problem in MathVision().load(reference_data / "mathvision")}


def outputs(reference_data: Path) -> list[Path]:
    return sorted((reference_data / "mathvision" / "outputs").glob("*.jsonl"))


def mathvision_agreement(files: list[Path], problems: dict[str, base.Problem]) -> tuple[int, float, float]:
    """How many held-out responses, and the shares of extractions and of labels that are the authors'."""
    pytest.importorskip("math_verify", reason="formulas are compared by math-verify")
    extracted, labelled = [], []
    with Comparer() as compare:
        for row in (json.loads(line) for file in files for line in file.read_text().splitlines()):
            if held_out(row["id"]):
                scored = MathVision().score(problems[row["id"]], row["response"], "official", compare)
                extracted.append(extract(row["response"]) == row["model_answer"])
                labelled.append(scored.correct == row["correct"])
    assert compare.timed_out == 0
    return len(labelled), sum(extracted) / len(extracted), sum(labelled) / len(labelled)


def test_mathvision_extraction_and_labels_of_one_system_agree(
    reference_data: Path, mathvision: dict[str, base.Problem]
) -> None:
    files = [file for file in outputs(reference_data) if file.name.startswith("InternLM")]
    n, extracted, labelled = mathvision_agreement(files, mathvision)
    assert (n, extracted >= 0.998, labelled >= 0.998) == (1475, True, True)


@pytest.mark.slow
def test_mathvision_extraction_and_labels_of_four_systems_agree(
    reference_data: Path, mathvision: dict[str, base.Problem]
) -> None:
    n, extracted, labelled = mathvision_agreement(outputs(reference_data), mathvision)
    assert (n, extracted >= 0.998, labelled >= 0.998) == (5900, True, True)


def test_mathvision_totals_are_the_official_ones(reference_data: Path, mathvision: dict[str, base.Problem]) -> None:
    for file in outputs(reference_data):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        items = [Item(mathvision[row["id"]], Scored(row["correct"], "", "")) for row in rows]
        official = json.loads(file.with_name(f"{file.stem}_result.json").read_text())
        found = MathVision().summary(items)
        total = MathVision().total(items)
        assert official.pop("-all").startswith(f"{round(total['accuracy'] * total['n'])}/{total['n']}=")
        checked = 0
        for group, shares in (("subject", "{}"), ("level", "-level{}"), ("level_subject", "-level{}")):
            for name, share in found[group].items():
                right = round(share["accuracy"] * share["n"])
                assert official[shares.format(name)].startswith(f"{right}/{share['n']}="), (file.stem, group, name)
                checked += 1
        assert checked == 16 + 5 + len(found["level_subject"]) and checked > 90


def test_mathvision_gold_answers_are_right(mathvision: dict[str, base.Problem]) -> None:
    benchmark = BENCHMARKS["mathvision"]
    wrong = [
        p.id for p in mathvision.values() if not benchmark.score(p, rf"So \boxed{{{p.gold}}}.", "official").correct
    ]
    assert len(wrong) <= 0.02 * len(mathvision)  # formulas, which need the process that compares them
