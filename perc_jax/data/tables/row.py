"""A row of a table, read: its chat, pictures, answer and the rest, all checked."""

import string
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from perc_jax.config import TableConfig
from perc_jax.data.tables.columns import ANSWERS, UNSUPPORTED, Columns, of_row, value_of
from perc_jax.data.tables.errors import Where, wrong
from perc_jax.data.tables.pictures import Picture, pictures_of
from perc_jax.data.tables.turns import Talk, beside, of_messages, of_text, with_choices, with_pictures
from perc_jax.data.tables.values import options, plain, written
from perc_jax.prompt.chat import Chat, Turn, check_text


class TableRow(NamedTuple):
    """A row as prompts and rewards need it."""

    chat: Chat  # up to the last user turn
    pictures: tuple[Picture, ...]  # in the order of their places in the chat
    answer: str  # empty: none
    target: str  # what the assistant says then, as the table has it; empty: nothing, there is an answer alone
    choices: tuple[str, ...]
    kind: str  # of the answer, as the table's config says; auto: by the answer itself
    tolerance: float  # of a number, in its own unit
    relative: float  # of a number, a share of the right one
    columns: dict[str, Any]  # all others, as JSON has them; no bytes
    name: str  # file:row, other than that of every other row of its table


def read(
    values: Mapping[str, Any], columns: Columns, config: TableConfig, where: Where, root: str, name: str
) -> TableRow:
    """Read a row's values. `root` is the folder that pictures' paths begin at, `name` what the row is called.

    Raises `ValueError` that names file, row, column, rule and value.
    """
    prompt = columns.used()
    columns = of_row(columns, config, values, where)
    prompt |= columns.used()
    for other in UNSUPPORTED:
        if values.get(other) and other not in columns:
            raise wrong(where, other, "must be empty: only text and pictures are supported", values[other])
    listed = value_of(values, columns.choices) if columns.choices else None
    choices = options(listed, config.index, where, columns.choices)
    is_choice = config.kind in ("auto", "choice") and any(choices)
    talk = _talk(values, columns, config, where, root, choices if is_choice else ())
    answer = _answer(values, columns, config, where, talk.target, choices if is_choice else ())
    return TableRow(
        chat=talk.chat,
        pictures=talk.inline,
        answer=answer,
        target=talk.target,
        choices=choices,
        kind=config.kind,
        tolerance=config.tolerance,
        relative=config.relative,
        columns={
            column: plain(value, where, column)
            for column, value in values.items()
            if column not in prompt and not isinstance(value, bytes | bytearray)
        },
        name=name,
    )


def _talk(
    values: Mapping[str, Any], columns: Columns, config: TableConfig, where: Where, root: str, choices: Sequence[str]
) -> Talk:
    """The chat with its pictures, and with the texts to choose from where the answer is one of them."""
    name = columns.chat
    value = value_of(values, name)
    if value is None and name not in values:
        raise wrong(where, name, "must be there", sorted(values))
    is_chat = bool(config.messages) or (not config.question and isinstance(value, list))
    must_be_chat = name in ("messages", "conversations") and not config.question
    if is_chat or must_be_chat:
        talk = of_messages(value, where, name, root)
    else:
        talk = Talk((of_text(value, where, name),), "", ())
    own = (columns.completion, columns.input, columns.history)
    if any(own):
        talk = beside(talk, *(value_of(values, column) if column else None for column in own), own, where, root)
    talk = with_choices(talk, choices) if choices else talk
    if system := _system(values, columns, where):
        if talk.chat[0].role == "system":
            raise wrong(where, columns.system, f"must be empty where {name} begins with a system turn", system)
        talk = talk._replace(chat=(Turn("system", (system,)), *talk.chat))
    listed = pictures_of(value_of(values, columns.images), where, columns.images, root) if columns.images else ()
    return with_pictures(talk, listed, where, name, columns.images or name)


def _system(values: Mapping[str, Any], columns: Columns, where: Where) -> str:
    value = value_of(values, columns.system) if columns.system else None
    if value is not None and not isinstance(value, str):
        raise wrong(where, columns.system, "must be text", value)
    return value or ""


def _answer(
    values: Mapping[str, Any], columns: Columns, config: TableConfig, where: Where, target: str, choices: Sequence[str]
) -> str:
    """The answer as text, what is no text as `written`; without a column of answers the assistant's last turn.

    `choices` are texts of which the answer is one; empty: it is none.
    """
    if config.kind == "none":
        return ""
    if not columns.answer:
        return target
    value = value_of(values, columns.answer)
    if value is None or value != value:  # NaN is how some write that there is none
        if target:
            other = next((name for name in ANSWERS if not config.answer and value_of(values, name) is not None), "")
            if other:
                raise wrong(where, columns.answer, f"must not be null where {other} is not", value)
            return target
        raise wrong(where, columns.answer, "must not be null (or kind must be 'none')", value)
    if isinstance(value, bytes | bytearray):
        raise wrong(where, columns.answer, "must be text, a number, or a list or object of those", value)
    if choices and isinstance(value, int) and not isinstance(value, bool):
        value = _lettered(value, choices, config, where, columns.answer)
    text = written(value, where, columns.answer)
    listed = value_of(values, columns.choices) if choices and columns.choices else None
    is_key = isinstance(listed, Mapping) and text in listed and str(listed[text]) != text
    if is_key and text in map(str, listed.values()):
        raise wrong(where, columns.answer, "must mean one option, not be the key of one and the text of another", text)
    try:
        check_text(text, "an answer")  # it may become what the assistant says
    except ValueError as error:
        raise ValueError(f"{where}: column {columns.answer}: {error}") from error
    return text


def _lettered(value: int, choices: Sequence[str], config: TableConfig, where: Where, column: str) -> str:
    """The letter of the option at a place. Raises `ValueError` where the config does not say how places are counted."""
    if config.index == "none":
        rule = "must be the letter or the text of an option, or the table's index must say from where options count"
        raise wrong(where, column, f"{rule} (from_0, from_1)", value)
    first = int(config.index == "from_1")
    last = min(len(choices), len(string.ascii_uppercase)) + first - 1
    if not first <= value <= last:
        raise wrong(where, column, f"must be the place of an option, {first} to {last}", value)
    return string.ascii_uppercase[value - first]
