"""The data-engine recipe for Qwen2.5-VL-32B."""

from configs._data_engine import recipe, text_config, vision_config
from perc_jax.config import Config, MeshConfig


def get_config() -> Config:
    """The recipe."""
    return recipe(
        "data_engine_32b",
        "Qwen/Qwen2.5-VL-32B-Instruct",
        vision_config(3456),
        text_config(5120, 27648, 64, 40, 8, 152064, tied=False),
        MeshConfig(tensor=8),
        micro_batches=16,
    )
