"""Suites: sums worked by hand, a suite asked in full and once, the proof of sight."""

import dataclasses
import json
from types import MappingProxyType

import jax
import numpy as np
import pytest
from PIL import Image

import engines
from configs import jigsaw_cpu
from configs.debug_cpu import get_config
from perc_jax.batch import WHOLE, Completions
from perc_jax.config import MeshConfig, RewardConfig, TableConfig, TermConfig
from perc_jax.data import streams
from perc_jax.evaluation import papers
from perc_jax.evaluation.suites import (
    SIGHT_NATS,
    Evaluator,
    Item,
    _begun_alike,
    are_certain,
    in_words,
    moved,
    proof_of_sight,
    summary,
)
from perc_jax.mesh import sharding
from perc_jax.processes.progress import Progress
from perc_jax.programs.compiled import Programs
from perc_jax.prompt.tokenizer import load
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.endings import Ending
from perc_jax.rewards.terms import Case
from perc_jax.rewards.verifier import Verifier
from perc_jax.statistics import clustered_mean, share_interval, wilson_interval
from tests.run.test_rewarded import Here

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

    share = WHOLE

    def __init__(self, answers: MappingProxyType[bytes, str]):
        self.answers, self.asked = answers, 0

    def greedy(self, params, prompts):
        self.asked += len(prompts.tokens)
        shape = (len(prompts.tokens), 1, LENGTH)
        tokens, mask = np.zeros(shape, np.int32), np.zeros(shape, bool)
        for row, picture in enumerate(prompts.pixels):
            answer = TOKENS.encode(self.answers.get(picture.tobytes(), "no idea"))
            ids = [*answer[: LENGTH - 1], TOKENS.ids.ends[0]]
            tokens[row, 0, : len(ids)], mask[row, 0, : len(ids)] = ids, True
        return Completions(tokens, np.zeros(shape, np.float32), mask, np.ones(shape[:2], bool))


def known(config, suite: str) -> dict[bytes, str]:
    """The right answer to every question of a suite, by its picture."""
    answers = {}
    with streams.exam(config, streams.of_suite(config, suite, COUNT)) as stream:
        for batch in stream:
            for picture, info in zip(batch.prompts.pixels, batch.samples, strict=True):
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
            "cell": {"cube.net/0": right, "grid.count/0": right, "grid.count/2": wrong},
        },
        "correct": [1, 0, 1],
        "asked": ["grid.count/0", "grid.count/2", "cube.net/0"],
        "versions": {"cube": engines.ENGINES["cube"].version, "grid": engines.ENGINES["grid"].version},
    }


def test_a_suite_is_asked_in_full_and_every_question_counts_once(config):
    oracle = Oracle(MappingProxyType(known(config, "test_a")))
    with Progress(600.0, quiet=True) as screen:
        results, shown = Evaluator(config, oracle, TOKENS, Here(), screen).suites({})
    assert list(results) == ["test_a", "test_c"] and oracle.asked == 3 * 3 * BATCH
    assert results["test_a"]["blind"]["accuracy"] == 0 and results["test_a"]["blind"]["n"] == COUNT
    assert "blind" not in results["test_c"]
    assert results["test_a"]["accuracy"] == 1 and results["test_a"]["correct"] == [1] * COUNT
    assert results["test_c"]["accuracy"] == 0 and results["test_c"]["n"] == COUNT
    for result in results.values():
        assert all(sum(cell["n"] for cell in cells.values()) == COUNT for cells in result["by"].values())
    assert [page.suite for page in shown] == ["test_a"] * 3 + ["test_c"] * 3
    assert [page.answers[0]["accuracy"] for page in shown] == [1] * 3 + [0] * 3
    assert json.loads(json.dumps(results)) == results


def with_table(config, folder, pictures: list[int], **evaluation):
    """A config that tests a table alone, whose rows show these pictures."""
    for number in set(pictures):
        pixels = np.random.default_rng(number).integers(0, 255, (28, 28, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    rows = [
        {"image": f"{number}.png", "question": f"What {place}?", "answer": "1"} for place, number in enumerate(pictures)
    ]
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = TableConfig(str(folder / "t.jsonl"))
    changes = {"suites": (), "samples": (), "tables": (table,), "shown": 0} | evaluation
    return dataclasses.replace(config, evaluation=dataclasses.replace(config.evaluation, **changes))


@pytest.mark.parametrize("kept_bytes", [0, papers.KEPT_BYTES])
def test_of_a_table_too_only_the_first_rows_are_asked_blind(config, tmp_path, monkeypatch, kept_bytes):
    monkeypatch.setattr(papers, "KEPT_BYTES", kept_bytes)
    config, oracle = with_table(config, tmp_path, list(range(40)), blind=4), Oracle(MappingProxyType({}))
    with Progress(600.0, quiet=True) as screen:
        results, _ = Evaluator(config, oracle, TOKENS, Here(), screen).suites({})
    [found] = results.values()
    assert (found["n"], found["blind"]["n"], oracle.asked) == (40, 4, 44)


def test_rows_of_a_table_on_one_picture_count_as_one(config, tmp_path):
    """Three rows on each of four pictures, all wrong, and two without: as sure as six questions, also asked blind."""
    config = with_table(config, tmp_path, [0, 1, 2, 3] * 3, blind=8)
    with (tmp_path / "t.jsonl").open("a") as file:
        file.writelines(json.dumps({"question": f"{number}?", "answer": "1"}) + "\n" for number in range(2))
    with Progress(600.0, quiet=True) as screen:
        results, _ = Evaluator(config, Oracle(MappingProxyType({})), TOKENS, Here(), screen).suites({})
    [found] = results.values()
    assert found["units"] == [0, 1, 2, 3] * 3 + [4, 5] and found["n"] == 14
    assert found["ci95"] == list(wilson_interval(0, 6)) and found["blind"]["ci95"] == list(wilson_interval(0, 4))


def test_units_of_rows_hold_for_terms_too_and_engines_have_none():
    items = [Item("mine", "number", 0, place < 6, (float(place // 6),), 1 + place % 4) for place in range(12)]
    found, rng = summary(items, ["length"]), np.random.default_rng
    right, units = np.array([item.correct for item in items], float), [0, 1, 2, 3] * 3
    assert found["units"] == units and found["ci95"] == list(share_interval(right, rng(0), units))
    assert found["terms"]["length"]["ci95"] == list(clustered_mean(1 - right, units, rng(0))[1:])
    assert "units" not in summary([Item("grid", "count", 0, True)])


def test_replies_are_measured_by_the_terms_of_the_rewards(config, monkeypatch):
    terms = (TermConfig("accuracy"), TermConfig("length", free=4), TermConfig("sections", headings=("a", "b")))
    rl = dataclasses.replace(config.stages[1], reward=RewardConfig(terms))
    other = dataclasses.replace(rl, name="more", reward=RewardConfig((TermConfig("length", free=9),)))
    config = dataclasses.replace(config, stages=(config.stages[0], rl, other))
    assert [(term.label, term.free) for term in config.measured if term.label == "length"] == [("length", 4)]
    oracle = Oracle(MappingProxyType(known(config, "test_a")))
    with Progress(600.0, quiet=True) as screen, Verifier.of(config) as verifier:
        evaluator = Evaluator(config, oracle, TOKENS, verifier, screen)
        results, _ = evaluator.suites({})
    measured = results["test_a"]["terms"]
    assert list(measured)[:2] == ["length", "sections"] and len(measured) > 2
    assert all(len(term["each"]) == COUNT for term in measured.values())
    assert 0 < measured["length"]["mean"] < 1 and measured["sections"]["each"] == [0.0] * COUNT
    low, high = measured["length"]["ci95"]
    assert low <= measured["length"]["mean"] <= high and "length 0." in in_words(results["test_a"])
    values = tuple(np.float32([0.1, 1 / 3, -2, 0][: len(measured)]).tolist())
    items = [Item("grid", "grid_size", 3, True, values, pictures) for pictures in (0, 2**64 - 5)]
    monkeypatch.setattr(jax, "process_count", lambda: 2)
    monkeypatch.setattr(sharding, "rows_of_all_hosts", lambda rows, mesh: rows[:2])
    oracle.mesh = None
    assert evaluator._of_all_hosts(items) == items


FUNCTIONS = """
def of_city(text, row):
    return {"size": 1.0, "found": float(row["city"] in text)}

def ranks(texts, rows):
    first, second, *_ = texts
    return [float(first < second)] * len(texts)

def at_times(text, row):
    if "3" in row["gold"]:
        raise ValueError("not this one")
    return 0.5
"""


def test_a_users_function_that_fails_on_a_suite_is_said_once_and_left_out_of_its_results(config, tmp_path, capfd):
    """One of a table's column, one of a whole group, and one that fails at times, which then is worth 0."""
    file = tmp_path / "mine.py"
    file.write_text(FUNCTIONS)
    functions = (
        TermConfig(f"{file}:of_city", parts=("size", "found")),
        TermConfig(f"{file}:ranks"),
        TermConfig(f"{file}:at_times"),
    )
    rl = dataclasses.replace(config.stages[1], reward=RewardConfig((TermConfig("length", free=4), *functions)))
    config = dataclasses.replace(config, stages=(config.stages[0], rl), verifier_deadline_s=20.0)
    answers = known(config, "test_a")
    with Progress(600.0) as screen, Verifier.of(config) as verifier:
        evaluator = Evaluator(config, Oracle(MappingProxyType(answers)), TOKENS, verifier, screen)
        results = [evaluator.suites({})[0] for _ in range(2)]
    said = capfd.readouterr()
    for name in ("of_city", "ranks"):
        assert (said.out + said.err).count(f"test_a has no {name}: ") == 1
    assert results[0]["test_a"] == results[1]["test_a"]
    for suite, golds in (("test_a", list(answers.values())),):
        measured = results[0][suite]["terms"]
        assert list(measured) == ["length", "at_times"] and len(golds) == COUNT
        each = measured["at_times"]["each"]
        assert sorted(set(each)) == [0.0, 0.5] and each.count(0.0) == sum("3" in gold for gold in golds)
        assert results[0][suite]["accuracy"] == 1


def test_a_suite_is_not_measured_by_an_ending_that_its_environment_lacks():
    """Two stages with an environment each: the suites are asked in the last one's, which has its own endings."""
    config = jigsaw_cpu.get_config()
    puzzles = config.stages[1]
    look = dataclasses.replace(
        puzzles.environment, name="inspect", turns=3, pictures=2, side=1, view_px=config.data.image_px // 2
    )
    terms = (TermConfig("accuracy"), TermConfig("ending", part="seen"))
    looking = dataclasses.replace(puzzles, name="look", environment=look, reward=RewardConfig(terms))
    both = dataclasses.replace(config, stages=(puzzles, looking))
    asked = {term.part for term in puzzles.reward.terms if term.term == "ending"}
    assert "in_place" in asked and both.environment.name == "inspect"
    endings = [term.part for term in both.measured if term.term == "ending"]
    assert "seen" in endings and set(endings) <= set(both.environment.parts)
    assert asked <= {term.part for term in config.measured}
    case = Case("x", Gold("none", ""), ending=Ending(True, True, "1", dict.fromkeys(both.environment.parts, 0.5)))
    with Verifier(20.0) as verifier:
        assert verifier.measure([case], RewardConfig(both.measured)).terms[0, endings.index("seen")] == 0.5


class Eye(Programs):
    """Stands in for the device: its log-probabilities are a function of the pictures."""

    share, mesh = WHOLE, sharding.make_mesh(MeshConfig(), jax.devices()[:1])

    def __init__(self, sampler, trainer):
        self.sampler, self.trainer = sampler, trainer

    def publish(self, params):
        return params

    def greedy(self, params, prompts):
        logprobs = np.full((len(prompts.tokens), 1, LENGTH), -1, np.float32)
        logprobs[:, 0, 0] = self.sampler(prompts.pixels)
        seen = np.zeros(logprobs.shape, bool)
        seen[:, :, 0] = True
        return Completions(seen.astype(np.int32), logprobs, seen, seen[:, :, 0])

    def scorer(self):
        return lambda params, prompts, tokens: Eye(self.trainer, None).greedy(params, prompts).logprobs


def brightness(pixels):
    return -pixels.mean(axis=(1, 2)) / 100


@pytest.mark.parametrize("who", ["sampler", "trainer"])
def test_a_model_that_sees_is_told_from_one_that_does_not(config, who):
    def proof(look):
        eye = Eye(**{"sampler": brightness, "trainer": brightness} | {who: look})
        return proof_of_sight(config, eye, eye.scorer(), {})

    changes = proof(brightness)
    assert len(changes) == 4 and min(changes.values()) > 0
    with pytest.raises(RuntimeError, match=f"a blank picture must change the {who}'s"):
        proof(lambda pixels: -1)
    with pytest.raises(RuntimeError, match=f"a swapped picture must change the {who}'s"):
        proof(lambda pixels: -1.0 - (pixels != pixels[:, :1]).any())  # whether they are of one colour
    with pytest.raises(RuntimeError, match=rf"a blank picture must change the {who}'s .* by >= 0\.01, got nan$"):
        proof(lambda pixels: np.where(pixels.any(), np.nan, -1))
    with pytest.raises(RuntimeError, match=rf"a blank picture must change the {who}'s .* by >= 0\.01, got 0\.0\d+$"):
        proof(lambda pixels: -1 + brightness(pixels) / 1000)


def test_one_prompt_is_proof_enough(config):
    """There is no other in its batch whose picture it could be shown."""
    one = dataclasses.replace(config, evaluation=dataclasses.replace(config.evaluation, batch=1))
    eye = Eye(brightness, brightness)
    assert min(proof_of_sight(one, eye, eye.scorer(), {}).values()) >= SIGHT_NATS


def test_sampled_answers_are_compared_up_to_the_token_in_which_they_part():
    mask = np.array([[[True, True, True, False]]])

    def answer(*tokens):
        return Completions(np.array([[tokens]], np.int32), np.zeros((1, 1, 4), np.float32), mask, mask[:, :, 0])

    for other, places in (((1, 2, 3, 4), 3), ((1, 2, 9, 4), 3), ((1, 9, 3, 4), 2), ((9, 2, 3, 4), 1)):
        found = _begun_alike(answer(1, 2, 3, 4), answer(*other))
        assert found.tolist() == [[[place < places for place in range(4)]]]


def test_tokens_that_are_certain_tell_nothing():
    assert are_certain(np.float32([0, -1e-7])) and not are_certain(np.float32([0, -1e-5]))
    assert not are_certain(np.float32([np.nan]))


def test_a_change_is_measured_in_odds_where_a_token_is_all_but_certain():
    """Twice the doubt is 0.69 nats, however small the doubt is; what float32 cannot tell from certainty is none."""
    doubt = np.array([1e-1, 1e-3, 1e-5])
    assert moved(np.log1p(-doubt), np.log1p(-2 * doubt)) == pytest.approx(np.log(2), abs=0.12)
    assert moved(np.log1p(-doubt[1:]), np.log1p(-2 * doubt[1:])) == pytest.approx(np.log(2), abs=2e-3)
    assert moved(np.zeros(3), np.full(3, -1e-8)) == 0
    assert np.isnan(moved(np.array([-1.0, np.nan]), np.array([-1.0, -1.0])))
    assert moved(np.array([-2.0]), np.array([-np.inf])) == np.inf
