"""What supervised steps learn of tables: what the assistant says as it is written, all of its turns, with pictures."""

import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from perc_jax.config import TableConfig
from perc_jax.data import doctor
from perc_jax.prompt.tokenizer import load
from tests.data.test_tabled import batches, config_of

LONG = "<think>" + "There are " * 90 + "</think><answer>7</answer>"
CHATS = [
    [
        ("user", "<image>How many?"),
        ("assistant", "Two."),
        ("user", "And <image>here?"),
        ("assistant", "Three, I think."),
    ],
    [("user", "Is it?"), ("assistant", "Yes.")],
    [("user", "Long?"), ("assistant", LONG)],
]


@pytest.fixture
def chats(tmp_path):
    for number in range(2):
        Image.fromarray(np.full((56, 56, 3), 99 * number, np.uint8)).save(tmp_path / f"{number}.png")
    rows = []
    for talk in CHATS:
        shown = sum(text.count("<image>") for _, text in talk)
        messages = [{"role": role, "content": text} for role, text in talk]
        rows.append({"messages": messages, "images": [f"{number}.png" for number in range(shown)]})
    (tmp_path / "chats.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return TableConfig(str(tmp_path / "chats.jsonl"))


def learning(*tables, engines=False, form="strict", **stage):
    config = config_of(*tables, kind="sft", engines=engines)
    data = dataclasses.replace(config.data, answer_form=form, max_prompt_tokens=160, max_patches=128)
    stages = (dataclasses.replace(config.stages[0], **stage),)
    return dataclasses.replace(config, data=data, stages=stages)


def taught(config) -> dict[str, tuple[str, str]]:
    """By row: what is learned in the prompt, and what is learned behind it."""
    tokenizer, found = load(config.data.tokenizer), {}
    for batch in batches(config, 3):
        for row, info in enumerate(batch.samples):
            said = tokenizer.decode(batch.prompts.tokens[row][batch.gold_said[row]].tolist())
            last = tokenizer.decode(batch.gold_tokens[row][batch.gold_mask[row]].tolist())
            found[info.sample_id] = said, last
    return found


@pytest.mark.parametrize("form", ["strict", "think_answer"])
def test_a_chat_is_learned_as_it_is_written(chats, form):
    """Whatever form is asked of rollouts; a long turn needs room of its own, which is not that of rollouts."""
    found = taught(learning(chats, form=form, max_tokens=512))
    by_row = {name.rpartition(":")[2]: said for name, said in found.items()}
    assert by_row == {"1": ("Two.", "Three, I think."), "2": ("", "Yes."), "3": ("", LONG)}
    assert taught(learning(chats, form=form, max_tokens=512, turns="last"))[
        next(name for name in found if name.endswith(":1"))
    ] == ("", "Three, I think.")


def test_what_does_not_fit_a_stage_is_left_out_by_name(chats):
    config = learning(chats)
    found = batches(config, 3)
    reasons = {reason for batch in found for reason in batch.dropped}
    assert reasons and all(
        "chats.jsonl line 3" in reason and "must fit rollout.max_tokens = " in reason for reason in reasons
    )
    assert not any(info.sample_id.endswith(":3") for batch in found for info in batch.samples)
    assert doctor.longest_said(config, chats) == config.rollout.max_tokens
    assert doctor.longest_said(learning(chats, max_tokens=512), chats) == 512


def test_a_row_with_an_answer_alone_has_no_thoughts_to_show(chats, tmp_path):
    """It can be learned in a form without thoughts, and rewarded in any."""
    bare = TableConfig(str(tmp_path / "bare.jsonl"))
    (tmp_path / "bare.jsonl").write_text(json.dumps({"question": "How many?", "answer": "7"}) + "\n")
    assert {last for _, last in taught(learning(bare, form="answer")).values()} == {"<answer>7</answer>"}
    config = learning(bare, form="think_answer")
    words = r"bare.jsonl line 1: a row that is learned must have an assistant's turn to imitate: .* = think_answer asks"
    with pytest.raises(ValueError, match=words):
        batches(config, 1)
    with pytest.raises(ValueError, match=words):
        doctor.before_run(config, print)
    rewarded = config_of(bare)
    rewarded = dataclasses.replace(rewarded, data=dataclasses.replace(rewarded.data, answer_form="think_answer"))
    assert batches(rewarded, 1)[0].samples[0].answer.text() == "7"


def test_engines_beside_chats_have_nothing_to_learn_in_their_prompts(chats):
    config = learning(dataclasses.replace(chats, weight=12.0), engines=True, max_tokens=512)
    found = batches(config, 3)
    drawn = [(info, said) for batch in found for info, said in zip(batch.samples, batch.gold_said, strict=True)]
    chatted = [said.any() for info, said in drawn if info.engine == "chats"]
    assert any(chatted) and not all(chatted) and len(chatted) < len(drawn)
    assert not any(said.any() for info, said in drawn if info.engine != "chats")
    with pytest.raises(ValueError, match=r"data.answer_form must have no part for reasoning: the engines' answers"):
        learning(chats, engines=True, form="think_answer")


def test_a_stage_says_how_much_its_rows_may_say(chats):
    with pytest.raises(ValueError, match=re.escape("stages.0.max_tokens must be 0 for grpo")):
        config = config_of(chats)
        dataclasses.replace(config, stages=(dataclasses.replace(config.stages[0], max_tokens=9),))
    with pytest.raises(ValueError, match=re.escape("row_widths must be below group_size x max_tokens (64)")):
        learning(chats, max_tokens=64, row_widths=(64,))
    config = learning(chats, max_tokens=64, row_widths=(32,))
    assert config.completion_tokens(config.stages[0]) == 64
