"""Environments and questions for the tests."""

import time
from collections.abc import Callable

import numpy as np

from engines.answer import Answer
from perc_jax.config import DataConfig, EnvironmentConfig, VisionConfig
from perc_jax.environments.base import Move, Question, Step
from perc_jax.environments.conversation import Environment
from perc_jax.environments.make import make

VISION = VisionConfig(
    depth=1, hidden_size=64, num_heads=2, intermediate_size=8, fullatt_block_indexes=(), window_size=112
)


def environment(form: str = "answer", image_px: int = 112, **fields: object) -> Environment:
    """An environment as a config names it; by default the jigsaw of four pieces."""
    data = DataConfig("debug.model", image_px, 64, 64, "", answer_form=form)
    return make(EnvironmentConfig(**({"name": "jigsaw", "view_px": 224} | fields)), data, VISION)


def picture(seed: int, height: int = 112, width: int = 112) -> np.ndarray:
    """A picture whose parts all differ."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def question(seed: int, count: int = 1, height: int = 112, width: int = 112) -> Question:
    """A question about so many pictures, whose answer is its seed."""
    pictures = tuple(picture(1000 * seed + number, height, width) for number in range(count))
    return Question(f"test/{seed}", pictures, "Which number?", Answer.integer(seed))


def hanging(play: Callable[[Move], Step], text: str, move: Move) -> Step:
    """The step, unless the turn says a text: then nothing for long."""
    if text in move.text:
        time.sleep(3600)
    return play(move)
