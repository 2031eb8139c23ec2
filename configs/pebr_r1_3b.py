"""PeBR-R1 from Qwen2.5-VL-3B: warm-up, perception, reasoning. The recipe, its sources and deviations: `_pebr_r1.py`.

    python -m perc_jax.train --config configs/pebr_r1_3b.py --workdir gs://…

`perc_jax.plan`, in haste, 2026-11-30: `python -m perc_jax.plan --config configs/pebr_r1_3b.py --topology v5e:2x4`
prints "does not fit: perception: update needs 25.54 of 15.75 GiB per device" and "by estimate, v5e:4x4 with tensor 1,
micro_batches 8 would need 13.9 GiB". No plan of that slice has confirmed the estimate yet.

CLIP in the same plan: 413 of a perception step's 511,789 TFLOP and 0.65 of its 1,144 s, 0.06 %; 0.2 GiB a chip for
its weights, and 0.5 GiB more while it looks.
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
