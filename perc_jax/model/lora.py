"""Parameters with low-rank adapters as trees: taken apart, put together, merged, and named as PEFT names them.

What adapters compute is said in `model/low_rank.py`. Here a tree of parameters is split into the frozen base and the
adapters (a pruned tree of `lora_a` and `lora_b` leaves), or each of its leaves becomes a plain weight: W, or
W + alpha / r * A @ B. A tree without adapters passes through all of it as it is.

PEFT's form (huggingface.co/docs/peft, "PEFT checkpoint format"): a map's `lora_A.weight` is A turned, [r, inputs], its
`lora_B.weight` B turned, [outputs, r]; names are those of transformers' modules after `base_model.model.`. The vision
tower's query, key and value are one map there: their adapters become one of rank 3 r, whose B is zero outside its three
blocks, with alpha three times as large, so that alpha / r stays. What is trained whole (`LoraConfig.trained`) are its
`modules_to_save`; an embedding that is the head too stands there under both names, for PEFT parts them.
"""

import itertools
import re
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from perc_jax.batch import Array
from perc_jax.config import LoraConfig, ModelConfig
from perc_jax.model import Params, abstract_params, low_rank, params

Parts = tuple[Array] | tuple[Array, Array, Array]  # a weight that has no adapters; or W, A, B


def split(values: Params) -> tuple[Params, Params]:
    """The base, and the adapters under the same names."""
    base, adapters = {}, {}
    for name, below in values.items():
        if isinstance(below, dict):
            base[name], inner = split(below)
            if inner:
                adapters[name] = inner
        else:
            (adapters if name in low_rank.ADAPTERS else base)[name] = below
    return base, adapters


def join(base: Params, adapters: Params) -> Params:
    """Undo `split`."""
    return {
        name: join(base.get(name, {}), adapters.get(name, {})) if isinstance(below, dict) else below
        for name, below in (adapters | base).items()
    }


def parts(values: Params) -> Any:
    """A tree like the base with a tuple for each leaf: what its weight is made of."""
    found = {
        name: parts(below) if isinstance(below, dict) else (below,)
        for name, below in values.items()
        if name not in low_rank.ADAPTERS
    }
    if low_rank.ADAPTERS[0] in values:
        found["kernel"] += tuple(values[name] for name in low_rank.ADAPTERS)
    return found


def weight(of: Parts, config: LoraConfig, dtype: str | np.dtype) -> Float[Array, "..."]:
    """The weight that is made of these parts, in a dtype."""
    if len(of) == 1:
        return of[0].astype(dtype)
    return low_rank.merged(*of, config.alpha / config.rank, dtype)


def merge(values: Params, config: LoraConfig, dtype: str | np.dtype) -> Params:
    """Plain parameters in a dtype. Stacks are merged layer by layer: their float32 copy would be large."""

    def make(of: Parts) -> Array:
        if len(of) > 1 and of[0].ndim == 3:
            return jax.lax.map(lambda layer: weight(layer, config, dtype), of)
        return weight(of, config, dtype)

    return jax.tree.map(make, parts(values), is_leaf=lambda node: isinstance(node, tuple))


def merge_on_host(values: Params, config: LoraConfig) -> Params:
    """Plain float32 parameters as numpy arrays, merged layer by layer; nothing is compiled."""

    def make(of: Parts) -> np.ndarray:
        if len(of) == 1:
            return np.asarray(of[0], np.float32)
        kernel, a, b = (np.array(x, np.float32) for x in of)
        for i in range(len(kernel)) if kernel.ndim == 3 else (...,):
            kernel[i] += config.alpha / config.rank * (a[i] @ b[i])
        return kernel

    return jax.tree.map(make, parts(values), is_leaf=lambda node: isinstance(node, tuple))


def peft_settings(config: ModelConfig) -> dict[str, Any]:
    """adapter_config.json of a model's adapters, without the name of the base model, which is the caller's to know."""
    rank, alpha = config.lora.rank, config.lora.alpha
    modules, wide = [], {}
    for name, leaves in _tensors(config, abstract_params(config)):
        module = _module(name)
        modules.append(re.escape(module).replace(r"\{\}", r"\d+"))
        if len(leaves) > 1:
            wide[re.escape(module.rpartition("{}.")[2])] = len(leaves)
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": alpha,
        "target_modules": "|".join(modules),
        "rank_pattern": {pattern: count * rank for pattern, count in wide.items()},
        "alpha_pattern": {pattern: count * alpha for pattern, count in wide.items()},
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "modules_to_save": [module.rpartition(".")[2] for module, _ in _whole(config)] or None,
        "inference_mode": True,
    }


def peft_tensors(config: ModelConfig, values: Params) -> dict[str, np.ndarray]:
    """adapter_model.safetensors by name, float32, from arrays that this process holds whole."""
    found = {}
    for name, leaves in _tensors(config, values):
        for i in range(max(1, leaves[0].layers)):
            factors = [[np.asarray(x[i] if leaf.layers else x) for x in _adapters(values, leaf)] for leaf in leaves]
            key = f"base_model.model.{_module(name).format(i)}"
            found[f"{key}.lora_A.weight"] = np.concatenate([a for a, _ in factors], axis=1).T.copy()
            found[f"{key}.lora_B.weight"] = _blocks(leaves, [b for _, b in factors])
    for module, leaf in _whole(config):
        rows = leaf.as_rows(np.asarray(params.get(values, leaf.path), np.float32))
        found[f"base_model.model.{module}.weight"] = rows.copy()
    return found


def _whole(config: ModelConfig) -> list[tuple[str, params.Leaf]]:
    """The modules that are trained whole, and the parameter that each has."""
    leaves = [leaf for leaf in params.table(config) if leaf.path in config.lora.whole]
    found = [(_module(leaf.name), leaf) for leaf in leaves]
    tied = found if config.text.tie_word_embeddings else []
    return found + [(_module(params.HEAD), leaf) for _, leaf in tied]


def _tensors(config: ModelConfig, values: Params) -> Iterator[tuple[str, list[params.Leaf]]]:
    """The published tensors that have adapters, and the kernels that each is made of."""
    for name, group in itertools.groupby(params.table(config), key=lambda leaf: leaf.name):
        if leaves := [leaf for leaf in group if _adapters(values, leaf)]:
            yield name, leaves


def _adapters(values: Params, leaf: params.Leaf) -> tuple[Array, ...]:
    """A and B of the map whose kernel a leaf is; nothing for other leaves and maps without."""
    path, _, last = leaf.path.rpartition("/")
    holder = params.get(values, path)
    if last != "kernel" or low_rank.ADAPTERS[0] not in holder:
        return ()
    return tuple(holder[name] for name in low_rank.ADAPTERS)


def _blocks(leaves: list[params.Leaf], bs: list[np.ndarray]) -> np.ndarray:
    """The Bs [r, outputs] of one tensor's parts, turned, each in its rows and its own columns."""
    rank = len(bs[0])
    whole = np.zeros((leaves[0].tensor[0], rank * len(bs)), np.float32)
    for i, (leaf, b) in enumerate(zip(leaves, bs, strict=True)):
        whole[slice(*leaf.row_range), rank * i : rank * (i + 1)] = b.T
    return whole


def _module(tensor: str) -> str:
    """The module of transformers (4.52 and later) whose weight a published name is; {} where the layer's number is."""
    name = tensor.removesuffix(".weight")
    if tensor == params.HEAD:
        return name
    return f"model.{name}" if name.startswith("visual.") else "model.language_model." + name.removeprefix("model.")
