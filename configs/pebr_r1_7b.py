"""PeBR-R1 from Qwen2.5-VL-7B: warm-up, perception, reasoning. The recipe, its sources and deviations: `_pebr_r1.py`.

python -m perc_jax.train --config configs/pebr_r1_7b.py --workdir gs://…
"""

from configs._data_engine import text_config
from configs._pebr_r1 import recipe
from perc_jax.config import Config, MeshConfig


def get_config() -> Config:
    """The recipe."""
    return recipe(
        "pebr_r1_7b",
        "Qwen/Qwen2.5-VL-7B-Instruct",
        text_config(3584, 18944, 28, 28, 4, 152064, tied=False),
        MeshConfig(tensor=2),
        micro_batches=(8, 7, 8),
    )
