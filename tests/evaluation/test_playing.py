"""A conversation on the screen: each turn is asked with all that was said and shown before it, and its end is told."""

import jax
import numpy as np
import pytest

from perc_jax.evaluation.playing import Bounds, in_characters, laid_out, play, told
from perc_jax.prompt.chat import PICTURE, Turn, chat_text, picture_count
from perc_jax.prompt.image import MAX_PIXELS, MIN_PIXELS
from perc_jax.prompt.observe import Observer
from perc_jax.prompt.prompt import chat_prompt
from perc_jax.prompt.tokenizer import END_OF_TEXT, IM_END, load
from perc_jax.rewards.endings import Ending
from tests.environments.cases import VISION, environment, question

TOKENS = load("debug.model")
PIXELS = MIN_PIXELS, MAX_PIXELS
SHORT = Bounds(512)


class Actor:
    """A model that says what it is told to: texts, or tokens."""

    def __init__(self, *said: str | list[int]):
        self.said, self.asked = said, []

    def ask(self, so_far, pictures, number):
        self.asked.append((so_far, pictures, number))
        said = self.said[number]
        for token in TOKENS.encode(said) if isinstance(said, str) else said:
            yield token, -0.5, token in TOKENS.ids.ends


def played(*said: str | list[int], bounds: Bounds = SHORT, **fields: object):
    actor, text, shown = Actor(*said), [], []
    talked, observer = environment(**fields), Observer(TOKENS, VISION)
    turns = play(
        talked, question(0), actor.ask, TOKENS, observer, bounds, text.append, shown.append, lambda chat: (*chat,)
    )
    return actor, turns, "".join(text), shown


def right_answer() -> str:
    talked = environment()
    return f"<answer>{talked.game.gold(talked.start(question(0)).scene).text()}</answer>{IM_END}"


def test_each_turn_is_asked_with_all_before_it():
    said = [f"<code>Swap(1, 2)</code>{IM_END}", f"<code>Fly()</code>{IM_END}", right_answer()]
    actor, turns, text, shown = played(*said)
    assert [number for *_, number in actor.asked] == [0, 1, 2]
    chat = [Turn("user", environment().opening(environment().start(question(0))).parts)]
    for number, (so_far, pictures, _) in enumerate(actor.asked):
        assert so_far == TOKENS.encode(chat_text(TOKENS, tuple(chat)))  # as a prompt of the whole chat
        assert picture_count(tuple(chat)) == len(pictures)
        prompts = (
            laid_out(so_far, pictures, TOKENS.ids.image, VISION, PIXELS),
            chat_prompt(tuple(chat), pictures, tokenizer=TOKENS, vision=VISION),
        )
        for mine, its in zip(jax.tree.leaves(prompts[0]), jax.tree.leaves(prompts[1]), strict=True):
            assert np.array_equal(mine, its)
        if number < 2:
            assert turns[number].text + IM_END == said[number] and turns[number].cut == ""
            chat += [Turn("assistant", (turns[number].text,)), Turn("user", turns[number].outcome.parts)]
    assert turns[0].outcome.parts == (PICTURE, "Board 2 1 3 4") and len(shown) == 2
    assert [turn.text + IM_END for turn in turns] == said
    assert all(len(turn.tokens) == len(turn.logprobs) for turn in turns)
    assert turns[-1].outcome.correct and not turns[-1].outcome.well_formed
    lines = text.splitlines()
    assert lines[1:4] == ["<code>Swap(1, 2)</code>", "> Board 2 1 3 4", "<code>Fly()</code>"]
    assert lines[-1] == "= right, not well formed, in_place 1, steps -0.05, turns 3, pictures 1, unknown 1"


def test_a_turn_stays_as_it_was_sampled():
    """Letter by letter, which no tokenizer would write so: the next turn is asked behind these tokens."""
    letters = [token for letter in "<code>Swap(1, 2)</code>" for token in TOKENS.encode(f"<{letter}")[1:]]
    letters = [*letters, TOKENS.ids.ends[0]]
    text = TOKENS.decode(letters)
    assert text == "<code>Swap(1, 2)</code>" and letters != TOKENS.encode(text + IM_END)
    actor, turns, _, _ = played(letters, right_answer())
    assert turns[0].tokens == letters
    first, second = (so_far for so_far, *_ in actor.asked)
    assert second[len(first) : len(first) + len(letters)] == letters


@pytest.mark.parametrize(("end", "cut"), [("", "overlong"), (END_OF_TEXT, "stopped")])
def test_a_turn_that_does_not_end_as_it_must_is_the_last(end, cut):
    _, turns, text, _ = played(f"<code>Swap(1, 2)</code>{end}")
    assert turns[-1].outcome.counts[cut] == 1 and f"{cut} 1" in text and turns[-1].cut == cut


def test_a_turn_that_is_cut_is_said_to_be():
    long = f"<code>Swap(1, 2)</code>{'so ' * 100}"
    _, turns, text, _ = played(long, bounds=Bounds(30, 400))
    assert len(turns[0].tokens) == 30 and turns[0].outcome.counts["overlong"] == 1
    assert "> cut after 30 tokens, a turn has 30 at most\n" in text
    _, turns, text, _ = played(long, bounds=Bounds(60, 40))
    assert len(turns[0].tokens) == 40 and turns[0].outcome.counts["no_room"] == 1 and turns[0].cut == "no_room"
    assert "> cut after 40 tokens, the conversation has 40 at most\n" in text
    with_end = TOKENS.encode(f"<code>Swap(1, 2)</code>{IM_END}")
    _, turns, text, _ = played(
        with_end, right_answer(), bounds=Bounds(max(len(with_end), len(TOKENS.encode(right_answer()))))
    )
    assert turns[-1].outcome.correct and "> cut" not in text  # the end mark is the last token that there may be


def test_what_is_returned_takes_room_too():
    said = f"<code>Swap(1, 2)</code>{IM_END}", right_answer()
    _, turns, _, _ = played(*said)
    returned = Observer(TOKENS, VISION).reply(turns[0].outcome.parts, turns[0].outcome.pictures, 0)
    whole = len(turns[0].tokens) + len(returned.tokens) + len(turns[1].tokens)
    assert len(returned.tokens) > 16  # each merged patch is a token
    _, turns, text, shown = played(*said, bounds=Bounds(512, whole))
    assert turns[-1].outcome.correct and ">" not in text.splitlines()[-1]
    _, turns, _, _ = played(*said, bounds=Bounds(512, whole - 1))
    assert turns[-1].outcome.counts["no_room"] == 1 and len(turns) == 2
    _, turns, text, shown = played(*said, bounds=Bounds(512, len(turns[0].tokens) + len(returned.tokens) + 1))
    assert len(turns) == 1 == len(shown) and turns[0].outcome.counts["no_room"] == 1
    assert "> what comes next does not fit: the conversation has" in text


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
