"""What an environment returns, as the model reads it behind the turn that it has just ended.

In: texts and pictures of the user's next turn, and the position at which it begins. Out: a `Reply`: tokens from the
first behind the assistant's end mark up to where the assistant speaks again, M-RoPE positions that go on from the
conversation's, pictures in patch slots. So a conversation that is put together turn by turn is, token by token, the one
that the chat template writes of it as a whole.

Worked example, a picture of 2 x 4 merge units, then text: tokens `\\n <|im_start|> user \\n <|vision_start|>` are at
positions 30 to 34, the picture's at (35, 35 + row, 35 + column), `<|vision_end|>` at 35 + 4 = 39 and so on.
"""

import functools
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from perc_jax.batch import Reply
from perc_jax.config import VisionConfig
from perc_jax.prompt import image as images
from perc_jax.prompt.chat import Chat, Shown, Turn, chat_text, check_text, said_spans
from perc_jax.prompt.prompt import expand
from perc_jax.prompt.tokenizer import Tokenizer

BEFORE: Chat = (Turn("user", ("?",)), Turn("assistant", ("!",)))  # any chat: what follows does not depend on it


class Observer:
    """Lays out observations for one model."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        vision: VisionConfig,
        min_pixels: int = images.MIN_PIXELS,
        max_pixels: int = images.MAX_PIXELS,
    ):
        """Pictures whose area is not within the bounds, or whose sides are not whole, are resized as prompts' are.

        Raises `ValueError` for a tokenizer whose chat template does not write an assistant's turn as it is.
        """
        self._tokenizer, self._vision, self._bounds = tokenizer, vision, (min_pixels, max_pixels)
        between(tokenizer, ("?",))

    def reply(
        self, parts: Sequence[str | Shown], pictures: Sequence[UInt8[np.ndarray, "_h _w 3"]], start: int
    ) -> Reply:
        """Lay out an observation whose first token is at position `start`, behind the end mark.

        Raises `ValueError` for a text with a mark of the chat in it, and for another number of pictures than of their
        places.
        """
        tokenizer, vision = self._tokenizer, self._vision
        cut = [images.patchify(images.fit(picture, vision, *self._bounds), vision) for picture in pictures]
        text = tokenizer.encode(between(tokenizer, tuple(parts)))
        tokens, positions, slots, length = expand(text, cut, tokenizer.ids.image, vision.spatial_merge_size)
        none = np.zeros((0, vision.patch_bytes), np.uint8), np.zeros((0, 2), np.int32), np.zeros(0, np.int32)
        numbers = [np.where(one.real, number, -1).astype(np.int32) for number, one in enumerate(cut)]
        return Reply(
            tokens=tokens,
            positions=positions + np.int32(start),
            next_position=start + length,
            image_slots=slots,
            pixels=np.concatenate([none[0], *(one.pixels for one in cut)]),
            patch_rowcol=np.concatenate([none[1], *(one.rowcol for one in cut)]),
            patch_image=np.concatenate([none[2], *numbers]),
        )


@functools.lru_cache(maxsize=1024)
def between(tokenizer: Tokenizer, parts: tuple[str | Shown, ...]) -> str:
    """What the chat template writes between the end mark of an assistant's turn and the next one's beginning, if the
    user says these parts meanwhile; each picture is one placeholder."""
    for part in parts:
        if isinstance(part, str):
            check_text(part, "what an environment returns")
    chat = (*BEFORE, Turn("user", parts))
    text = chat_text(tokenizer, chat)
    [(_, end)] = said_spans(text, chat)
    return text[end:]
