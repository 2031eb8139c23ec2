"""Boxes and points as models write them, and how well they are those that were asked for.

JSON as Qwen2.5-VL and VisionReasoner (arXiv 2505.12081) write it: a list of objects, each with `bbox_2d` [x1, y1, x2,
y2], `point_2d` [x, y], or both, in pixels of the picture as the model sees it. Broken JSON is no object at all; nothing
raises on a text.
"""

import json
import math
import re
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

MOST = 120  # objects of a right answer, and that a reward reads where it names no other number
MAX_CHARS = 2**14
MAX_PX = 10**6  # of a coordinate
MAX_DEPTH = 8  # of brackets in JSON: a list of objects of lists needs three
_FENCE = "```"
_SIZES = {"bbox_2d": 4, "point_2d": 2}
NAMES = tuple(_SIZES)
_COORDINATES = re.compile(r'("(?:bbox_2d|point_2d)"\s*:\s*)(\[[^\[\]{}"]*\])')


class Object(NamedTuple):
    """One object: a box, a point, or both."""

    box: tuple[float, ...] | None  # x1, y1, x2, y2
    point: tuple[float, ...] | None  # x, y


class Rules(NamedTuple):
    """What counts as found."""

    iou: float = 0.5
    l1_px: float = 10.0
    point_px: float = 30.0
    most: int = MOST


RULES = Rules()


def parse(text: str, most: int | None = None) -> list[Object] | None:
    """Read a list of objects, all or the first `most`; None for what is no such list, or has an entry that is neither
    box nor point."""
    items = _items(text)
    if items is None:
        return None
    found = [_object(item) for item in items[:most]]
    return None if None in found else found


def _items(text: str) -> list[Any] | None:
    """The entries of a JSON list, perhaps in a fence of Markdown; an object alone is a list of one."""
    text = text.strip()
    if text.startswith(_FENCE) and text.endswith(_FENCE):
        text = text.strip("`").removeprefix("json")
    if len(text) > MAX_CHARS or _depth(text) > MAX_DEPTH:
        return None
    try:
        data = json.loads(text, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None
    data = [data] if isinstance(data, dict) else data
    return data if isinstance(data, list) else None


def _depth(text: str) -> int:
    """The most brackets that are open at once, those in texts counted too: it spares parsing what is too deep, but for
    lists that texts between them seem to close."""
    depth = deepest = 0
    for char in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if char in "[{" else max(0, depth - 1)
        deepest = max(deepest, depth)
    return deepest


def _object(item: Any) -> Object | None:
    """A box whose corners are in order, a point, or both; None for anything else."""
    if not isinstance(item, dict):
        return None
    box, point = (_numbers(item.get(name), size) for name, size in _SIZES.items())
    broken = any(name in item and found is None for name, found in zip(_SIZES, (box, point), strict=True))
    if broken or (box is None and point is None):
        return None
    if box is not None and not (box[0] <= box[2] and box[1] <= box[3]):
        return None
    return Object(box, point)


def _numbers(value: Any, size: int) -> tuple[float, ...] | None:
    """So many finite coordinates."""
    if not isinstance(value, list) or len(value) != size:
        return None
    if not all(isinstance(one, int | float) and not isinstance(one, bool) and abs(one) <= MAX_PX for one in value):
        return None
    return tuple(map(float, value)) if all(map(math.isfinite, value)) else None


def placed(text: str, scale: tuple[float, float], corner: tuple[float, float] = (0.0, 0.0)) -> str:
    """A text with its boxes and points in px of another picture; the rest of it stays as it is.

    `scale` is px of the other picture, across and down, for one of theirs, and `corner` (x, y) where their picture
    begins in it. Whole numbers become the nearest whole ones, others are rounded to hundredths.
    """

    def moved(found: re.Match[str]) -> str:
        try:
            given = json.loads(found[2])
        except ValueError:
            return found[0]
        values = _numbers(given, len(given))
        if values is None:
            return found[0]
        there = [value * scale[axis % 2] + corner[axis % 2] for axis, value in enumerate(values)]
        pairs = zip(given, there, strict=True)
        return found[1] + json.dumps([round(new, None if isinstance(old, int) else 2) for old, new in pairs])

    return _COORDINATES.sub(moved, text)


def form(text: str, most: int = MOST) -> float:
    """How well a list is formed, 0 to 2: the mean over its entries of one for a box and one for a point."""
    items = _items(text)
    if not items:
        return 0.0
    found = [_object(item) for item in items[:most]]
    return sum((one.box is not None) + (one.point is not None) for one in found if one) / len(found)


class Match(NamedTuple):
    """How well objects are those that were asked for: means over the larger of both counts, each 0 to 1."""

    iou: float
    l1: float
    point: float

    @property
    def total(self) -> float:
        """The sum, 0 to 3."""
        return self.iou + self.l1 + self.point


def match(found: list[Object], gold: list[Object], rules: Rules = RULES) -> Match:
    """Compare objects: the pairing with the largest sum of what each pair has right, over max(K, N).

    A pair has three things to get right: boxes that overlap by more than `iou`, boxes whose sides lie closer than
    `l1_px` on average, and points closer than `point_px`, of which the found one lies in its own box. Where nothing was
    asked for, nothing is right; an object without a box or a point that all gold ones have makes all of it wrong.
    """
    found, gold = found[: rules.most], gold[: rules.most]
    if not found and not gold:
        return Match(1.0, 1.0, 1.0)
    if not found or not gold or any(_lacks(one, gold) for one in found):
        return Match(0.0, 0.0, 0.0)
    rights = _rights(found, gold, rules)
    rows, columns = _paired(rights.sum(axis=0))
    return Match(*(float(part[rows, columns].sum()) / max(len(found), len(gold)) for part in rights))


def prepare() -> None:
    """Import what pairs objects, so that no deadline pays for it."""
    _paired(np.eye(2))


def _paired(gains: Float[np.ndarray, "K N"]) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns of the pairs with the largest sum (Hungarian method)."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(gains, maximize=True)


def _lacks(one: Object, gold: list[Object]) -> bool:
    """Whether an object is without something that every gold object has."""
    return any(getattr(one, name) is None and all(getattr(gold_one, name) for gold_one in gold) for name in one._fields)


def is_same(found: list[Object], gold: list[Object], rules: Rules = RULES) -> bool:
    """Whether objects can be paired so that all of both are the same: boxes by their overlap, else points."""
    if len(found) != len(gold):
        return False
    if not gold:
        return True
    rights = _rights(found, gold, rules)
    has_box = np.array([one.box is not None for one in gold])
    same = np.where(has_box[None], rights[0], rights[2])
    rows, columns = _paired(same)
    return bool(same[rows, columns].all())


def _rights(found: list[Object], gold: list[Object], rules: Rules) -> Float[np.ndarray, "3 K N"]:
    """What each pair has right, 0 or 1: overlap, sides, point."""
    boxes, golds = (_stacked([one.box for one in many], 4) for many in (found, gold))
    points, targets = (_stacked([one.point for one in many], 2) for many in (found, gold))
    inside = ((points >= boxes[:, :2]) & (points <= boxes[:, 2:])).all(axis=1) | np.isnan(boxes[:, 0])
    distances = np.linalg.norm(points[:, None] - targets[None], axis=-1)
    sides = np.abs(boxes[:, None] - golds[None]).mean(axis=-1)
    near = (distances < rules.point_px) & inside[:, None]
    return np.stack([overlaps(boxes, golds) > rules.iou, sides < rules.l1_px, near]).astype(np.float64)


def _stacked(rows: list[tuple[float, ...] | None], size: int) -> Float[np.ndarray, "K D"]:
    """Rows of numbers, NaN where there are none: NaN compares as false."""
    return np.array([row or (math.nan,) * size for row in rows], np.float64).reshape(-1, size)


def overlaps(one: Float[np.ndarray, "K 4"], other: Float[np.ndarray, "N 4"]) -> Float[np.ndarray, "K N"]:
    """Intersection over union of every pair, both ends of a side counted, as pixels are; NaN where a box is."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared = np.clip(high - low + 1, 0, None).prod(axis=-1)
    areas = [(boxes[:, 2:] - boxes[:, :2] + 1).prod(axis=-1) for boxes in (one, other)]
    return shared / (areas[0][:, None] + areas[1][None] - shared)
