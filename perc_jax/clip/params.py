"""Hugging Face's tensors of a CLIP and our parameters, by one table; sizes from shapes. numpy only, no device.

All matrices are [outputs, inputs] there. FG-CLIP stores its long position table twice, each of its own training: of
`position_embedding_ori` the first rows are read, of `position_embedding_res` the rest.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from perc_jax.clip.model import Params
from perc_jax.config import ClipConfig, ClipTowerConfig
from perc_jax.config.clip import KEPT_POSITIONS
from perc_jax.model.params import Leaf, filled, get

HEAD_WIDTH = 64  # of every head of every published model
IGNORED = re.compile(r"\.position_ids$")  # 0, 1, 2, …: a buffer that old files hold, and some hold damaged
UNREAD = ("logit_scale", "logit_scale_finegraind", "logit_scale_hardneg")  # only training needs them
_ORI, _RES = (f"text_model.embeddings.position_embedding_{which}.weight" for which in ("ori", "res"))
_EMBEDDING = "text_model.embeddings.token_embedding.weight"
_POSITIONS = "text_model.embeddings.position_embedding.weight"
_CLASS, _PATCH = "vision_model.embeddings.class_embedding", "vision_model.embeddings.patch_embedding.weight"
_PICTURE_POSITIONS = "vision_model.embeddings.position_embedding.weight"
_LAYER = re.compile(r"(text|vision)_model\.encoder\.layers\.(\d+)\.mlp\.fc1\.weight")
_TOWERS = ("vision", "text")
SHOWN = 4  # names of a kind that a message lists

Shapes = Mapping[str, tuple[int, ...]]


def table(config: ClipConfig) -> list[Leaf]:
    """Every parameter of a model of this shape."""
    vision, text, outputs = config.vision.width, config.text.width, config.projection
    leaves = [
        Leaf("vision/patch_embed/kernel", _PATCH, (vision, 3, config.patch_px, config.patch_px), transpose=True),
        Leaf("vision/class_embedding", _CLASS, (vision,)),
        Leaf("vision/positions", _PICTURE_POSITIONS, (1 + config.patches, vision)),
        *_norm("vision_model.pre_layrnorm", "vision/pre_norm", vision),  # published so
        *_blocks("vision", config.vision),
        *_norm("vision_model.post_layernorm", "vision/post_norm", vision),
        _map("visual_projection", "vision/projection", vision, outputs),
        Leaf("text/embedding", _EMBEDDING, (config.vocabulary, text)),
        Leaf("text/positions", _POSITIONS, (config.positions, text)),
        *_blocks("text", config.text),
        *_norm("text_model.final_layer_norm", "text/norm", text),
        _map("text_projection", "text/projection", text, outputs),
    ]
    if config.long_positions:
        long = (config.long_positions, text)
        leaves += [
            Leaf("text/long_first", _ORI, long, rows=(0, KEPT_POSITIONS)),
            Leaf("text/long_rest", _RES, long, rows=(KEPT_POSITIONS, config.long_positions)),
            _map("text_filip_projection", "text/long_projection", text, outputs),
        ]
    return leaves


def problems(config: ClipConfig, shapes: Shapes) -> list[str]:
    """What is missing, unexpected and mis-shaped, a phrase each; none if the tensors are those of this model."""
    wanted = {name: leaf.tensor for leaf in table(config) for name in leaf.names()}
    found = {name: tuple(shape) for name, shape in shapes.items() if not IGNORED.search(name)}
    wrong = {name: shape for name, shape in wanted.items() if found.get(name, shape) != shape}
    kinds = {
        "missing": [name for name in wanted if name not in found],
        "unexpected": sorted(found.keys() - wanted.keys() - {*UNREAD}),
        "of another shape": [f"{name} {list(found[name])} for {list(shape)}" for name, shape in wrong.items()],
    }
    return [f"{len(names)} {kind} ({_some(names)})" for kind, names in kinds.items() if names]


def sizes(shapes: Shapes, heads: Mapping[str, int] | None = None) -> dict[str, Any]:
    """The fields of `ClipConfig` that tensors' shapes tell; `heads` of a tower, which they do not tell, are its width
    over 64 unless they are given.

    Raises `ValueError` where a tensor that tells is missing, or has not the axes it should.
    """
    axes = {_EMBEDDING: 2, _POSITIONS: 2, _CLASS: 1, _PATCH: 4, _PICTURE_POSITIONS: 2, "visual_projection.weight": 2}
    wrong = [name for name, count in axes.items() if len(shapes.get(name, ())) != count]
    towers = {kind: [name for name in shapes if (m := _LAYER.fullmatch(name)) and m[1] == kind] for kind in _TOWERS}
    wrong += [f"{kind}_model.encoder.layers.0.mlp.fc1.weight" for kind, names in towers.items() if not names]
    if wrong:
        raise ValueError(f"must hold the tensors of a CLIP, {_some(wrong)} among them")
    size, places = shapes[_PATCH][2], shapes[_PICTURE_POSITIONS][0]
    side = round((places - 1) ** 0.5)
    if side < 1 or side**2 + 1 != places:
        raise ValueError(f"must hold {_PICTURE_POSITIONS} of one and a square number of rows, got {places}")
    vocabulary, text = shapes[_EMBEDDING]
    found: dict[str, Any] = {}
    for kind, width in (("vision", shapes[_CLASS][0]), ("text", text)):
        count = (heads or {}).get(kind) or max(1, width // HEAD_WIDTH)
        hidden = shapes[towers[kind][0]][0]
        found[kind] = ClipTowerConfig(width=width, hidden=hidden, layers=len(towers[kind]), heads=count)
    return found | {
        "projection": shapes["visual_projection.weight"][0],
        "image_px": side * size,
        "patch_px": size,
        "vocabulary": vocabulary,
        "positions": shapes[_POSITIONS][0],
        "long_positions": shapes[_ORI][0] if _ORI in shapes else 0,
    }


def from_tensors(config: ClipConfig, tensors: Mapping[str, np.ndarray]) -> Params:
    """Build float32 parameters from tensors in memory. Raises `ValueError` if they are not those of this model."""
    if found := problems(config, {name: np.shape(tensor) for name, tensor in tensors.items()}):
        raise ValueError(f"tensors must be those of the model's config: {'; '.join(found)}")
    return filled(table(config), tensors)


def to_tensors(config: ClipConfig, params: Params) -> dict[str, np.ndarray]:
    """Name and shape parameters as the published files do, float32; rows that nobody reads are zeros."""
    tensors: dict[str, np.ndarray] = {}
    for leaf in table(config):
        array = np.asarray(get(params, leaf.path), np.float32)
        first, last = leaf.row_range
        for name, layer in zip(leaf.names(), array if leaf.layers else [array], strict=True):
            whole = tensors.setdefault(name, np.zeros(leaf.tensor, np.float32))
            whole.reshape(len(whole), -1)[first:last] = leaf.as_rows(layer)
    return tensors


def differences(found: Mapping[str, Any], config: ClipConfig) -> list[str]:
    """In which sizes a folder's model is not the config's, a phrase each."""
    told = []
    for name, value in found.items():
        ours = getattr(config, name)
        if dataclasses.is_dataclass(value):
            pairs = [(f"{name}.{field.name}", field.name) for field in dataclasses.fields(value)]
            told += [
                f"{path} {getattr(value, field)}, not {getattr(ours, field)}"
                for path, field in pairs
                if getattr(value, field) != getattr(ours, field)
            ]
        elif value != ours:
            told.append(f"{name} {value}, not {ours}")
    return told


def _some(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")


def _map(name: str, path: str, inputs: int, outputs: int, layers: int = 0) -> Leaf:
    return Leaf(f"{path}/kernel", f"{name}.weight", (outputs, inputs), layers, transpose=True)


def _norm(name: str, path: str, width: int, layers: int = 0) -> list[Leaf]:
    return [
        Leaf(f"{path}/scale", f"{name}.weight", (width,), layers),
        Leaf(f"{path}/bias", f"{name}.bias", (width,), layers),
    ]


def _linear(name: str, path: str, inputs: int, outputs: int, layers: int) -> list[Leaf]:
    return [_map(name, path, inputs, outputs, layers), Leaf(f"{path}/bias", f"{name}.bias", (outputs,), layers)]


def _blocks(kind: str, tower: ClipTowerConfig) -> list[Leaf]:
    hf, ours, width, layers = f"{kind}_model.encoder.layers.{{}}", f"{kind}/blocks", tower.width, tower.layers
    maps = {"query": "q_proj", "key": "k_proj", "value": "v_proj", "output": "out_proj"}
    leaves = [*_norm(f"{hf}.layer_norm1", f"{ours}/norm1", width, layers)]
    for mine, theirs in maps.items():
        leaves += _linear(f"{hf}.self_attn.{theirs}", f"{ours}/attention/{mine}", width, width, layers)
    return [
        *leaves,
        *_norm(f"{hf}.layer_norm2", f"{ours}/norm2", width, layers),
        *_linear(f"{hf}.mlp.fc1", f"{ours}/hidden", width, tower.hidden, layers),
        *_linear(f"{hf}.mlp.fc2", f"{ours}/output", tower.hidden, width, layers),
    ]
