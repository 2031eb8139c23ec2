"""Conversations of a rollout: replies stand where the model reads them, ends are counted, no room is an end."""

import numpy as np
import pytest

from perc_jax.environments.base import Move
from perc_jax.environments.players import Players
from perc_jax.environments.talks import Ended, Talks
from perc_jax.prompt.chat import Turn
from perc_jax.prompt.observe import Observer
from perc_jax.prompt.prompt import chat_prompt
from perc_jax.prompt.tokenizer import IM_END, load
from tests.environments.cases import VISION, environment, question

TOKENS = load("debug.model")
PLAYED = environment(turns=3, pictures=2, view_px=112, shapes=((192, 0), (256, 64)))
GROUP, ROOM = 3, 1000


@pytest.fixture(scope="module")
def players():
    with Players(PLAYED, 60.0) as found:
        yield found


@pytest.fixture
def talks(players):
    states = [PLAYED.start(question(seed)) for seed in range(2)]
    return Talks(PLAYED, players, TOKENS, Observer(TOKENS, VISION), states, GROUP)


def ended(place: int, text: str, position: int = 100, room: int = ROOM, end: str = IM_END) -> Ended:
    return Ended(*divmod(place, GROUP), TOKENS.encode(text + end), position, room)


def test_replies_are_those_of_the_completion_that_asked(talks):
    """Together with what was sampled they are the prompt of the whole conversation."""
    for seed, said in ((0, "<code>Swap(1, 2)</code>"), (1, "<code>Observe()</code>")):
        opening = PLAYED.opening(PLAYED.start(question(seed)))
        chat = (Turn("user", opening.parts),)
        begun = chat_prompt(chat, opening.pictures, tokenizer=TOKENS, vision=VISION)
        turn = ended(seed * GROUP + 1, said, begun.next_position + len(TOKENS.encode(said + IM_END)))
        [reply] = talks.begin([turn])
        observed = PLAYED.step(Move(PLAYED.start(question(seed)), said)).outcome
        chat = (*chat, Turn("assistant", (said,)), Turn("user", observed.parts))
        pictures = (*opening.pictures, *observed.pictures)
        whole = chat_prompt(chat, pictures, tokenizer=TOKENS, vision=VISION)
        assert [*begun.tokens, *turn.tokens, *reply.tokens] == whole.tokens.tolist()
        assert (reply.positions == whole.positions[:, -len(reply.tokens) :]).all()
        assert reply.next_position == whole.next_position
        assert (reply.pixels == whole.pictures[-1].pixels).all()
    assert [len(one) for one in talks.exchanges] == [0, 1, 0, 0, 1, 0]


def test_states_go_on_and_conversations_end_one_by_one(talks):
    right = PLAYED.game.gold(PLAYED.start(question(0)).scene).text()
    swap, answer = "<code>Swap(1, 2)</code>", f"<answer>{right}</answer>"
    first = list(talks.begin([ended(0, swap), ended(1, answer), ended(2, "what?"), ended(3, swap)]))
    assert [reply is None for reply in first] == [False, True, False, False]
    second = list(talks.begin([ended(0, swap), ended(2, answer)]))
    assert [reply is None for reply in second] == [False, True]
    [third] = talks.begin([ended(0, swap)])
    assert third is None
    endings = talks.endings()
    assert [ending.correct for ending in endings] == [False, True, True, False, False, False]
    assert [ending.well_formed for ending in endings] == [False, True, False, False, False, False]
    assert endings[0].counts == {"turns": 3, "pictures": 2, "no_answer": 1}
    assert endings[2].counts == {"turns": 2, "pictures": 0, "no_call": 1}
    assert endings[3].counts == {"turns": 1, "pictures": 1, "no_room": 1}  # it was not ended by anything
    assert [one.returned is None for one in talks.exchanges[0]] == [False, False, True]
    assert talks.exchanges[2][0].text == "what?" and talks.exchanges[2][0].returned.parts[0].startswith("This turn")


@pytest.mark.parametrize(
    ("end", "room", "cut"), [("", 50, "overlong"), ("", 0, "no_room"), ("<|endoftext|>", 50, "stopped")]
)
def test_a_turn_without_its_end_mark_is_the_last(talks, end, room, cut):
    [reply] = talks.begin([ended(0, "<code>Swap(1, 2)</code>", room=room, end=end)])
    assert reply is None and talks.endings()[0].counts[cut] == 1


def test_a_reply_for_which_there_is_no_room_ends_the_conversation(talks):
    turn = ended(0, "<code>Swap(1, 2)</code>")
    [reply] = talks.begin([turn])
    needed = len(reply.tokens) + 2  # a token of a further turn and its end
    for place, room, fits in ((1, needed, True), (2, needed - 1, False)):
        [found] = talks.begin([ended(place, "<code>Swap(1, 2)</code>", room=room)])
        assert (found is not None) == fits
    assert talks.endings()[2].counts == {"turns": 1, "pictures": 1, "no_room": 1}


def test_a_reply_that_no_shape_holds_is_said_with_its_size(players):
    tight = environment(turns=3, view_px=112, shapes=((16, 0), (64, 16)))
    talks = Talks(tight, players, TOKENS, Observer(TOKENS, VISION), [tight.start(question(0))], 1)
    with pytest.raises(ValueError, match=r"environment.shapes must hold what jigsaw returns, \d+ tokens and 64 patch"):
        list(talks.begin([Ended(0, 0, TOKENS.encode(f"<code>Observe()</code>{IM_END}"), 1, ROOM)]))


def test_equal_turns_have_equal_replies(players):
    """A step that begins anew goes the same way."""

    def played() -> list[bytes]:
        states = [PLAYED.start(question(seed)) for seed in range(2)]
        talks = Talks(PLAYED, players, TOKENS, Observer(TOKENS, VISION), states, GROUP)
        found, rng = [], np.random.default_rng(0)
        for _ in range(2):
            calls = [f"<code>Swap({a}, {b})</code>" for a, b in rng.integers(1, 5, (6, 2))]
            replies = talks.begin([ended(place, said) for place, said in enumerate(calls)])
            found += [b"".join(np.asarray(part).tobytes() for part in reply) for reply in replies]
        return found

    assert played() == played()
