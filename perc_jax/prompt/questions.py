"""Questions with pictures of any size as prompts, sorted into a closed set of buckets; nothing is ever truncated.

`measure` says how long a question's prompt will be, and finds pictures that are cut short; `plan` sorts questions into
batches of one bucket each; `rows` makes a batch's prompts. A bucket holds N patch slots, a power of two, and
S = T + N / 4 tokens, T a power of two for the text; the smallest that holds a prompt is its own, so what a question is
computed with does not depend on what else is asked. A picture larger than the model's bounds is reduced as Qwen's
processor does; a prompt that is too long even so is not asked, and says why.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from perc_jax.batch import MEAN, PromptBatch
from perc_jax.config import VisionConfig
from perc_jax.prompt import chat, prompt
from perc_jax.prompt import image as images
from perc_jax.prompt.pretrained import Processor
from perc_jax.prompt.tokenizer import Tokenizer

MIN_PATCHES, MIN_TEXT = 256, 128  # of the smallest bucket
FULL_TOKENS = 2048  # longer prompts share a device call with fewer others
GREY = (128, 128, 128)  # in place of a picture that is not to be seen
MEAN_COLOUR = tuple(round(255 * mean) for mean in MEAN)  # of which the model makes values next to 0


class Reader(NamedTuple):
    """How a model reads: what turns questions into prompts."""

    tokenizer: Tokenizer
    vision: VisionConfig
    pixels: Processor  # bounds on a picture's area
    max_tokens: int  # of a prompt


@runtime_checkable
class Encoded(Protocol):
    """An encoded picture (PNG, JPEG, …) that is read when asked for."""

    @property
    def name(self) -> str:
        """What a complaint calls it."""

    def read(self) -> bytes:
        """Give its bytes. Raises `OSError` or `ValueError` if it is gone."""


class Question(NamedTuple):
    """A question to ask; `why_not` says why it is not asked, and then it has no bucket."""

    id: str
    unit: str
    chat: chat.Chat
    images: tuple[Encoded, ...]
    prompt: str  # fingerprint of text, pictures and their bounds
    bucket: tuple[int, int] = (0, 0)  # tokens S and patch slots N
    why_not: str = ""


def measure(name: str, unit: str, text: str, pictures: Sequence[Encoded], reader: Reader) -> Question:
    """Find a question's bucket from its text and its pictures' sizes; the pictures stand first.

    Raises `ValueError` for a picture that is not whole, and `OSError` for one that is gone; both name it.
    """
    return measure_chat(name, unit, chat.asked(text, len(pictures)), pictures, reader, text)


def measure_chat(
    name: str, unit: str, turns: chat.Chat, pictures: Sequence[Encoded], reader: Reader, text: str = ""
) -> Question:
    """Find the bucket of a chat; `text` stands for it in the fingerprint where it says all of it."""
    found = hashlib.sha256(f"{tuple(reader.pixels)} {text or turns}".encode("utf-8", "surrogatepass"))
    sizes = []
    for picture in pictures:
        data = picture.read()
        found.update(hashlib.sha256(data).digest())
        sizes.append(images.stored_size(picture.name, data))  # one that is turned fills as many windows
    question = Question(name, unit, turns, tuple(pictures), found.hexdigest()[:16])
    try:
        tokens, patches = lengths(turns, sizes, reader)
    except ValueError as error:  # sides too different, or a chat mark in the text
        return question._replace(why_not=str(error))
    if tokens > reader.max_tokens:
        return question._replace(why_not=f"its prompt of {tokens} tokens is longer than {reader.max_tokens}")
    return question._replace(bucket=bucket(tokens, patches, reader.vision))


def bucket(tokens: int, patches: int, vision: VisionConfig) -> tuple[int, int]:
    """The smallest bucket (S, N) for a prompt of so many tokens, its pictures' among them, and so many patch slots."""
    slots = max(MIN_PATCHES, vision.window_patches)
    while slots < patches:
        slots *= 2
    shown, text = slots // vision.spatial_merge_size**2, MIN_TEXT
    while text + shown < tokens:
        text *= 2
    return text + shown, slots


def lengths(turns: chat.Chat, sizes: Sequence[tuple[int, int]], reader: Reader) -> tuple[int, int]:
    """Tokens and patch slots of the prompt of a chat with pictures of these (height, width).

    Raises `ValueError` for a chat that cannot be put and for sides that are too different.
    """
    vision = reader.vision
    unit = vision.patch_size * vision.spatial_merge_size
    window = vision.window_size // unit
    tokens = len(reader.tokenizer.encode(chat.chat_text(reader.tokenizer, turns))) - len(sizes)
    patches = 0
    for size in sizes:
        height, width = images.smart_resize(*size, unit, *reader.pixels)
        rows, columns = height // unit, width // unit
        tokens += rows * columns
        patches += -(-rows // window) * -(-columns // window) * vision.window_patches
    return tokens, patches


def plan(questions: Sequence[Question], batch: int, multiple: int) -> list[list[Question]]:
    """Sort what is asked into batches of one bucket each, the greatest bucket first, so that memory is tried at once.

    Args:
        questions: those without a bucket are left out.
        batch: questions of a device call; a bucket beyond `FULL_TOKENS` gets proportionally fewer.
        multiple: the data-parallel devices; every call has at least a question for each.

    Returns:
        Batches; the last of a bucket may be short. `size` says how many rows its device call has.
    """
    by_bucket: dict[tuple[int, int], list[Question]] = defaultdict(list)
    for question in questions:
        if not question.why_not:
            by_bucket[question.bucket].append(question)
    batches = []
    for key in sorted(by_bucket, reverse=True):
        count = size(key, batch, multiple)
        batches += [by_bucket[key][i : i + count] for i in range(0, len(by_bucket[key]), count)]
    return batches


def size(key: tuple[int, int], batch: int, multiple: int) -> int:
    """Rows of a device call of a bucket."""
    return max(multiple, batch * FULL_TOKENS // max(key[0], FULL_TOKENS) // multiple * multiple)


def rows(questions: Sequence[Question], reader: Reader) -> PromptBatch:
    """Make the prompts of questions of one bucket. Raises `ValueError` for a picture that is not sound."""
    return prompt.pack([_row(question, reader) for question in questions])


def _row(question: Question, reader: Reader) -> PromptBatch:
    tokens, patches = question.bucket
    vision = reader.vision
    pictures = [images.open_fitted(one.name, one.read(), vision, *reader.pixels) for one in question.images]
    whole = prompt.chat_prompt(question.chat, pictures, tokenizer=reader.tokenizer, vision=vision)
    return prompt.lay_out(
        whole,
        max_tokens=tokens,
        max_patches=patches,
        pad=reader.tokenizer.ids.pad,
        vision=vision,
        prompt_id=question.id,
    )


def unseen(prompts: PromptBatch, colour: Sequence[int] = GREY) -> PromptBatch:
    """The same prompts with every picture replaced by one of the same size and of one colour."""
    real = prompts.patch_image[..., None] >= 0
    uniform = np.repeat(np.array(colour, np.uint8), prompts.pixels.shape[-1] // len(colour))
    return prompts._replace(pixels=np.where(real, uniform, np.uint8(0)))
