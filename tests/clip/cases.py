"""Small CLIPs with random weights under the published names, and what transformers' CLIPModel says to the same inputs.

FG-CLIP's long path is stock CLIP with the composed table in place of its own and `text_filip_projection` in place of
`text_projection`, so stock CLIP is the oracle of both paths.
"""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import save_file

from perc_jax.clip import params
from perc_jax.config import ClipConfig, ClipTowerConfig
from perc_jax.config.clip import KEPT_POSITIONS
from tests.model.cases import Draws

Tensors = dict[str, np.ndarray]
Real = Callable[[str, tuple[int, ...]], np.ndarray]
MARKS = "<|startoftext|>", "<|endoftext|>"
LIMIT = 1e-5  # of a feature's largest difference, relative to the largest value
SMALL = ClipConfig(
    folder="small",
    vision=ClipTowerConfig(width=32, hidden=96, layers=2, heads=4),
    text=ClipTowerConfig(width=48, hidden=64, layers=2, heads=3),
    projection=24,
    image_px=32,
    patch_px=8,
    vocabulary=300,
    positions=30,
    long_positions=60,
)
BASE = ClipConfig(
    folder="base",
    vision=ClipTowerConfig(width=768, hidden=3072, layers=12, heads=12),
    text=ClipTowerConfig(width=512, hidden=2048, layers=12, heads=8),
    projection=512,
    image_px=224,
    patch_px=16,
)
LARGE = ClipConfig()
CASES = {
    "small": SMALL,
    "plain": dataclasses.replace(SMALL, long_positions=0),
    "one_layer": dataclasses.replace(
        SMALL,
        vision=ClipTowerConfig(width=64, hidden=64, layers=1, heads=1),
        text=ClipTowerConfig(width=64, hidden=256, layers=1, heads=8),
        projection=64,
    ),
    "odd": dataclasses.replace(SMALL, image_px=42, patch_px=14, projection=17, vocabulary=99, long_positions=21),
    "deep": dataclasses.replace(
        SMALL,
        vision=ClipTowerConfig(width=24, hidden=96, layers=6, heads=3),
        text=ClipTowerConfig(width=32, hidden=128, layers=5, heads=2),
        image_px=24,
        patch_px=4,
    ),
}


class Inputs(NamedTuple):
    """What both models read."""

    pictures: np.ndarray  # uint8 [n, S, S, 3]
    short: np.ndarray  # [n, 77 or so]
    long: np.ndarray  # [n, 248 or so]; no columns for plain CLIP


def inputs(config: ClipConfig, count: int = 3, seed: int = 1) -> Inputs:
    """Pictures of noise; texts of all lengths, the first as long as it can be, and one with end marks inside."""
    draws, side = Draws(seed, "inputs"), config.image_px
    pictures = draws.whole(0, 256, count, side, side, 3).astype(np.uint8)

    def texts(length: int) -> np.ndarray:
        tokens = np.full((count, length), config.end)
        for row, size in enumerate(np.linspace(length - 2, 0, count).astype(int)):
            tokens[row, : size + 1] = draws.whole(0, config.begin, size + 1)
        tokens[:, 0] = config.begin
        tokens[1, 3] = config.end
        return tokens.astype(np.int32)

    long = texts(config.long_positions) if config.long_positions else np.zeros((count, 0), np.int32)
    return Inputs(pictures, texts(config.positions), long)


def shapes(config: ClipConfig) -> dict[str, tuple[int, ...]]:
    """All names of a published file and their shapes."""
    found = {name: leaf.tensor for leaf in params.table(config) for name in leaf.names()}
    return found | dict.fromkeys(params.UNREAD if config.long_positions else params.UNREAD[:1], ())


def tensors(config: ClipConfig, seed: int = 0, real: Real | None = None) -> Tensors:
    """Random weights; every one of them moves the features. `real` draws a tensor by its name and shape, of variance 1;
    without it numpy's generator does."""
    rng, found = np.random.default_rng(seed), {}
    real = real or (lambda name, shape: rng.standard_normal(shape, np.float32))
    for name, shape in shapes(config).items():
        scale = 0.3 if len(shape) < 2 or "embedding" in name else int(np.prod(shape[1:])) ** -0.5
        found[name] = np.asarray(real(name, shape) * np.float32(scale))
        if "norm" in name and name.endswith("weight"):
            found[name] += 1
    return found


def write(folder: Path, config: ClipConfig, held: Tensors | None = None, **settings: Any) -> Path:
    """A folder as it is published, without a tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    vision, text = ({"num_attention_heads": tower.heads} for tower in (config.vision, config.text))
    values = {"model_type": "clip", "vision_config": vision, "text_config": text | {"eos_token_id": 2}} | settings
    (folder / "config.json").write_text(json.dumps(values))
    save_file(tensors(config) if held is None else held, folder / "model.safetensors")
    return folder


def write_tokenizer(folder: Path) -> int:
    """CLIP's tokenizer without merges: a token per byte, and per byte that ends a word; gives the vocabulary's size."""
    from tokenizers.pre_tokenizers import ByteLevel

    folder.mkdir(parents=True, exist_ok=True)
    alphabet = sorted(ByteLevel.alphabet())
    pieces = [*alphabet, *(f"{one}</w>" for one in alphabet), *MARKS]
    (folder / "vocab.json").write_text(json.dumps({piece: number for number, piece in enumerate(pieces)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    begin, end = MARKS
    settings = dict(tokenizer_class="CLIPTokenizer", bos_token=begin, eos_token=end, unk_token=end, pad_token=end)
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(pieces)


def composed(held: Tensors) -> Tensors:
    """The tensors of the stock CLIP whose short path is FG-CLIP's long one."""
    own = dict(held)
    ori, res = (own[f"text_model.embeddings.position_embedding_{which}.weight"] for which in ("ori", "res"))
    own["text_model.embeddings.position_embedding.weight"] = np.concatenate(
        [ori[:KEPT_POSITIONS], res[KEPT_POSITIONS:]]
    )
    own["text_projection.weight"] = own["text_filip_projection.weight"]
    return own


def reference(config: ClipConfig, held: Tensors, given: Inputs) -> dict[str, np.ndarray]:
    """What transformers says: features of `pictures`, `short` and, where the model has them, `long`."""
    model = _stock(config, held, config.positions)
    found = {"pictures": _pictures(model, given.pictures), "short": _texts(model, given.short)}
    if config.long_positions:
        found["long"] = _texts(_stock(config, composed(held), config.long_positions), given.long)
    return found


def _stock(config: ClipConfig, held: Tensors, positions: int) -> Any:
    import torch
    import transformers

    torch.set_num_threads(1)
    towers = (config.text, config.vision)
    text, vision = (
        dict(hidden_size=t.width, intermediate_size=t.hidden, num_hidden_layers=t.layers, num_attention_heads=t.heads)
        for t in towers
    )
    hf = transformers.CLIPConfig(
        text_config=text
        | dict(
            vocab_size=config.vocabulary, max_position_embeddings=positions,
            bos_token_id=config.begin, eos_token_id=config.end, pad_token_id=config.end,
        ),
        vision_config=vision | dict(image_size=config.image_px, patch_size=config.patch_px),
        projection_dim=config.projection,
    )  # fmt: skip
    with torch.device("meta"):
        model = transformers.CLIPModel(hf)
    wanted = model.state_dict().keys()
    model = model.to_empty(device="cpu").float().eval()
    result = model.load_state_dict({name: torch.tensor(held[name]) for name in wanted if name in held}, strict=False)
    assert not result.missing_keys, result.missing_keys
    for tower, count in ((model.text_model, positions), (model.vision_model, 1 + config.patches)):
        tower.embeddings.position_ids = torch.arange(count)[None]  # a buffer, which no file holds
    return model


def _pictures(model: Any, pictures: np.ndarray) -> np.ndarray:
    import torch

    from perc_jax.batch import MEAN, STD

    values = ((pictures.astype(np.float64) / 255 - MEAN) / STD).astype(np.float32)
    with torch.no_grad():
        return _features(model.get_image_features(pixel_values=torch.tensor(values.transpose(0, 3, 1, 2))))


def _texts(model: Any, tokens: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return _features(model.get_text_features(input_ids=torch.tensor(tokens).long()))


def _features(found: Any) -> np.ndarray:
    """transformers 5 wraps them."""
    return (found if hasattr(found, "numpy") else found.pooler_output).numpy()
