"""PeBR-R1 from Qwen2.5-VL-7B: warm-up, perception, reasoning. The recipe, its sources and deviations: `_pebr_r1.py`.

    python -m perc_jax.train --config configs/pebr_r1_7b.py --workdir gs://…

`perc_jax.plan` has not found a slice on which it fits. In haste, 2026-11-30, `python -m perc_jax.plan --config
configs/pebr_r1_7b.py --topology v5e:4x4 --mesh.tensor 4 --data.max-patches 4096` prints "does not fit: perception:
update needs 39.44 of 15.75 GiB per device"; the recipe's own 4,608 patch slots need no less. The micro-batches are
those of v5e:4x8 with tensor 2, which no plan has been made for.

CLIP's 413 TFLOP of a perception step take 1.3 s there at 40 % of the peak, as each device of a tensor group does them;
in the same plan 0.1 GiB a chip for its weights, and 0.5 GiB more while it looks, when 8.04 GiB are held in all. The
47 GB of its weights that each chip receives meanwhile are not in these seconds.
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
