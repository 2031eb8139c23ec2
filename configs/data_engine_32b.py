"""The data-engine recipe for Qwen2.5-VL-32B.

    python -m perc_jax.train --config configs/data_engine_32b.py --workdir gs://…

Smallest TPU slice that `perc_jax.plan` compiled it for and found to fit: v5p:2x2x4, 51.4 of 95.7 GiB a chip.
GPUs (`--model.attention blockwise`) by the plan's estimate from the same sizes, never compiled:
two nodes of 8 H100 of 80 GB, tensor 2, `--stages.0.micro-batches 8`.
"""

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
