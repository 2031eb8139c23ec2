"""A conversation on the screen: each turn is asked with all that was said and shown before it, and its end is told."""

import numpy as np
import pytest

from perc_jax.evaluation.playing import in_characters, play, told
from perc_jax.prompt.chat import PICTURE, picture_count
from perc_jax.prompt.tokenizer import END_OF_TEXT, IM_END, load
from perc_jax.rewards.endings import Ending
from tests.environments.cases import environment, question

TOKENS = load("debug.model")


class Actor:
    """A model that says what it is told to."""

    def __init__(self, *said: str):
        self.said, self.asked = said, []

    def ask(self, chat, pictures, number):
        self.asked.append((chat, pictures, number))
        for token in TOKENS.encode(self.said[number]):
            yield token, -0.5, token in TOKENS.ids.ends


def played(*said: str, **fields: object):
    actor, text, shown = Actor(*said), [], []
    turns = play(
        environment(**fields), question(0), actor.ask, TOKENS, text.append, shown.append, lambda chat: (*chat,)
    )
    return actor, turns, "".join(text), shown


def test_each_turn_is_asked_with_all_before_it():
    talked = environment()
    right = talked.game.gold(talked.start(question(0)).scene).text()
    said = [f"<code>Swap(1, 2)</code>{IM_END}", f"<code>Fly()</code>{IM_END}", f"<answer>{right}</answer>{IM_END}"]
    actor, turns, text, shown = played(*said)
    assert [number for *_, number in actor.asked] == [0, 1, 2]
    for number, (chat, pictures, _) in enumerate(actor.asked):
        assert len(chat) == 2 * number + 1 and picture_count(chat) == len(pictures)
        assert [turn.text + IM_END for turn in chat[1::2]] == said[:number]
    assert actor.asked[2][0][2].parts == (PICTURE, "Board 2 1 3 4") and len(shown) == 2
    assert [turn.text + IM_END for turn in turns] == said
    assert all(len(turn.tokens) == len(turn.logprobs) for turn in turns)
    assert turns[-1].outcome.correct and not turns[-1].outcome.well_formed
    lines = text.splitlines()
    assert lines[1:4] == ["<code>Swap(1, 2)</code>", "> Board 2 1 3 4", "<code>Fly()</code>"]
    assert lines[-1] == "= right, not well formed, in_place 1, steps -0.05, turns 3, pictures 1, unknown 1"


@pytest.mark.parametrize(("end", "cut"), [("", "overlong"), (END_OF_TEXT, "stopped")])
def test_a_turn_that_does_not_end_as_it_must_is_the_last(end, cut):
    _, turns, text, _ = played(f"<code>Swap(1, 2)</code>{end}")
    assert turns[-1].outcome.counts[cut] == 1 and f"{cut} 1" in text


def test_an_ending_is_told_in_a_line():
    assert told(Ending(False, True, "1", {"seen": 0.25}, {"no_room": 1})) == (
        "= not right, well formed, seen 0.25, no room 1"
    )


def test_pictures_are_drawn_in_their_colours():
    picture = np.zeros((4, 6, 3), np.uint8)
    picture[:2, :3], picture[2:, 3:] = (255, 0, 0), (0, 0, 255)
    lines = in_characters(picture, 2).splitlines()
    assert [line.count("\u2580") for line in lines] == [2]
    assert lines[0].startswith("\x1b[38;2;255;0;0m\x1b[48;2;0;0;0m") and lines[0].endswith("\x1b[0m")
    assert "\x1b[38;2;0;0;0m\x1b[48;2;0;0;255m" in lines[0]
    wide = in_characters(picture, 80).splitlines()
    assert len(wide) == 2 and wide[0].count("\u2580") == 6
