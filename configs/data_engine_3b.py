"""The data-engine recipe for Qwen2.5-VL-3B."""

from configs._data_engine import recipe, text_config, vision_config
from perc_jax.config import Config, MeshConfig


def get_config() -> Config:
    """The recipe."""
    return recipe(
        "data_engine_3b",
        "Qwen/Qwen2.5-VL-3B-Instruct",
        vision_config(3420),
        text_config(2048, 11008, 36, 16, 2, 151936, tied=True),
        MeshConfig(),
        micro_batches=8,
    )
