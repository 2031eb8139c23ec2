"""A clean drawing made to look photographed, with its marks and margins where the photograph puts them.

In the order in which a camera does it: the picture is printed on a sheet or shown on a screen; the sheet curls, is seen
at an angle and through a lens; light falls unevenly, a shadow crosses it, a screen gives moiré; the white balance is
off, the lens blurs or the hand moves, the sensor adds noise, and the file is a JPEG. Strengths grow with the level.

What keeps answers readable: the whole picture stays in the frame; the moved marks and margins must be free of
`marks.faults`, else the camera's pose is taken less far, down to not at all; blur is bounded by the smallest text;
light and white balance are bounded so that named colours keep their names.
"""

import functools

import cv2
import numpy as np
from PIL import Image

from engines.camera import Camera, Pose, camera, pose
from engines.desk import Sheet, ground, sheet
from engines.marks import Drawing, Mark, faults, moved_margins, moved_marks

cv2.setNumThreads(1)  # data workers are processes; threads inside each would fight for the same cores

SHARES = (1.0, 0.75, 0.5, 0.3, 0.15, 0.0)  # of a pose's strength, tried in turn until the marks are free of faults
CELL_PX = 16  # of the net on which the camera's map is computed; between its knots the error is below 0.02 px
LIGHT_CELLS, MOIRE_CELLS = 28, 72  # side of the field of light before it is enlarged
LIGHT_UNIT = 220  # a factor of 1; white balance and moiré reach 1.15
DARKEST = 0.78  # least light, as a share of the brightest: far below, orange would pass for brown
SHADOW, SHADOW_SHIFT = 0.4, 0.02  # of a sheet on what it lies on: depth at its edge; reach, as a share of the side
BLUR_SHARE = 0.12  # of the smallest small letters: largest sigma of the blur
HALF_COLOUR_PX = 400  # side from which JPEG halves the resolution of colour
NOISE_SPARE_PX = 200  # by how much the noise bank is larger than a picture: 40,000 windows
NOISE_DEVIATION = 32.0  # of the bank, in grey levels; scaled down for use


def photograph(drawing: Drawing, rng: np.random.Generator, level: int) -> Drawing:
    """Photograph a drawing; equal generators give equal bytes. `level` 0..9 sets the strength."""
    strength, size_px = level / 9, drawing.image.size[0]
    around, taken = held(drawing, rng, level)
    marks = moved_marks(drawing.marks, taken.view)
    photo = _seen(around, taken, rng)
    # Bytes all the way: OpenCV rounds and clips each step, four times faster than a float32 picture.
    photo = cv2.multiply(photo, _light(rng, taken, strength, around.is_screen), scale=1 / LIGHT_UNIT)
    photo = _blurred(photo, _sharpness_px(marks, size_px), strength, rng)
    share = (1.5 + 6.5 * strength) / NOISE_DEVIATION
    photo = cv2.addWeighted(photo, 1.0, _noise(rng, size_px), share, -128 * share)
    photo = _jpeg(photo, quality=round(94 - 34 * strength * rng.uniform(0.5, 1.0)))
    return Drawing(Image.fromarray(photo), marks, moved_margins(drawing.margins, taken.view))


def held(drawing: Drawing, rng: np.random.Generator, level: int) -> tuple[Sheet, Camera]:
    """What lies before the camera, and the camera: those that `photograph` takes with an equal generator."""
    around = sheet(np.asarray(drawing.image), rng)
    return around, steady_camera(drawing, pose(rng, level, is_flat=around.is_screen))


def steady_camera(drawing: Drawing, drawn: Pose) -> Camera:
    """The camera of a photograph: its pose, taken as far as leaves the drawing free of faults."""
    size_px = drawing.image.size[0]
    cameras = (camera(drawn, size_px, share) for share in SHARES)
    steady = (taken for taken in cameras if next(faults(drawing, taken.view), None) is None)
    return next(steady, camera(drawn, size_px, 0.0))


def _seen(around: Sheet, taken: Camera, rng: np.random.Generator) -> np.ndarray:
    """The sheet through the camera, with its shadow on what it lies on: uint8 [size, size, 3]."""
    size_px, pad_px = taken.size_px, around.pad_px
    cells = -(-size_px // CELL_PX) + 2  # one more around the picture: resizing holds the outermost values
    knots = (np.arange(cells) - 0.5) * CELL_PX
    net = taken.back(np.stack(np.meshgrid(knots, knots), -1))
    # Four channels: OpenCV fetches them more than twice as fast as three.
    pixels, places = cv2.cvtColor(around.pixels, cv2.COLOR_RGB2RGBA), _enlarged(net + (pad_px - 0.5), size_px)
    shadow_px = SHADOW_SHIFT * size_px
    half_px = size_px / 2 + pad_px
    if abs(net - size_px / 2).max() <= half_px:  # the sheet fills the frame
        seen = cv2.remap(pixels, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    else:
        beyond_px = abs(net - size_px / 2 - shadow_px * rng.uniform(-1, 1, 2)).max(-1) - half_px
        shade = 1 - SHADOW * np.exp(-np.maximum(beyond_px, 0) / shadow_px)
        desk = cv2.cvtColor(ground(rng, _enlarged(shade, size_px)), cv2.COLOR_RGB2RGBA)
        seen = cv2.remap(pixels, places, None, cv2.INTER_LINEAR, dst=desk, borderMode=cv2.BORDER_TRANSPARENT)
    return cv2.cvtColor(seen, cv2.COLOR_RGBA2RGB)


def _enlarged(net: np.ndarray, size_px: int) -> np.ndarray:
    """The values of a net at every pixel of the photograph, float32 [size, size, ...]."""
    whole = cv2.resize(net.astype(np.float32), None, fx=CELL_PX, fy=CELL_PX, interpolation=cv2.INTER_LINEAR)
    return whole[CELL_PX : CELL_PX + size_px, CELL_PX : CELL_PX + size_px]


def _light(rng: np.random.Generator, taken: Camera, strength: float, is_screen: bool) -> np.ndarray:
    """Factor per pixel and channel in `LIGHT_UNIT`s, uint8 [size, size, 3]: slope, shadow, curl, cast, moiré."""
    cells = MOIRE_CELLS if is_screen else LIGHT_CELLS
    axis = np.linspace(-1, 1, cells, dtype=np.float32)
    angles = rng.uniform(0, 2 * np.pi, size=2)
    slope, across = (np.cos(a) * axis[None, :] + np.sin(a) * axis[:, None] for a in angles)
    slope_share = (0.04 + 0.10 * strength) * rng.uniform(0.5, 1.0)
    shadow_share = (0.06 + 0.22 * strength) * rng.uniform(0.3, 1.0)
    edge = (across - rng.uniform(-0.6, 0.6)) * rng.uniform(2.0, 12.0)
    distance = axis[None, :] ** 2 + axis[:, None] ** 2
    field = (1 + slope_share * slope) * (1 - shadow_share / (1 + np.exp(-edge)))
    field *= 1 - 0.05 * strength * rng.random() * distance
    if not is_screen:
        spots = (np.stack(np.meshgrid(axis, axis), -1) + 1) * (taken.size_px / 2)
        field *= 1 + 1.6 * taken.curl[0] * taken.slope(taken.back(spots))
    field = np.maximum(field / field.max(), DARKEST) * rng.uniform(0.95, 1.03)
    cast = 1 + rng.uniform(-1, 1, size=3) * (0.02 + 0.03 * strength)
    field = field[..., None] * cast
    if is_screen:
        field = field * _moire(rng, axis, distance, 0.012 + 0.03 * strength)
    light = np.rint(np.minimum(field * LIGHT_UNIT, 255)).astype(np.uint8)
    return cv2.resize(light, (taken.size_px,) * 2, interpolation=cv2.INTER_LINEAR)


def _moire(rng: np.random.Generator, axis: np.ndarray, distance: np.ndarray, share: float) -> np.ndarray:
    """Curved fringes, each channel's a little beside the others': float32 [cells, cells, 3] around 1."""
    turn, waves = rng.uniform(0, np.pi), rng.uniform(14, 40)
    phase = waves * (np.cos(turn) * axis[None, :] + np.sin(turn) * axis[:, None]) + rng.uniform(-8, 8) * distance
    shifts = rng.uniform(0, 2 * np.pi) + np.array([0.0, 0.5, 1.0]) * rng.uniform(0, 2)
    return 1 + share * np.sin(phase[..., None] + shifts.astype(np.float32)).astype(np.float32)


def _sharpness_px(marks: tuple[Mark, ...], size_px: int) -> float:
    """Largest sigma of a blur that leaves the smallest text legible."""
    heights = [mark.x_height_px for mark in marks if mark.kind == "text"]
    return BLUR_SHARE * min(heights, default=12 * max(size_px, 224) / 448)


def _blurred(photo: np.ndarray, most_px: float, strength: float, rng: np.random.Generator) -> np.ndarray:
    """Out of focus, or moved a little while the shutter was open."""
    sigma_px = most_px * (0.45 + 0.55 * strength) * rng.uniform(0.7, 1.0)
    if rng.random() < 0.7:
        return cv2.GaussianBlur(photo, (0, 0), sigma_px)
    # Along the rows or the columns, and half as much across, else thin lines of one direction alone would fade; a
    # stroke of 3.46 sigma spreads as much as a normal blur does.
    along, across = _stroke(0.9 * sigma_px), _stroke(0.45 * sigma_px)
    kernels = (along, across) if rng.random() < 0.5 else (across, along)
    return cv2.sepFilter2D(photo, -1, *kernels)


def _stroke(sigma_px: float) -> np.ndarray:
    """A kernel of equal weights that spreads by so many pixels; float [odd]."""
    reach_px = 1.73 * sigma_px
    half = int(np.ceil(max(reach_px - 0.5, 0)))
    stroke = np.clip(reach_px + 0.5 - abs(np.arange(-half, half + 1)), 0, 1)
    return stroke / stroke.sum()


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
    """The picture after JPEG: colour at half resolution as phones store it, but not where coloured marks are small."""
    is_large = photo.shape[0] >= HALF_COLOUR_PX
    options = [
        cv2.IMWRITE_JPEG_QUALITY,
        quality,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if is_large else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(photo, cv2.COLOR_RGB2BGR), options)
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
