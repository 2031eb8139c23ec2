"""Users' reward functions: whatever they do, the run goes on and one line says it; where that is the rule, it ends."""

import re
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from perc_jax.config import RewardConfig, TermConfig
from perc_jax.rewards import callers, functions
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.callers import Caller, Marks, complaints
from perc_jax.rewards.forms import Form
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import Verifier, no_faults, part_names

FILE = Path(__file__).parent / "faulty.py"  # lines are named in what is expected below
ANSWER = Form("answer")
MEMORY_BYTES = 2**29
TEXTS = ["fine", "short", "a longer one", "fine"]


def cases(texts: list[str], **row: object) -> list[Case]:
    return [Case(f"<answer>{text}</answer>", Gold("text", "fine"), len(text), {"id": "r", **row}) for text in texts]


def score(function: str, texts: list[str], group: int = 4, deadline_s: float = 20.0, **fields) -> Marks:
    with Caller(TermConfig(f"{FILE}:{function}", **fields), deadline_s, 1, MEMORY_BYTES) as caller:
        return caller.score(cases(texts), group, ANSWER)


@pytest.mark.parametrize("function", ["characters", "all_characters", "as_array"])
def test_one_by_one_and_in_batch_they_give_the_same(function):
    found = score(function, TEXTS * 2)
    assert found.values[:, 0].tolist() == [4, 5, 12, 4] * 2 and found.values.dtype == np.float32
    assert found.lines == () and set(found.faults.values()) == {0}


def test_they_get_what_their_parameters_name_and_may_change_it():
    found = score("of_everything", TEXTS)
    assert found.values[:, 0].tolist() == [1, 1, 1, 1] and found.lines == ()


def test_named_parts_are_logged_apart_and_add_up():
    reward = RewardConfig(terms=(TermConfig(f"{FILE}:parted", parts=("size", "vowels")),))
    assert part_names(reward) == ["parted/size", "parted/vowels"]
    found = score("parted", TEXTS, parts=("size", "vowels"))
    assert found.values.tolist() == [[6, 4, 2], [6, 5, 1], [17, 12, 5], [6, 4, 2]]
    overall = score("overall", TEXTS, parts=("overall", "size"))
    assert overall.values[:, 0].tolist() == [0.5] * 4 and overall.values[:, 2].tolist() == [4, 5, 12, 4]


# function, reason, the only line; the function fails on "bad" alone, which is one of five
FAULTS = {
    "raises": ("raised", "faulty.py:{}: ValueError: not this one"),
    "raises_within": ("raised", "faulty.py:{}: KeyError: 'absent'"),
    "exits": ("raised", "faulty.py:{}: SystemExit: 3"),
    "odd": ("raised", "faulty.py:{}: Unspeakable"),
    "not_a_number": ("value", "faulty.py: must return a finite number within 1e+09, got nan"),
    "too_large": ("value", "faulty.py: must return a finite number within 1e+09, got 1e+300"),
    "too_large_to_be_a_float": ("value", "faulty.py: must return a finite number within 1e+09, got -inf"),
    "of_wrong_type": ("value", "faulty.py: must return a number, got a str"),
    "nothing": ("value", "faulty.py: must return a number, got None"),
    "a_dict": ("value", "faulty.py: must return the parts that the term's `parts` names (none), got x"),
    "loops": ("late", "faulty.py: ran past verifier_deadline_s = 1"),
    "dies": ("died", "faulty.py: its process ended under it"),
    "hoards": ("memory", "faulty.py:{}: ran past its memory limit of 0.5 GiB"),
}


def line_of(function: str) -> int:
    """The line of a function of the file that is marked as the one at fault."""
    lines = FILE.read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(f"def {function}("))
    return next(number for number in range(first, len(lines)) if lines[number].endswith("# here")) + 1


@pytest.mark.parametrize("function", FAULTS)
def test_what_one_call_does_instead_is_one_line_and_the_rest_goes_on(function):
    reason, words = FAULTS[function]
    texts = ["fine", "bad", "short", "fine", "fine"]
    found = score(function, texts, group=5, deadline_s=1.0 if function == "loops" else 20.0)
    where = words.format(line_of(function)) if "{}" in words else words
    assert found.lines == (f"reward term {function}: {where}",)
    assert found.values[:, 0].tolist() == [1, 0, 1, 1, 1]
    assert {name: count for name, count in found.faults.items() if count} == {reason: 1}


def test_a_batch_of_wrong_length_is_worth_nothing_to_its_group_alone():
    found = score("wrong_length", ["fine", "fine", "bad", "fine", "fine", "fine"], group=2)
    assert found.lines == ("reward term wrong_length: faulty.py: must return 2 entries for 2 texts, got 3",)
    assert found.values[:, 0].tolist() == [1, 1, 0, 0, 1, 1] and found.faults["value"] == 1


def test_a_leak_costs_its_process_and_no_reward():
    found = score("leaks", ["fine"] * 6)
    assert found.values[:, 0].tolist() == [1] * 6
    assert found.faults["memory"] >= 1
    assert len(found.lines) == 1 and found.lines[0].endswith("ran past its memory limit of 0.5 GiB")


def test_prints_are_one_line_and_never_reach_the_screen(capfd):
    found = score("prints", ["fine"] * 6)
    assert found.lines == ("reward term prints: faulty.py: prints 'looking at fine', which nobody sees",)
    assert found.values[:, 0].tolist() == [1] * 6 and set(found.faults.values()) == {0}
    assert capfd.readouterr() == ("", "")


def test_a_kind_of_failure_is_said_once_a_run():
    with Caller(TermConfig(f"{FILE}:raises"), 20.0, 1, MEMORY_BYTES) as caller:
        first, second = (caller.score(cases(["fine", "bad", "fine"]), 3, ANSWER) for _ in range(2))
    assert len(first.lines) == 1 and second.lines == ()
    assert first.faults["raised"] == second.faults["raised"] == 1


@pytest.mark.parametrize(
    ("function", "texts", "words"),
    [
        ("raises", ["bad"] * 3 + ["fine"] * 2, r"failed in 3 of 5 calls of a rollout: faulty.py:\d+: ValueError"),
        ("loops", ["bad"] * 40, "failed in 3 of 3 calls, of 40 of a rollout: faulty.py: ran past"),
    ],
)
def test_failing_as_a_rule_ends_the_run_in_one_line(function, texts, words, monkeypatch):
    monkeypatch.setattr(callers, "FEW", 3)
    with pytest.raises(RuntimeError, match=rf"^reward term {function} {words}") as error:
        score(function, texts, deadline_s=0.4 if function == "loops" else 20.0)
    assert "\n" not in str(error.value)


def test_where_replies_are_only_measured_slow_failures_cost_the_next_nothing(monkeypatch):
    """Three of forty calls are waited for; the others are not made, so that the next measuring has its processes."""
    monkeypatch.setattr(callers, "FEW", 3)
    with Caller(TermConfig(f"{FILE}:loops"), 1.0, 1, MEMORY_BYTES) as caller:
        assert caller.measure(cases(["fine"]), ANSWER).values.tolist() == [[1]]
        found = caller.measure(cases(["bad"] * 40), ANSWER)
        assert np.isnan(found.values).all() and found.values.shape == (40, 1)
        words = "failed in 3 of 3 calls, of 40 of a suite: faulty.py: ran past verifier_deadline_s = 1"
        assert found.lines == (f"reward term loops {words}",)
        start = time.monotonic()
        assert caller.measure(cases(["fine"]), ANSWER).values.tolist() == [[1]]
        assert time.monotonic() - start < 30  # of 37 that the calls left would take


def test_every_reason_has_an_entry_before_anything_failed():
    reward = RewardConfig(terms=(TermConfig("accuracy"), TermConfig("length"), TermConfig(f"{FILE}:raises")))
    with Verifier(20.0, form=ANSWER, memory_bytes=MEMORY_BYTES) as verifier:
        found = verifier.score(cases(["fine", "bad", "fine", "fine"]), reward, 4)
    assert found.terms.tolist() == [[1, 1, 1], [0, 1, 0], [1, 1, 1], [1, 1, 1]] and len(found.lines) == 1
    assert [verdict.correct for verdict in found.verdicts] == [True, False, True, True]
    found.faults["raises/raised"] -= 1
    assert found.faults == no_faults(reward) == {"length/late": 0} | {f"raises/{r}": 0 for r in functions.REASONS}


WRONG_FILES = {
    "absent.py:score": ("", r"must name a file that exists, and .*absent.py does not"),
    "syntax.py:score": ("def score(:\n", r"must be importable \(syntax.py.*SyntaxError"),
    "package.py:score": ("import no_such_package\n", r"must be importable \(package.py:1: ModuleNotFoundError"),
    "exit.py:score": ("import sys\nsys.exit(2)\n", r"must be importable \(exit.py:2: SystemExit: 2"),
    "death.py:score": ("import os\nos._exit(2)\n", r"must be importable \(its import ends the process"),
    "other.py:score": ("def scores(text, row): ...\n", r"must name a function of other.py, which has no score"),
    "value.py:score": ("score = 3\n", r"must name a function of value.py, which has no score"),
    "slow.py:score": ("async def score(text, row): ...\n", r"must name a function that is not async"),
    "names.py:score": ("def score(prompt, reply): ...\n", r"of text and row, .* and not of prompt, reply"),
    "mixed.py:score": ("def score(text, rows): ...\n", r"of text and row, .* and not of text, rows"),
}


def test_a_file_that_cannot_be_used_is_refused_without_its_function_being_called(tmp_path):
    names = {}
    for name, (code, words) in WRONG_FILES.items():
        if code:
            (tmp_path / name.partition(":")[0]).write_text(textwrap.dedent(code))
        names[f"{tmp_path}/{name}"] = words
    said = complaints([*names, f"{FILE}:characters", f"{FILE}:defaults"])
    assert said[f"{FILE}:characters"] == said[f"{FILE}:defaults"] == ""
    for name, words in names.items():
        assert re.search(words, said[name]) and "\n" not in said[name], (name, said[name])


def test_files_whose_helpers_have_one_name_are_imported_apart(tmp_path):
    """As in a run, where each function has its own processes."""
    names = []
    for one in ("first", "second"):
        (tmp_path / one).mkdir()
        (tmp_path / one / "helper.py").write_text(f"def {one}(text):\n    return len(text)\n")
        code = f"from helper import {one}\n\n\ndef score(text, row):\n    return {one}(text)\n"
        (tmp_path / one / "mine.py").write_text(code)
        names.append(f"{tmp_path / one}/mine.py:score")
    assert complaints(names) == dict.fromkeys(names, "") and complaints([]) == {}
