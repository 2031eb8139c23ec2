"""A row of a user's table as a prompt: its chat with the config's instruction, its pictures, its answer, what it takes.

Used by the stream of a stage (`tabled`) and by the data doctor (`doctor`); knows no order of rows.
"""

import functools
import hashlib
from typing import NamedTuple

from perc_jax.config import Config, DataConfig
from perc_jax.data.engines import Row, SampleInfo
from perc_jax.data.tables.row import TableRow
from perc_jax.data.tables.table import Table, open_table
from perc_jax.prompt import image as images
from perc_jax.prompt.chat import Chat, Turn
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.prompt import chat_prompt, completion, lay_out
from perc_jax.prompt.questions import Reader, lengths
from perc_jax.prompt.tokenizer import load
from perc_jax.rewards import answers, forms

opened = functools.cache(open_table)  # once in a process
tokenizer_of = functools.cache(load)


class Size(NamedTuple):
    """What a row takes, and what it says."""

    tokens: int  # of the prompt, its pictures' among them
    patches: int  # slots, windows whole
    said: int  # tokens of the gold completion, its end among them
    print: str  # digest of the chat and the pictures' bytes


def make(config: Config, table: Table, number: int, split: str, has_gold: bool) -> Row:
    """Make the prompt of a row.

    Raises `PromptTooLong` or `CompletionTooLong` if it does not fit the config's bucket, and `ValueError` or `OSError`
    that name file, row and column for what is not sound.
    """
    data, vision, row = config.data, config.model.vision, table[number]
    tokenizer = tokenizer_of(data.tokenizer)
    info = describe(table, number, row, split)
    bounds = {"min_pixels": data.min_pixels, "max_pixels": data.max_pixels}
    pictures = [images.open_fitted(picture.name, picture.read(), vision, **bounds) for picture in row.pictures]
    prompt = lay_out(
        chat_prompt(asked(row.chat, data), pictures, tokenizer=tokenizer, vision=vision, **bounds),
        max_tokens=data.max_prompt_tokens,
        max_patches=data.max_patches,
        pad=tokenizer.ids.pad,
        vision=vision,
        prompt_id=info.sample_id,
    )
    gold = completion(target(row, info, data), tokenizer, config.rollout.max_tokens) if has_gold else ()
    return Row(prompt, gold, info, ())


def measure(config: Config, table: Table, number: int) -> tuple[SampleInfo, Size]:
    """Find what a row takes without making its prompt; its pictures are seen to be whole.

    Raises `ValueError` or `OSError` that name file, row and column for what is not sound.
    """
    data, row = config.data, table[number]
    tokenizer = tokenizer_of(data.tokenizer)
    info = describe(table, number, row, "train")
    chat, sizes = asked(row.chat, data), []
    found = hashlib.blake2b(repr(row.chat).encode("utf-8", "surrogatepass"), digest_size=8)
    for picture in row.pictures:
        content = picture.read()
        found.update(hashlib.blake2b(content, digest_size=16).digest())
        sizes.append(images.stored_size(picture.name, content))
    reader = Reader(tokenizer, config.model.vision, Processor(data.min_pixels, data.max_pixels), data.max_prompt_tokens)
    tokens, patches = lengths(chat, sizes, reader)
    said = len(tokenizer.encode(target(row, info, data))) + 1
    return info, Size(tokens, patches, said, found.hexdigest())


def asked(chat: Chat, data: DataConfig) -> Chat:
    """A chat as the config has it asked: its system line where the chat has none, its instruction below what the user
    says last."""
    if data.system and chat[0].role != "system":
        chat = (Turn("system", (data.system,)), *chat)
    if data.instruction:
        last = chat[-1]
        chat = (*chat[:-1], last._replace(parts=(*last.parts, f"\n{data.instruction}")))
    return chat


def target(row: TableRow, info: SampleInfo, data: DataConfig) -> str:
    """What the model is to say: the assistant's turn of the table, else its answer in the form that the config asks."""
    return row.target if row.target != row.answer else forms.shortest(info.answer.text(), forms.Form.of(data))


def describe(table: Table, number: int, row: TableRow, split: str) -> SampleInfo:
    """What is kept of a row beside its prompt. Raises `ValueError` for an answer that is none of its kind."""
    gold = gold_of(table, number, row)
    return SampleInfo(
        sample_id=f"{split}/{table.name}/{row.name}",
        engine=table.name,
        question_type=gold.kind,
        split=split,
        level=0,
        index=number,
        photographed=False,
        question=row.chat[-1].text,
        answer=gold,
        guess_rate=1 / len(row.choices) if row.choices else 0.0,
        row=row.columns,
    )


def gold_of(table: Table, number: int, row: TableRow) -> answers.Gold:
    """The answer that a completion is judged by. Raises `ValueError` that names file, row and column."""
    try:
        if row.kind == "auto":
            return answers.guess(row.answer, row.choices)
        return answers.Gold(row.kind, row.answer, row.choices, row.tolerance, row.relative)
    except ValueError as error:
        raise ValueError(f"{table.where(number)}: column {table.columns.answer or 'answer'}: {error}") from error
