"""One conversation of a model with an environment, for people to watch: what it says, what it is shown, how it ends.

Each turn is asked as a whole prompt of all that was said before, token by token as it was sampled. That costs more than
going on from the turn before, and is the same conversation, within the same bounds. Pictures are drawn into the
terminal in its own colours, two pixels a character.
"""

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from perc_jax.config import VisionConfig
from perc_jax.environments.base import Move, Observation, Picture, Question
from perc_jax.environments.conversation import Environment
from perc_jax.environments.talks import LEAST_TURN
from perc_jax.prompt import image
from perc_jax.prompt.chat import Chat, Turn, chat_text
from perc_jax.prompt.observe import Observer, between
from perc_jax.prompt.prompt import Prompt, expand
from perc_jax.prompt.tokenizer import TextStream, Tokenizer
from perc_jax.rewards.endings import Ending

HALF = "\u2580"  # the upper half of a character's place; the lower one is its background

Sampled = tuple[int, float, bool]  # a token, its log-probability, whether it is an end
Ask = Callable[[Sequence[int], tuple[Picture, ...], int], Iterator[Sampled]]
"""(tokens so far, one for each picture; the pictures; the turn's number, from 0) -> the tokens of the next turn."""


class Bounds(NamedTuple):
    """How long a conversation may be, in tokens."""

    turn: int  # of a turn, its end mark counted
    whole: int = sys.maxsize  # of all turns and all that is returned between them


class Played(NamedTuple):
    """One turn as it was sampled, and what came of it."""

    text: str
    tokens: list[int]
    logprobs: list[float]
    cut: str  # why it has no proper end: `overlong`, `no_room`, `stopped`; empty where it has one
    outcome: Observation | Ending


def play(
    environment: Environment,
    question: Question,
    ask: Ask,
    tokens: Tokenizer,
    observer: Observer,
    bounds: Bounds,
    write: Callable[[str], None],
    show: Callable[[Picture], None],
    prepare: Callable[[Chat], Chat] = lambda chat: chat,
) -> list[Played]:
    """Play a conversation to its end, which it has for want of room as in a rollout.

    Args:
        environment: what is talked with.
        question: what about. Raises `ValueError` for one that does not serve.
        ask: samples the next turn, token by token.
        tokens: the model's tokenizer.
        observer: lays out what is returned, as the model reads it.
        bounds: of the conversation.
        write: is given text as it comes, and a line where a turn was cut.
        show: is given each picture that is shown, the first too.
        prepare: what the first turn is made into, with an instruction or a system line.
    """
    state = environment.start(question)
    opening = environment.opening(state)
    chat, pictures, turns = prepare((Turn("user", opening.parts),)), opening.pictures, []
    so_far, room = tokens.encode(chat_text(tokens, chat)), bounds.whole
    write(f"{chat[-1].text}\n")
    for picture in pictures:
        show(picture)
    while True:
        sampled = itertools.islice(ask(so_far, pictures, len(turns)), min(bounds.turn, room))
        said, logprobs, cut = _said(sampled, tokens, write)
        room -= len(said)
        if cut == "overlong":
            cut = "no_room" if room <= 0 else cut
            most = f"a turn has {bounds.turn:,}" if room > 0 else f"the conversation has {bounds.whole:,}"
            write(f"> cut after {len(said):,} tokens, {most} at most\n")
        text = tokens.decode(said)
        step = environment.step(Move(state, text, cut))
        state, outcome = step.state, step.outcome
        if isinstance(outcome, Observation):
            room -= len(observer.reply(outcome.parts, outcome.pictures, 0).tokens)
            if room < LEAST_TURN:
                write(f"> what comes next does not fit: the conversation has {bounds.whole:,} tokens at most\n")
                outcome = environment.give_up(state, "no_room")
        turns.append(Played(text, said, logprobs, cut, outcome))
        if isinstance(outcome, Ending):
            write(f"{told(outcome)}\n")
            return turns
        words = "".join(part for part in outcome.parts if isinstance(part, str))
        write(f"> {words}\n" if words else "")
        for picture in outcome.pictures:
            show(picture)
        so_far = [*so_far, *said, *tokens.encode(between(tokens, tuple(outcome.parts)))]
        pictures = (*pictures, *outcome.pictures)


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


def laid_out(
    so_far: Sequence[int], pictures: Sequence[Picture], image_id: int, vision: VisionConfig, bounds: tuple[int, int]
) -> Prompt:
    """The prompt of the tokens so far, in which `image_id` stands once for each picture; `bounds` on their areas."""
    cut = tuple(image.patchify(image.fit(picture, vision, *bounds), vision) for picture in pictures)
    return Prompt(*expand(so_far, cut, image_id, vision.spatial_merge_size), cut)


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
