r"""A chat about pictures as the model reads it: tokens, M-RoPE positions, patches, in one bucket.

In: pictures uint8 [H,W,3] (any sizes) and a chat, or the question of the shortest one. Out: a `Prompt` of its own
length, and from it one row, left-padded to S tokens and right-padded to N patch slots, as a `PromptBatch` with P = 1.
Rows are stacked by `pack`. Nothing is ever truncated.

Worked example, 3 text tokens, a picture of 4 x 6 merge units, 1 text token: positions (time, height, width) of the text
are 0, 1, 2 on all axes, of the picture 3, 3 + row, 3 + column, of the last text token 3 + max(4, 6) = 9.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8

from perc_jax.batch import PromptBatch
from perc_jax.config import DataConfig, VisionConfig
from perc_jax.prompt import image as images
from perc_jax.prompt.chat import Chat, asked, chat_text, check_text, said_spans
from perc_jax.prompt.tokenizer import Tokenizer

MAX_SHOWN = 60  # characters of a text in a complaint


class PromptTooLong(ValueError):
    """A prompt that does not fit its bucket; it is counted and reported by id, never truncated."""

    def __init__(self, prompt_id: str, tokens: int, max_tokens: int, patches: int, max_patches: int):
        super().__init__(prompt_id, tokens, max_tokens, patches, max_patches)  # in full, so that it can be pickled
        self.prompt_id, self.tokens, self.max_tokens = prompt_id, tokens, max_tokens
        self.patches, self.max_patches = patches, max_patches

    def __str__(self) -> str:
        return (
            f"prompt {self.prompt_id} must fit data.max_prompt_tokens = {self.max_tokens} and "
            f"data.max_patches = {self.max_patches}, got {self.tokens} tokens and {self.patches} patch slots"
        )


class CompletionTooLong(ValueError):
    """A gold answer that does not fit the completions of its stage."""


class Prompt(NamedTuple):
    """One prompt before it is put into a bucket: s tokens, and its pictures in patch slots."""

    tokens: Int[np.ndarray, " s"]
    positions: Int[np.ndarray, "3 s"]
    image_slots: Int[np.ndarray, " s"]  # -1 at text
    next_position: int
    pictures: tuple[images.PixelPatches, ...]

    @property
    def patches(self) -> int:
        """Patch slots that its pictures take, windows whole."""
        return sum(len(picture.real) for picture in self.pictures)


def expand(
    tokens: Sequence[int], pictures: Sequence[images.PixelPatches], image_id: int, merge: int
) -> tuple[Int[np.ndarray, " s"], Int[np.ndarray, "3 s"], Int[np.ndarray, " s"], int]:
    """Repeat each picture's placeholder once per merged token and number everything.

    Returns tokens, positions, image slots (-1 at text) and the position of the next token.
    Raises `ValueError` if the text has not one placeholder per picture.
    """
    text = np.asarray(tokens, np.int32)
    marks = np.flatnonzero(text == image_id)
    if len(marks) != len(pictures):
        raise ValueError(f"prompt must have one image mark per picture, got {len(marks)} for {len(pictures)}")
    ids, positions, slots = [], [], []
    at = first_slot = begin = 0
    for mark, picture in zip([*marks, len(text)], [*pictures, None], strict=True):
        run = mark - begin
        ids.append(text[begin:mark])
        positions.append(np.tile(np.arange(at, at + run, dtype=np.int32), (3, 1)))
        slots.append(np.full(run, -1, np.int32))
        at, begin = at + run, mark + 1
        if picture is None:
            break
        row, column = np.indices(picture.units, dtype=np.int32).reshape(2, -1)
        ids.append(np.full(len(row), image_id, np.int32))
        positions.append(np.stack([np.zeros_like(row), row, column]) + np.int32(at))
        slots.append(picture.merged + np.int32(first_slot))
        at += max(picture.units)
        first_slot += len(picture.real) // merge**2
    return np.concatenate(ids), np.concatenate(positions, 1), np.concatenate(slots), int(at)


def make_prompt(
    pictures: Sequence[UInt8[np.ndarray, "_h _w 3"]],
    question: str,
    *,
    tokenizer: Tokenizer,
    vision: VisionConfig,
    system: str = "",
    min_pixels: int = images.MIN_PIXELS,
    max_pixels: int = images.MAX_PIXELS,
) -> Prompt:
    """Make the prompt of one question below its pictures, which are fitted between the bounds on their area.

    Raises what `chat_prompt` raises, and `ValueError` for a picture too long for its width.
    """
    chat = asked(question, len(pictures), system)
    fitted = [images.fit(picture, vision, min_pixels, max_pixels) for picture in pictures]
    return chat_prompt(chat, fitted, tokenizer=tokenizer, vision=vision)


def chat_prompt(
    chat: Chat, pictures: Sequence[UInt8[np.ndarray, "_h _w 3"]], *, tokenizer: Tokenizer, vision: VisionConfig
) -> Prompt:
    """Make the prompt of a chat with its pictures in the order of their places, as `images.fit` or `open_fitted` gave
    them: they are shown as they are, since to fit a picture again may change it.

    Raises `ValueError` for a chat that `chat.check` refuses, for another number of pictures than of their places, and
    for a picture whose sides are not whole merged patches.
    """
    cut = tuple(images.patchify(picture, vision) for picture in pictures)
    text = tokenizer.encode(chat_text(tokenizer, chat))
    return Prompt(*expand(text, cut, tokenizer.ids.image, vision.spatial_merge_size), cut)


def said_tokens(chat: Chat, prompt: Prompt, tokenizer: Tokenizer) -> Bool[np.ndarray, " s"]:
    """Which of a chat's tokens the assistant says, each turn with its end mark: those that carry loss.

    A token that the beginning of a turn shares with what stands before it counts. Raises what `chat.said_spans` raises.
    """
    text = chat_text(tokenizer, chat)
    ids = tokenizer.encode(text)
    said = np.zeros(len(ids), bool)
    for span in said_spans(text, chat):
        before, after = (tokenizer.encode(text[:place]) for place in span)
        same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(before, ids, strict=False))
        said[sum(1 for _ in same) : len(after)] = True  # an end mark is a token of its own
    units = iter(prompt.pictures)
    return np.repeat(said, [len(next(units).merged) if token == tokenizer.ids.image else 1 for token in ids])


def lay_out(
    prompt: Prompt, *, max_tokens: int, max_patches: int, pad: int, vision: VisionConfig, prompt_id: str = ""
) -> PromptBatch:
    """Put a prompt into a bucket as one row (P = 1).

    Raises `PromptTooLong` if it exceeds the bucket.
    """
    if len(prompt.tokens) > max_tokens or prompt.patches > max_patches:
        raise PromptTooLong(prompt_id, len(prompt.tokens), max_tokens, prompt.patches, max_patches)
    cut = prompt.pictures
    numbers = [np.where(picture.real, number, -1).astype(np.int32) for number, picture in enumerate(cut)]
    return PromptBatch(
        tokens=_left_padded(prompt.tokens, max_tokens, pad),
        mask=_left_padded(np.ones(len(prompt.tokens), bool), max_tokens, False),
        positions=_left_padded(prompt.positions, max_tokens, 0),
        next_position=np.array([prompt.next_position], np.int32),
        image_slots=_left_padded(prompt.image_slots, max_tokens, -1),
        pixels=_right_padded(
            [picture.pixels for picture in cut], np.zeros((max_patches, vision.patch_bytes), np.uint8)
        ),
        patch_rowcol=_right_padded([picture.rowcol for picture in cut], np.zeros((max_patches, 2), np.int32)),
        patch_image=_right_padded(numbers, np.full(max_patches, -1, np.int32)),
    )


def make_row(
    prompt_id: str,
    pictures: Sequence[UInt8[np.ndarray, "_h _w 3"]],
    question: str,
    *,
    tokenizer: Tokenizer,
    data: DataConfig,
    vision: VisionConfig,
) -> PromptBatch:
    """Make one prompt's row (P = 1) in the bucket of `data`, whose instruction follows the question after a line end.

    Raises `PromptTooLong` if it exceeds the bucket.
    """
    text = f"{question}\n{data.instruction}" if data.instruction else question
    prompt = make_prompt(pictures, text, tokenizer=tokenizer, vision=vision, system=data.system)
    return lay_out(
        prompt,
        max_tokens=data.max_prompt_tokens,
        max_patches=data.max_patches,
        pad=tokenizer.ids.pad,
        vision=vision,
        prompt_id=prompt_id,
    )


def in_row(said: Bool[np.ndarray, " s"], length: int) -> Bool[np.ndarray, " S"]:
    """Marks of a prompt's tokens at their places in a row of `length` tokens."""
    return _left_padded(said, length, False)[0]


def _left_padded(values: np.ndarray, length: int, fill: int | bool) -> np.ndarray:
    """Put values [..., s] at the end of a row [1, ..., length]."""
    padded = np.full((1, *values.shape[:-1], length), fill, values.dtype)
    padded[0, ..., length - values.shape[-1] :] = values
    return padded


def _right_padded(parts: Sequence[np.ndarray], padded: np.ndarray) -> np.ndarray:
    """Put parts one after the other at the start of `padded`; gives [1, ...]."""
    start = 0
    for part in parts:
        padded[start : start + len(part)] = part
        start += len(part)
    return padded[None]


def pack(rows: Sequence[PromptBatch]) -> PromptBatch:
    """Stack rows of one bucket, of which none has features yet."""
    return PromptBatch(*(np.concatenate(field) for field in zip(*(row[:-1] for row in rows), strict=True)))


def completion(
    text: str, tokenizer: Tokenizer, max_tokens: int
) -> tuple[Int[np.ndarray, " C"], Bool[np.ndarray, " C"]]:
    """Write a text and its end token as a completion, right-padded to `max_tokens`, and its mask.

    Raises `CompletionTooLong` if it does not fit, `ValueError` for a text with a mark of the chat in it.
    """
    check_text(text, "what the assistant says")
    ids = [*tokenizer.encode(text), tokenizer.ids.ends[0]]
    if len(ids) > max_tokens:
        shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
        room = f"rollout.max_tokens = {max_tokens} (or its stage's max_tokens, where that is not 0)"
        raise CompletionTooLong(f"gold answer {shown!r} must fit {room}, got {len(ids)}")
    padded = np.full(max_tokens, tokenizer.ids.pad, np.int32)
    padded[: len(ids)] = ids
    return padded, np.arange(max_tokens) < len(ids)
