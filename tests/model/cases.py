"""Small models, parameters and prompts for the tests of perc_jax.model, the same on every machine and in every version.

A prompt is written as a list: an int is that many text tokens, a pair (rows, columns) is an image of that many patches.
Between two images there is text, as the published template has it: Hugging Face counts adjacent placeholders as one.
The layout in window order and the positions are computed here, on their own: the tests do not lean on the host code.
"""

import functools
import math
import re
import zlib
from typing import NamedTuple

import jax
import numpy as np

from perc_jax.batch import MEAN, STD, PromptBatch
from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.model import abstract_params
from tests.model.in_memory import from_hf, to_hf
from tests.quick import OPTIONS as QUICK

IMAGE_ID = 3  # the placeholder's token id in these tests; text ids start at 5

Change = tuple[str, float, float]  # tensors whose Hugging Face name has this pattern become factor * x + shift


class Case(NamedTuple):
    """A model and a batch of prompts for it."""

    config: ModelConfig
    prompts: list[list]
    tokens: int  # S
    patches: int  # N
    changes: tuple[Change, ...] = ()


def small_config(
    *, heads=4, kv_heads=2, layers=2, tied=True, depth=2, full=(1,), window=16, patch=4, vision=(32, 2, 40),
    head_dim=16, section=(2, 3, 3), vocabulary=64, attention="dense", **text,
) -> ModelConfig:  # fmt: skip
    """A model of width heads * head_dim; `vision` is the tower's width, heads and MLP width, `window` in pixels."""
    width, vision_heads, hidden = vision
    tower = VisionConfig(depth, width, vision_heads, hidden, full, window_size=window, patch_size=patch)
    model = TextConfig(
        heads * head_dim, 48, layers, heads, kv_heads, head_dim, vocabulary, section, tie_word_embeddings=tied, **text
    )
    return ModelConfig(tower, model, dtype="float32", attention=attention)


def fitted(config: ModelConfig, prompts: list[list], *, padding=2, windows=1, changes: tuple[Change, ...] = ()) -> Case:
    """The case whose longest prompt has `padding` tokens before it and `windows` empty windows after its images."""
    side = config.vision.window_size // config.vision.patch_size
    tokens, patches = [], []
    for parts in prompts:
        images = [part for part in parts if not isinstance(part, int)]
        tokens.append(sum(part if isinstance(part, int) else part[0] * part[1] // 4 for part in parts))
        patches.append(sum(math.ceil(rows / side) * math.ceil(columns / side) for rows, columns in images))
    return Case(config, prompts, max(tokens) + padding, (max(patches) + windows) * side**2, changes)


CASES = {
    # ragged windows; one image, two images, none
    "grouped": fitted(small_config(), [[3, (8, 6), 4], [2, (6, 4), 1, (4, 4), 3], [5]]),
    # one KV head for seven query heads, untied head, windows of the published 8x8 patches; scores in blocks
    "seven": fitted(
        small_config(
            heads=7, kv_heads=1, layers=4, tied=False, depth=4, full=(1, 3), window=32, attention="blockwise"
        ),
        [[2, (8, 12), 2], [4, (10, 6), 3]],
        windows=0,
    ),
    # a KV head per query head; no image and no patch slot anywhere; one layer; another theta and eps
    "text": fitted(
        small_config(heads=2, kv_heads=2, layers=1, rope_theta=1e4, rms_norm_eps=0.01),
        [[19], [11]],
        padding=1,
        windows=0,
    ),
    # no vision block sees the whole image; a window is one merge unit's worth taller than wide images
    "windows": fitted(small_config(layers=1, depth=3, full=()), [[2, (4, 8), 2], [1, (8, 4), 1]], padding=0, windows=0),
    # eight query heads on one KV head, eight layers, more padding than prompt; the first vision block is the full one
    "eight": fitted(small_config(heads=8, kv_heads=1, layers=8, depth=3, full=(0,)), [[2, (6, 6), 2], [4]], padding=20),
    # three images of different sizes in one prompt, every vision block full, untied, three layers
    "every": fitted(
        small_config(heads=6, kv_heads=3, layers=3, tied=False, depth=3, full=(0, 1, 2)),
        [[1, (4, 6), 1, (2, 2), 1, (8, 4), 2], [6, (2, 6), 1]],
    ),
    # uneven rotary sections; images one merge unit high or wide; windows of 3x3 units
    "sections": fitted(
        small_config(heads=2, kv_heads=2, section=(1, 2, 5), window=24), [[2, (2, 20), 3], [1, (20, 2), 1, (8, 14), 2]]
    ),
    # the published widths of heads, patches and windows
    "published": fitted(
        small_config(
            heads=2, kv_heads=1, head_dim=128, section=(16, 24, 24), patch=14, window=112, vision=(160, 2, 96)
        ),
        [[2, (8, 12), 2], [3, (10, 6), 1]],
    ),
    # a window is one merge unit; most rotary pairs turn with time; an image of a single unit; narrow vision heads
    "units": fitted(
        small_config(heads=4, kv_heads=4, section=(5, 1, 2), window=8, depth=4, full=(2,), vision=(48, 6, 24)),
        [[1, (2, 2), 1], [2, (4, 6), 1, (6, 2), 3]],
    ),
    # fourteen query heads on two KV heads, six layers, a wide vision tower, the eps of Hugging Face's class default
    "fourteen": fitted(
        small_config(heads=14, kv_heads=2, layers=6, depth=1, full=(0,), vision=(96, 3, 64), rms_norm_eps=1e-5),
        [[2, (6, 8), 2], [2, (6, 8), 5], [1, (4, 10), 1]],
    ),
    # sixteen query heads on two KV heads, narrow heads, untied, a vocabulary that is not a power of two
    "sixteen": fitted(
        small_config(
            heads=16, kv_heads=2, head_dim=8, section=(1, 2, 1), layers=3, tied=False, depth=5, full=(1, 4),
            vocabulary=301,
        ),
        [[4, (6, 4), 1, (6, 6), 2], [9], [1, (4, 4), 1]],
        padding=5,
    ),
    # one prompt without any padding, whole windows only, ratio one, six layers
    "alone": fitted(
        small_config(kv_heads=4, layers=5, depth=5, full=(0, 3)), [[3, (8, 8), 4, (4, 4), 2]], padding=0, windows=0
    ),
    # Activations so small that eps counts (first norms see mean squares near 1e-5), merger inputs around -2, where the
    # exact and the approximate GELU differ most against their own size; pictures large enough for wide angles.
    "faint": fitted(
        small_config(layers=2, depth=2, full=(1,)),
        [[5, (12, 10), 3], [2, (6, 4), 2, (10, 6), 5], [8]],
        changes=(
            (r"embed_tokens", 0.025, 0),
            (r"model.norm", 20, 0),  # the head is the embedding: bring logits back to order one
            (r"patch_embed", 0.003, 0),
            (r"visual.merger.mlp.0.bias", 1, -2.5),
            (r"(o_proj|down_proj|attn.proj).(weight|bias)", 0.02, 0),
        ),
    ),
}  # fmt: skip


class Draws:
    """Numbers from Philox's raw bits (Salmon et al. 2011), which no version of numpy will ever change."""

    def __init__(self, seed: int, name: str = ""):
        self.bits = np.random.Philox(key=np.array([seed, zlib.crc32(name.encode())], np.uint64))

    def real(self, *shape: int) -> np.ndarray:
        """Float32 of mean 0 and variance 1, uniform: exact arithmetic, no library function."""
        unit = (self.bits.random_raw(math.prod(shape)) >> np.uint64(40)).astype(np.float64) / 2**24
        return ((unit - 0.5) * math.sqrt(12)).astype(np.float32).reshape(shape)

    def whole(self, low: int, high: int, *shape: int) -> np.ndarray:
        """Int32 in low..high-1."""
        drawn = (self.bits.random_raw(math.prod(shape)) >> np.uint64(32)).astype(np.int64) % (high - low)
        return (low + drawn).astype(np.int32).reshape(shape)


@functools.cache
def published_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of a checkpoint's tensors, by Hugging Face's names."""
    empty = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), abstract_params(config))
    return {name: zeros.shape for name, zeros in to_hf(config, empty).items()}


def random_tensors(config: ModelConfig, seed: int, changes: tuple[Change, ...] = ()) -> dict[str, np.ndarray]:
    """A checkpoint by Hugging Face's names: order one everywhere, biases and norms too, so that every path counts."""
    tensors = {}
    for name, shape in published_shapes(config).items():
        value = Draws(seed, name).real(*shape)
        if "norm" in name or "ln_q" in name:
            value = 1 + value / 4
        else:
            value = value / 4 if name.endswith("bias") else value / np.float32(math.sqrt(math.prod(shape[1:])))
            value = value * 2 if re.search("[qk]_proj", name) else value  # attend sharply: greedy text varies
        for pattern, factor, shift in changes:
            if re.search(pattern, name):
                value = value * np.float32(factor) + np.float32(shift)
        tensors[name] = value
    return tensors


def random_params(config: ModelConfig, seed: int, changes: tuple[Change, ...] = ()) -> dict:
    """`random_tensors` as our parameters."""
    return from_hf(config, random_tensors(config, seed, changes))


def window_layout(grid: tuple[int, int], side: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of every slot [slots, 2] (0 at padding) and which slots are real; windows are side x side."""
    rowcol, real = [], []
    for top in range(0, grid[0], side):
        for left in range(0, grid[1], side):
            here = [
                (top + 2 * unit_row + r, left + 2 * unit_col + c)
                for unit_row in range(min(side, grid[0] - top) // 2)
                for unit_col in range(min(side, grid[1] - left) // 2)
                for r in range(2)
                for c in range(2)
            ]
            empty = side * side - len(here)
            rowcol += here + [(0, 0)] * empty
            real += [True] * len(here) + [False] * empty
    return np.array(rowcol), np.array(real)


def hf_index(rowcol: np.ndarray, columns: int) -> np.ndarray:
    """Place of a patch in Hugging Face's order: merge units row by row, the four patches of a unit together."""
    row, col = rowcol[..., 0], rowcol[..., 1]
    return ((row // 2) * (columns // 2) + col // 2) * 4 + (row % 2) * 2 + col % 2


def published_values(pixels: np.ndarray, frames: int = 2) -> np.ndarray:
    """Float32 values [patches, X] of patches' bytes [patches, B], as Hugging Face's processor rounds them."""
    shown = np.divide(pixels.reshape(len(pixels), 3, 1, -1), np.float32(255), dtype=np.float32)
    mean, std = (np.array(x, np.float32)[:, None, None] for x in (MEAN, STD))
    return np.repeat((shown - mean) / std, frames, axis=2).reshape(len(pixels), -1)


class Built(NamedTuple):
    """A batch for us, and the same pictures in Hugging Face's form."""

    batch: PromptBatch
    pixels: list[np.ndarray]  # per image [patches, X], Hugging Face's order, prompts in order
    grids: list[tuple[int, int]]
    owners: list[int]  # the prompt of each image


def build(case: Case, seed: int) -> Built:
    """Draw tokens and pixels for the case's prompts; padding slots get loud junk, so that a leak shows."""
    draws = Draws(seed)
    vision, count = case.config.vision, len(case.prompts)
    side = vision.window_size // vision.patch_size
    batch = PromptBatch(
        tokens=np.zeros((count, case.tokens), np.int32),
        mask=np.zeros((count, case.tokens), bool),
        positions=np.zeros((count, 3, case.tokens), np.int32),
        next_position=np.zeros(count, np.int32),
        image_slots=np.full((count, case.tokens), -1, np.int32),
        pixels=draws.whole(0, 256, count, case.patches, vision.patch_bytes).astype(np.uint8),
        patch_rowcol=np.zeros((count, case.patches, 2), np.int32),
        patch_image=np.full((count, case.patches), -1, np.int32),
    )
    pixels, grids, owners = [], [], []
    for p, parts in enumerate(case.prompts):
        tokens, slots, positions, at, used, image = [], [], [], 0, 0, 0
        for part in parts:
            if isinstance(part, int):
                tokens += list(draws.whole(5, min(case.config.text.vocab_size, 60), part))
                slots += [-1] * part
                positions += [(at + i,) * 3 for i in range(part)]
                at += part
                continue
            rowcol, real = window_layout(part, side)
            pixel = draws.whole(0, 256, part[0] * part[1], vision.patch_bytes).astype(np.uint8)
            order = hf_index(rowcol, part[1])
            run = slice(used, used + len(real))
            batch.pixels[p, run] = np.where(real[:, None], pixel[order], batch.pixels[p, run])
            batch.patch_rowcol[p, run] = rowcol
            batch.patch_image[p, run] = np.where(real, image, -1)
            slot_of = {
                tuple(rc): used // 4 + i for i, (rc, ok) in enumerate(zip(rowcol[::4], real[::4], strict=True)) if ok
            }
            for row in range(part[0] // 2):
                for col in range(part[1] // 2):
                    tokens.append(IMAGE_ID)
                    slots.append(slot_of[2 * row, 2 * col])
                    positions.append((at, at + row, at + col))
            pixels.append(published_values(pixel)), grids.append(part), owners.append(p)
            at, used, image = at + max(part) // 2, used + len(real), image + 1
        start = case.tokens - len(tokens)
        batch.tokens[p, start:], batch.mask[p, start:], batch.image_slots[p, start:] = tokens, True, slots
        batch.positions[p, :, start:], batch.next_position[p] = np.array(positions).T, at
    return Built(batch, pixels, grids, owners)


def relative(found, wanted) -> float:
    """Largest difference over the largest wanted value: max|a - b| / max|b|, and 0 where both are nothing but 0."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    assert found.shape == wanted.shape, (found.shape, wanted.shape)
    difference, largest = float(np.abs(found - wanted).max(initial=0)), float(np.abs(wanted).max(initial=0))
    return difference / largest if largest else 0.0 if difference == 0 else math.inf


def compiled(function):
    """Jit with the compiler's effort turned down: these programs run once, compiling them is the cost."""
    return jax.jit(function, compiler_options=QUICK)
