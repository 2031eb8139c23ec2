"""Bounds on the area of pictures of any size, as a run read them: what asks it later makes pictures as large.

A run's tables have those of its config (`data.min_pixels`, `data.max_pixels`). A benchmark's pictures, and those that a
user asks about, were not in the run; they get what the run and the published processor that it started from both allow.
"""

from perc_jax.config import Config
from perc_jax.prompt.image import MIN_PIXELS
from perc_jax.prompt.pretrained import Processor


def of_tables(config: Config) -> Processor:
    """Those of a table's pictures, and of what an environment shows."""
    return Processor(config.data.min_pixels, config.data.max_pixels)


def of_others(config: Config, published: Processor | None) -> Processor:
    """Those of any other picture.

    Args:
        config: the run's, or the one that a published model is asked by.
        published: of the processor of the model that it started from; None for a run from random weights.
    """
    own = of_tables(config)
    if not _reads_any_size(config):  # pictures of the engines' one size: its bounds were never met
        area = config.data.image_px**2
        return published or Processor(min(MIN_PIXELS, area), area)
    if published is None:
        return own
    both = Processor(max(own.min_pixels, published.min_pixels), min(own.max_pixels, published.max_pixels))
    return both if both.min_pixels <= both.max_pixels else own


def _reads_any_size(config: Config) -> bool:
    return bool(config.evaluation.tables) or any(stage.mixture.tables for stage in config.stages)
