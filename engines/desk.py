"""What a photographed picture lies on or shines from: tables, cloth, a sheet with notes in its margin, a screen.

Textures are banks made once a process; a photograph takes a window of one at a random place and tints it.
"""

import functools
import math
from typing import NamedTuple

import cv2
import numpy as np

from engines.base import make_rng

SPARE_PX = 160  # by how much a texture is larger than a photograph
PAD_SHARE = 0.14  # of the side: what is drawn of a sheet or screen beyond each edge of the picture
PENS = ((58, 66, 116), (92, 92, 98), (34, 36, 44))  # ballpoint, pencil, fibre tip

# Texture, darkest and lightest tint.
_GROUNDS = (
    ("wood", (92, 62, 40), (196, 152, 106)),
    ("wood", (52, 38, 30), (110, 76, 52)),
    ("plain", (34, 36, 42), (72, 74, 80)),
    ("plain", (150, 150, 148), (214, 212, 206)),
    ("cloth", (60, 74, 96), (140, 156, 170)),
    ("cloth", (110, 100, 88), (186, 176, 160)),
    ("stone", (96, 98, 100), (176, 176, 172)),
)


class Sheet(NamedTuple):
    """The picture with what surrounds it on its paper or screen."""

    pixels: np.ndarray  # uint8 [side, side, 3], RGB
    pad_px: int  # of `pixels` before the picture begins, on every side
    is_screen: bool


def ground(rng: np.random.Generator, shade: np.ndarray) -> np.ndarray:
    """A surface to lie on, darker where `shade` (float32 [size, size]) is below 1: uint8 [size, size, 3]."""
    size_px = shade.shape[0]
    kind, dark, light = _GROUNDS[int(rng.integers(len(_GROUNDS)))]
    row, column = rng.integers(SPARE_PX, size=2)
    window = _texture(kind, size_px)[row : row + size_px, column : column + size_px]
    if rng.random() < 0.5:
        window = window.T
    window = cv2.multiply(window, shade, dtype=cv2.CV_8U)
    share = rng.random()
    tint = [(low + (high - low) * share) * rng.uniform(0.92, 1.08) for low, high in zip(dark, light, strict=True)]
    return cv2.merge([cv2.convertScaleAbs(window, alpha=channel / 128) for channel in tint])


def sheet(image: np.ndarray, rng: np.random.Generator) -> Sheet:
    """Surround a picture (uint8 [size, size, 3]) with its paper and some notes, or with the frame of a screen."""
    pad_px = round(PAD_SHARE * image.shape[0])
    is_screen, reach = bool(rng.random() < 0.3), float(rng.random())
    if is_screen:
        return _screen(image, pad_px, reach, rng)
    # Some sheets are cut along the picture, others are larger than what the camera sees.
    pad_px = round(pad_px * (0.06 + 0.1 * reach if rng.random() < 0.35 else 0.35 + 0.65 * reach))
    paper = tuple(map(int, image[0, 0]))
    pixels = cv2.copyMakeBorder(image, pad_px, pad_px, pad_px, pad_px, cv2.BORDER_CONSTANT, value=paper)
    if pad_px >= 8:
        for _ in range(int(rng.integers(4))):
            _note(pixels, pad_px, image.shape[0], rng)
    return Sheet(pixels, pad_px, False)


def _screen(image: np.ndarray, pad_px: int, reach: float, rng: np.random.Generator) -> Sheet:
    """A bright strip of window around the picture, then a dark frame with a lighter edge."""
    window_px = round(pad_px * 0.3 * reach)
    bezel_px = round(pad_px * rng.uniform(0.25, 0.6))
    paper, tone = tuple(map(int, image[0, 0])), int(rng.integers(14, 44))
    pixels = cv2.copyMakeBorder(image, *(window_px,) * 4, cv2.BORDER_CONSTANT, value=paper)
    pixels = cv2.copyMakeBorder(pixels, *(bezel_px,) * 4, cv2.BORDER_CONSTANT, value=(tone, tone, tone + 3))
    side = pixels.shape[0] - 1
    cv2.rectangle(pixels, (0, 0), (side, side), (tone + 60,) * 3, max(1, bezel_px // 8))
    return Sheet(pixels, window_px + bezel_px, True)


def _note(pixels: np.ndarray, pad_px: int, size_px: int, rng: np.random.Generator) -> None:
    """Scribble a word into the margin outside the picture, in place: loops, which are part of no scene."""
    side, room = int(rng.integers(4)), 0.36 * pad_px
    letters = float(rng.uniform(3, 9))
    at = pad_px + float(rng.uniform(0.02, 0.6)) * size_px
    t, phase = np.linspace(0, 1, 12 * round(letters)), rng.uniform(0, math.tau, 3)
    turn = math.tau * letters * t
    along = at + 1.1 * room * letters * t + 0.42 * room * np.cos(turn + phase[0])
    height = 0.6 * np.sin(turn + phase[1]) * (0.75 + 0.25 * np.sin(0.9 * turn + phase[2])) + 0.3 * np.sin(0.37 * turn)
    across = (pad_px / 2 if side % 2 == 0 else pad_px * 1.5 + size_px) + room * height
    points = np.stack([along, across] if side < 2 else [across, along], 1)
    colour, width = PENS[int(rng.integers(len(PENS)))], 1 + (size_px > 300)
    cv2.polylines(pixels, [np.rint(points * 16).astype(np.int32)], False, colour, width, cv2.LINE_AA, 4)


@functools.lru_cache(maxsize=8)
def _texture(kind: str, size_px: int) -> np.ndarray:
    """A grey surface around 128, uint8 [side, side]."""
    side, rng = size_px + SPARE_PX, make_rng("texture", kind)
    fine = rng.standard_normal((side, side), dtype=np.float32)

    def smooth(rows: int, columns: int) -> np.ndarray:
        coarse = rng.standard_normal((rows, columns), dtype=np.float32)
        return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)

    if kind == "wood":
        bend = cv2.resize(rng.standard_normal((6, 3), dtype=np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
        rings = np.sin(np.arange(side, dtype=np.float32)[:, None] * (70 / side) + 3.0 * bend)
        relief = 9 * rings + 10 * smooth(side // 2, 12) + 3 * fine
    elif kind == "cloth":
        step = np.arange(side, dtype=np.float32) * (math.tau / 4.7)
        relief = 13 * np.sin(step)[:, None] * np.sin(step)[None, :] + 6 * smooth(30, 30) + 5 * fine
    elif kind == "stone":
        relief = 13 * smooth(side // 5, side // 5) + 8 * smooth(20, 20) + 4 * fine
    else:
        relief = 5 * smooth(6, 6) + 2 * fine
    return np.clip(np.rint(128 + relief), 0, 255).astype(np.uint8)
