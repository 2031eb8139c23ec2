"""The data-engine recipe for Qwen2.5-VL-7B."""

from configs._data_engine import recipe, text_config, vision_config
from perc_jax.config import Config, MeshConfig


def get_config() -> Config:
    """The recipe."""
    return recipe(
        "data_engine_7b",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        vision_config(3420),
        text_config(3584, 18944, 28, 28, 4, 152064, tied=False),
        MeshConfig(tensor=2),
        micro_batches=16,
    )
