"""Picture files whose values are not bytes, as pictures of eight bits a channel.

Pillow takes the high byte of 16-bit colour, but cuts off all that is brighter than 255 of 16-bit grey, which leaves
white. Here grey is read as colour is. Which of 32 bits is white no file says: 0 to 255 is taken for bytes, anything
else is refused. A transparent colour that a PNG names in its own depth is compared in that depth.
"""

from typing import Any

import numpy as np
from PIL import Image, ImageOps

BITS, PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0  # tags of TIFF, and a value of the second
SIXTEEN_BITS = ("PNG", "PPM")  # whose mode "I" holds 0 to 65535
GREY_STEPS = {"L;2": 85, "L;4": 17}  # between neighbouring values of a PNG with 2 or 4 bits, once they are bytes
MOST_OUTSIDE = 0.5  # of a picture's values of 32 bits; a few beyond black and white are an overshoot, and cut off


def upright(file: Image.Image) -> Image.Image:
    """The picture of an open file that was not read yet, turned upright by its EXIF tag.

    Raises `ValueError` for values of 32 bits that are not 0 to 255, and whatever Pillow raises.
    """
    key = _transparent(file)  # now: reading forgets how the file holds its values
    tags = getattr(file, "tag_v2", {})
    ImageOps.exif_transpose(file, in_place=True)  # a copy costs as much as a tenth of decoding a JPEG
    picture: Image.Image = file
    if picture.mode.startswith("I;16") or (picture.mode == "I" and file.format in SIXTEEN_BITS):
        bits = tags.get(BITS, (16,))[0]  # some hold 12
        return _high_byte(picture, bits, key, inverted=tags.get(PHOTOMETRIC) == WHITE_IS_ZERO)
    if picture.mode in ("I", "F"):
        _check_bytes(np.asarray(picture))
    elif key is not None:
        picture.info["transparency"] = key
    return picture


def _transparent(file: Image.Image) -> Any:
    """The value that a picture's pixels must have to be transparent, as they will be read; None if there is none."""
    key = file.info.get("transparency")
    if file.format != "PNG" or key is None or not file.tile:
        return key
    stored = file.tile[0].args
    if stored in GREY_STEPS:
        return key * GREY_STEPS[stored]
    return tuple(value >> 8 for value in key) if stored == "RGB;16B" else key


def _high_byte(picture: Image.Image, bits: int, key: int | None, inverted: bool) -> Image.Image:
    """Grey of up to 16 bits as 8; with an alpha channel where a value is transparent."""
    values = np.asarray(picture).astype(np.int32)
    grey = (values >> (bits - 8)).astype(np.uint8)
    grey = Image.fromarray(255 - grey if inverted else grey)
    if key is None:
        return grey
    return Image.merge("LA", (grey, Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))))


def _check_bytes(values: np.ndarray) -> None:
    """Raise `ValueError` if values of 32 bits do not mean 0 black and 255 white."""
    low, high = float(values.min()), float(values.max())  # nan if one is
    outside = np.mean((values < 0) | (values > 255))
    fractions = values.dtype.kind == "f" and 0 <= low < high <= 1
    if not np.isfinite([low, high]).all() or outside > MOST_OUTSIDE or fractions:
        raise ValueError(f"values of 32 bits must be 0 (black) to 255 (white), got {low:g} to {high:g}")
