"""Observations: a conversation that is put together turn by turn is the one that is written as a whole."""

import numpy as np
import pytest

from perc_jax.batch import Reply
from perc_jax.config import VisionConfig
from perc_jax.prompt.chat import PICTURE, Chat, Turn
from perc_jax.prompt.image import fit
from perc_jax.prompt.observe import Observer
from perc_jax.prompt.prompt import chat_prompt
from perc_jax.prompt.tokenizer import IM_END, Tokenizer, load
from tests.prompt import chats

VISION = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=112
)
TOKENIZER = load("debug.model")
TALKS = 100


def talk(rng: np.random.Generator) -> tuple[Chat, list[list[np.ndarray]]]:
    """A conversation of two to five turns of the user's with none to three pictures of different sizes each, and the
    pictures of each."""
    turns, pictures = [], []
    for number in range(int(rng.integers(2, 6))):
        if number:
            # What is sampled never shares a token with the line end before it, as a text that begins with one would.
            turns.append(Turn("assistant", (f"So{chats.text(rng)}",)))
        shown = [
            rng.integers(0, 256, (*rng.integers(40, 200, 2), 3), dtype=np.uint8) for _ in range(int(rng.integers(4)))
        ]
        parts = [part for _ in shown for part in ((PICTURE, chats.text(rng)) if rng.random() < 0.5 else (PICTURE,))]
        turns.append(Turn("user", (*parts, chats.text(rng))))
        pictures.append(shown)
    return tuple(turns), pictures


def together(turns: Chat, pictures: list[list[np.ndarray]], tokenizer: Tokenizer) -> tuple[np.ndarray, np.ndarray, int]:
    """Tokens, positions and the next position of a conversation, turn by turn as a rollout puts it together."""
    first = chat_prompt(turns[:1], [fit(one, VISION) for one in pictures[0]], tokenizer=tokenizer, vision=VISION)
    tokens, positions, at = [first.tokens], [first.positions], first.next_position
    observer = Observer(tokenizer, VISION)
    for said, asked, shown in zip(turns[1::2], turns[2::2], pictures[1:], strict=True):
        sampled = tokenizer.encode(said.text + IM_END)
        tokens.append(np.array(sampled))
        positions.append(np.tile(np.arange(at, at + len(sampled)), (3, 1)))
        reply = observer.reply(asked.parts, shown, at + len(sampled))
        tokens.append(reply.tokens)
        positions.append(reply.positions)
        at = reply.next_position
    return np.concatenate(tokens), np.concatenate(positions, axis=1), at


def test_turn_by_turn_is_the_whole_conversation_of_transformers(published_model, rope_index):
    ours, theirs = published_model
    rng, counts = np.random.default_rng(0), set()
    for _ in range(TALKS):
        turns, pictures = talk(rng)
        flat = [picture for shown in pictures for picture in shown]
        tokens, positions, following = together(turns, pictures, ours)
        wanted, grids = chats.ids(theirs, chats.messages(turns), flat)
        assert tokens.tolist() == wanted.tolist(), turns
        places, delta = rope_index(wanted, grids, ours.ids.image)
        assert (positions == places).all(), turns
        assert following == len(wanted) + delta
        counts |= {len(shown) for shown in pictures[1:]}
    assert counts == {0, 1, 2, 3}


def test_turn_by_turn_is_the_prompt_of_the_whole():
    """For a tokenizer without a template of its own, pixels and places of pictures included."""
    rng = np.random.default_rng(1)
    for _ in range(TALKS):
        turns, pictures = talk(rng)
        fitted = [fit(one, VISION) for shown in pictures for one in shown]
        whole = chat_prompt(turns, fitted, tokenizer=TOKENIZER, vision=VISION)
        tokens, positions, following = together(turns, pictures, TOKENIZER)
        assert tokens.tolist() == whole.tokens.tolist()
        assert (positions == whole.positions).all() and following == whole.next_position


def unseen(reply: Reply, slots: np.ndarray) -> np.ndarray:
    """Rows and columns of the merged tokens that stand at the places of pictures."""
    return reply.patch_rowcol[4 * slots] // 2


def test_a_reply_points_at_its_own_pictures():
    """Merged tokens stand in reading order, whatever the windows: each placeholder points at the unit of its place."""
    rng, observer = np.random.default_rng(2), Observer(TOKENIZER, VISION)
    sizes = [(56, 84), (196, 140), (84, 252)]
    pictures = [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    reply = observer.reply((PICTURE, "a", PICTURE, PICTURE, "b"), pictures, 100)
    places = np.flatnonzero(reply.image_slots >= 0)
    assert (reply.tokens[places] == TOKENIZER.ids.image).all()
    slots = reply.image_slots[places]
    assert len(set(slots.tolist())) == len(slots) == sum(h * w // 28**2 for h, w in sizes)
    numbers = reply.patch_image[4 * slots]
    for number, (height, width) in enumerate(sizes):
        mine = numbers == number
        wanted = np.indices((height // 28, width // 28)).reshape(2, -1).T
        assert (unseen(reply, slots[mine]) == wanted).all()
        at = reply.positions[:, places[mine]]
        assert (at - at[:, :1] == np.concatenate([np.zeros((len(wanted), 1), int), wanted], 1).T).all()
    assert len(reply.pixels) == len(reply.patch_rowcol) == len(reply.patch_image)
    assert len(reply.pixels) % VISION.window_patches == 0


def test_words_alone_have_no_patches():
    reply = Observer(TOKENIZER, VISION).reply(("Again.",), [], 7)
    assert reply.pixels.shape == (0, VISION.patch_bytes) and reply.patch_image.shape == (0,)
    assert reply.positions[0].tolist() == list(range(7, 7 + len(reply.tokens))) and (reply.image_slots == -1).all()
    assert reply.next_position == 7 + len(reply.tokens)


def test_what_would_be_a_mark_is_refused():
    observer = Observer(TOKENIZER, VISION)
    with pytest.raises(ValueError, match="what an environment returns must not contain <\\|im_end\\|>"):
        observer.reply((f"x{IM_END}",), [], 0)
    with pytest.raises(ValueError, match="one image mark per picture, got 1 for 0"):
        observer.reply((PICTURE,), [], 0)
