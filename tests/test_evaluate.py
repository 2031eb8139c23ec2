"""Evaluation: sums worked by hand, a suite asked in full and once, the proof of sight, the command."""

import dataclasses
import json
from types import MappingProxyType

import numpy as np
import pytest
import whole_runs
from test_rewarded import Here

from configs.debug_cpu import get_config
from perc_jax import data, evaluate
from perc_jax.batch import Completions
from perc_jax.evaluate import Evaluator, Item, proof_of_sight, summary
from perc_jax.programs import Programs
from perc_jax.progress import Progress
from perc_jax.tokenizer import load

TOKENS = load("debug.model")
COUNT, BATCH, LENGTH = 10, 4, 16  # the last batch has two rows to spare


@pytest.fixture(scope="module")
def config():
    debug = get_config()
    suites = dataclasses.replace(
        debug.evaluation, suites=("test_a", "test_c"), samples=(COUNT, COUNT), batch=BATCH, shown=3
    )
    return dataclasses.replace(debug, data=dataclasses.replace(debug.data, workers=0), evaluation=suites)


class Oracle(Programs):
    """Stands in for the device: answers the prompts it knows, in text."""

    def __init__(self, answers: MappingProxyType[bytes, str]):
        self.answers, self.asked = answers, 0

    def greedy(self, params, prompts):
        self.asked += len(prompts.tokens)
        shape = (len(prompts.tokens), 1, LENGTH)
        tokens, mask = np.zeros(shape, np.int32), np.zeros(shape, bool)
        for row, picture in enumerate(prompts.patches):
            answer = TOKENS.encode(self.answers.get(picture.tobytes(), "no idea"))
            ids = [*answer[: LENGTH - 1], TOKENS.ids.ends[0]]
            tokens[row, 0, : len(ids)], mask[row, 0, : len(ids)] = ids, True
        return Completions(tokens, np.zeros(shape, np.float32), mask, np.ones(shape[:2], bool))


def known(config, suite: str) -> dict[bytes, str]:
    """The right answer to every question of a suite, by its picture."""
    answers = {}
    with data.suite(config, suite, COUNT) as stream:
        for batch in stream:
            for picture, info in zip(batch.prompts.patches, batch.samples, strict=True):
                answers[picture.tobytes()] = rf"<answer>\boxed{{{info.answer.text()}}}</answer>"
    return answers


def test_a_summary_is_as_by_hand():
    items = [Item("grid", "count", 0, True), Item("grid", "count", 2, False), Item("cube", "net", 0, True)]
    found = summary(items)
    assert found.pop("ci95") == pytest.approx([0.20766, 0.93850], abs=1e-5)  # Wilson, 2 of 3
    right, wrong = {"n": 1, "accuracy": 1.0}, {"n": 1, "accuracy": 0.0}
    half, all_right = {"n": 2, "accuracy": 0.5}, {"n": 2, "accuracy": 1.0}
    assert found == {
        "n": 3,
        "accuracy": 2 / 3,
        "by": {
            "engine": {"cube": right, "grid": half},
            "type": {"cube.net": right, "grid.count": half},
            "level": {"0": all_right, "2": wrong},
        },
        "correct": [1, 0, 1],
    }


def test_a_suite_is_asked_in_full_and_every_question_counts_once(config):
    oracle = Oracle(MappingProxyType(known(config, "test_a")))
    with Progress(60.0, quiet=True) as screen:
        results, shown = Evaluator(config, oracle, TOKENS, Here(), screen).suites({})
    assert list(results) == ["test_a", "test_c"] and oracle.asked == 2 * 3 * BATCH
    assert results["test_a"]["accuracy"] == 1 and results["test_a"]["correct"] == [1] * COUNT
    assert results["test_c"]["accuracy"] == 0 and results["test_c"]["n"] == COUNT
    for result in results.values():
        assert all(sum(cell["n"] for cell in cells.values()) == COUNT for cells in result["by"].values())
    assert [page.suite for page in shown] == ["test_a"] * 3 + ["test_c"] * 3
    assert [page.answers[0]["accuracy"] for page in shown] == [1] * 3 + [0] * 3
    assert json.loads(json.dumps(results)) == results


class Eye(Programs):
    """Stands in for the device: its log-probabilities are a function of the pictures."""

    def __init__(self, look):
        self.look = look

    def greedy(self, params, prompts):
        logprobs = np.zeros((len(prompts.tokens), 1, LENGTH), np.float32)
        logprobs[:, 0, 0] = self.look(prompts.patches)
        empty = np.zeros(logprobs.shape, bool)
        return Completions(empty.astype(np.int32), logprobs, empty, empty[:, :, 0])


def test_a_model_that_sees_is_told_from_one_that_does_not(config):
    changes = proof_of_sight(config, Eye(lambda patches: patches.mean(axis=(1, 2))), {})
    assert set(changes) == {"blank", "swapped"} and min(changes.values()) > 0
    with pytest.raises(RuntimeError, match="a blank picture must change"):
        proof_of_sight(config, Eye(lambda patches: 0), {})
    with pytest.raises(RuntimeError, match="a swapped picture must change"):
        proof_of_sight(config, Eye(lambda patches: patches.any()), {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--suites", "test_a,test_x"), "--suites must be of test_a, test_b, test_c, test_d, got 'test_x'"),
        (("--samples", "0"), "--samples must be >= 1, got 0"),
        ((), "must hold a checkpoint, found none"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_in_a_line(tmp_path, capsys, arguments, message):
    with pytest.raises(SystemExit) as end:
        evaluate.main(["--model", str(tmp_path), *arguments])
    out, err = capsys.readouterr()
    assert (end.value.code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ") and message in err
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_evaluates_as_it_did_itself(reference_run, tmp_path):
    target = tmp_path / "accuracy.json"
    arguments = ("--model", str(reference_run.workdir), "--suites", "test_a,test_d", "--samples", "16")
    with whole_runs.Running(
        "perc_jax.evaluate", *arguments, "--out", str(target), folder=tmp_path / "output", cache=reference_run.cache
    ) as command:
        ended = command.end()
    assert ended.code == 0 and ended.unspoken() == [], ended.err
    found = json.loads(target.read_text())
    own = json.loads((reference_run.workdir / "eval" / "2_grpo_000010.json").read_text())
    assert found["test_d"] == own["test_d"]
    assert found["test_a"]["correct"] == own["test_a"]["correct"][:16]
    assert [line.split()[0] for line in ended.out.splitlines()] == ["test_a", "test_d"]
