"""Whole models in memory, as Hugging Face's tensors and as our parameters: what tests compare."""

from collections.abc import Mapping

import numpy as np

from perc_jax.config import ModelConfig
from perc_jax.model.params import EMBEDDING, HEAD, filled, hf_tensors, match, table
from perc_jax.model.qwen2_5_vl import Params


def from_hf(config: ModelConfig, tensors: Mapping[str, np.ndarray]) -> Params:
    """Build float32 parameters from tensors in memory.

    Raises `ValueError` that lists everything in which the tensors differ from the config.
    """
    sources, problems = match(config, {name: np.shape(tensor) for name, tensor in tensors.items()})
    repeats = not problems and config.text.tie_word_embeddings and HEAD in sources
    if repeats and not np.array_equal(tensors[sources[HEAD]], tensors[sources[EMBEDDING]]):
        problems.append(f"{sources[HEAD]} differs from {sources[EMBEDDING]} in a model with tie_word_embeddings")
    if problems:
        raise ValueError("checkpoint does not fit the model config:\n  " + "\n  ".join(problems))
    return filled(table(config), {name: tensors[source] for name, source in sources.items()})


def to_hf(config: ModelConfig, params: Params) -> dict[str, np.ndarray]:
    """Name and shape the parameters as the published files do, in the dtype they have."""
    return {name: make() for name, _, make in hf_tensors(config, params)}
