"""One conversation of a model with an environment, for people to watch: what it says, what it is shown, how it ends.

Each turn is asked as a whole prompt of all that was said before, which costs more than going on from the turn before
and is the same conversation. Pictures are drawn into the terminal in its own colours, two pixels a character.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from perc_jax.environments.base import Move, Observation, Picture, Question
from perc_jax.environments.conversation import Environment
from perc_jax.prompt.chat import Chat, Turn
from perc_jax.prompt.tokenizer import TextStream, Tokenizer
from perc_jax.rewards.endings import Ending

HALF = "\u2580"  # the upper half of a character's place; the lower one is its background

Sampled = tuple[int, float, bool]  # a token, its log-probability, whether it is an end


class Played(NamedTuple):
    """One turn as it was sampled, and what came of it."""

    text: str
    tokens: list[int]
    logprobs: list[float]
    outcome: Observation | Ending


def play(
    environment: Environment,
    question: Question,
    ask: Callable[[Chat, tuple[Picture, ...], int], Iterator[Sampled]],
    tokens: Tokenizer,
    write: Callable[[str], None],
    show: Callable[[Picture], None],
    prepare: Callable[[Chat], Chat] = lambda chat: chat,
) -> list[Played]:
    """Play a conversation to its end.

    Args:
        environment: what is talked with.
        question: what about. Raises `ValueError` for one that does not serve.
        ask: samples the next turn of a chat with its pictures, token by token; the number is the turn's, from 0.
        tokens: the model's tokenizer.
        write: is given text as it comes.
        show: is given each picture that is shown, the first too.
        prepare: what the first turn is made into, with an instruction or a system line.
    """
    state = environment.start(question)
    opening = environment.opening(state)
    chat, pictures, turns = prepare((Turn("user", opening.parts),)), opening.pictures, []
    write(f"{chat[-1].text}\n")
    for picture in pictures:
        show(picture)
    while True:
        said, logprobs, cut = _said(ask(chat, pictures, len(turns)), tokens, write)
        text = tokens.decode(said)
        step = environment.step(Move(state, text, cut))
        state = step.state
        turns.append(Played(text, said, logprobs, step.outcome))
        if isinstance(step.outcome, Ending):
            write(f"{told(step.outcome)}\n")
            return turns
        words = "".join(part for part in step.outcome.parts if isinstance(part, str))
        write(f"> {words}\n" if words else "")
        for picture in step.outcome.pictures:
            show(picture)
        chat = (*chat, Turn("assistant", (text,)), Turn("user", step.outcome.parts))
        pictures = (*pictures, *step.outcome.pictures)


def _said(
    sampled: Iterator[Sampled], tokens: Tokenizer, write: Callable[[str], None]
) -> tuple[list[int], list[float], str]:
    """The tokens of a turn, written as they come, and why it was cut, if it was."""
    stream, said, logprobs, cut = TextStream(tokens), [], [], "overlong"
    for token, logprob, is_end in sampled:
        said.append(token)
        logprobs.append(logprob)
        write(stream.push(token))
        if is_end:
            cut = "" if token == tokens.ids.ends[0] else "stopped"
    write(f"{stream.finish()}\n")
    return said, logprobs, cut


def told(ending: Ending) -> str:
    """An ending in a line."""
    words = ["right" if ending.correct else "not right", "well formed" if ending.well_formed else "not well formed"]
    words += [f"{name} {value:.3g}" for name, value in ending.parts.items()]
    words += [f"{name.replace('_', ' ')} {count}" for name, count in ending.counts.items()]
    return f"= {', '.join(words)}"


def in_characters(picture: Picture, columns: int) -> str:
    """A picture in coloured half characters, at most so many columns wide (24-bit ANSI colours)."""
    height, width = picture.shape[:2]
    across = min(columns, width)
    down = 2 * max(1, round(height * across / width / 2))
    small = np.asarray(Image.fromarray(picture).resize((across, down), Image.Resampling.BOX))
    lines = []
    for upper, lower in zip(small[::2], small[1::2], strict=True):
        cells = (
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]}m\x1b[48;2;{b[0]};{b[1]};{b[2]}m{HALF}"
            for a, b in zip(upper.tolist(), lower.tolist(), strict=True)
        )
        lines.append(f"{''.join(cells)}\x1b[0m")
    return "\n".join(lines)
