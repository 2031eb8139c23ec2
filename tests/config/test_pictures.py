"""Recipes from tables hold the pictures that they promise: patch slots count in whole windows, not by area alone."""

import itertools

import numpy as np
import pytest

from configs import med_r1_3b, pebr_r1_3b, pebr_r1_7b, vision_reasoner_7b
from perc_jax.config import Config
from perc_jax.prompt import image


def most_slots(config: Config, aspect: float) -> int:
    """Patch slots of the largest picture, of any size whose sides are as 1 to `aspect` at most."""
    data, vision = config.data, config.model.vision
    unit, window, found = vision.merged_px, vision.window_size, 0
    # What is not made smaller is rounded to the nearest unit, what is made smaller comes to depend on its aspect alone.
    longest = int((data.max_pixels * (aspect + 1)) ** 0.5) + 8 * unit
    grids = {
        (rows * unit, columns * unit)
        for rows, columns in itertools.product(range(1, longest // unit), repeat=2)
        if rows * columns * unit**2 <= data.max_pixels and rows <= columns and columns - 0.5 <= aspect * (rows + 0.5)
    }
    for one in np.geomspace(1, aspect, 20_000):
        height = (1e4 * data.max_pixels / one) ** 0.5
        grids.add(image.smart_resize(round(height), round(height * one), unit, data.min_pixels, data.max_pixels))
    for height, width in grids:
        found = max(found, -(-height // window) * -(-width // window) * vision.window_patches)
    return found


@pytest.mark.parametrize(
    ("config", "aspect", "most"),
    [
        (pebr_r1_3b.get_config(), 3, 4608),
        (pebr_r1_7b.get_config(), 3, 4608),
        (med_r1_3b.get_config(), 15, 2816),
    ],
)
def test_no_picture_within_the_bounds_is_too_large(config, aspect, most):
    assert most_slots(config, aspect) == most <= config.data.max_patches


def test_longer_pictures_fit_what_the_recipe_names_for_them():
    assert most_slots(pebr_r1_7b.get_config(), 11) == 5184


@pytest.mark.parametrize(
    ("height", "width"), [(1080, 1920), (1000, 1500), (768, 1024), (1754, 1240), (1200, 600), (896, 896), (3000, 1010)]
)
def test_common_pictures_are_held_by_pebr(height, width):
    data, vision = pebr_r1_7b.get_config().data, pebr_r1_7b.get_config().model.vision
    fitted = image.fit(np.zeros((height, width, 3), np.uint8), vision, data.min_pixels, data.max_pixels)
    assert len(image.patchify(fitted, vision).pixels) <= data.max_patches


def test_vision_reasoner_holds_its_squares_of_840_px():
    config = vision_reasoner_7b.get_config()
    held = image.patchify(np.zeros((840, 840, 3), np.uint8), config.model.vision)
    assert len(held.pixels) == 4096 <= config.data.max_patches
