"""Pictures as the vision tower reads them: patches in window order, with everything the device needs to index them.

In: uint8 pictures [H,W,3], RGB, or picture files (`open_picture`). Out: `PixelPatches`, uint8 patch slots with rows,
columns and the place of every merged token. Bytes go to the device as they are, an eighth of the values that the model
makes of them there. Nothing here knows prompts or text.

Worked example, 112 x 168 px, 14-px patches, 112-px windows: a grid of 8 x 12 patches. Window 0 is columns 0..7 and
fills slots 0..63; window 1 is columns 8..11, fills slots 64..95, and slots 96..127 stay empty. Merge units (2 x 2
patches) are in reading order inside a window; the unit at row 0, column 4 of the 4 x 6 units is merged token 16.
"""

import contextlib
import functools
import io
import math
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, UInt8
from PIL import ExifTags, Image, UnidentifiedImageError

from perc_jax.config import VisionConfig
from perc_jax.prompt import eight_bits
from perc_jax.records import reading

MIN_PIXELS, MAX_PIXELS = 3136, 12_845_056  # published with Qwen2.5-VL-Instruct
MAX_ASPECT = 200
# What Pillow's parsers raise of damaged files, besides its own kinds of OSError.
_UNSOUND = (
    Image.DecompressionBombError,
    SyntaxError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)


class PixelPatches(NamedTuple):
    """One picture in n patch slots, windows padded whole; u merge units, B = 3 * patch_size^2 bytes per patch."""

    pixels: UInt8[np.ndarray, "n B"]  # channel, row, column; 0 at padding
    rowcol: Int[np.ndarray, "n 2"]  # row and column of the patch in its picture; 0 at padding
    real: Bool[np.ndarray, " n"]
    merged: Int[np.ndarray, " u"]  # merged token of each merge unit, units in reading order
    units: tuple[int, int]  # rows and columns of merge units


def open_picture(path: str | Path, data: bytes | None = None) -> UInt8[np.ndarray, "H W 3"]:
    """Read a picture file of any mode as RGB: turned upright by its EXIF tag, transparent parts on white.

    Where its bytes are given as `data`, `path` is only what a complaint calls it.

    This is what Hugging Face's processor makes of the upright picture, but for grey of more than eight bits, of which
    the processor cuts off all that is brighter than 255: here 16 bits become their high byte, as they do in colour
    (32768 is 128). (Given a path, its `load_image` drops the transparency instead, and shows the colours that a drawing
    program left below it; the model was not trained so.) Of an animation the first frame is taken.

    Raises `ValueError` for a file that is no sound picture or says with 32 bits what 0 to 255 cannot, `OSError` for one
    that cannot be read; both name the file.
    """
    with _opened(path, data) as file:
        return np.array(_rgb(file))


def open_fitted(
    path: str | Path,
    data: bytes | None,
    vision: VisionConfig,
    min_pixels: int = MIN_PIXELS,
    max_pixels: int = MAX_PIXELS,
) -> UInt8[np.ndarray, "h w 3"]:
    """What `fit` makes of what `open_picture` reads, in less time: for pictures that are asked for one after another.

    The array can only be read. Raises what they raise; a picture too long for its width is named too.
    """
    with _opened(path, data) as file:
        picture = _rgb(file)
    height, width = _fitted(path, (picture.height, picture.width), vision, min_pixels, max_pixels)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


def fitted_scale(
    path: str | Path, data: bytes, vision: VisionConfig, min_pixels: int, max_pixels: int
) -> tuple[float, float]:
    """How many px of what `open_fitted` gives one of the upright picture is, across and down.

    Only a picture that is to be turned is decoded. Raises what `open_fitted` raises.
    """
    with _opened(path, data) as file:
        upright = eight_bits.upright(file) if file.getexif().get(ExifTags.Base.Orientation, 1) != 1 else file
        size = upright.height, upright.width
    height, width = _fitted(path, size, vision, min_pixels, max_pixels)
    return width / size[1], height / size[0]


def _fitted(
    path: str | Path, size: tuple[int, int], vision: VisionConfig, min_pixels: int, max_pixels: int
) -> tuple[int, int]:
    """What `smart_resize` makes of a picture's height and width; what it raises names the picture."""
    factor = vision.patch_size * vision.spatial_merge_size
    try:
        return smart_resize(*size, factor, min_pixels, max_pixels)
    except ValueError as error:
        raise ValueError(f"image file {path}: {error}") from error


def _rgb(file: Image.Image) -> Image.Image:
    """An open file's picture, upright, transparent parts on white."""
    upright = eight_bits.upright(file)
    if "A" in upright.getbands() or upright.info.get("transparency") is not None:
        pasted = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", pasted.size, "white"), pasted)
    return upright if upright.mode == "RGB" else upright.convert("RGB")


def stored_size(path: str | Path, data: bytes) -> tuple[int, int]:
    """Height and width of a picture as it is stored, not turned, once its bytes were found whole.

    A PNG's are whole if its checksums hold; else, as of every other form, decoding it decides, at an eighth of its size
    where the form can (JPEG). Raises what `open_picture` raises.
    """
    with _opened(path, data) as file:
        size = file.height, file.width
        if file.format == "PNG" and _checksums_hold(file):
            return size
    with _opened(path, data) as file:
        file.draft("RGB", (1, 1))
        eight_bits.upright(file)
    return size


def _checksums_hold(file: Image.Image) -> bool:
    """Whether every piece of a PNG is there and as it was written. (Of some damage it can still be read.)"""
    try:
        file.verify()
    except (OSError, *_UNSOUND):
        return False
    return True


@contextlib.contextmanager
def _opened(path: str | Path, data: bytes | None) -> Iterator[Image.Image]:
    """An open picture file; what Pillow raises in the block is told as what is wrong with that file."""
    try:
        with warnings.catch_warnings():
            # above 89 million pixels, where an error comes at twice as many; and odd metadata, which nobody reads here
            warnings.simplefilter("ignore")
            # Not by path: so Pillow maps some files into memory, and scrambles those that are to be turned.
            with Image.open(io.BytesIO(reading.content(Path(path)) if data is None else data)) as file:
                yield file
    except UnidentifiedImageError as error:
        raise ValueError(f"image file {path} must be a picture; videos are not supported") from error
    except OSError as error:
        if error.errno is not None:  # the system's, of the file; Pillow's own have no number
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise ValueError(f"image file {path} must be a sound picture: {error}") from error
    except _UNSOUND as error:
        raise ValueError(f"image file {path} must be a sound picture: {error}") from error


def smart_resize(
    height: int, width: int, factor: int = 28, min_pixels: int = MIN_PIXELS, max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """Size in px that the published processor gives a picture: both sides multiples of `factor`.

    Each side is rounded to the nearest multiple. Where the area is then above `max_pixels` the sides are reduced and
    rounded down, where it is below `min_pixels` enlarged and rounded up; so bounds that are closer to each other than
    the rounding is coarse may both be missed, and the size of what was fitted need not be that size: with 200704 as
    both bounds 480 x 640 px give 364 x 504, of which it would make 392 x 532. A picture is fitted once.

    Raises `ValueError` for a picture whose sides differ by more than a factor of 200.
    """
    if max(height, width) > MAX_ASPECT * min(height, width):
        raise ValueError(f"image aspect ratio must be at most {MAX_ASPECT}, got {height} x {width} px")
    rows, columns = round(height / factor), round(width / factor)
    if rows * columns * factor**2 > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        rows, columns = (max(1, math.floor(side / shrink / factor)) for side in (height, width))
    elif rows * columns * factor**2 < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        rows, columns = (math.ceil(side * grow / factor) for side in (height, width))
    return rows * factor, columns * factor


def fit(
    image: UInt8[np.ndarray, "H W 3"], vision: VisionConfig, min_pixels: int = MIN_PIXELS, max_pixels: int = MAX_PIXELS
) -> UInt8[np.ndarray, "h w 3"]:
    """Resize a picture (bicubic) to the size `smart_resize` gives; a picture of that size is returned as it is."""
    factor = vision.patch_size * vision.spatial_merge_size
    height, width = smart_resize(*image.shape[:2], factor, min_pixels, max_pixels)
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))


class _Layout(NamedTuple):
    """Where the patches of a grid go; depends on its size alone."""

    slots: Int[np.ndarray, " patches"]  # slot of each patch, patches in unit order (see `patchify`)
    rowcol: Int[np.ndarray, "patches 2"]
    merged: Int[np.ndarray, " units"]
    count: int  # slots, padding included


@functools.lru_cache(maxsize=256)
def _layout(rows: int, columns: int, merge: int, window: int) -> _Layout:
    """Lay out rows x columns merge units of merge^2 patches, in windows of window x window units."""
    row, column = (axis.ravel() for axis in np.indices((rows, columns), dtype=np.int32))
    number = row // window * -(-columns // window) + column // window
    order = np.argsort(number, kind="stable")  # windows in reading order, units in reading order inside them
    starts = np.searchsorted(number[order], number)
    place = np.empty(rows * columns, np.int32)
    place[order] = np.arange(rows * columns, dtype=np.int32)
    merged = (number * window**2 + place - starts).astype(np.int32)
    inner = np.indices((merge, merge), dtype=np.int32).reshape(2, -1).T
    rowcol = np.stack([row, column], 1)[:, None] * merge + inner
    slots = merged[:, None] * merge**2 + np.arange(merge**2, dtype=np.int32)
    return _Layout(slots.ravel(), rowcol.reshape(-1, 2), merged, (int(number.max()) + 1) * (window * merge) ** 2)


def patchify(image: UInt8[np.ndarray, "h w 3"], vision: VisionConfig) -> PixelPatches:
    """Cut a picture into patch slots in window order.

    Raises `ValueError` unless both sides are multiples of the merged patch (28 px at the published sizes).
    """
    size, merge = vision.patch_size, vision.spatial_merge_size
    unit = size * merge
    height, width = image.shape[:2]
    if height % unit or width % unit or not height or not width:
        raise ValueError(f"image sides must be multiples of {unit} px, got {height} x {width} px")
    rows, columns = height // unit, width // unit
    layout = _layout(rows, columns, merge, vision.window_size // unit)
    # unit row, unit column, patch row, patch column, channel, pixel row, pixel column
    cut = image.reshape(rows, merge, size, columns, merge, size, 3).transpose(0, 3, 1, 4, 6, 2, 5)
    pixels = np.zeros((layout.count, vision.patch_bytes), np.uint8)
    pixels[layout.slots] = cut.reshape(-1, vision.patch_bytes)
    rowcol = np.zeros((layout.count, 2), np.int32)
    rowcol[layout.slots] = layout.rowcol
    real = np.zeros(layout.count, bool)
    real[layout.slots] = True
    return PixelPatches(pixels, rowcol, real, layout.merged, (rows, columns))


def unpatchify(
    pixels: UInt8[np.ndarray, "N B"],
    rowcol: Int[np.ndarray, "N 2"],
    patch_image: Int[np.ndarray, " N"],
    vision: VisionConfig,
    number: int = 0,
) -> UInt8[np.ndarray, "h w 3"]:
    """Give back picture `number` of a prompt as the model sees it, from the prompt's row of a `PromptBatch`.

    Raises `ValueError` if the prompt has no such picture.
    """
    chosen = np.asarray(patch_image) == number
    if not chosen.any():
        raise ValueError(f"image number must be in the prompt, got {number}")
    size = vision.patch_size
    cut = np.asarray(pixels)[chosen].reshape(-1, 3, size, size)
    place = np.asarray(rowcol)[chosen]
    rows, columns = place.max(0) + 1
    picture = np.zeros((rows, columns, size, size, 3), np.uint8)
    picture[place[:, 0], place[:, 1]] = cut.transpose(0, 2, 3, 1)
    return picture.transpose(0, 2, 1, 3, 4).reshape(rows * size, columns * size, 3)
