"""The watch: each rule raises its alarm on the series it is for, and on no healthy one."""

import numpy as np
import pytest

from perc_jax.evaluation import suites
from perc_jax.report.page import Evaluation
from perc_jax.report.watch import LEAST_STEPS, LIMITS, findings, watch_section
from perc_jax.rewards.watch import answer_drift, is_degenerate

KINDS = {"warmup": "sft", "rl": "grpo"}
STEPS = 100


def records(steps: int = STEPS, **ends: tuple[float, float]) -> list[dict]:
    """A healthy stage, noisy and linear between the ends of each metric."""
    healthy = {
        "rollout/reward": (0.4, 0.6),
        "rollout/format": (0.9, 0.98),
        "rollout/completion_length": (20.0, 25.0),
        "rollout/degenerate_share": (0.01, 0.005),
        "rollout/answer_drift": (0.3, 0.2),
    }
    healthy |= {f"rollout/{name}": pair for name, pair in ends.items()}
    rng, made = np.random.default_rng(0), []
    for step in range(steps):
        share = step / max(1, steps - 1)
        noise = 1 + 0.02 * rng.standard_normal()
        values = {name: (first + (last - first) * share) * noise for name, (first, last) in healthy.items()}
        made.append({"step": step + 1, "stage": "rl"} | values)
    return made


def evaluations(before: float = 0.5, after: float = 0.65, blind: tuple[float, float] | None = None) -> list[Evaluation]:
    def suite(accuracy: float, without: float | None) -> dict:
        correct = [int(place < 1000 * accuracy) for place in range(1000)]
        found = {"n": 1000, "accuracy": accuracy, "ci95": [0, 1], "correct": correct}
        return found if without is None else found | {"blind": {"accuracy": without}}

    first, last = blind or (None, None)
    return [
        Evaluation(1, "warmup", 0, {"test_a": suite(before, first)}),
        Evaluation(2, "rl", 50, {"test_a": suite((before + after) / 2, last)}, is_end=False),
        Evaluation(2, "rl", STEPS, {"test_a": suite(after, last)}),
    ]


def alarms(made: list[dict], asked: list[Evaluation]) -> set[str]:
    return {finding.rule for finding in findings(made, asked, KINDS) if finding.is_alarm}


def test_a_healthy_run_raises_none():
    found = findings(records(), evaluations(blind=(0.2, 0.22)), KINDS)
    assert len(found) == 7 and not any(finding.is_alarm for finding in found)
    assert "No rule raises one" in watch_section(found)


def test_a_run_that_has_learnt_nothing_yet_raises_none():
    still = {name: (0.3, 0.3) for name in ("reward", "format", "answer_drift")}
    assert alarms(records(**still), evaluations(0.3, 0.3)) == set()


@pytest.mark.parametrize(
    ("ends", "asked", "rule"),
    [
        ({"reward": (0.4, 0.6)}, evaluations(0.5, 0.5), "Reward against held-out accuracy"),
        ({"format": (0.8, 1.0)}, evaluations(0.5, 0.4), "Format against held-out accuracy"),
        ({"completion_length": (20, 50)}, evaluations(), "Completion length"),
        ({"completion_length": (50, 20)}, evaluations(), "Completion length"),
        ({"degenerate_share": (0.0, 0.2)}, evaluations(), "Empty or looping answers"),
        ({"reward/keywords/listed": (0.0, 0.2)}, evaluations(), "Key words in lists"),
        ({"reward/form/repeated": (0.01, 0.2)}, evaluations(), "Repeated headings"),
        ({"reward/keywords/words": (20.0, 90.0)}, evaluations(), "Description length"),
        ({"reward/keywords/words": (90.0, 20.0)}, evaluations(), "Description length"),
        ({"answer_drift": (0.2, 0.6)}, evaluations(), "Answers against right answers"),
        ({}, evaluations(blind=(0.2, 0.4)), "Accuracy without the picture"),
        ({}, evaluations(0.5, 0.65, (0.6, 0.6)), "Accuracy without the picture"),
    ],
)
def test_each_rule_raises_its_own_alarm(ends, asked, rule):
    found = alarms(records(**ends), asked)
    fell = {"Test sets that fell"} if "Format" in rule else set()  # then the held-out accuracy falls too
    assert rule in found and found <= {rule, "Reward against held-out accuracy"} | fell
    section = watch_section(findings(records(**ends), asked, KINDS))
    assert section.index("alarm</b>") < section.index("quiet") and rule in section


def asked_about(engines: dict[str, tuple[int, int, int]]) -> list[Evaluation]:
    """Before and after: of each engine's questions so many of n are right; the engines alternate in no way."""
    made = []
    for side in (0, 1):
        items = [
            suites.Item(engine, "any", 0, place < right[side])
            for engine, (*right, n) in engines.items()
            for place in range(n)
        ]
        made.append(Evaluation(1 + side, ("warmup", "rl")[side], side * STEPS, {"test_b": suites.summary(items)}))
    return made


def test_an_engine_that_falls_is_an_alarm_though_the_whole_rises():
    asked = asked_about({"grid": (10, 90, 100), "sudoku": (9, 1, 40), "chart": (20, 19, 40)})
    found = {finding.rule: finding for finding in findings(records(), asked, KINDS)}
    engines = found["Engines that fell on a test set"]
    assert engines.is_alarm and not found["Test sets that fell"].is_alarm
    assert "sudoku on test_b 22 → 2 %, -20.0 [" in engines.words and "n = 40" in engines.words
    assert "chart" not in engines.words and "grid" not in engines.words
    section = watch_section(list(found.values()))
    assert section.index("sudoku on test_b") < section.index("quiet")


def test_a_test_set_that_falls_is_an_alarm_and_a_small_fall_is_none():
    assert "Test sets that fell" in alarms(records(), asked_about({"grid": (50, 20, 100)}))
    small = findings(records(), asked_about({"grid": (50, 47, 100), "cube": (5, 4, 40)}), KINDS)
    quiet = [finding for finding in small if "fell" in finding.rule]
    assert [finding.is_alarm for finding in quiet] == [False, False]
    assert "none of 2 beyond its interval; nearest to it: " in quiet[1].words


def test_what_was_bad_from_the_start_and_does_not_grow_is_quiet():
    assert alarms(records(degenerate_share=(0.3, 0.3), completion_length=(500, 400)), evaluations()) == set()
    described = {"listed": (0.04, 0.06), "words": (30.0, 50.0)}
    described = {f"reward/keywords/{part}": pair for part, pair in described.items()}
    assert alarms(records(**described, **{"reward/form/repeated": (0.3, 0.1)}), evaluations()) == set()


def test_short_and_supervised_stages_are_not_judged():
    assert findings(records(2 * LEAST_STEPS - 1), evaluations(), KINDS) == []
    supervised = [record | {"stage": "warmup"} for record in records()]
    assert findings(supervised, evaluations(), KINDS) == [] and watch_section([]) == ""


def test_limits_are_what_decides():
    strict = LIMITS._replace(length_factor=1.1)
    found = findings(records(), evaluations(), KINDS, strict)
    assert [finding.rule for finding in found if finding.is_alarm] == ["Completion length"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("  \n", True),
        ("so so so so so so ", True),
        ("It is 4. It is 4. It is 4. It is 4. ", True),
        ("0" * 12, True),
        (r"<answer>\boxed{0000}</answer>", False),
        (r"<answer>\boxed{1, 0, 1, 0, 1, 0}</answer>", False),
        ("red red blue", False),
        ("x" * 3, False),
    ],
)
def test_degenerate_texts_are_empty_or_end_in_a_loop(text, expected):
    assert is_degenerate(text) is expected


def test_drift_is_a_distance_of_distributions():
    assert answer_drift(["1", "2", "3"], ["1", "2", "3"]) == answer_drift(["3", "1", "2"], ["1", "2", "3"]) == 0
    assert answer_drift(["1"] * 4, ["1", "2", "3", "4"]) == 0.75
    assert answer_drift([None, "5"], ["1", "2"]) == 1 and answer_drift([], []) == 0
