"""Where letters and numbers stand: clear of strokes and of each other, nearer to what they name than to all else.

Each label has a handful of places around what it names, in units that depend on the picture's size, as type shrinks
less than figures do. `arranged` chooses among them once, for the smallest picture in which the scene may be drawn; in
larger ones the same choice keeps every distance in proportion or better.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from engines.geometry.scene import FRAME, Angle, GeometryScene, Note, Shape

TURNS = np.array([(math.cos(k * math.pi / 8), math.sin(k * math.pi / 8)) for k in range(16)])
BEYOND = np.radians([0, 25, -25, 50, -50])  # of a line's end: where its letter may stand
ALONG = ((0.5, 1), (0.5, -1), (0.4, 1), (0.4, -1), (0.6, 1), (0.6, -1))  # of a side: share, and on which hand
OUT = np.array([1.0, 1.15, 1.3, 1.5, 1.75])  # along the bisector of an angle
FACTOR = 1.65  # least ratio of the distance to anything else that a label could name and to its own
ENOUGH = 1.3  # times what is needed: no place is preferred for having more room
HALF = 0.5  # of the height: room that a character needs around its middle
WIDE = 0.34  # of the height: half the width of a character


class Label(NamedTuple):
    """A text, the places where it could stand (float [K, 2], units) and what it must keep away from."""

    text: str
    places: np.ndarray
    own: tuple[int, ...]  # sides that it may be near to, by number
    owner: int  # the dot that it may be near to, by number, or -1
    rivals: tuple[int, ...]  # sides that it could be taken to name, by number
    from_rivals: float
    from_dots: float | np.ndarray  # one for all places, or one for each


def letter_px(size_px: int) -> float:
    """Font height of letters and numbers."""
    return 6.4 + size_px / 27


def dot_px(size_px: int) -> float:
    """Radius of the dots."""
    return 2.2 + size_px / 110


def stroke_px(size_px: int) -> float:
    """Width of the lines before the theme's scale."""
    return 1.5 + size_px / 160


def arc_radius(angle: Angle) -> float:
    """Radius of the arc across an angle, in units."""
    shortest = min(math.dist(angle.vertex, angle.first), math.dist(angle.vertex, angle.second))
    return 0.4 * shortest if angle.has_arms else min(0.3 * shortest, 26.0)


def labels_of(scene: GeometryScene, size_px: int) -> list[Label]:
    """All labels of a scene: letters of dots, letters of lines, numbers at angles, numbers at sides."""
    high, dot = letter_px(size_px) * FRAME / size_px, dot_px(size_px) * FRAME / size_px
    stroke, reach = stroke_px(size_px) * FRAME / size_px, dot + 0.62 * high
    found, clear = [], HALF * high + 0.6 * stroke
    for i, mark in enumerate(scene.marks):
        if mark.letter:
            found.append(Label(mark.letter, np.array(mark.at) + reach * TURNS, (), i, (), 0.0, FACTOR * reach))
    owners = [shape for shape in scene.shapes for _ in shape.sides]
    lettered = tuple(i for i, shape in enumerate(owners) if shape.letter)
    for i in lettered:
        places, away = _beyond(owners[i], 0.78 * high), FACTOR * 0.78 * high
        found.append(Label(owners[i].letter, places, (i,), -1, lettered, away, away))
    for angle in scene.angles:
        if angle.note:
            places = _within(angle, high)
            vertex = next((i for i, mark in enumerate(scene.marks) if mark.at == angle.vertex), -1)
            away = np.hypot(*(places - angle.vertex).T)
            found.append(Label(angle.note, places, (), vertex, (), 0.0, FACTOR * away))
    sides = [side for shape in scene.shapes for side in shape.sides]
    for note in scene.notes:
        if note.text:
            places, away = _beside(note, high)
            own = tuple(i for i, side in enumerate(sides) if side in ((note.start, note.end), (note.end, note.start)))
            found.append(Label(note.text, places, own, -1, tuple(range(len(sides))), 1.5 * away, clear + dot))
    return found


def arranged(scene: GeometryScene, size_px: int) -> GeometryScene | None:
    """The scene with a place chosen for every label, or None if there is no room for one of them."""
    labels = labels_of(scene, size_px)
    if not labels:
        return scene
    high = letter_px(size_px) * FRAME / size_px
    counts = [len(label.places) for label in labels]
    rooms = np.split(_room(scene, labels, counts, high, size_px), np.cumsum(counts)[:-1])
    leans, taken = [], np.empty((0, 3))
    for label, room in zip(labels, rooms, strict=True):
        half = WIDE * high * len(label.text)
        if len(taken):
            apart = abs(label.places[:, None] - taken[:, :2])
            beside = apart[..., 0] / (half + taken[:, 2] + 0.12 * high)
            room = np.minimum(room, np.maximum(beside, apart[..., 1] / (0.95 * high)).min(1))
        best = int(np.minimum(room, ENOUGH).argmax())
        if room[best] < 1:
            return None
        leans.append(best)
        taken = np.vstack([taken, (*label.places[best], half)])
    return dataclasses.replace(scene, leans=tuple(leans))


def stands(scene: GeometryScene, size_px: int) -> list[tuple[Label, tuple[float, float]]]:
    """Every label and the middle of its text, in units."""
    labels = labels_of(scene, size_px)
    return [(label, tuple(label.places[lean].tolist())) for label, lean in zip(labels, scene.leans, strict=True)]


def _beyond(shape: Shape, away: float) -> np.ndarray:
    """Places beyond the two ends of a segment, then beside it near its ends."""
    start, end = np.array(shape.points, float)
    turn = math.atan2(*(end - start)[::-1])
    turns = np.concatenate([turn + BEYOND, turn + math.pi + BEYOND])
    ends = np.repeat([end, start], len(BEYOND), axis=0)
    beyond = ends + away * np.stack([np.cos(turns), np.sin(turns)], 1)
    normal = away * np.array([-math.sin(turn), math.cos(turn)])
    stops = [start + share * (end - start) for share in (0.9, 0.1)]
    return np.concatenate([beyond, [stop + hand * normal for stop in stops for hand in (1, -1)]])


def _within(angle: Angle, high: float) -> np.ndarray:
    """Places along the bisector of an angle, beyond its arc."""
    one, two = (np.array(end, float) - angle.vertex for end in (angle.first, angle.second))
    middle = one / np.linalg.norm(one) + two / np.linalg.norm(two)
    ux, uy = abs(middle / np.linalg.norm(middle)).tolist()
    wide, narrow = WIDE * len(angle.note) * high, math.sin(math.radians(angle.degrees / 2))
    past = arc_radius(angle) + wide * ux + 0.38 * high * uy + 0.16 * high  # the box is beyond the arc
    nearest = max(past, (0.5 * high + wide * uy) / max(narrow, 0.3))
    return angle.vertex + nearest * OUT[:, None] * (middle / np.linalg.norm(middle))


def _beside(note: Note, high: float) -> tuple[np.ndarray, float]:
    """Places beside the middle of a side, and their distance from it."""
    start, end = np.array(note.start, float), np.array(note.end, float)
    along = (end - start) / np.linalg.norm(end - start)
    normal = np.array([-along[1], along[0]])
    away = high * (WIDE * len(note.text) * abs(normal[0]) + 0.38 * abs(normal[1]) + 0.24)
    return np.array([start + share * (end - start) + hand * away * normal for share, hand in ALONG]), away


def _room(scene: GeometryScene, labels: list[Label], counts: list[int], high: float, size_px: int) -> np.ndarray:
    """How much room each place of each label has, float [places]: 1 is just enough."""
    places = np.concatenate([label.places for label in labels])
    which = np.repeat(np.arange(len(labels)), counts)
    half = np.array([WIDE * high * len(label.text) for label in labels])[which]
    spread = np.maximum(half - HALF * high, 0)[:, None] * np.array([-1.0, 0.0, 1.0])
    texts = np.stack([places[:, :1] + spread, places[:, 1:] + 0 * spread], -1)  # [places, 3, 2]: along each text
    room = np.minimum(places.min(1), (FRAME - places).min(1)) / (0.56 * high)
    room = np.minimum(room, np.minimum(places[:, 0], FRAME - places[:, 0]) / (half + 0.12 * high))
    clear = HALF * high + 0.6 * stroke_px(size_px) * FRAME / size_px
    room = np.minimum(room, _from_sides(scene, labels, texts, which, clear))
    for shape in scene.shapes:
        if shape.kind == "circle":
            away = abs(np.hypot(texts[..., 0] - shape.points[0][0], texts[..., 1] - shape.points[0][1]) - shape.radius)
            room = np.minimum(room, away.min(1) / clear)
    if scene.marks:
        dots = np.array([mark.at for mark in scene.marks], float)
        away = np.hypot(*(places[:, None] - dots).transpose(2, 0, 1))
        for i, label in enumerate(labels):
            if label.owner >= 0:
                away[which == i, label.owner] = np.inf
        need = np.concatenate([np.broadcast_to(label.from_dots, len(label.places)) for label in labels])
        room = np.minimum(room, away.min(1) / need)
    return room


def _from_sides(
    scene: GeometryScene, labels: list[Label], texts: np.ndarray, which: np.ndarray, clear: float
) -> np.ndarray:
    """How much room each text has among the straight strokes that it does not name, float [places]."""
    sides = [side for shape in scene.shapes for side in shape.sides]
    sides += [(angle.vertex, end) for angle in scene.angles if angle.has_arms for end in (angle.first, angle.second)]
    if not sides:
        return np.full(len(texts), np.inf)
    ends = np.array(sides, float)
    start, step = ends[:, 0], ends[:, 1] - ends[:, 0]
    offset = texts[:, :, None] - start
    share = np.clip((offset * step).sum(-1) / (step * step).sum(-1), 0, 1)
    off = offset - share[..., None] * step
    need = np.full((len(labels), len(sides)), clear)
    for i, label in enumerate(labels):
        need[i, list(label.rivals)] = label.from_rivals
        need[i, list(label.own)] = 1e-9
    return (np.sqrt((off * off).sum(-1)).min(1) / need[which]).min(1)
