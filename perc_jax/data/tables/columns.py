"""Which column is what: named by the config, or recognised by the names that tables have in practice.

| form | chat | pictures | answer |
|---|---|---|---|
| EasyR1 | `problem`, text with `<image>` marks | `images` | `answer` |
| verl | `prompt`, messages | `images` | `reward_model.ground_truth` |
| TRL | `prompt`, text or messages | `image`, `images` | `solution`, `answer` |
| TRL, for supervised steps | `prompt`, with `completion`, text or messages | as above | as above, or the completion |
| ms-swift, LLaMA-Factory | `messages`, `conversations` | `images` | the last assistant turn, `solution` |
| Alpaca | `instruction`, `input` below it, `history` before; `output` | `images` | `answer`, or the output |
| ours | `question`, text | `image`, `images` | `answer` |

It is decided once, from a few rows of the table, and told in words. Rows of JSON may differ: pictures, choices, a
system line and what stands beside the chat are read from each row's own columns (`of_row`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from perc_jax.config import TableConfig
from perc_jax.data.tables.errors import Where, wrong

CHATS = ("messages", "conversations", "prompt", "problem", "question", "instruction")  # the first that is there
BESIDE = {  # further parts of what is said, where the chat was recognised by its column's name
    "prompt": {"completion": "completion"},
    "instruction": {"completion": "output", "input": "input", "history": "history"},
}
ANSWERS = ("answer", "solution", "reward_model.ground_truth")
PICTURES = ("images", "image")
CHOICES = ("choices", "options")
UNSUPPORTED = ("videos", "audios", "video", "audio")
_FORMS = {
    "messages": "ms-swift, LLaMA-Factory",
    "conversations": "LLaMA-Factory (ShareGPT)",
    "prompt": "TRL",
    "problem": "EasyR1",
    "question": "perc_jax",
    "instruction": "Alpaca",
}


class Columns(NamedTuple):
    """The columns by what is in them; empty: there is none."""

    chat: str
    images: str
    system: str
    answer: str
    choices: str
    completion: str = ""  # what the assistant says
    input: str = ""  # what the user says below the text in `chat`
    history: str = ""  # pairs of what user and assistant said before

    def used(self) -> set[str]:
        """Columns that are the prompt: the others go to reward functions as they are."""
        return {self.chat, self.images, self.system, self.input, self.history}


def recognise(
    config: TableConfig,
    samples: Sequence[Mapping[str, Any]],
    where: Where,
    having: Callable[[str], Iterable[Mapping[str, Any]]],
) -> tuple[Columns, str]:
    """Find the columns from rows of a table, and say in words what was found.

    Args:
        config: the table's.
        samples: values of some of its rows.
        where: its first row, for complaints.
        having: gives the values of all of its rows that have a column.

    Raises `ValueError` where no sample has a column for a chat, or no row one of a name that the config gives.
    """
    there: dict[str, None] = {}
    for row in samples:
        there |= dict.fromkeys(row)
        there |= {f"{name}.{field}": None for name, value in row.items() if isinstance(value, dict) for field in value}
    wanted = {"chat": config.messages or config.question, "images": config.images, "system": config.system}
    wanted |= {"answer": config.answer, "choices": config.choices, "completion": config.completion}
    for field, name in wanted.items():
        if name and name not in there and not any(has(row, name) for row in _candidates(having, name)):
            own = ("messages" if config.messages else "question") if field == "chat" else field
            raise wrong(where, name, f"must be there, as the table's {own} says", sorted(there))
    options = {"chat": CHATS, "images": PICTURES, "system": ("system",), "answer": ANSWERS, "choices": CHOICES}
    found = {
        field: wanted[field] or next((name for name in names if name in there), "") for field, names in options.items()
    }
    if not found["chat"]:
        raise wrong(where, " or ".join(CHATS), "must be there, or be named in the config", sorted(there))
    beside = {} if wanted["chat"] else BESIDE.get(found["chat"], {})
    found |= {field: name for field, name in beside.items() if name in there}
    found |= {"completion": config.completion} if config.completion else {}
    columns = Columns(**found)
    return columns, _reading(columns, config, there)


def _reading(columns: Columns, config: TableConfig, there: Mapping[str, None]) -> str:
    named = bool(config.messages or config.question)
    form = "named columns" if named else f"as {_form(columns, there)} writes it"
    others = [name for name in CHATS if name in there and name != columns.chat and not named]
    words = [f"chat in {columns.chat}", f"pictures in {columns.images}" if columns.images else "no pictures"]
    words += [f"system line in {columns.system}"] * bool(columns.system)
    words += [f"more of it in {name}" for name in (columns.input, columns.history) if name]
    words += [f"what the assistant says in {columns.completion}"] * bool(columns.completion)
    words += [f"answer in {columns.answer}" if columns.answer else "no column of answers"]
    words += [f"choices in {columns.choices}"] * bool(columns.choices)
    words += [f"not read as the chat: {', '.join(others)}"] * bool(others)
    return f"{form}: {', '.join(words)}"


def _form(columns: Columns, there: Mapping[str, None]) -> str:
    return "verl" if columns.chat == "prompt" and "reward_model.ground_truth" in there else _FORMS[columns.chat]


def _candidates(having: Callable[[str], Iterable[Mapping[str, Any]]], name: str) -> Iterator[Mapping[str, Any]]:
    """The rows that may have a column, or a field of one."""
    yield from having(name)
    outer, _, field = name.partition(".")
    yield from having(outer) if field else ()


def of_row(columns: Columns, config: TableConfig, values: Mapping[str, Any], where: Where) -> Columns:
    """The columns of one row: where the config names none, those that hold something in it go before the table's.

    Raises `ValueError` that names file, row and column for two columns of pictures, or of choices, that differ.
    """
    named = {name.partition(".")[0] for name in (config.question, config.messages, config.answer, config.completion)}
    named |= {config.images, config.system, config.choices}
    own = {}
    for field, names in (("images", PICTURES), ("choices", CHOICES), ("system", ("system",))):
        there = [name for name in names if name not in named and _holds(values.get(name))]
        if getattr(config, field) or not there:
            continue
        one = _listed(values[there[0]])
        is_read = field != "choices" or config.kind in ("auto", "choice")
        other = next((name for name in there if _listed(values[name]) != one), "")
        if other and is_read:
            rule = f"must be empty beside {there[0]}, or be named by the table's {field}"
            raise wrong(where, other, rule, values[other])
        own[field] = there[0]
    if not config.answer and not columns.answer:
        own["answer"] = next((name for name in ANSWERS if value_of(values, name) is not None), "")
    for field, name in BESIDE.get(columns.chat, {}).items() if not (config.question or config.messages) else ():
        if not getattr(columns, field) and _holds(values.get(name)) and name not in named:
            own[field] = name
    return columns._replace(**own)


def _holds(value: Any) -> bool:
    """Whether there is something in a cell."""
    if isinstance(value, Mapping):
        return any(one is not None for one in value.values())
    return value is not None and value not in ("", b"", [])


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | Mapping) else [value]


def has(row: Mapping[str, Any], column: str) -> bool:
    """Whether a row has a column, or a field of one (`reward_model.ground_truth`)."""
    name, _, field = column.partition(".")
    outer = row.get(name)
    return column in row or bool(field and isinstance(outer, Mapping) and field in outer)


def value_of(row: Mapping[str, Any], column: str) -> Any:
    """The value of a column, or of a field of one (`reward_model.ground_truth`); None where there is none."""
    if column in row:
        return row[column]
    name, _, field = column.partition(".")
    outer = row.get(name)
    return outer.get(field) if field and isinstance(outer, Mapping) else None
