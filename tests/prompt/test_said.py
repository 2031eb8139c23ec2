"""What the assistant says in a chat: the tokens that carry loss, as transformers' own mask has them."""

import numpy as np
import pytest

from perc_jax.config import VisionConfig
from perc_jax.prompt.chat import PICTURE, Turn, chat_text, said_spans
from perc_jax.prompt.image import fit
from perc_jax.prompt.prompt import chat_prompt, completion, in_row, said_tokens
from perc_jax.prompt.tokenizer import load
from tests.prompt import chats

VISION = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=112
)
CHATS = 300
# The published template with the marks by which transformers knows what the assistant says, as TRL's templates for
# training have them: the turn with its end mark.
PLAIN = "{{ message['content'] }}<|im_end|>\n"
MARKED = (
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}"
    "{{ '\\n' }}{% else %}{{ message['content'] }}<|im_end|>\n{% endif %}"
)


@pytest.fixture(scope="module")
def published(reference_data):
    pytest.importorskip("transformers")
    folder = reference_data / "qwen2_5_vl_7b"
    theirs = chats.processor(folder)
    assert theirs.chat_template.count(PLAIN) == 1
    return load(str(folder)), theirs.tokenizer, theirs.chat_template.replace(PLAIN, MARKED)


def _messages(chat):
    """As `chats.messages`, what the assistant says as plain text, which the marks are around."""
    return [
        found | {"content": turn.text} if turn.role == "assistant" else found
        for found, turn in zip(chats.messages(chat), chat, strict=True)
    ]


def _answered(chat, rng):
    """A chat and what the assistant says in the end."""
    return (*chat, Turn("assistant", (f"So {chats.text(rng)}",)))


def test_a_chat_and_its_answer_are_transformers_ids_and_mask(published):
    """300 chats with 0 to 4 pictures at random places: prompt and completion are the whole chat's ids, and what carries
    loss is what transformers says that the assistant says."""
    ours, theirs, template = published
    rng, said_in_prompts, pictured = np.random.default_rng(1), 0, 0
    for _ in range(CHATS):
        chat = chats.chat(rng)
        whole = _answered(chat, rng)
        wanted = theirs.apply_chat_template(
            _messages(whole), chat_template=template, return_dict=True, return_assistant_tokens_mask=True
        )
        ids, mask = (np.array(wanted[name]).ravel() for name in ("input_ids", "assistant_masks"))
        assert ids[-1] == theirs.encode("\n")[0] and not mask[-1]  # the line end behind the last turn
        count = sum(part == PICTURE for turn in chat for part in turn.parts)
        sizes = [rng.integers(40, 200, 2) for _ in range(count)]
        pictures = [fit(rng.integers(0, 256, (*size, 3), dtype=np.uint8), VISION) for size in sizes]
        prompt = chat_prompt(chat, pictures, tokenizer=ours, vision=VISION)
        units = iter(prompt.pictures)
        repeats = [len(next(units).merged) if token == ours.ids.image else 1 for token in ids[:-1]]
        tokens, real = completion(whole[-1].text, ours, 256)
        found = np.concatenate([prompt.tokens, tokens[real]])
        assert found.tolist() == np.repeat(ids[:-1], repeats).tolist(), whole
        said = said_tokens(chat, prompt, ours)
        assert np.concatenate([said, real[real]]).tolist() == np.repeat(mask[:-1], repeats).astype(bool).tolist(), whole
        said_in_prompts, pictured = said_in_prompts + int(said.any()), pictured + (count > 1)
    assert said_in_prompts > 100 and pictured > 100


def test_each_turn_counts_with_its_end_mark_and_nothing_else():
    tokenizer = load("debug.model")
    chat = (
        Turn("user", (PICTURE, "How many?")),
        Turn("assistant", ("Two.",)),
        Turn("assistant", ("Or three.",)),
        Turn("user", ("And <image ", PICTURE, "assistant here?")),
    )
    pictures = [np.zeros((56, 56, 3), np.uint8), np.zeros((112, 56, 3), np.uint8)]
    prompt = chat_prompt(chat, pictures, tokenizer=tokenizer, vision=VISION)
    said = said_tokens(chat, prompt, tokenizer)
    assert tokenizer.decode(prompt.tokens[said].tolist()) == "Two.Or three."
    assert (prompt.tokens[said] == tokenizer.ids.ends[0]).sum() == 2 and len(said) == len(prompt.tokens)
    row = in_row(said, 128)
    assert row.shape == (128,) and row[128 - len(said) :].tolist() == said.tolist() and not row[: 128 - len(said)].any()


def test_a_turn_that_cannot_be_learned_is_refused():
    tokenizer = load("debug.model")
    chat = (Turn("user", ("a",)), Turn("assistant", ("<think>x</think>b",)), Turn("user", ("c",)))
    text = chat_text(tokenizer, chat)
    assert [text[slice(*span)] for span in said_spans(text, chat)] == ["<think>x</think>b<|im_end|>"]
    with pytest.raises(ValueError, match="chat template must write each of the assistant's turns as it is"):
        said_spans(text.replace("<think>x</think>", ""), chat)  # as templates do that leave out earlier thoughts
    with pytest.raises(ValueError, match="must be text without pictures"):
        said_spans(text, (chat[0], Turn("assistant", (PICTURE, "b")), chat[2]))
