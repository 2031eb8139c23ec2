"""PeBR-R1 from Qwen2.5-VL-3B: warm-up, perception, reasoning. The recipe, its sources and deviations: `_pebr_r1.py`.

python -m perc_jax.train --config configs/pebr_r1_3b.py --workdir gs://…
"""

from configs._data_engine import text_config
from configs._pebr_r1 import recipe
from perc_jax.config import Config, MeshConfig


def get_config() -> Config:
    """The recipe."""
    return recipe(
        "pebr_r1_3b",
        "Qwen/Qwen2.5-VL-3B-Instruct",
        text_config(2048, 11008, 36, 16, 2, 151936, tied=True),
        MeshConfig(tensor=1),
        micro_batches=(8, 7, 8),
    )
