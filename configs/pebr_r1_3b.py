"""PeBR-R1 from Qwen2.5-VL-3B: warm-up, perception, reasoning. The recipe, its sources and deviations: `_pebr_r1.py`.

    python -m perc_jax.train --config configs/pebr_r1_3b.py --workdir gs://…

`perc_jax.plan`, in haste, 2026-12-01: `python -m perc_jax.plan --config configs/pebr_r1_3b.py --topology v5e:4x4`
prints "fits: perception: ring 512 to 2048 needs 13.36 of 15.75 GiB per device"; at 40 % of the peak and 60 % of the
bandwidth a step of perception takes 673 s, 327 of them the rollout, and one of reasoning 604 s. On v5e:2x4 it does not
fit: 25.54 GiB with 4,096 patch slots.

CLIP in the same plan: 0.33 of a perception step's 673 s, 0.05 %; with 4,096 patch slots 3.5 GiB a chip while it looks,
beside 13.35 elsewhere.
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
