"""Conversations in the host's part of a step, worked by hand: endings to rewards and metrics, exchanges to pages."""

import dataclasses
import json
import math

import numpy as np
import pytest
from PIL import Image

from configs import jigsaw_cpu
from perc_jax.batch import Completions
from perc_jax.config import RewardConfig, TermConfig, to_dict
from perc_jax.data import streams
from perc_jax.environments.make import make
from perc_jax.environments.talks import Ended, talks_of
from perc_jax.prompt.tokenizer import load
from perc_jax.report import samples
from perc_jax.report.runs import write_report
from perc_jax.rewards.verifier import Verifier
from perc_jax.run import groups, rewarded

GROUP = 4
TERMS = (TermConfig("accuracy"), TermConfig("format", 0.5), TermConfig("ending", 0.25, part="in_place"))
SWAP = "<code>Swap(1, 2)</code>"


class Here:
    """Plays in this process."""

    def __init__(self, environment):
        self._environment = environment

    def begin(self, moves):
        return map(self._environment.step, moves)


@pytest.fixture(scope="module")
def conversed():
    """Two prompts with four conversations each: right at once, right after a look, wrong, and nonsense to the end."""
    config = jigsaw_cpu.get_config()
    stage = dataclasses.replace(
        config.stages[1],
        prompts_per_step=2,
        group_size=GROUP,
        micro_batches=1,
        row_widths=(),
        reward=RewardConfig(TERMS),
    )
    config = dataclasses.replace(config, data=dataclasses.replace(config.data, workers=0), stages=(stage,))
    with streams.stream(config, stage) as stream:
        batch = next(stream)
    tokens = load(config.data.tokenizer)
    environment = make(stage.environment, config.data, config.model.vision)
    states = [info.state for info in batch.samples]
    talks = talks_of(config, environment, Here(environment), tokens, states, GROUP)
    shape = (2, GROUP, 64)
    ids, mask, lengths = np.zeros(shape, np.int32), np.zeros(shape, bool), np.zeros(shape[:2], int)
    for p, info in enumerate(batch.samples):
        right = f"<answer>{info.answer.text()}</answer>"
        said = [[right], [SWAP, right], ["<answer>1 2 3 4</answer>"], ["hm", "hm", "hm"]]
        for g, turns in enumerate(said):
            for text in turns:
                turn = [*tokens.encode(text), tokens.ids.ends[0]]
                begin = lengths[p, g]
                ids[p, g, begin : begin + len(turn)], mask[p, g, begin : begin + len(turn)] = turn, True
                lengths[p, g] += len(turn)
                list(talks.begin([Ended(p, g, turn, 100, 1000)]))
    logprobs = np.where(mask, -np.arange(64) / 64, 0).astype(np.float32)
    completions = Completions(ids, logprobs, mask, np.ones(shape[:2], bool))
    with Verifier(60.0) as verifier:
        graded = rewarded.grade(completions, batch.samples, tokens, verifier, stage, (0, 1), endings=talks.endings())
    return config, stage, batch, completions, graded, talks


def test_rewards_are_those_of_the_endings(conversed):
    *_, batch, _, graded, _ = conversed
    for p, info in enumerate(batch.samples):
        share = sum(a == b for a, b in zip(info.answer.text(), "1 2 3 4", strict=True) if a != " ") / 4
        # Pieces that look alike may be in place elsewhere too.
        assert graded.terms[p, 2, 2] >= share
        assert graded.accuracy[p].tolist() == [1, 1, 0, 0] and graded.format[p].tolist() == [1, 1, 1, 0]
        wanted = [1.75, 1.75, 0.5 + 0.25 * graded.terms[p, 2, 2], 0]
        assert np.allclose(graded.rewards[p], wanted)
    assert groups.outcomes(graded, np.ones((2, GROUP), bool), "none") == ("mixed", "mixed")
    assert [verdict.parsed is None for verdict in graded.verdicts] == [False, False, False, True] * 2


def test_turns_are_counted_by_reason(conversed):
    _, stage, batch, completions, graded, _ = conversed
    twice = rewarded.join([graded, graded])
    assert len(twice.endings) == 16
    found = rewarded.summarise(graded, completions, batch.samples, reward=stage.reward)
    assert found["rollout/turns"] == (1 + 2 + 1 + 3) / 4 and found["rollout/pictures"] == 1 / 4
    assert found["rollout/malformed_share"] == 1 / 4 and found["rollout/turns/no_call"] == 3 / 4
    assert found["rollout/turns/no_answer"] == 1 / 4 and found["rollout/turns/late"] == 0
    lengths = completions.mask.sum(axis=2)
    assert found["rollout/completion_length"] == lengths.mean()


def test_pages_show_every_turn_and_picture(conversed, tmp_path):
    config, stage, batch, completions, graded, talks = conversed
    tokens = load(config.data.tokenizer)
    shown = rewarded.shown(graded, completions, batch, config, stage.reward, talks.exchanges, tokens)
    samples.write(str(tmp_path), "000025_grpo", shown)
    records = json.loads((tmp_path / "samples" / "000025_grpo.json").read_text())
    for p, record in enumerate(records):
        turns = [answer["turns"] for answer in record["answers"]]
        assert [len(one) for one in turns] == [1, 2, 1, 3]
        assert turns[1][0]["text"] == SWAP and turns[1][0]["returned"].startswith("Board 2 1 3 4")
        [file] = turns[1][0]["pictures"]
        [seen] = talks.exchanges[p * GROUP + 1][0].returned.pictures
        assert (np.asarray(Image.open(tmp_path / "samples" / file)) == seen).all()
        pieces = [piece for turn in turns[1] for piece in turn["tokens"]]
        assert [logprob for _, logprob in pieces] == [round(-place / 64, 4) for place in range(len(pieces))]
        assert "".join(text for text, _ in pieces) == SWAP + turns[1][1]["text"]
        assert record["answers"][3]["met"] == ["no_call", "no_answer"]
    (tmp_path / "config.json").write_text(json.dumps(to_dict(config)))
    write_report(str(tmp_path))
    page = (tmp_path / "report.html").read_text()
    assert page.count('<div class="turn">') == 2 * 7 and page.count('<div class="returned">') == 2 * 3
    assert page.count("data:image/png") == 2 * 2 and "&lt;code&gt;Swap(1, 2)&lt;/code&gt;" in page
    assert f'title="{100 * math.exp(-0.0156):.1f} %"' in page and "no call, no answer" in page


def test_without_conversations_nothing_of_them_is_there(conversed):
    config, stage, batch, completions, graded, _ = conversed
    plain = graded._replace(endings=())
    assert not any("turn" in name for name in rewarded.summarise(plain, completions, batch.samples))
    assert not any(
        "turns" in answer
        for one in rewarded.shown(plain, completions, batch, config, stage.reward)
        for answer in one.answers
    )
