"""A row of a user's table as a prompt: its chat with the config's instruction, its pictures, its answer, what it takes.

Used by the stream of a stage (`tabled`) and by the data doctor (`doctor`); knows no order of rows.
"""

import functools
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from perc_jax.config import REASONED, Config, DataConfig, StageConfig, VisionConfig
from perc_jax.data.engines import Gold, Row, SampleInfo
from perc_jax.data.tables.row import TableRow
from perc_jax.data.tables.table import Table, open_table
from perc_jax.prompt import image as images
from perc_jax.prompt.chat import Chat, Turn
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.prompt import Prompt, chat_prompt, completion, in_row, lay_out, said_tokens
from perc_jax.prompt.questions import Reader, lengths
from perc_jax.prompt.tokenizer import Tokenizer, shared
from perc_jax.rewards import answers, boxes, forms

opened = functools.cache(open_table)  # once in a process


class Size(NamedTuple):
    """What a row takes, and what it says."""

    tokens: int  # of the prompt, its pictures' among them
    patches: int  # slots, windows whole
    said: int  # tokens of the gold completion, its end among them
    print: str  # digest of the chat and the pictures' bytes
    has_form: bool  # whether what it says is read as an answer in the config's form


class Sight(NamedTuple):
    """How a model is shown a table's pictures."""

    vision: VisionConfig
    pixels: Processor  # bounds on their area

    @classmethod
    def of(cls, config: Config) -> "Sight":
        """As a run's prompts show them."""
        return cls(config.model.vision, Processor(config.data.min_pixels, config.data.max_pixels))


class Lesson(NamedTuple):
    """What supervised steps learn of a row."""

    max_tokens: int  # of what is said last
    all_turns: bool  # whether also what the assistant has said before

    @classmethod
    def of(cls, config: Config, stage: StageConfig) -> "Lesson | None":
        """What a stage learns of each row; None where it learns from rewards."""
        return cls(config.completion_tokens(stage), stage.learns_history) if stage.kind == "sft" else None


def make(config: Config, table: Table, number: int, split: str, lesson: Lesson | None) -> Row:
    """Make the prompt of a row, and what is to be learned of it.

    Raises `PromptTooLong` if it does not fit the config's bucket, and `ValueError` or `OSError` that name file and row
    for what is not sound and for what is longer than a lesson may be.
    """
    data, vision, row = config.data, config.model.vision, seen(table, number, Sight.of(config))
    tokenizer = shared(config)
    info = describe(table, number, row, split)
    bounds = data.min_pixels, data.max_pixels
    pictures = [images.open_fitted(picture.name, picture.read(), vision, *bounds) for picture in row.pictures]
    chat = asked(row.chat, data)
    whole = chat_prompt(chat, pictures, tokenizer=tokenizer, vision=vision)
    prompt = lay_out(
        whole,
        max_tokens=data.max_prompt_tokens,
        max_patches=data.max_patches,
        pad=tokenizer.ids.pad,
        vision=vision,
        prompt_id=info.sample_id,
    )
    if lesson is None:
        return Row(prompt, None, info, ())
    try:
        check_taught(row, data)
        said = _history(chat, whole, data, lesson, tokenizer)
        gold = Gold(*completion(target(row, info, data), tokenizer, lesson.max_tokens), said)
    except ValueError as error:
        raise ValueError(f"{table.where(number)}: {error}") from error
    return Row(prompt, gold, info, ())


def _history(
    chat: Chat, prompt: Prompt, data: DataConfig, lesson: Lesson, tokenizer: Tokenizer
) -> Bool[np.ndarray, " S"]:
    """What the assistant has said before and is to learn, in the prompt's place in its bucket."""
    has_history = lesson.all_turns and any(turn.role == "assistant" for turn in chat)
    said = said_tokens(chat, prompt, tokenizer) if has_history else np.zeros(0, bool)
    return in_row(said, data.max_prompt_tokens)


def measure(config: Config, table: Table, number: int, *, is_learned: bool = False) -> tuple[SampleInfo, Size]:
    """Find what a row takes without making its prompt; its pictures are seen to be whole.

    `is_learned`: whether it must say what supervised steps are to learn. Raises `ValueError` or `OSError` that name
    file, row and column for what is not sound.
    """
    data, row = config.data, seen(table, number, Sight.of(config))
    tokenizer = shared(config)
    info = describe(table, number, row, "train")
    chat = asked(row.chat, data)
    contents = [picture.read() for picture in row.pictures]
    sizes = [images.stored_size(one.name, content) for one, content in zip(row.pictures, contents, strict=True)]
    reader = Reader(tokenizer, config.model.vision, Processor(data.min_pixels, data.max_pixels), data.max_prompt_tokens)
    tokens, patches = lengths(chat, sizes, reader)
    if is_learned:
        try:
            check_taught(row, data)
        except ValueError as error:
            raise ValueError(f"{table.where(number)}: {error}") from error
    says = target(row, info, data)
    has_form = forms.read(says, forms.Form.of(data)) is not None
    return info, Size(tokens, patches, len(tokenizer.encode(says)) + 1, print_of(row.chat, contents), has_form)


def print_of(chat: Chat, pictures: Sequence[bytes]) -> str:
    """Digest of what a row asks: its chat, as the table has it, and its pictures' bytes."""
    found = hashlib.blake2b(repr(chat).encode("utf-8", "surrogatepass"), digest_size=8)
    for content in pictures:
        found.update(hashlib.blake2b(content, digest_size=16).digest())
    return found.hexdigest()


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
    """What the model is to say: what the assistant says in the table, as it is written there, else the answer in the
    form that the config asks."""
    return row.target or forms.shortest(info.answer.text(), forms.Form.of(data))


def check_taught(row: TableRow, data: DataConfig) -> None:
    """Raise `ValueError` for a row that has an answer alone, where its form has a part for reasoning."""
    if not row.target and data.answer_form in REASONED:
        raise ValueError(
            f"a row that is learned must have an assistant's turn to imitate: its answer alone has no reasoning, as "
            f"data.answer_form = {data.answer_form} asks"
        )


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
        row=row.columns,
    )


def seen(table: Table, number: int, sight: Sight) -> TableRow:
    """A row whose boxes and points are in px of the picture as the model sees it, not of the stored one, upright.

    Those of the answer, where boxes are what is asked for, and then of what the assistant is to say. Where several
    pictures are shown at different scales, nothing says which one is meant: raises `ValueError`, which names file, row
    and column, as for an answer that is none of its kind.
    """
    row = table[number]
    has_boxes = bool(row.pictures) and any(name in row.answer for name in boxes.NAMES)
    if not has_boxes or gold_of(table, number, row).kind != "boxes":
        return row
    scales = {images.fitted_scale(one.name, one.read(), sight.vision, *sight.pixels) for one in row.pictures}
    if len(scales) > 1:
        shown = ", ".join(sorted(f"{across:.3g} x {down:.3g}" for across, down in scales))
        raise ValueError(
            f"{table.where(number)}: column {table.columns.answer or 'answer'}: boxes must be of one picture, or of "
            f"pictures that the model sees at one scale, got scales of {shown}"
        )
    [scale] = scales
    if scale == (1.0, 1.0):
        return row
    return row._replace(answer=boxes.placed(row.answer, scale), target=boxes.placed(row.target, scale))


def gold_of(table: Table, number: int, row: TableRow) -> answers.Gold:
    """The answer that a completion is judged by. Raises `ValueError` that names file, row and column."""
    try:
        if row.kind == "auto":
            return answers.guess(row.answer, row.choices, row.tolerance, row.relative)
        return answers.Gold(row.kind, row.answer, row.choices, row.tolerance, row.relative)
    except ValueError as error:
        raise ValueError(f"{table.where(number)}: column {table.columns.answer or 'answer'}: {error}") from error
