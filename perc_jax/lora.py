"""Parameters with low-rank adapters as trees: taken apart, put together, merged, and named as PEFT names them.

What adapters compute is said in `model/low_rank.py`. Here a tree of parameters is split into the frozen base and the
adapters (a pruned tree of `lora_a` and `lora_b` leaves), or each of its leaves becomes a plain weight: W, or
W + alpha / r * A @ B. A tree without adapters passes through all of it as it is.

PEFT's form (huggingface.co/docs/peft, "PEFT checkpoint format"): a map's `lora_A.weight` is A turned, [r, inputs], its
`lora_B.weight` B turned, [outputs, r]; names are those of transformers' modules after `base_model.model.`. The vision
tower's query, key and value are one map there: their adapters become one of rank 3 r, whose B is zero outside its three
blocks, with alpha three times as large, so that alpha / r stays.
"""

import itertools
import re
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from perc_jax.batch import Array
from perc_jax.config import LoraConfig, ModelConfig
from perc_jax.model import Params, low_rank, params

Parts = tuple[Array] | tuple[Array, Array, Array]  # a weight that has no adapters; or W, A, B


class Adapter(NamedTuple):
    """An adapter as PEFT stores it: settings for adapter_config.json, and tensors for adapter_model.safetensors."""

    settings: dict[str, Any]
    tensors: dict[str, np.ndarray]  # float32


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
        if of[0].ndim == 3:
            return jax.lax.map(lambda layer: weight(layer, config, dtype), of)
        return weight(of, config, dtype)

    return jax.tree.map(make, parts(values), is_leaf=lambda node: isinstance(node, tuple))


def peft(config: ModelConfig, values: Params) -> Adapter:
    """The adapters of host arrays in PEFT's form; without the name of the base model, which is the caller's to know.

    Raises `ValueError` if there are none.
    """
    rank, alpha = config.lora.rank, config.lora.alpha
    tensors, modules, wide = {}, [], {}
    for name, group in itertools.groupby(params.table(config), key=lambda leaf: leaf.name):
        leaves = [(leaf, *_adapters(values, leaf)) for leaf in group if _adapters(values, leaf)]
        if not leaves:
            continue
        module = _module(name.removesuffix(".weight"))
        modules.append(re.escape(module).replace(r"\{\}", r"\d+"))
        if len(leaves) > 1:
            wide[module.rpartition("{}.")[2]] = len(leaves)
        for i in range(max(1, leaves[0][0].layers)):
            layer = [(leaf, *(x[i] if leaf.layers else x for x in factors)) for leaf, *factors in leaves]
            key = f"base_model.model.{module.format(i)}"
            tensors[f"{key}.lora_A.weight"] = np.concatenate([a.T for _, a, _ in layer])
            tensors[f"{key}.lora_B.weight"] = _blocks(layer, rank)
    if not tensors:
        raise ValueError("the run must have adapters (model.lora.rank > 0) to export them alone")
    settings = {
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
        "inference_mode": True,
    }
    return Adapter(settings, tensors)


def _adapters(values: Params, leaf: params.Leaf) -> tuple[np.ndarray, ...]:
    """A and B of the map whose kernel a leaf is; nothing for other leaves and maps without."""
    path, _, last = leaf.path.rpartition("/")
    holder = params.get(values, path)
    if last != "kernel" or low_rank.ADAPTERS[0] not in holder:
        return ()
    return tuple(np.asarray(holder[name], np.float32) for name in low_rank.ADAPTERS)


def _blocks(layer: list[tuple[params.Leaf, np.ndarray, np.ndarray]], rank: int) -> np.ndarray:
    """The Bs of one tensor's parts, turned, each in its rows and its own `rank` columns."""
    whole = np.zeros((layer[0][0].tensor[0], rank * len(layer)), np.float32)
    for i, (leaf, _, b) in enumerate(layer):
        whole[slice(*leaf.row_range), rank * i : rank * (i + 1)] = b.T
    return whole


def _module(published: str) -> str:
    """The module of transformers (4.52 and later) whose tensor a published name is."""
    if published.startswith("visual."):
        return f"model.{published}"
    return "model.language_model." + published.removeprefix("model.")
