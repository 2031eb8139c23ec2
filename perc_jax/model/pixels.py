"""From a patch's bytes to the values that the vision tower reads."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int, UInt8

from perc_jax.batch import MEAN, STD, Array


def values(pixels: UInt8[Array, "*lead B"], patch_image: Int[Array, "*lead"], frames: int) -> Float[Array, "*lead X"]:
    """Turn patch bytes into float32 values, channel-major, the picture repeated as `frames` frames; 0 at padding.

    One difference and one product of float32 numbers. Hugging Face's processor divides twice, which XLA does not do for
    constants: its values are at most 3.6e-7 away, no nearer to the exact ones, and the same in bfloat16.
    """
    *lead, width = pixels.shape
    area = width // 3
    mean, scale = 255 * np.array(MEAN), 1 / (255 * np.array(STD))
    mean, scale = (np.repeat(of_channel.astype(np.float32), area) for of_channel in (mean, scale))
    frame = jnp.where(patch_image[..., None] >= 0, (pixels.astype(jnp.float32) - mean) * scale, 0)
    return jnp.broadcast_to(frame.reshape(*lead, 3, 1, area), (*lead, 3, frames, area)).reshape(*lead, frames * width)
