"""Chats in words and pictures, as the text that a model reads: turns, pictures where they stand, the assistant's turn.

In: a chat, turns of texts and of marks for pictures. Out: its text, in which every picture is one `<|image_pad|>`, by
the tokenizer's own template where it has one, else by the one published with Qwen2.5-VL-Instruct. The pictures
themselves, tokens and positions are `prompt`'s business.

Worked example: the turns `Turn("user", ("Is ", PICTURE, " redder than ", PICTURE, "?"))` become, after the system line,
`<|im_start|>user`, a line end, `Is <|vision_start|><|image_pad|><|vision_end|> redder than …?<|im_end|>`, a line end,
`<|im_start|>assistant`, a line end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from perc_jax.prompt.tokenizer import (
    CHAT_MARKS,
    IM_END,
    IM_START,
    IMAGE_PAD,
    SYSTEM,
    VIDEO_PAD,
    VISION_END,
    VISION_START,
    Message,
    Tokenizer,
)

_SURROGATE = re.compile("[\ud800-\udfff]")
_BEGIN = re.compile(re.escape(f"{IM_START}assistant\n"))  # no text of a turn has a mark in it, see `check_text`
ROLES = ("system", "user", "assistant")
_REASONS = {VIDEO_PAD: "videos are not supported", IMAGE_PAD: "pictures are given apart from it"}


@dataclass(frozen=True)
class Shown:
    """The place of a picture in a turn; which one, the order of the places says."""


PICTURE = Shown()


class Turn(NamedTuple):
    """What one of `ROLES` says: texts and places of pictures, in order."""

    role: str
    parts: tuple[str | Shown, ...]

    @property
    def text(self) -> str:
        """Its texts without the pictures."""
        return "".join(part for part in self.parts if isinstance(part, str))


Chat = tuple[Turn, ...]


def asked(question: str, image_count: int = 1, system: str = "") -> Chat:
    """The chat around one question: pictures first, as the model was trained; a system line only where one is given."""
    first = (Turn("system", (system,)),) if system else ()
    return (*first, Turn("user", (*(PICTURE,) * image_count, question)))


def picture_count(chat: Sequence[Turn]) -> int:
    """Places of pictures in a chat."""
    return sum(isinstance(part, Shown) for turn in chat for part in turn.parts)


def check(chat: Sequence[Turn]) -> None:
    """Raise `ValueError` for a chat that cannot be put to a model.

    Its last turn must be the user's, a system turn may only be the first, and no text may hold a mark that would be
    read as the end of a turn or as a picture.
    """
    for number, turn in enumerate(chat):
        if turn.role not in ROLES:
            raise ValueError(f"a turn's role must be one of {', '.join(ROLES)}, got {turn.role!r}")
        if turn.role == "system" and number:
            raise ValueError(f"a system turn must be the first, got one as turn {number + 1}")
        check_text(turn.text, f"the {turn.role}'s text")
    if not chat or chat[-1].role != "user":
        raise ValueError(f"the last turn must be the user's, got {chat[-1].role if chat else 'no turn'!r}")


def check_text(text: str, name: str) -> None:
    """Raise `ValueError` for a text with one of the marks of which chats are made: they would become special tokens.

    So too for half a character (a surrogate alone, as JSON can write it), which no tokenizer reads.
    """
    for mark in (*_REASONS, *CHAT_MARKS):
        if mark in text:
            raise ValueError(f"{name} must not contain {mark}: {_REASONS.get(mark, 'it is a mark of the chat itself')}")
    if half := _SURROGATE.search(text):
        raise ValueError(f"{name} must not contain half a character, got {half[0]!r}")


def chat_text(tokenizer: Tokenizer, chat: Chat) -> str:
    """Write a chat up to the assistant's turn; without a system turn the template's own system line stands first.

    Raises `ValueError` for what `check` refuses, and for a template that does not show each picture once.
    """
    check(chat)
    own = tokenizer.render(messages(chat))
    if own is None:
        return published(chat)
    count = picture_count(chat)
    if own.count(IMAGE_PAD) != count:
        raise ValueError(
            f"the tokenizer's chat template must show each picture as one {IMAGE_PAD}, "
            f"got {own.count(IMAGE_PAD)} for {count}"
        )
    return own


def said_spans(text: str, chat: Chat) -> list[tuple[int, int]]:
    """Where in `chat_text` each of the assistant's turns stands, its end mark included: first and last character + 1.

    Raises `ValueError` for one with a picture, and for a template that does not write each as it is, between its marks.
    """
    said = [turn for turn in chat if turn.role == "assistant"]
    if picture_count(said):
        raise ValueError("an assistant's turn that is learned must be text without pictures")
    spans = [(begin.end(), text.find(IM_END, begin.end()) + len(IM_END)) for begin in _BEGIN.finditer(text)][:-1]
    if [text[first:last] for first, last in spans] != [turn.text + IM_END for turn in said]:
        raise ValueError(
            f"the tokenizer's chat template must write each of the assistant's turns as it is between {IM_START}"
            f"assistant and {IM_END}, for its tokens to be learned"
        )
    return spans


def messages(chat: Chat) -> list[Message]:
    """The chat as Hugging Face's templates read it.

    What a system or an assistant says is plain text where no picture is in it: some templates read nothing else there.
    """
    return [{"role": turn.role, "content": _content(turn)} for turn in chat]


def _content(turn: Turn) -> str | list[Message]:
    if turn.role != "user" and not picture_count([turn]):
        return turn.text
    return [{"type": "text", "text": part} if isinstance(part, str) else {"type": "image"} for part in turn.parts]


def published(chat: Chat) -> str:
    """The chat as the template published with Qwen2.5-VL-Instruct writes it."""
    first = () if chat[0].role == "system" else (Turn("system", (SYSTEM,)),)
    return "".join(map(_published, (*first, *chat))) + f"{IM_START}assistant\n"


def _published(turn: Turn) -> str:
    said = (part if isinstance(part, str) else f"{VISION_START}{IMAGE_PAD}{VISION_END}" for part in turn.parts)
    return f"{IM_START}{turn.role}\n{''.join(said)}{IM_END}\n"
