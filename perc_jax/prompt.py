r"""A question about pictures as the model reads it: chat text, tokens, M-RoPE positions, patches, in one bucket.

In: pictures uint8 [H,W,3] (any sizes) and a question. Out: one row, left-padded to S tokens and right-padded to N patch
slots, as `PackedPrompts` with P = 1. Rows are stacked by `pack` and turned into the device's `PromptBatch` by `unpack`;
between the two, patches are bytes, so that workers ship an eighth of what the device reads. Nothing is ever truncated.

Worked example, 3 text tokens, a picture of 4 x 6 merge units, 1 text token: positions (time, height, width) of the text
are 0, 1, 2 on all axes, of the picture 3, 3 + row, 3 + column, of the last text token 3 + max(4, 6) = 9.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8

from engines.answer import Answer
from perc_jax import image as images
from perc_jax.batch import PromptBatch
from perc_jax.config import DataConfig, VisionConfig
from perc_jax.tokenizer import IM_END, IM_START, IMAGE_PAD, SYSTEM, VISION_END, VISION_START, Tokenizer


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
    """A gold answer that does not fit rollout.max_tokens."""


class PackedPrompts(NamedTuple):
    """`PromptBatch` with patches as bytes, B = 3 * patch_size^2 per slot."""

    tokens: Int[np.ndarray, "P S"]
    mask: Bool[np.ndarray, "P S"]
    positions: Int[np.ndarray, "P 3 S"]
    next_position: Int[np.ndarray, " P"]
    image_slots: Int[np.ndarray, "P S"]
    pixels: UInt8[np.ndarray, "P N B"]
    patch_rowcol: Int[np.ndarray, "P N 2"]
    patch_image: Int[np.ndarray, "P N"]


def chat_text(question: str, image_count: int = 1, instruction: str = "") -> str:
    """Write the published chat template around a question: system line, pictures, question, the assistant's turn.

    The instruction follows the question after a line end.
    """
    pictures = f"{VISION_START}{IMAGE_PAD}{VISION_END}" * image_count
    text = f"{question}\n{instruction}" if instruction else question
    return (
        f"{IM_START}system\n{SYSTEM}{IM_END}\n{IM_START}user\n{pictures}{text}{IM_END}\n{IM_START}assistant\n"
    )  # fmt: skip


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


def make_row(
    prompt_id: str,
    pictures: Sequence[UInt8[np.ndarray, "_h _w 3"]],
    question: str,
    *,
    tokenizer: Tokenizer,
    data: DataConfig,
    vision: VisionConfig,
) -> PackedPrompts:
    """Make one prompt's row (P = 1), pictures resized to whole merged patches where they are not.

    Raises `PromptTooLong` if it exceeds the bucket of `data`.
    """
    cut = [images.patchify(images.fit(picture, vision), vision) for picture in pictures]
    text = tokenizer.encode(chat_text(question, len(cut), data.instruction))
    tokens, positions, slots, after = expand(text, cut, tokenizer.ids.image, vision.spatial_merge_size)
    bucket, patches = data.max_prompt_tokens, data.max_patches
    used = sum(len(picture.real) for picture in cut)
    if len(tokens) > bucket or used > patches:
        raise PromptTooLong(prompt_id, len(tokens), bucket, used, patches)
    numbers = [np.where(picture.real, number, -1).astype(np.int32) for number, picture in enumerate(cut)]
    width = 3 * vision.patch_size**2
    return PackedPrompts(
        tokens=_left_padded(tokens, bucket, tokenizer.ids.pad),
        mask=_left_padded(np.ones(len(tokens), bool), bucket, False),
        positions=_left_padded(positions, bucket, 0),
        next_position=np.array([after], np.int32),
        image_slots=_left_padded(slots, bucket, -1),
        pixels=_right_padded([picture.pixels for picture in cut], np.zeros((patches, width), np.uint8)),
        patch_rowcol=_right_padded([picture.rowcol for picture in cut], np.zeros((patches, 2), np.int32)),
        patch_image=_right_padded(numbers, np.full(patches, -1, np.int32)),
    )


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


def pack(rows: Sequence[PackedPrompts]) -> PackedPrompts:
    """Stack rows of one bucket."""
    return PackedPrompts(*(np.concatenate(field) for field in zip(*rows, strict=True)))


def unpack(packed: PackedPrompts, vision: VisionConfig) -> PromptBatch:
    """Give the batch that the device reads: patch bytes become float32 values, each frame repeated."""
    fields = packed._asdict()
    pixels = fields.pop("pixels")
    return PromptBatch(patches=images.normalise(pixels, packed.patch_image >= 0, vision.temporal_patch_size), **fields)


def gold_completion(
    answer: Answer, tokenizer: Tokenizer, max_tokens: int
) -> tuple[Int[np.ndarray, " C"], Bool[np.ndarray, " C"]]:
    r"""Write the completion `<answer>\boxed{…}</answer>` and its end token, right-padded to `max_tokens`, and its mask.

    Raises `CompletionTooLong` if it does not fit.
    """
    ids = [*tokenizer.encode(rf"<answer>\boxed{{{answer.text()}}}</answer>"), tokenizer.ids.ends[0]]
    if len(ids) > max_tokens:
        raise CompletionTooLong(
            f"gold answer {answer.text()!r} must fit rollout.max_tokens = {max_tokens}, got {len(ids)}"
        )
    padded = np.full(max_tokens, tokenizer.ids.pad, np.int32)
    padded[: len(ids)] = ids
    return padded, np.arange(max_tokens) < len(ids)
