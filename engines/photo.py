"""A clean picture made to look photographed: uint8 [size, size, 3] RGB in, the same shape and type out.

In the order in which a camera does it: the sheet lies on a desk and is seen at a slight angle, light falls unevenly
and a shadow crosses it, the white balance is off, the lens blurs, the sensor adds noise, and the file is a JPEG. Every
strength grows with the level. The whole sheet stays in the frame, shrunk by no more than `FRAME_SHARE` on each side,
and strengths are bounded so that marks drawn to be legible at 112 px stay so and named colours keep their names.
"""

import functools

import cv2
import numpy as np

cv2.setNumThreads(1)  # data workers are processes; threads inside each would fight for the same cores

FRAME_SHARE = (0.02, 0.09)  # of the side: how far a corner of the sheet may lie inside the frame, levels 0 and 9
LIGHT_CELLS = 24  # side of the light field before it is enlarged
NOISE_SPARE_PX = 200  # by how much the noise bank is larger than a picture: 40,000 windows
NOISE_DEVIATION = 32.0  # of the bank, in grey levels; scaled down for use


def photograph(image: np.ndarray, rng: np.random.Generator, level: int) -> np.ndarray:
    """Photograph a picture; equal generators give equal bytes. `level` 0..9 sets the strength."""
    strength, size_px = level / 9, image.shape[0]
    photo = _on_desk(image, corners(rng, size_px, level), rng)
    # Bytes all the way: OpenCV rounds and clips each step, four times faster than a float32 picture.
    photo = cv2.multiply(photo, _light(rng, size_px, strength), dtype=cv2.CV_8U)
    sigma_px = (0.35 + 0.45 * strength) * max(1.0, size_px / 224) * rng.uniform(0.7, 1.0)
    photo = cv2.GaussianBlur(photo, (0, 0), sigma_px)
    share = (1.5 + 6.5 * strength) / NOISE_DEVIATION
    photo = cv2.addWeighted(photo, 1.0, _noise(rng, size_px), share, -128 * share)
    return _jpeg(photo, quality=round(94 - 34 * strength * rng.uniform(0.5, 1.0)))


def corners(rng: np.random.Generator, size_px: int, level: int) -> np.ndarray:
    """Where the sheet's corners come to lie in the frame: float32 [4, 2] in pixels, clockwise from the top left."""
    reach = FRAME_SHARE[0] + (FRAME_SHARE[1] - FRAME_SHARE[0]) * level / 9
    inside = rng.uniform(0.25 * reach, reach, size=(4, 2))
    far = 1 - inside
    spots = [inside[0], (far[1, 0], inside[1, 1]), far[2], (inside[3, 0], far[3, 1])]
    return np.array(spots, dtype=np.float32) * (size_px - 1)


def _on_desk(image: np.ndarray, quad: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The sheet seen in perspective on a plain desk with a soft grain."""
    size_px = image.shape[0]
    tone = rng.uniform(70, 190) + rng.uniform(-25, 25, size=3)
    grain = rng.standard_normal((12, 3, 1)).astype(np.float32) * 9
    desk = cv2.resize(grain, (size_px, size_px), interpolation=cv2.INTER_CUBIC)[..., None] + tone
    desk = np.clip(desk, 0, 255).astype(np.uint8)
    last = size_px - 1
    sheet = np.array([(0, 0), (last, 0), (last, last), (0, last)], dtype=np.float32)
    view = cv2.getPerspectiveTransform(sheet, quad)
    return cv2.warpPerspective(
        image, view, (size_px, size_px), dst=desk, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )


def _light(rng: np.random.Generator, size_px: int, strength: float) -> np.ndarray:
    """Factor per pixel and channel, float32 [size, size, 3]: a gradient, one soft shadow, and a colour cast."""
    axis = np.linspace(-1, 1, LIGHT_CELLS, dtype=np.float32)
    angles = rng.uniform(0, 2 * np.pi, size=2)
    slope, across = (np.cos(a) * axis[None, :] + np.sin(a) * axis[:, None] for a in angles)
    slope_share = (0.04 + 0.10 * strength) * rng.uniform(0.5, 1.0)
    shadow_share = (0.06 + 0.24 * strength) * rng.uniform(0.3, 1.0)
    edge = (across - rng.uniform(-0.6, 0.6)) * rng.uniform(2.0, 8.0)
    field = (1 + slope_share * slope) * (1 - shadow_share / (1 + np.exp(-edge)))
    cast = 1 + rng.uniform(-1, 1, size=3) * (0.02 + 0.05 * strength)
    return cv2.resize((field[..., None] * cast).astype(np.float32), (size_px, size_px), interpolation=cv2.INTER_LINEAR)


@functools.lru_cache(maxsize=4)
def _noise_bank(size_px: int) -> np.ndarray:
    """Noise around 128, uint8 [side, side, 3], made once a process: drawing it anew would cost more than all else."""
    rng = np.random.Generator(np.random.Philox(key=0))
    side_px = size_px + NOISE_SPARE_PX
    noise = 128 + NOISE_DEVIATION * rng.standard_normal((side_px, side_px, 3), dtype=np.float32)
    return np.clip(np.rint(noise), 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, size_px: int) -> np.ndarray:
    """Noise of one picture: a window of the bank at a random place."""
    row, column = rng.integers(NOISE_SPARE_PX, size=2)
    return _noise_bank(size_px)[row : row + size_px, column : column + size_px]


def _jpeg(photo: np.ndarray, quality: int) -> np.ndarray:
    """The picture after JPEG with colour at full resolution, as small coloured marks need it."""
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", photo[..., ::-1], options)
    return np.ascontiguousarray(cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
