"""PeBR-R1 from Qwen2.5-VL-7B: warm-up, perception, reasoning. The recipe, its sources and deviations: `_pebr_r1.py`.

    python -m perc_jax.train --config configs/pebr_r1_7b.py --workdir gs://…

`perc_jax.plan`, in haste, 2026-11-30: `python -m perc_jax.plan --config configs/pebr_r1_7b.py --topology v5e:4x4
--mesh.tensor 4` prints "does not fit: perception: update needs 39.44 of 15.75 GiB per device" and "by estimate,
v5e:4x8 with tensor 2, micro_batches 8 would need 14.2 GiB". No plan of that slice has confirmed the estimate yet.

CLIP in the same plan: 413 of a perception step's 1,089,782 TFLOP and 0.33 of its 1,044 s, 0.03 %; 0.1 GiB a chip for
its weights, and 0.5 GiB more while it looks, when 8.04 GiB are held in all. The 47 GB of its weights that each chip
receives meanwhile are not in these seconds.
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
