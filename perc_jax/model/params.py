"""Hugging Face's tensors to our parameters and back, by one table. numpy only; nothing here touches a device.

Differences of form, and nothing else: layers are stacked on a leading axis, kernels are [inputs, outputs], the vision
tower's fused qkv is three kernels, the patch convolution is a matrix. Names: published files say `visual.…`, `model.…`
and `lm_head.weight`; modules of transformers 5 say `model.visual.…` and `model.language_model.…`. Both are read, the
published ones are written.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from perc_jax.batch import Array
from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.model.qwen2_5_vl import Params

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"


class Entry(NamedTuple):
    """One kind of Hugging Face tensor and the leaves it holds."""

    name: str  # with {} where the layer's number stands
    shape: tuple[int, ...]
    paths: tuple[str, ...]  # '/'-joined; several when the tensor is split along its first axis
    layers: int = 0  # 0: one tensor, not a stack
    transpose: bool = False  # [outputs, …] there, [inputs, outputs] here

    def names(self) -> list[str]:
        """Hugging Face's names, one per layer."""
        return [self.name.format(i) for i in range(self.layers)] if self.layers else [self.name]


def table(config: ModelConfig) -> list[Entry]:
    """Every tensor of a checkpoint of this shape."""
    text = _text_entries(config.text)
    return [*_vision_entries(config.vision, config.text.hidden_size), *text]


def from_hf(config: ModelConfig, tensors: Mapping[str, np.ndarray]) -> Params:
    """Build float32 parameters from a checkpoint's tensors, read one at a time.

    Raises `ValueError` that lists every missing, unexpected and mis-shaped name. A tied model's checkpoint may repeat
    the embedding as `lm_head.weight`; one that holds anything else there is an error.
    """
    entries = table(config)
    sources = _published_names(tensors)
    _check(config, entries, tensors, sources)
    params: Params = {}
    for entry in entries:
        parts: list[list[np.ndarray]] = [[] for _ in entry.paths]
        for name in entry.names():
            whole = np.asarray(tensors[sources[name]]).astype(np.float32)
            for part, piece in zip(parts, np.split(whole, len(entry.paths)), strict=True):
                part.append(piece.reshape(piece.shape[0], -1).T if entry.transpose else piece)
        for path, part in zip(entry.paths, parts, strict=True):
            _put(params, path, np.stack(part) if entry.layers else np.ascontiguousarray(part[0]))
    return params


def to_hf(config: ModelConfig, params: Params) -> dict[str, np.ndarray]:
    """Name and shape the parameters as the published files do, in the dtype they have."""
    tensors = {}
    for entry in table(config):
        leaves = [np.asarray(_get(params, path)) for path in entry.paths]
        for i, name in enumerate(entry.names()):
            pieces = [leaf[i] if entry.layers else leaf for leaf in leaves]
            whole = np.concatenate([piece.T if entry.transpose else piece for piece in pieces])
            tensors[name] = np.ascontiguousarray(whole.reshape(entry.shape))
    return tensors


def _linear(name: str, path: str, inputs: int, outputs: int, *, bias: bool, layers: int = 0) -> list[Entry]:
    entries = [Entry(f"{name}.weight", (outputs, inputs), (f"{path}/kernel",), layers, transpose=True)]
    return [*entries, Entry(f"{name}.bias", (outputs,), (f"{path}/bias",), layers)] if bias else entries


def _norm(name: str, path: str, width: int, layers: int = 0) -> Entry:
    return Entry(f"{name}.weight", (width,), (f"{path}/scale",), layers)


def _mlp(name: str, path: str, width: int, hidden: int, *, bias: bool, layers: int) -> list[Entry]:
    return [
        *_linear(f"{name}.gate_proj", f"{path}/gate", width, hidden, bias=bias, layers=layers),
        *_linear(f"{name}.up_proj", f"{path}/up", width, hidden, bias=bias, layers=layers),
        *_linear(f"{name}.down_proj", f"{path}/down", hidden, width, bias=bias, layers=layers),
    ]


def _vision_entries(config: VisionConfig, outputs: int) -> list[Entry]:
    width, layers, patch = config.hidden_size, config.depth, config.patch_size
    hf, ours = "visual.blocks.{}", "vision/blocks"
    qkv = [f"{ours}/attention/{part}" for part in ("query", "key", "value")]
    joined = width * config.spatial_merge_size**2
    convolution = (width, 3, config.temporal_patch_size, patch, patch)
    return [
        Entry("visual.patch_embed.proj.weight", convolution, ("vision/patch_embed/kernel",), transpose=True),
        _norm(f"{hf}.norm1", f"{ours}/norm1", width, layers),
        Entry(f"{hf}.attn.qkv.weight", (3 * width, width), tuple(f"{p}/kernel" for p in qkv), layers, transpose=True),
        Entry(f"{hf}.attn.qkv.bias", (3 * width,), tuple(f"{p}/bias" for p in qkv), layers),
        *_linear(f"{hf}.attn.proj", f"{ours}/attention/output", width, width, bias=True, layers=layers),
        _norm(f"{hf}.norm2", f"{ours}/norm2", width, layers),
        *_mlp(f"{hf}.mlp", f"{ours}/mlp", width, config.intermediate_size, bias=True, layers=layers),
        _norm("visual.merger.ln_q", "vision/merger/norm", width),
        *_linear("visual.merger.mlp.0", "vision/merger/hidden", joined, joined, bias=True),
        *_linear("visual.merger.mlp.2", "vision/merger/output", joined, outputs, bias=True),
    ]


def _text_entries(config: TextConfig) -> list[Entry]:
    width, layers = config.hidden_size, config.num_hidden_layers
    q = config.num_attention_heads * config.head_dim
    kv = config.num_key_value_heads * config.head_dim
    hf, ours = "model.layers.{}", "text/layers"
    head = [] if config.tie_word_embeddings else _linear("lm_head", "text/head", width, config.vocab_size, bias=False)
    return [
        Entry(EMBEDDING, (config.vocab_size, width), ("text/embed/embedding",)),
        _norm(f"{hf}.input_layernorm", f"{ours}/input_norm", width, layers),
        *_linear(f"{hf}.self_attn.q_proj", f"{ours}/attention/query", width, q, bias=True, layers=layers),
        *_linear(f"{hf}.self_attn.k_proj", f"{ours}/attention/key", width, kv, bias=True, layers=layers),
        *_linear(f"{hf}.self_attn.v_proj", f"{ours}/attention/value", width, kv, bias=True, layers=layers),
        *_linear(f"{hf}.self_attn.o_proj", f"{ours}/attention/output", q, width, bias=False, layers=layers),
        _norm(f"{hf}.post_attention_layernorm", f"{ours}/post_norm", width, layers),
        *_mlp(f"{hf}.mlp", f"{ours}/mlp", width, config.intermediate_size, bias=False, layers=layers),
        _norm("model.norm", "text/norm", width),
        *head,
    ]


def _published_names(tensors: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Map the published spelling of each name to the spelling in `tensors`."""
    sources: dict[str, str] = {}
    for name in tensors:
        published = name
        if name.startswith("model.visual."):
            published = name.removeprefix("model.")
        elif name.startswith("model.language_model."):
            published = "model." + name.removeprefix("model.language_model.")
        if published in sources:
            raise ValueError(f"checkpoint must hold each tensor once, got both {sources[published]} and {name}")
        sources[published] = name
    return sources


def _check(
    config: ModelConfig, entries: list[Entry], tensors: Mapping[str, np.ndarray], sources: dict[str, str]
) -> None:
    """Raise one error that names everything in which the checkpoint differs from the config."""
    wanted = {name: entry.shape for entry in entries for name in entry.names()}
    extra = set(sources) - set(wanted)
    problems = [f"missing {name}" for name in wanted if name not in sources]
    if config.text.tie_word_embeddings and HEAD in extra and EMBEDDING in sources:
        extra.remove(HEAD)
        if not np.array_equal(np.asarray(tensors[sources[HEAD]]), np.asarray(tensors[sources[EMBEDDING]])):
            problems.append(f"{HEAD} differs from {EMBEDDING} in a model with tie_word_embeddings")
    problems += [f"unexpected {sources[name]}" for name in sorted(extra)]
    for name, shape in wanted.items():
        found = tuple(tensors[sources[name]].shape) if name in sources else shape
        if found != shape:
            problems.append(f"{sources[name]} must have shape {shape}, got {found}")
    if problems:
        raise ValueError("checkpoint does not fit the model config:\n  " + "\n  ".join(problems))


def _put(params: Params, path: str, leaf: np.ndarray) -> None:
    *parents, last = path.split("/")
    for parent in parents:
        params = params.setdefault(parent, {})
    params[last] = leaf


def _get(params: Params, path: str) -> Array:
    for step in path.split("/"):
        params = params[step]
    return params
