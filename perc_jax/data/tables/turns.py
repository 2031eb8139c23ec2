"""Cells as turns of a chat: texts with `<image>` marks, messages with role and content, content in parts.

A mark in a text, and a part that is a picture, is where a picture stands. Chats without any mark show their pictures
first in the first user turn, as the model was trained.
"""

import re
import string
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from perc_jax.data.tables.errors import Where, wrong
from perc_jax.data.tables.pictures import Picture, picture_of
from perc_jax.prompt.chat import PICTURE, ROLES, Chat, Shown, Turn, check, check_text, picture_count

MARK = "<image>"  # of a picture in a text, in all of the peers' tables
_ROLES = {role: role for role in ROLES} | {"human": "user", "gpt": "assistant"}
_KEYS = (("role", "content"), ("from", "value"))  # of a message: the common ones, ShareGPT's


class Talk(NamedTuple):
    """A chat up to its last user turn, what the assistant says then, and the pictures that its parts hold."""

    chat: Chat
    target: str  # empty: nothing
    inline: tuple[Picture, ...]


def of_text(value: Any, where: Where, column: str) -> Turn:
    """The user's turn of a text. Raises `ValueError` for what is no text."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(where, column, "must be text", value)
    return Turn("user", _parts(value))


def of_messages(value: Any, where: Where, column: str, root: str) -> Talk:
    """A chat of a list of messages; an assistant's turn at its end is the target.

    Raises `ValueError` for what is no chat that ends with the user's turn, or with the assistant's after it.
    """
    if not isinstance(value, list) or not value:
        raise wrong(where, column, "must be a list of messages", value)
    inline: list[Picture] = []
    turns = []
    for number, message in enumerate(value):
        place = f"{column}[{number}]"
        role, content, name = _message(message, where, place)
        turns.append(Turn(role, tuple(_content(content, where, f"{place}.{name}", root, inline))))
    target = ""
    if turns[-1].role == "assistant":
        last = turns.pop()
        if picture_count([last]):
            raise wrong(where, f"{column}[{len(turns)}]", "must be text without pictures, as the last turn", value[-1])
        target = last.text
    if not turns or turns[-1].role != "user":
        said = [turn.role for turn in turns]
        raise wrong(where, column, "must end with the user's turn, or the assistant's after it", said)
    return Talk(tuple(turns), target, tuple(inline))


def _message(message: Any, where: Where, column: str) -> tuple[str, Any, str]:
    """Role, content and the content's name of a message."""
    if isinstance(message, dict):
        for role_key, content_key in _KEYS:
            if message.get(role_key) is not None:
                role = message[role_key]
                if not isinstance(role, str) or role not in _ROLES:
                    raise wrong(where, f"{column}.{role_key}", f"must be one of {', '.join(_ROLES)}", role)
                return _ROLES[role], message.get(content_key), content_key
    raise wrong(where, column, "must be a message {role, content} or {from, value}", message)


def _content(value: Any, where: Where, column: str, root: str, inline: list[Picture]) -> Iterator[str | Shown]:
    """The parts of a message's content; pictures that stand in them are added to `inline`."""
    if isinstance(value, str):
        yield from _parts(value)
        return
    if not isinstance(value, list):
        raise wrong(where, column, "must be text or a list of parts", value)
    for number, part in enumerate(value):
        place = f"{column}[{number}]"
        kind = part.get("type") if isinstance(part, dict) else None
        if kind == "text":
            if not isinstance(part.get("text"), str):
                raise wrong(where, f"{place}.text", "must be text", part.get("text"))
            yield from _parts(part["text"])
        elif kind in ("image", "image_url"):
            held = part.get("image") if part.get("image") is not None else part.get("image_url")
            if kind == "image_url" and isinstance(held, dict) and "url" in held:
                held = held["url"]
            if held is not None:
                inline.append(picture_of(held, where, place, root))
            yield PICTURE
        else:
            raise wrong(where, place, "must be a part of type text or image", part)


def _parts(text: str) -> tuple[str | Shown, ...]:
    """A text, cut at its marks."""
    parts: list[str | Shown] = []
    for number, piece in enumerate(text.split(MARK)):
        parts += [PICTURE] * (number > 0) + [piece] * bool(piece)
    return tuple(parts)


def beside(talk: Talk, said: Any, more: Any, history: Any, names: Sequence[str], where: Where, root: str) -> Talk:
    """A chat with what stands in columns of its own; `names` are theirs.

    Args:
        talk: the chat.
        said: what the assistant says then, text or a list of one message; None: nothing.
        more: text that the user says below the last; None or empty: nothing.
        history: pairs of what user and assistant said before, texts; None or empty: nothing.

    Raises `ValueError` for what is none of these, and where both the chat and `said` end with the assistant's turn.
    """
    chat, target = talk.chat, talk.target
    if more:
        below = of_text(more, where, names[1]).parts
        chat = (*chat[:-1], chat[-1]._replace(parts=(*chat[-1].parts, "\n", *below)))
    for pair in reversed(_pairs(history, where, names[2])):
        at = int(chat[0].role == "system")
        chat = (*chat[:at], *pair, *chat[at:])
    if said is not None:
        if target:
            raise wrong(where, names[0], "must be empty where the chat ends with the assistant's turn", said)
        target = _said(said, where, names[0], root)
    return Talk(chat, target, talk.inline)


def with_choices(talk: Talk, choices: Sequence[str]) -> Talk:
    """The chat with what is to be chosen from below what the user says last, "A. cat" a line each, unless all of it
    stands there already; texts that are empty are none, and more than there are letters are not written."""
    last = talk.chat[-1]
    folded = _folded(last.text)
    there = [bool(re.search(rf"(?<!\w){re.escape(_folded(one))}(?!\w)", folded)) for one in choices if one.strip()]
    if all(there) or len(choices) > len(string.ascii_uppercase):
        return talk
    pairs = zip(string.ascii_uppercase, choices, strict=False)
    lines = [one if _is_lettered(one, letter) else f"{letter}. {one}" for letter, one in pairs if one.strip()]
    asked = last._replace(parts=(*last.parts, *_parts("\n" + "\n".join(lines))))
    return talk._replace(chat=(*talk.chat[:-1], asked))


def _folded(text: str) -> str:
    """A text without case, with one space where there are several or a line ends."""
    return " ".join(text.split()).casefold()


def _is_lettered(choice: str, letter: str) -> bool:
    """Whether an option's text begins with its own letter: "A. cat", "(A) cat"."""
    return bool(re.match(rf"\s*(\({letter}\)|{letter}[.):])", choice))


def _said(value: Any, where: Where, column: str, root: str) -> str:
    """The text of the assistant's turn."""
    if isinstance(value, list) and len(value) == 1:
        role, content, name = _message(value[0], where, f"{column}[0]")
        inline: list[Picture] = []
        parts = tuple(_content(content, where, f"{column}[0].{name}", root, inline))
        value = "".join(part for part in parts if isinstance(part, str))
        if role != "assistant" or picture_count([Turn(role, parts)]):
            raise wrong(where, f"{column}[0]", "must be the assistant's text without pictures", role)
    if not isinstance(value, str) or not value.strip():
        raise wrong(where, column, "must be text, or a list of one message", value)
    return value


def _pairs(value: Any, where: Where, column: str) -> list[tuple[Turn, Turn]]:
    """Turns of user and assistant, of pairs of texts."""
    pairs = value or []
    if not isinstance(pairs, list) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
        raise wrong(where, column, "must be a list of pairs of texts", value)
    return [
        (of_text(asked, where, f"{column}[{number}][0]"), Turn("assistant", (_said(said, where, column, ""),)))
        for number, (asked, said) in enumerate(pairs)
    ]


def with_pictures(talk: Talk, listed: Sequence[Picture], where: Where, column: str, images: str) -> Talk:
    """The chat with its pictures, those of a column or those in its parts, each at its place.

    Raises `ValueError` where there are places and another number of pictures, and for a chat that cannot be put.
    """
    marks = picture_count(talk.chat)
    if listed and talk.inline:
        raise wrong(where, images, f"must be empty where the parts of {column} hold pictures", f"{len(listed)}")
    pictures = (*listed, *talk.inline)
    chat = talk.chat
    if pictures and not marks:
        first = next(number for number, turn in enumerate(chat) if turn.role == "user")
        shown = Turn("user", (*(PICTURE,) * len(pictures), *chat[first].parts))
        chat = (*chat[:first], shown, *chat[first + 1 :])
    elif marks != len(pictures):
        rule = f"must show as many pictures as the row has ({len(pictures)} in {images})"
        raise ValueError(f"{where}: column {column} {rule}, got {marks} places ({MARK})")
    try:
        check(chat)
        check_text(talk.target, "the assistant's text")
    except ValueError as error:
        raise ValueError(f"{where}: column {column}: {error}") from error
    return Talk(chat, talk.target, pictures)
