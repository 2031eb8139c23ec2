"""Hugging Face's tensors and our parameters, by one table that serves reading and writing. numpy only, no device.

Differences of form, and nothing else: layers are stacked on a leading axis, kernels are [inputs, outputs], the vision
tower's fused qkv is three kernels, the patch convolution is a matrix. Every tensor is seen as a matrix [rows, columns]
(its first axis and the rest), every layer of a leaf is a range of its rows, transposed or not. So any part of a leaf is
a range of rows and columns of files, which can be read alone.

Names: published files say `visual.…`, `model.…` and `lm_head.weight`; modules of transformers 5 say `model.visual.…`
and `model.language_model.…`. Both are read, the published ones are written.
"""

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from perc_jax.batch import Array
from perc_jax.config import ModelConfig, TextConfig, VisionConfig
from perc_jax.model.qwen2_5_vl import Params

HEAD, EMBEDDING = "lm_head.weight", "model.embed_tokens.weight"
BLOCK_ROWS = (
    64  # turned at a time: a block of a matrix that fits a processor's cache, eight times faster than the whole
)

Window = tuple[slice, slice]  # rows and columns of a tensor as a matrix
Read = Callable[[str, slice, slice], np.ndarray]  # (published name, rows, columns) -> [rows, columns], any float dtype


class Leaf(NamedTuple):
    """One of our parameters, and where it lies in Hugging Face's tensors."""

    path: str  # '/'-joined
    name: str  # of the tensor; with {} where the layer's number stands
    tensor: tuple[int, ...]  # the tensor's shape
    layers: int = 0  # 0: one tensor, not a stack
    transpose: bool = False  # [outputs, …] there, [inputs, outputs] here
    rows: tuple[int, int] = (0, 0)  # of the tensor as a matrix; (0, 0): all of them

    def names(self) -> list[str]:
        """The tensor's names, one per layer."""
        return [self.name.format(i) for i in range(self.layers)] if self.layers else [self.name]

    @property
    def row_range(self) -> tuple[int, int]:
        """First row and the row after the last."""
        return self.rows if self.rows[1] else (0, self.tensor[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Our shape."""
        first, last = self.row_range
        layer = (last - first, *self.tensor[1:])
        if self.transpose:
            layer = (int(np.prod(layer[1:])), layer[0])
        return (self.layers, *layer) if self.layers else layer

    def window(self, index: tuple[slice, ...]) -> Window:
        """The part of the tensor that holds one layer's `index`: slices with start and stop, the layer's axis left out.

        A kernel [inputs, outputs] = [8, 6] at [0:4, 2:6] is the rows 2:6 and columns 0:4 of a tensor [6, 8].
        """
        rows, columns = (*index, slice(0, 1))[:2]
        if self.transpose:
            rows, columns = columns, rows
        first = self.row_range[0]
        return slice(first + rows.start, first + rows.stop), columns

    def as_rows(self, layer: np.ndarray) -> np.ndarray:
        """See one layer of the leaf, or a part of one, as it lies in the tensor: a view [rows, columns]."""
        matrix = layer.reshape(len(layer), -1)
        return matrix.T if self.transpose else matrix


def table(config: ModelConfig) -> list[Leaf]:
    """Every parameter of a model of this shape. Leaves of the same tensor follow each other."""
    return [*_vision_leaves(config.vision, config.text.hidden_size), *_text_leaves(config.text)]


def fill(out: np.ndarray, leaf: Leaf, name: str, index: tuple[slice, ...], read: Read) -> None:
    """Read one layer's `index` of a leaf into `out`, block by block, cast to its dtype."""
    rows, columns = leaf.window(index)
    target = leaf.as_rows(out)
    for start in range(rows.start, rows.stop, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, rows.stop)
        piece = read(name, slice(start, stop), columns)
        target[start - rows.start : stop - rows.start] = piece.astype(out.dtype, copy=False)


def filled(leaves: Collection[Leaf], tensors: Mapping[str, np.ndarray]) -> Params:
    """Float32 parameters of a table's leaves, from tensors in memory by their published names."""

    def read(name: str, rows: slice, columns: slice) -> np.ndarray:
        whole = np.asarray(tensors[name])
        return whole.reshape(len(whole), -1)[rows, columns]

    params: Params = {}
    for leaf in leaves:
        array = np.empty(leaf.shape, np.float32)
        index = tuple(slice(0, size) for size in (leaf.shape[1:] if leaf.layers else leaf.shape))
        for i, name in enumerate(leaf.names()):
            fill(array[i] if leaf.layers else array, leaf, name, index, read)
        put(params, leaf.path, array)
    return params


def match(
    config: ModelConfig, shapes: Mapping[str, tuple[int, ...]], unread: Collection[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Compare a checkpoint's names and shapes with the table.

    Returns the spelling in the checkpoint of every published name, and a line for each missing, unexpected, doubled and
    mis-shaped tensor. Those of `unread` are not missing: they exist in a place that cannot be read. A tied model's
    checkpoint may hold `lm_head.weight`, of the embedding's shape.
    """
    sources: dict[str, str] = {}
    problems = []
    for name in shapes:
        published = _published(name)
        if published in sources:
            problems.append(f"one tensor twice: {sources[published]} and {name}")
        sources[published] = name
    wanted = {name: leaf.tensor for leaf in table(config) for name in leaf.names()}
    elsewhere = {_published(name) for name in unread}
    problems += [f"missing {name}" for name in wanted if name not in sources and name not in elsewhere]
    if config.text.tie_word_embeddings and HEAD in sources:
        wanted[HEAD] = wanted[EMBEDDING]
    problems += [f"unexpected {sources[name]}" for name in sorted(set(sources) - set(wanted))]
    for name, shape in wanted.items():
        found = tuple(shapes[sources[name]]) if name in sources else shape
        if found != shape:
            problems.append(f"{sources[name]} must have shape {shape}, got {found}")
    return sources, problems


def renamed(config: ModelConfig, names: Collection[str]) -> dict[str, str]:
    """The right name of each tensor whose own has a prefix too many (`module.`, `language_model.`) or lacks `model.`.

    A tensor that is there under its right name too is left out.
    """
    wanted = {name for leaf in table(config) for name in leaf.names()} | {HEAD}
    there = {_published(name) for name in names}
    possible: dict[str, list[str]] = {}
    for name in names:
        parts = name.split(".")
        others = [".".join(parts[cut:]) for cut in range(1, len(parts))] + [f"model.{name}"]
        if _published(name) not in wanted:
            possible[name] = [one for one in others if _published(one) in wanted and _published(one) not in there]
    # Of a tower's name `base_model.model.visual.…` two endings are right: the prefix is what stands before most names.
    counts = Counter(name.removesuffix(one) for name, ends in possible.items() for one in ends)
    return {name: max(ends, key=lambda one: counts[name.removesuffix(one)]) for name, ends in possible.items() if ends}


def hf_tensors(
    config: ModelConfig, params: Params, dtype: np.dtype | None = None
) -> Iterator[tuple[str, tuple[int, ...], Callable[[], np.ndarray]]]:
    """Name, shape and maker of each of Hugging Face's tensors; a maker copies that one tensor, cast to `dtype`.

    `params` are host arrays, or arrays that numpy can see without a copy.
    """
    for _, group in itertools.groupby(table(config), key=lambda leaf: leaf.name):
        leaves = list(group)
        arrays = [np.asarray(get(params, leaf.path)) for leaf in leaves]
        for i, name in enumerate(leaves[0].names()):
            layers = [array[i] if leaves[0].layers else array for array in arrays]
            yield name, leaves[0].tensor, lambda leaves=leaves, layers=layers: _tensor(leaves, layers, dtype)


def _tensor(leaves: list[Leaf], layers: list[np.ndarray], dtype: np.dtype | None) -> np.ndarray:
    """Put the leaves of one tensor together."""
    whole = np.empty(leaves[0].tensor, dtype or layers[0].dtype)
    matrix = whole.reshape(len(whole), -1)
    for leaf, layer in zip(leaves, layers, strict=True):
        source, (first, last) = leaf.as_rows(layer), leaf.row_range
        for start in range(first, last, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, last)
            matrix[start:stop] = source[start - first : stop - first]
    return whole


def _linear(name: str, path: str, inputs: int, outputs: int, *, bias: bool, layers: int = 0) -> list[Leaf]:
    leaves = [Leaf(f"{path}/kernel", f"{name}.weight", (outputs, inputs), layers, transpose=True)]
    return [*leaves, Leaf(f"{path}/bias", f"{name}.bias", (outputs,), layers)] if bias else leaves


def _norm(name: str, path: str, width: int, layers: int = 0) -> Leaf:
    return Leaf(f"{path}/scale", f"{name}.weight", (width,), layers)


def _mlp(name: str, path: str, width: int, hidden: int, *, bias: bool, layers: int) -> list[Leaf]:
    return [
        *_linear(f"{name}.gate_proj", f"{path}/gate", width, hidden, bias=bias, layers=layers),
        *_linear(f"{name}.up_proj", f"{path}/up", width, hidden, bias=bias, layers=layers),
        *_linear(f"{name}.down_proj", f"{path}/down", hidden, width, bias=bias, layers=layers),
    ]


def _qkv(name: str, path: str, width: int, layers: int) -> list[Leaf]:
    """Query, key and value: a third of the rows each."""
    thirds = [(path + part, (i * width, (i + 1) * width)) for i, part in enumerate(("/query", "/key", "/value"))]
    return [
        *[Leaf(f"{p}/kernel", f"{name}.weight", (3 * width, width), layers, True, rows) for p, rows in thirds],
        *[Leaf(f"{p}/bias", f"{name}.bias", (3 * width,), layers, False, rows) for p, rows in thirds],
    ]


def _vision_leaves(config: VisionConfig, outputs: int) -> list[Leaf]:
    width, layers, patch = config.hidden_size, config.depth, config.patch_size
    hf, ours = "visual.blocks.{}", "vision/blocks"
    joined = width * config.spatial_merge_size**2
    convolution = (width, 3, config.temporal_patch_size, patch, patch)
    return [
        Leaf("vision/patch_embed/kernel", "visual.patch_embed.proj.weight", convolution, transpose=True),
        _norm(f"{hf}.norm1", f"{ours}/norm1", width, layers),
        *_qkv(f"{hf}.attn.qkv", f"{ours}/attention", width, layers),
        *_linear(f"{hf}.attn.proj", f"{ours}/attention/output", width, width, bias=True, layers=layers),
        _norm(f"{hf}.norm2", f"{ours}/norm2", width, layers),
        *_mlp(f"{hf}.mlp", f"{ours}/mlp", width, config.intermediate_size, bias=True, layers=layers),
        _norm("visual.merger.ln_q", "vision/merger/norm", width),
        *_linear("visual.merger.mlp.0", "vision/merger/hidden", joined, joined, bias=True),
        *_linear("visual.merger.mlp.2", "vision/merger/output", joined, outputs, bias=True),
    ]


def _text_leaves(config: TextConfig) -> list[Leaf]:
    width, layers = config.hidden_size, config.num_hidden_layers
    q = config.num_attention_heads * config.head_dim
    kv = config.num_key_value_heads * config.head_dim
    hf, ours = "model.layers.{}", "text/layers"
    head = [] if config.tie_word_embeddings else _linear("lm_head", "text/head", width, config.vocab_size, bias=False)
    return [
        Leaf("text/embed/embedding", EMBEDDING, (config.vocab_size, width)),
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


def _published(name: str) -> str:
    """Spell a tensor's name as published files do."""
    if name.startswith("model.visual."):
        return name.removeprefix("model.")
    if name.startswith("model.language_model."):
        return "model." + name.removeprefix("model.language_model.")
    return name


def put(params: Params, path: str, leaf: Array) -> None:
    """Store a leaf under its path."""
    *parents, last = path.split("/")
    for parent in parents:
        params = params.setdefault(parent, {})
    params[last] = leaf


def get(params: Params, path: str) -> Array:
    """Give the leaf of a path."""
    for step in path.split("/"):
        params = params[step]
    return params
