"""Small models, random parameters and random prompts for the tests of perc_jax.model.

A prompt is written as a list: an int is that many text tokens, a pair (rows, columns) is an image of that many patches.
The layout in window order and the positions are computed here, on their own: the tests do not lean on the host code.
"""

from typing import NamedTuple

import jax
import numpy as np

from perc_jax.batch import PromptBatch
from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.model import abstract_params

IMAGE_ID = 3  # the placeholder's token id in these tests; text ids start at 5


class Case(NamedTuple):
    """A model and a batch of prompts for it."""

    config: ModelConfig
    prompts: list[list]
    tokens: int  # S
    patches: int  # N


def small_config(*, heads=4, kv_heads=2, layers=2, tied=True, depth=2, full=(1,), window=16, **text) -> ModelConfig:
    vision = VisionConfig(depth, 32, 2, 40, full, window_size=window, patch_size=4)
    section = (2, 3, 3)
    model = TextConfig(heads * 16, 48, layers, heads, kv_heads, 16, 64, section, tie_word_embeddings=tied, **text)
    return ModelConfig(vision, model, dtype="float32")


def random_params(config: ModelConfig, seed: int) -> dict:
    """Parameters of order one everywhere, so that no path is too faint to be tested."""
    rng = np.random.default_rng(seed)

    def leaf(path, shape):
        noise = rng.standard_normal(shape.shape)
        kind = path[-1].key
        scale = {"scale": 0.2, "bias": 0.2, "embedding": shape.shape[-1] ** -0.5}.get(
            kind, shape.shape[-2] ** -0.5 if len(shape.shape) > 1 else 1
        )
        return (noise * scale + (kind == "scale")).astype(np.float32)

    return jax.tree_util.tree_map_with_path(leaf, abstract_params(config))


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


class Built(NamedTuple):
    """A batch for us, and the same pictures in Hugging Face's form."""

    batch: PromptBatch
    pixels: list[np.ndarray]  # per image [patches, X], Hugging Face's order, prompts in order
    grids: list[tuple[int, int]]
    owners: list[int]  # the prompt of each image


def build(case: Case, seed: int) -> Built:
    """Draw tokens and patches for the case's prompts; padding slots get loud junk, so that a leak shows."""
    rng = np.random.default_rng(seed)
    vision, count = case.config.vision, len(case.prompts)
    side = vision.window_size // vision.patch_size
    batch = PromptBatch(
        tokens=np.zeros((count, case.tokens), np.int32),
        mask=np.zeros((count, case.tokens), bool),
        positions=np.zeros((count, 3, case.tokens), np.int32),
        next_position=np.zeros(count, np.int32),
        image_slots=np.full((count, case.tokens), -1, np.int32),
        patches=rng.normal(size=(count, case.patches, vision.patch_values)).astype(np.float32) * 30,
        patch_rowcol=np.zeros((count, case.patches, 2), np.int32),
        patch_image=np.full((count, case.patches), -1, np.int32),
    )
    pixels, grids, owners = [], [], []
    for p, parts in enumerate(case.prompts):
        tokens, slots, positions, at, used, image = [], [], [], 0, 0, 0
        for part in parts:
            if isinstance(part, int):
                tokens += list(rng.integers(5, case.config.text.vocab_size, part))
                slots += [-1] * part
                positions += [(at + i,) * 3 for i in range(part)]
                at += part
                continue
            rowcol, real = window_layout(part, side)
            pixel = rng.normal(size=(part[0] * part[1], vision.patch_values)).astype(np.float32)
            order = hf_index(rowcol, part[1])
            run = slice(used, used + len(real))
            batch.patches[p, run] = np.where(real[:, None], pixel[order], batch.patches[p, run])
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
            pixels.append(pixel), grids.append(part), owners.append(p)
            at, used, image = at + max(part) // 2, used + len(real), image + 1
        start = case.tokens - len(tokens)
        batch.tokens[p, start:], batch.mask[p, start:], batch.image_slots[p, start:] = tokens, True, slots
        batch.positions[p, :, start:], batch.next_position[p] = np.array(positions).T, at
    return Built(batch, pixels, grids, owners)


def relative(found, wanted) -> float:
    """Largest difference over the largest wanted value."""
    found, wanted = np.asarray(found, np.float64), np.asarray(wanted, np.float64)
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def compiled(function):
    """Jit with the compiler's effort turned down: these programs run once, compiling them is the cost."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": "0"})
