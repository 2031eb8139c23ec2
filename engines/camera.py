"""Where a photograph puts the points of a picture: the sheet's curl, the camera's angle, the lens, and the framing.

Points are final pixels of a square picture, y downwards, (0, 0) its top-left corner; a photograph has the same size.
Inside, the square is [-1, 1] x [-1, 1]. Every step has a closed inverse, so that marks move forwards and pixels are
fetched backwards through the same formulas:

    curl    p + a n sin(w d.p + f), with d the direction across the fold and n at right angles to it
    angle   rotation in space, then perspective from `DISTANCE` half sides away
    lens    r / (1 + k r^2), the division model (Fitzgibbon 2001)
    framing scale and shift: the whole picture lies in the frame
"""

import math
from typing import NamedTuple

import numpy as np

DISTANCE = 3.2  # of the camera from the sheet, in half sides
RIM = 9  # points along each side by which the picture is framed


class Strengths(NamedTuple):
    """Largest values of one level, from level 0 to 9 in equal steps."""

    tilt_deg: float
    roll_deg: float
    curl: float  # in half sides
    lens: float
    inset: float  # of the frame on each side, in half sides


WEAKEST = Strengths(tilt_deg=5.0, roll_deg=1.0, curl=0.004, lens=0.01, inset=0.03)
STRONGEST = Strengths(tilt_deg=24.0, roll_deg=6.0, curl=0.022, lens=0.03, inset=0.12)


class Pose(NamedTuple):
    """How a sheet was held and a camera pointed, drawn once per photograph; `camera` may take it less far."""

    tilt: tuple[float, float]  # radians around the horizontal and the vertical axis
    roll: float
    curl: float
    curl_turn: float  # direction across the fold
    curl_wave: float  # radians per half side
    curl_phase: float
    lens: float  # negative: pincushion
    inset: float
    shift: tuple[float, float]  # 0..1: where in the room that is left


class Camera(NamedTuple):
    """A photograph's map. `view` and `back` take and give float [..., 2] pixels."""

    size_px: int
    curl: tuple[float, float, float, float]  # amplitude, direction, wave, phase
    angle: np.ndarray  # [3, 3] homography
    lens: float
    scale: float
    shift: np.ndarray  # [2]

    def view(self, points: np.ndarray) -> np.ndarray:
        """Where positions of the picture come to lie in the photograph."""
        seen = _through(self.curl, self.angle, self.lens, points * (2 / self.size_px) - 1)
        return (seen * self.scale + self.shift + 1) * (self.size_px / 2)

    def back(self, points: np.ndarray) -> np.ndarray:
        """Which positions of the picture are seen at positions of the photograph."""
        seen = (points * (2 / self.size_px) - 1 - self.shift) / self.scale
        straight = seen / (1 + self.lens * (seen**2).sum(-1, keepdims=True))
        bent = _projected(np.linalg.inv(self.angle), straight)
        return (_curled(self.curl, bent, -1.0) + 1) * (self.size_px / 2)

    def slope(self, points: np.ndarray) -> np.ndarray:
        """How steep the curled sheet is at positions of the picture, -1..1 of its steepest; float [...]."""
        _, turn, wave, phase = self.curl
        along = (points * (2 / self.size_px) - 1) @ np.array([math.cos(turn), math.sin(turn)])
        return np.cos(wave * along + phase)


def pose(rng: np.random.Generator, level: int, *, is_flat: bool = False) -> Pose:
    """Draw how a photograph of this level is taken; what is flat, as screens are, does not curl."""
    most = Strengths(*(low + (high - low) * level / 9 for low, high in zip(WEAKEST, STRONGEST, strict=True)))
    swing = rng.uniform(-1, 1, size=5)
    return Pose(
        tilt=(math.radians(most.tilt_deg * swing[0]), math.radians(most.tilt_deg * swing[1])),
        roll=math.radians(most.roll_deg * swing[2]),
        curl=0.0 if is_flat else most.curl * swing[3],
        curl_turn=float(rng.uniform(0, math.tau)),
        curl_wave=float(rng.uniform(1.2, 2.8)),
        curl_phase=float(rng.uniform(0, math.tau)),
        lens=most.lens * swing[4],
        inset=most.inset * float(rng.uniform(0.2, 1.0)),
        shift=(float(rng.random()), float(rng.random())),
    )


def camera(held: Pose, size_px: int, share: float) -> Camera:
    """The map of a pose taken to `share` of its strength: 1 as drawn, 0 leaves every point where it is."""
    curl = (held.curl * share, held.curl_turn, held.curl_wave, held.curl_phase)
    angle, lens = _homography(held.tilt[0] * share, held.tilt[1] * share, held.roll * share), held.lens * share
    side = np.linspace(-1, 1, RIM)
    rim = np.concatenate(
        [np.stack([a, b], 1) for c in (-1, 1) for a, b in ((side, side * 0 + c), (side * 0 + c, side))]
    )
    seen = _through(curl, angle, lens, rim)
    low, high = seen.min(0), seen.max(0)
    room = 2 * (1 - held.inset * share)
    scale = float(room / (high - low).max())
    spare = np.maximum(2 - (high - low) * scale, 0)
    return Camera(size_px, curl, angle, lens, scale, spare * held.shift - 1 - low * scale)


def _homography(around_x: float, around_y: float, roll: float) -> np.ndarray:
    """Rotation of the sheet in space, seen in perspective from straight above its middle."""
    (cx, sx), (cy, sy), (cz, sz) = ((math.cos(a), math.sin(a)) for a in (around_x, around_y, roll))
    tilt = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]]) @ np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    space = tilt @ np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1.0]])
    # The sheet's own z is 0: its two columns of the rotation, and the distance that they add.
    return np.array([[*space[0, :2], 0.0], [*space[1, :2], 0.0], [*space[2, :2] / DISTANCE, 1.0]])


def _through(curl: tuple, angle: np.ndarray, lens: float, points: np.ndarray) -> np.ndarray:
    """The forward map before framing, in half sides."""
    straight = _projected(angle, _curled(curl, points, 1.0))
    if abs(lens) < 1e-9:
        return straight
    # The distorted radius r solves s = r / (1 + k r^2).
    radius = np.maximum(np.sqrt((straight**2).sum(-1, keepdims=True)), 1e-9)
    root = np.sqrt(np.maximum(1 - 4 * lens * radius**2, 0))
    return straight * (2 / (1 + root))


def _projected(homography: np.ndarray, points: np.ndarray) -> np.ndarray:
    flat = points @ homography[:2, :2].T + homography[:2, 2]
    return flat / (points @ homography[2, :2] + homography[2, 2])[..., None]


def _curled(curl: tuple, points: np.ndarray, sign: float) -> np.ndarray:
    """Points moved along the fold by a wave across it; the wave does not change, so -1 undoes 1."""
    amplitude, turn, wave, phase = curl
    across, along = np.array([math.cos(turn), math.sin(turn)]), np.array([-math.sin(turn), math.cos(turn)])
    return points + (sign * amplitude) * np.sin(wave * (points @ across) + phase)[..., None] * along
