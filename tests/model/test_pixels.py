"""The values that the device makes of bytes are the published processor's, in its order, and 0 at padding."""

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from perc_jax.batch import MEAN, STD
from perc_jax.model.pixels import values
from tests.model.cases import published_values

BYTES = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_every_byte_has_its_value_in_every_channel_and_frame(frames):
    """The largest float32 error is no larger than the published processor's own, and bfloat16 values are the same."""
    pixels = np.repeat(BYTES, 3 * 4).reshape(2, 128, 12)
    found = np.asarray(jax.jit(values, static_argnums=2)(pixels, np.zeros((2, 128), np.int32), frames))
    assert found.dtype == np.float32 and found.shape == (2, 128, 3 * frames * 4)
    found = found.reshape(256, 3, frames * 4)
    assert (found == found[:, :, :1]).all()
    exact = (BYTES[:, None] / 255 - np.array(MEAN)) / np.array(STD)
    theirs = published_values(np.repeat(BYTES, 3)[:, None].reshape(256, 3), 1)
    assert np.abs(found[:, :, 0] - exact).max() <= np.abs(theirs - exact).max() < 3e-7
    assert np.abs(found[:, :, 0] - theirs).max() < 4e-7
    assert (found[:, :, 0].astype(ml_dtypes.bfloat16) == theirs.astype(ml_dtypes.bfloat16)).all()


def test_a_patch_reads_as_the_published_processor_lays_it_out():
    """Channel, frame, row, column, under jit as outside of it."""
    module = pytest.importorskip("transformers.models.qwen2_vl.image_processing_pil_qwen2_vl")
    processor = module.Qwen2VLImageProcessorPil(size={"shortest_edge": 3136, "longest_edge": 150_000})
    picture = np.random.default_rng(0).integers(0, 256, (56, 84, 3), np.uint8)
    wanted = processor(picture, return_tensors="np")["pixel_values"]
    # merge unit row and column, patch row and column, channel, pixel row and column
    cut = picture.reshape(2, 2, 14, 3, 2, 14, 3).transpose(0, 3, 1, 4, 6, 2, 5).reshape(24, 588)
    np.testing.assert_array_equal(published_values(cut), wanted)  # the tests' own account of them
    for run in (values, jax.jit(values, static_argnums=2)):
        np.testing.assert_allclose(run(cut, np.zeros(24, np.int32), 2), wanted, rtol=0, atol=4e-7)


def test_padding_is_zero_whatever_its_bytes():
    pixels = np.random.default_rng(1).integers(0, 256, (2, 5, 588), np.uint8)
    owner = np.array([[0, 0, -1, 1, -1], [-1, 0, 1, 2, 2]], np.int32)
    found = np.asarray(jax.jit(values, static_argnums=2)(pixels, owner, 2))
    assert not found[owner < 0].any() and found[owner >= 0].any(axis=1).all()
    np.testing.assert_allclose(found[owner >= 0], published_values(pixels[owner >= 0]), rtol=0, atol=4e-7)


def test_no_pixels_give_no_values():
    assert values(jnp.zeros((3, 0, 588), jnp.uint8), jnp.zeros((3, 0), jnp.int32), 2).shape == (3, 0, 1176)
