"""Pictures of other depths than eight bits: grey reads as colour does, nothing becomes white or black unsaid."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from perc_jax.prompt import image as images

VALUES = np.array([[0, 255, 256, 257, 32768, 65279, 65280, 65535]], np.uint16)
BYTES = [0, 0, 1, 1, 128, 254, 255, 255]


def write_png(file: Path, colour: int, bits: int, rows: np.ndarray, key: bytes) -> Path:
    """A PNG of one row of raw bytes, of a depth that Pillow does not write, with a transparent colour."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    channels = {0: 1, 2: 3}[colour]
    width = rows.nbytes * 8 // (bits * channels)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, bits, colour, 0, 0, 0))
    content = zlib.compress(b"\0" + rows.tobytes())
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + head + chunk(b"tRNS", key) + chunk(b"IDAT", content) + chunk(b"IEND", b""))
    return file


def write_grey(file: Path) -> Path:
    """The values as a file of 16 bits, in the form that its name ends with."""
    if file.suffix == ".pgm":
        file.write_bytes(b"P5 8 1 65535\n" + VALUES.astype(">u2").tobytes())
    elif file.name == "big_endian.tif":
        Image.frombytes("I;16B", (8, 1), VALUES.astype(">u2").tobytes()).save(file)
    elif file.name == "inverted.tif":
        Image.fromarray(65535 - VALUES).save(file, tiffinfo={TiffImagePlugin.PHOTOMETRIC_INTERPRETATION: 0})
    else:
        assert cv2.imwrite(str(file), VALUES)
    return file


@pytest.mark.parametrize("name", ["a.png", "a.tif", "big_endian.tif", "inverted.tif", "a.pgm"])
def test_grey_of_16_bits_becomes_its_high_byte(tmp_path, name):
    found = images.open_picture(write_grey(tmp_path / name))
    assert found[0].tolist() == [[byte] * 3 for byte in BYTES]


def test_grey_of_16_bits_reads_as_the_same_picture_in_colour(tmp_path):
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 2**16, (40, 50), dtype=np.uint16)
    assert cv2.imwrite(str(tmp_path / "grey.png"), grey)
    assert cv2.imwrite(str(tmp_path / "colour.png"), np.repeat(grey[..., None], 3, 2))
    found = images.open_picture(tmp_path / "grey.png")
    assert (found == images.open_picture(tmp_path / "colour.png")).all() and len(np.unique(found)) == 256


def test_grey_of_12_bits_uses_the_whole_range(tmp_path):
    (tmp_path / "a.tif").write_bytes(tiff_of_12_bits([0, 15, 16, 2048, 4079, 4095]))
    assert images.open_picture(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 0, 1, 128, 254, 255]


def tiff_of_12_bits(values: list[int]) -> bytes:
    """A little-endian TIFF of one row of grey, two values in three bytes."""
    packed = int("".join(f"{value:012b}" for value in values), 2).to_bytes(len(values) * 3 // 2, "big")
    tags = {256: len(values), 257: 1, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: len(packed)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + struct.pack("<H", len(tags)) + entries + bytes(4)


def test_a_transparent_value_is_compared_in_the_file_s_own_depth(tmp_path):
    grey = write_png(tmp_path / "a.png", 0, 16, VALUES.astype(">u2"), struct.pack(">H", 256))
    assert images.open_picture(grey)[0, :, 0].tolist() == [0, 0, 255, 1, 128, 254, 255, 255]
    colour = np.array([0, 0, 0, 300, 300, 300, 5000, 5000, 5000], ">u2")
    colour = write_png(tmp_path / "b.png", 2, 16, colour, struct.pack(">HHH", 5000, 5000, 5000))
    assert images.open_picture(colour)[0, :, 0].tolist() == [0, 1, 255]
    four = write_png(tmp_path / "c.png", 0, 4, np.array([0x0A, 0x5F], np.uint8), struct.pack(">H", 10))
    assert images.open_picture(four)[0, :, 0].tolist() == [0, 255, 85, 255]
    two = write_png(tmp_path / "d.png", 0, 2, np.array([0b00011011], np.uint8), struct.pack(">H", 1))
    assert images.open_picture(two)[0, :, 0].tolist() == [0, 255, 170, 255]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([[0, 40_000, 65_535]], np.int32), "got 0 to 65535"),
        (np.array([[-9, -5, 3]], np.int32), "got -9 to 3"),
        (np.array([[0.0, 0.4, 1.0]], np.float32), "got 0 to 1"),
        (np.array([[0.0, 1e9, 2e9]], np.float32), "got 0 to 2e+09"),
        (np.array([[0.0, 90.0, np.nan]], np.float32), "got nan to nan"),
    ],
)
def test_32_bits_that_are_no_bytes_are_refused(tmp_path, values, words):
    Image.fromarray(values).save(tmp_path / "a.tif")
    for read in (images.open_picture, lambda file: images.stored_size(file, file.read_bytes())):
        with pytest.raises(ValueError, match=r"a.tif must be .*: values of 32 bits must be 0 \(black\)") as error:
            read(tmp_path / "a.tif")
        assert str(error.value).endswith(words)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_32_bits_that_are_bytes_are_read_and_overshoots_cut_off(tmp_path, dtype):
    Image.fromarray(np.array([[-3, 0, 7, 128, 255, 260]], dtype)).save(tmp_path / "a.tif")
    assert images.open_picture(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 0, 7, 128, 255, 255]
