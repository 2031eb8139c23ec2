"""Small codebooks with random weights, maps for them, and what such a network says, worked out by plain loops."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save_file

from perc_jax.config import CodebookConfig
from perc_jax.prompt.codebook import CONFIG, KIND, WEIGHTS, shapes

SMALL = CodebookConfig(side=2, codes=7, width=5, map_px=16, channels=6, commitment=0.4)
CASES = {
    "small": SMALL,
    "no halving": CodebookConfig(side=3, codes=4, width=2, map_px=12, channels=3),
    "a code for two pixels": CodebookConfig(side=4, codes=9, width=8, map_px=8, channels=5),
    "a code for a pixel": CodebookConfig(side=5, codes=6, width=3, map_px=5, channels=4),
    "one code": CodebookConfig(side=1, codes=5, width=4, map_px=32, channels=4),
    "perception tokens": CodebookConfig(),
}

Tensors = dict[str, np.ndarray]


def tensors(config: CodebookConfig, seed: int = 0) -> Tensors:
    """Random weights; every one of them moves what is restored."""
    rng, found = np.random.default_rng(seed), {}
    for name, shape in shapes(config).items():
        scale = 0.5 if len(shape) < 2 or name == "mean" else float(np.prod(shape[:-1])) ** -0.5
        found[name] = np.asarray(rng.standard_normal(shape) * scale, np.float32)
    return found | {"scale": np.full((), 0.3, np.float32)}


def write(folder: Path, config: CodebookConfig = SMALL, held: dict | None = None, **told: object) -> Path:
    """A folder as `teach_codes` writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    described = {"model_type": KIND, "map": "depth", **dataclasses.asdict(config), **told}
    (folder / CONFIG).write_text(json.dumps(described))
    save_file(tensors(config) if held is None else held, folder / WEIGHTS)
    return folder


def maps(config: CodebookConfig, count: int = 3, seed: int = 1) -> np.ndarray:
    """Numbers in 0..1, float32 [n, M, M]."""
    return np.random.default_rng(seed).random((count, config.map_px, config.map_px), np.float32)


class Said(NamedTuple):
    """What a network says of a map, float64."""

    states: np.ndarray  # [s, s, W]
    codes: np.ndarray  # [s, s]
    restored: np.ndarray  # [M, M]


def by_hand(config: CodebookConfig, held: Tensors, given: np.ndarray) -> Said:
    """Pixel by pixel: strided convolutions up to the codes, transposed ones back."""
    held = {name: tensor.astype(np.float64) for name, tensor in held.items()}
    patch = min(4, config.map_px // config.side)
    x = ((given - held["mean"]) / held["scale"])[:, :, None]
    x = _strided(held, "encoder.enter", x, patch)
    number = 0
    while len(x) > config.side:
        x, number = _strided(held, f"encoder.halve.{number}", np.maximum(x, 0), 2), number + 1
    states = _strided(held, "encoder.leave", np.maximum(_block(held, "encoder.block", x), 0), 1)
    codes = np.zeros((config.side, config.side), int)
    for i, j in np.ndindex(codes.shape):
        codes[i, j] = np.argmin([np.linalg.norm(states[i, j] - code) for code in held["book"]])
    x = _block(held, "decoder.block", _strided(held, "decoder.enter", held["book"][codes], 1))
    number = 0
    while len(x) * patch < config.map_px:
        x, number = _transposed(held, f"decoder.double.{number}", np.maximum(x, 0), 2), number + 1
    restored = _transposed(held, "decoder.leave", np.maximum(x, 0), patch)[:, :, 0]
    return Said(states, codes, restored * held["scale"] + held["mean"])


def _strided(held: Tensors, name: str, x: np.ndarray, size: int) -> np.ndarray:
    side = len(x) // size
    kernel, bias = held[f"{name}.kernel"].reshape(size, size, x.shape[2], -1), held[f"{name}.bias"]
    out = np.zeros((side, side, len(bias)))
    for i, j, o in np.ndindex(out.shape):
        cell = x[i * size : (i + 1) * size, j * size : (j + 1) * size]
        out[i, j, o] = (cell * kernel[..., o]).sum() + bias[o]
    return out


def _transposed(held: Tensors, name: str, x: np.ndarray, size: int) -> np.ndarray:
    side = len(x) * size
    kernel = held[f"{name}.kernel"].reshape(x.shape[2], size, size, -1)
    bias = held[f"{name}.bias"].reshape(size, size, -1)
    out = np.zeros((side, side, kernel.shape[3]))
    for i, j, o in np.ndindex(out.shape):
        place = i % size, j % size, o
        out[i, j, o] = sum(x[i // size, j // size] * kernel[(slice(None), *place)]) + bias[place]
    return out


def _block(held: Tensors, name: str, x: np.ndarray) -> np.ndarray:
    kernel, bias = held[f"{name}.hidden.kernel"], held[f"{name}.hidden.bias"]
    reach, side, given = len(kernel) // 2, len(x), np.maximum(x, 0)
    hidden = np.zeros(x.shape)
    for i, j, o in np.ndindex(hidden.shape):
        total = bias[o]
        for a, b in np.ndindex(kernel.shape[:2]):
            row, column = i + a - reach, j + b - reach
            if 0 <= row < side and 0 <= column < side:
                total += given[row, column] @ kernel[a, b, :, o]
        hidden[i, j, o] = total
    return x + _strided(held, f"{name}.output", np.maximum(hidden, 0), 1)
