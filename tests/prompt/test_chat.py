"""Chats with pictures anywhere: token ids and positions as transformers', templates of others, what is refused."""

import numpy as np
import pytest

from perc_jax.config import VisionConfig
from perc_jax.prompt import prompt as prompts
from perc_jax.prompt.chat import PICTURE, Turn, asked, chat_text, check, messages, published
from perc_jax.prompt.image import fit
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.questions import Reader, lengths
from perc_jax.prompt.tokenizer import CHAT_MARKS, IMAGE_PAD, VIDEO_PAD, load
from tests.prompt import chats

VISION = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=112
)
TOKENIZER = load("debug.model")
CHATS = 300


def pictures_for(chat: tuple[Turn, ...], rng: np.random.Generator) -> list[np.ndarray]:
    count = sum(part == PICTURE for turn in chat for part in turn.parts)
    return [rng.integers(0, 256, (*rng.integers(40, 200, 2), 3), dtype=np.uint8) for _ in range(count)]


def made(chat, pictures, tokenizer) -> prompts.Prompt:
    return prompts.chat_prompt(chat, [fit(one, VISION) for one in pictures], tokenizer=tokenizer, vision=VISION)


def test_ids_equal_transformers_for_chats_with_pictures_anywhere(published_model):
    ours, theirs = published_model
    rng, counts, turns = np.random.default_rng(0), set(), set()
    for _ in range(CHATS):
        chat = chats.chat(rng)
        pictures = pictures_for(chat, rng)
        wanted, _ = chats.ids(theirs, chats.messages(chat), pictures)
        found = made(chat, pictures, ours).tokens
        assert found.tolist() == wanted.tolist(), chat
        assert published(chat) == chat_text(ours, chat)  # ours is the published template
        counts.add(len(pictures))
        turns.add(len(chat))
    assert counts == {0, 1, 2, 3, 4} and turns == {1, 2, 3, 4, 5}


def test_positions_equal_transformers(published_model, rope_index):
    ours, theirs = published_model
    rng = np.random.default_rng(1)
    for _ in range(CHATS):
        chat = chats.chat(rng)
        pictures = pictures_for(chat, rng)
        prompt = made(chat, pictures, ours)
        grids = [[1, 2 * picture.units[0], 2 * picture.units[1]] for picture in prompt.pictures]
        assert grids == chats.ids(theirs, chats.messages(chat), pictures)[1]
        wanted, delta = rope_index(prompt.tokens, grids, ours.ids.image)
        assert (prompt.positions == wanted).all(), chat
        assert prompt.next_position == len(prompt.tokens) + delta


def test_text_alone_goes_down_to_a_row():
    chat = (
        Turn("system", ("Be brief.",)),
        Turn("user", ("Hi",)),
        Turn("assistant", ("Yes?",)),
        Turn("user", ("Why?",)),
    )
    prompt = made(chat, [], TOKENIZER)
    row = prompts.lay_out(prompt, max_tokens=64, max_patches=64, pad=TOKENIZER.ids.pad, vision=VISION)
    assert (row.image_slots == -1).all() and (row.patch_image == -1).all()
    assert row.tokens[row.mask].tolist() == TOKENIZER.encode(published(chat))


def test_a_picture_stands_where_its_mark_does():
    """The first picture's patches are those of the first mark, in the middle of a message too."""
    dark, light = np.zeros((56, 56, 3), np.uint8), np.full((112, 56, 3), 255, np.uint8)
    chat = (Turn("user", ("a", PICTURE, "b")), Turn("assistant", ("c",)), Turn("user", ("d", PICTURE, "e")))
    prompt = made(chat, [dark, light], TOKENIZER)
    runs = np.flatnonzero(np.diff((prompt.tokens == TOKENIZER.ids.image).astype(int)))
    assert (runs[1::2] - runs[::2]).tolist() == [4, 8]
    assert [picture.pixels[picture.real].max() for picture in prompt.pictures] == [0, 255]
    texts = TOKENIZER.decode(prompt.tokens)
    assert texts.index("a") < texts.index("b") < texts.index("c")


def test_lengths_are_known_before_pictures_are_read():
    """Also where the bounds are so narrow that to fit a picture twice would give it another size."""
    rng, twice = np.random.default_rng(2), 0
    for bounds in (Processor(3136, 40_000), Processor(40_000, 40_000), Processor(12_544, 12_544)):
        reader = Reader(TOKENIZER, VISION, bounds, 4096)
        for _ in range(30):
            chat = chats.chat(rng)
            pictures = pictures_for(chat, rng)
            fitted = [fit(one, VISION, *bounds) for one in pictures]
            twice += sum(fit(one, VISION, *bounds).shape != one.shape for one in fitted)
            prompt = prompts.chat_prompt(chat, fitted, tokenizer=TOKENIZER, vision=VISION)
            assert lengths(chat, [p.shape[:2] for p in pictures], reader) == (len(prompt.tokens), prompt.patches)
            assert [[28 * side for side in one.units] for one in prompt.pictures] == [[*p.shape[:2]] for p in fitted]
    assert twice > 20


def test_a_picture_that_was_not_fitted_is_refused():
    with pytest.raises(ValueError, match="image sides must be multiples of 28 px, got 57 x 56 px"):
        prompts.chat_prompt(asked("?", 1), [np.zeros((57, 56, 3), np.uint8)], tokenizer=TOKENIZER, vision=VISION)


def test_one_question_is_the_shortest_chat():
    assert asked("Why?", 2, "Look.") == (Turn("system", ("Look.",)), Turn("user", (PICTURE, PICTURE, "Why?")))
    assert messages(asked("Why?", 1, "Look.")) == [
        {"role": "system", "content": "Look."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Why?"}]},
    ]
    picture = np.zeros((56, 56, 3), np.uint8)
    one = prompts.make_prompt([picture], "Why?", tokenizer=TOKENIZER, vision=VISION, system="Look.")
    same = made(asked("Why?", 1, "Look."), [picture], TOKENIZER)
    assert one.tokens.tolist() == same.tokens.tolist() and (one.positions == same.positions).all()


@pytest.mark.parametrize(
    ("chat", "rule"),
    [
        ((), "the last turn must be the user's, got 'no turn'"),
        ((Turn("user", ("a",)), Turn("assistant", ("b",))), "the last turn must be the user's, got 'assistant'"),
        (
            (Turn("tool", ("a",)), Turn("user", ("b",))),
            "a turn's role must be one of system, user, assistant, got 'tool'",
        ),
        ((Turn("user", ("a",)), Turn("system", ("b",)), Turn("user", ("c",))), "must be the first, got one as turn 2"),
    ],
)
def test_what_is_no_chat_is_refused(chat, rule):
    with pytest.raises(ValueError, match=rule):
        check(chat)


@pytest.mark.parametrize("mark", CHAT_MARKS)
@pytest.mark.parametrize("role", ["system", "user", "assistant"])
def test_no_text_can_write_a_mark_of_the_chat(mark, role):
    """Also not across two parts; in any turn."""
    before = (Turn("user", ("Hi",)),) if role != "system" else ()
    for parts in ((f"a {mark} b",), (mark[:5], mark[5:])):
        chat = (*before, Turn(role, parts), Turn("user", ("?",)))
        reason = {IMAGE_PAD: "pictures are given apart from it", VIDEO_PAD: "videos are not supported"}
        with pytest.raises(ValueError) as caught:
            chat_text(TOKENIZER, chat)
        assert str(caught.value).startswith(f"the {role}'s text must not contain {mark}: {reason.get(mark, 'it is')}")


def test_half_a_character_is_refused():
    with pytest.raises(ValueError, match=r"the user's text must not contain half a character, got '\\ud83d'"):
        chat_text(TOKENIZER, asked("a \ud83d b", 0))


def test_another_number_of_pictures_than_places_is_refused():
    with pytest.raises(ValueError, match="one image mark per picture, got 2 for 1"):
        made((Turn("user", (PICTURE, "?", PICTURE)),), [np.zeros((56, 56, 3), np.uint8)], TOKENIZER)
