"""The data-engine recipe for Qwen2.5-VL-3B.

    python -m perc_jax.train --config configs/data_engine_3b.py --workdir gs://…

Smallest TPU slice that `perc_jax.plan` compiled it for and found to fit: v5e:2x4, 14.3 of 15.8 GiB a chip.
GPUs (`--model.attention blockwise`) by the plan's estimate from the same sizes, never compiled:
one node of 8 H100 of 80 GB.
"""

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
