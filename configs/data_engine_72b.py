"""The data-engine recipe for Qwen2.5-VL-72B."""

from configs._data_engine import recipe, text_config, vision_config
from perc_jax.config import Config, MeshConfig


def get_config() -> Config:
    """The recipe."""
    return recipe(
        "data_engine_72b",
        "Qwen/Qwen2.5-VL-72B-Instruct",
        vision_config(3456),
        text_config(8192, 29568, 80, 64, 8, 152064, tied=False),
        MeshConfig(tensor=8),
        micro_batches=8,
    )
