"""The data-engine recipe for Qwen2.5-VL-72B.

    python -m perc_jax.train --config configs/data_engine_72b.py --workdir gs://…

Smallest TPU slice that `perc_jax.plan` compiled it for and found to fit: v5p:2x4x4, 68.3 of 95.7 GiB a chip.
GPUs (`--model.attention blockwise`) by the plan's estimate from the same sizes, never compiled:
four nodes of 8 H100 of 80 GB, tensor 4.
"""

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
