"""The data-engine recipe for Qwen2.5-VL-7B.

    python -m perc_jax.train --config configs/data_engine_7b.py --workdir gs://…

Smallest TPU slice that `perc_jax.plan` compiled it for and found to fit: v5e:4x4, with `--mesh.tensor 4`, 11.9 of
15.8 GiB a chip.
GPUs (`--model.attention blockwise`) by the plan's estimate from the same sizes, never compiled:
one node of 8 H100 of 80 GB.
"""

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
