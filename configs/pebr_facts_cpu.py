"""`pebr_cpu.py` with exact facts in the place of CLIP's opinion and of key words: what a description says is looked up.

    python -m perc_jax.train --config configs/pebr_facts_cpu.py --only perception,reasoning --from runs/warm

Table, warm-up and grading are those of `pebr_cpu.py`.
"""

import dataclasses

from configs._pebr_r1 import SECTIONS
from configs.pebr_cpu import FORM, LENGTH, recipe
from perc_jax.config import ClipConfig, Config, RewardConfig, TermConfig

FACTS = TermConfig("facts", 0.8, section=SECTIONS[0])


def get_config() -> Config:
    """The recipe."""
    terms = (FACTS, FORM, LENGTH, TermConfig("accuracy", 0.0))
    reasoning = (TermConfig("accuracy", 0.6), dataclasses.replace(FACTS, weight=0.3), FORM)
    return recipe("pebr_facts_cpu", RewardConfig(terms=terms), ClipConfig(), RewardConfig(terms=reasoning))
