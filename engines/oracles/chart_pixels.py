"""Charts read from their pictures: areas and ends of patches of one colour, with the written texts as the only scale.

Pixels are named by the nearest colour of the palette. Positions of texts come with a sample; what a text says and where
it stands is all that is used of them, so numbers calibrate an axis and names find rows and columns. A function gives
`None` where a picture does not show the answer with enough pixels to be sure.
"""

import functools
from collections.abc import Sequence
from fractions import Fraction

import cv2
import numpy as np

from engines.base import Sample
from engines.style import PALETTE

LEAST_UNIT_PX = 9.0  # a tick must be this long for a bar to be measured to the tick
LEAST_PATCH_PX = 12  # pixels of a patch that is measured
NEAR = 48  # sum of the differences of three channels within which a pixel has a palette colour
CELLS = 64  # of the colour cube, along each channel
NAMES = tuple(PALETTE)


@functools.cache
def _table() -> np.ndarray:
    """Index into NAMES of the palette colour of every cell of the colour cube, or -1; int8 [CELLS] * 3."""
    middles = (np.arange(CELLS) + 0.5) * 256 / CELLS
    cube = np.stack(np.meshgrid(middles, middles, middles, indexing="ij"), axis=-1)
    far = np.stack([np.abs(cube - np.array(PALETTE[name])).sum(axis=3) for name in NAMES])
    return np.where(far.min(axis=0) < NEAR, far.argmin(axis=0), -1).astype(np.int8)


def _named(image: np.ndarray) -> np.ndarray:
    """Index into NAMES of the palette colour of every pixel, or -1; int8 [H, W]."""
    red, green, blue = (image[..., channel] // (256 // CELLS) for channel in range(3))
    return _table()[red, green, blue]


def _patch(named: np.ndarray, colour: str) -> tuple[int, int, int, int, int] | None:
    """Left, top, width, height and area of the largest connected patch of a colour."""
    mask = (named == NAMES.index(colour)).astype(np.uint8)
    stats = cv2.connectedComponentsWithStats(mask, connectivity=4)[2][1:]
    best = max(stats.tolist(), key=lambda one: one[cv2.CC_STAT_AREA], default=None)
    return None if best is None or best[cv2.CC_STAT_AREA] < LEAST_PATCH_PX else tuple(best)


def _areas(sample: Sample) -> dict[str, int]:
    named = _named(sample.image)
    return {colour: int((named == NAMES.index(colour)).sum()) for colour in sample.scene["colours"][0]}


def _asked_name(sample: Sample, colour: str) -> str:
    """A sector as the query wants it named."""
    if sample.query["by"] == "colour":
        return colour
    return sample.scene["categories"][sample.scene["colours"][0].index(colour)]


def extreme_sector(sample: Sample) -> str:
    """The colour with the most or fewest pixels."""
    areas = _areas(sample)
    return _asked_name(sample, (max if sample.query["end"] == "high" else min)(areas, key=areas.get))


def pie_share(sample: Sample) -> str:
    """The share of the pixels of a sector, to the nearest part of the rim."""
    areas, parts = _areas(sample), sample.scene["axis"]["high"]
    asked = next(colour for colour in areas if _asked_name(sample, colour) == sample.query["sector"])
    return str(Fraction(round(parts * areas[asked] / sum(areas.values())), parts))


def _numbers(sample: Sample, axis: dict, is_across: bool) -> list[tuple[float, float]]:
    """(value, position in px) of the numbers of an axis: texts in one row (or column) that say what it should."""
    step = axis["step"]
    wanted = {str(value): value for value in range(axis["low"], axis["high"] + 1, step)}
    texts = [mark for mark in sample.marks if mark.kind == "text" and mark.name in wanted]
    lines: dict[int, list] = {}
    for mark in texts:
        left, top, right, bottom = mark.box
        line = bottom if is_across else right
        lines.setdefault(round(line / 3), []).append(
            (wanted[mark.name], (left + right if is_across else top + bottom) / 2)
        )
    return max(lines.values(), key=len, default=[])


def _scale(sample: Sample, axis: dict, is_across: bool) -> tuple[float, float] | None:
    """Pixels per value and the position of value 0, by a straight line through the numbers."""
    if axis["is_log"] or axis["decimals"]:
        return None
    found = _numbers(sample, axis, is_across)
    if len(found) < 2:
        return None
    slope, origin = np.polyfit(*np.array(found, float).T, 1)
    return float(slope), float(origin)


def _measured(sample: Sample, colours: Sequence[str]) -> dict[str, float] | None:
    """Length of the bar of each colour in values, if every colour has one bar and ticks are long enough."""
    scene = sample.scene
    is_across, axis = scene["kind"] == "hbar", scene["axis"]
    scale = _scale(sample, axis, is_across)
    if scale is None or len(set(colours)) < len(colours) or abs(scale[0]) * axis["unit"] < LEAST_UNIT_PX:
        return None
    named, found = _named(sample.image), {}
    for colour in colours:
        patch = _patch(named, colour)
        if patch is None or scene["threshold"] is not None or scene["furniture"]["has_numbers"]:
            return None
        found[colour] = axis["low"] + patch[2 if is_across else 3] / abs(scale[0])
    return found


def bar_value(sample: Sample) -> str | None:
    """The length of a bar, to the nearest tick."""
    scene, query = sample.scene, sample.query
    colours = scene["colours"][0]
    found = _measured(sample, colours)
    if found is None:
        return None
    asked = query["bar"] if query["by"] == "colour" else colours[scene["categories"].index(query["bar"])]
    unit, low = scene["axis"]["unit"], scene["axis"]["low"]
    return str(low + round((found[asked] - low) / unit) * unit)


def extreme_bar(sample: Sample) -> str | None:
    """The colour or name of the bar with the longest or shortest patch."""
    colours = sample.scene["colours"][0]
    found = _measured(sample, colours)
    if found is None:
        return None
    best = (max if sample.query["end"] == "high" else min)(found, key=found.get)
    return best if sample.query["by"] == "colour" else sample.scene["categories"][colours.index(best)]


def point_position(sample: Sample) -> str | None:
    """The middle of the only patch of a colour, on both axes."""
    scene = sample.scene
    if "colour" not in sample.query:  # a legend shows every colour once more
        return None
    across, up = _scale(sample, scene["x_axis"], True), _scale(sample, scene["axis"], False)
    patch = _patch(_named(sample.image), sample.query["colour"])
    if across is None or up is None or patch is None:
        return None
    left, top, width, height, _ = patch
    x, y = (left + width / 2 - across[1]) / across[0], (top + height / 2 - up[1]) / up[0]
    return f"({round(x)}, {round(y)})"


def heat_value(sample: Sample) -> str | None:
    """The number beside the patch of the scale whose colour a cell has."""
    texts = [mark for mark in sample.marks if mark.kind == "text"]
    row = [mark for mark in texts if mark.name == sample.query["series"]]
    column = [mark for mark in texts if mark.name == sample.query["category"]]
    axis = sample.scene["axis"]
    numbers = {str(value) for value in range(axis["low"], axis["high"] + 1, axis["step"])}
    scale = [mark for mark in texts if mark.name in numbers]
    if len(row) != 1 or len(column) != 1 or len(scale) != len(numbers):
        return None
    x, y = (column[0].box[0] + column[0].box[2]) / 2, (row[0].box[1] + row[0].box[3]) / 2
    colour = _around(sample.image, x, y)

    def differs(mark) -> float:
        height = mark.box[3] - mark.box[1]
        return float(
            np.abs(_around(sample.image, mark.box[0] - 1.5 * height, (mark.box[1] + mark.box[3]) / 2) - colour).sum()
        )

    return min(scale, key=differs).name


def _around(image: np.ndarray, x: float, y: float) -> np.ndarray:
    """The median colour of three by three pixels; float [3]."""
    row, column = round(y), round(x)
    return np.median(image[row - 1 : row + 2, column - 1 : column + 2].reshape(-1, 3).astype(float), axis=0)
