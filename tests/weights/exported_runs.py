"""Runs with random weights on the disk, and what transformers and we answer to one picture and text, for export."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from perc_jax.batch import PromptBatch
from perc_jax.config import Config, ModelConfig, to_dict
from perc_jax.model import bind
from perc_jax.prompt import tokenizer
from perc_jax.records.checkpoint import Checkpoints
from tests.model.cases import IMAGE_ID, Case, build, compiled


def save_run(workdir: Path, config: Config, values: dict) -> None:
    """Write a run's checkpoint: parameters, and something beside them."""
    checkpoints = Checkpoints(str(workdir), keep=1)
    state = {"params": jax.tree.map(jax.numpy.asarray, values), "step": jax.numpy.int32(5)}
    checkpoints.save(5, state, {"stage": 1, "step": 3, "data": 0}, to_dict(config))
    checkpoints.close()


def asked(config: ModelConfig, model: Any) -> tuple[PromptBatch, np.ndarray]:
    """A prompt of the debug tokenizer's ids with a picture in it, and transformers' logits at its real positions."""
    import torch

    image_id = tokenizer.load("debug.model").ids.image
    built = build(Case(config, [[3, (8, 6), 4]], 19, 64), seed=3)
    at_image = built.batch.tokens == IMAGE_ID
    tokens = np.where(at_image, image_id, np.where(built.batch.tokens == image_id, 20, built.batch.tokens))
    mask = torch.tensor(built.batch.mask).long()
    with torch.no_grad():
        logits = model(
            input_ids=torch.tensor(tokens).long(),
            attention_mask=mask,
            mm_token_type_ids=torch.tensor(at_image).int() * mask.int(),
            pixel_values=torch.tensor(np.concatenate(built.pixels)),
            image_grid_thw=torch.tensor([(1, *grid) for grid in built.grids]),
        ).logits.numpy()
    return built.batch._replace(tokens=tokens.astype(np.int32)), logits[built.batch.mask]


def our_logits(config: ModelConfig, values: dict, batch: PromptBatch) -> np.ndarray:
    """Our model's logits at a prompt's real positions."""

    def logits(values: dict, batch: PromptBatch) -> jax.Array:
        ours = bind(config, values)
        return ours.logits(ours.forward(batch, np.zeros((1, 1, 0), np.int32))[0])

    return np.asarray(compiled(logits)(values, batch))[batch.mask]
