"""Questions that are answered with a point in the picture: what `engines.pointing` makes of a sample.

The same scene, drawn the same, is asked where a thing is instead of what it is called. Right is any point on it: of a
shape, a bar, a sector or a thing on a floor the pixels that show it by the picture's maps (`engines.maps`), of a bar in
a picture without maps the box of its mark. A dot is met within its box or within a square around it that ends half-way
to its neighbours, a tile within its cell. In a photograph all of these have moved with the picture. What is too small,
or cannot be told from another, is not asked for.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from engines.answer import Answer
from engines.base import Sample, make_rng
from engines.marks import Box, Mark

LEAST_RADIUS = 0.015  # of what is asked for, in the picture's longer side
# Of the picture: the best point that is given without looking hits as often as if things lay evenly over so much of it.
FIELD = 0.2
FORM = "Answer (x, y) in pixels of the picture, from its top left corner."
FRAMES = ("Point at {it}.", "Where in the picture is {it}?", "Find {it} in the picture.", "Give a point on {it}.")

Query = Mapping[str, Any]
Json = Mapping[str, Any]


class Asked(NamedTuple):
    """What of a question type is pointed at."""

    words: Callable[[Query], str]  # what it is called, from the query
    name: Callable[[Query, Answer], str]  # what its mark's name is, or how that begins, ends or goes on
    part: slice = slice(None)  # words of a mark's name that must be that one
    among: str = ""  # how the names of all marks begin that may be meant
    radius: float = 0.05  # of the square around a place without a box, in the picture's longer side
    number: Callable[[Json, str], int] | None = None  # of the thing in the maps, from the scene and its mark's name


def _answer(query: Query, answer: Answer) -> str:
    return answer.text()


def _cell(query: Query, answer: Answer) -> str:
    return "{},{}".format(*answer.value)


def _place(query: Query, answer: Answer) -> str:
    return "{}, {}".format(*answer.value)


def _extreme(words: str) -> Callable[[Query], str]:
    return lambda query: words.format({"high": "largest", "low": "smallest"}[query["end"]])


def _said(text: str) -> Callable[[Query], str]:
    return lambda query: text.format(**query)


def _shape(query: Query) -> str:
    return " ".join(word for word in ("the", query["colour"], query["shape"] or "shape") if word)


def _scattered(query: Query) -> str:
    return f"the point of {query['series']}" if "series" in query else f"the {query['colour']} point"


def _cell_number(scene: Json, name: str) -> int:
    row, column = map(int, name.split(","))
    place = (row - 1) * scene["columns"] + column - 1
    return 1 + sum(cell is not None for cell in scene["cells"][:place])


def _value_number(scene: Json, name: str) -> int:
    return 1 + (scene["categories"] or scene["colours"][0]).index(name)


def _thing_number(scene: Json, name: str) -> int:
    return 1 + next(k for k, thing in enumerate(scene["things"]) if thing["colour"] in name.split(" "))


ASKED: dict[tuple[str, str], Asked] = {
    ("grid", "locate"): Asked(_shape, _cell, number=_cell_number),
    ("grid", "read_colour"): Asked(
        _said("the shape in row {row}, column {column}"),
        lambda query, _: f"{query['row']},{query['column']}",
        number=_cell_number,
    ),
    ("grid", "read_shape"): Asked(
        _said("the shape in row {row}, column {column}"),
        lambda query, _: f"{query['row']},{query['column']}",
        number=_cell_number,
    ),
    ("sudoku", "pattern"): Asked(_said("the tile that does not belong to the repeating pattern"), _cell, radius=0.5),
    ("chart", "extreme_bar"): Asked(_extreme("the bar with the {} value"), _answer, number=_value_number),
    ("chart", "extreme_sector"): Asked(_extreme("the {} sector"), _answer, number=_value_number),
    ("chart", "scatter_point"): Asked(_scattered, _place),
    ("chart", "scatter_outlier"): Asked(_said("the point that does not fit the line of all others"), _place),
    ("function", "steepest"): Asked(_said("the labelled point where the graph is steepest, up or down"), _answer),
    ("depth", "nearest_point"): Asked(_said("the marked point that is closest to you"), _answer, slice(1, 2), "point "),
    ("depth", "farthest_point"): Asked(
        _said("the marked point that is farthest from you"), _answer, slice(1, 2), "point "
    ),
    ("depth", "nearest_thing"): Asked(
        _said("the thing that is closest to you"), _answer, slice(0, 1), number=_thing_number
    ),
    ("depth", "farthest_thing"): Asked(
        _said("the thing that is farthest from you"), _answer, slice(0, 1), number=_thing_number
    ),
    ("scene", "nearest"): Asked(
        _said("the thing that is nearest to the {colour} one"), _answer, slice(1, 2), number=_thing_number
    ),
    ("scene", "hider"): Asked(
        _said("the thing that hides a part of the {colour} one"), _answer, slice(1, 2), number=_thing_number
    ),
}


def pointing(of: Sample) -> Sample | None:
    r"""The sample's scene with a question that is answered with a point, `\boxed{(x, y)}` in pixels of its picture.

    None where the type has no such question (`ASKED` lists those that have), or where what it is about cannot be told
    from its neighbours by a point. Equal samples give equal ones; name and picture stay.

    Raises:
        ValueError: the sample is of another version than its engine.
    """
    asked = ASKED.get((of.engine, of.question_type))
    if asked is None:
        return None
    parts = [mark for mark in of.marks if mark.kind == "part" and mark.name.startswith(asked.among)]
    wanted = asked.name(of.query, of.answer)
    found = [mark for mark in parts if " ".join(_words(mark)[asked.part]) == wanted]
    answer = _answer_of(of, asked, found[0], parts) if len(found) == 1 else None
    if answer is None:
        return None
    rng = make_rng("pointing", of.engine, of.question_type, of.split, of.index, of.level, of.variant)
    frame = FRAMES[int(rng.integers(len(FRAMES)))]
    return dataclasses.replace(
        of,
        question=f"{frame.format(it=asked.words(of.query))} {FORM}",
        answer=answer,
        query=of.query | {"points_at": found[0].name},
        guess_rate=min(0.5, _size_px(answer) / (of.image.shape[0] * of.image.shape[1] * FIELD)),
    )


def _size_px(answer: Answer) -> int:
    """How many pixels are right."""
    left, top, right, bottom = answer.value
    return sum(last - first + 1 for _, first, last in answer.spans) or (right - left + 1) * (bottom - top + 1)


def _answer_of(of: Sample, asked: Asked, mark: Mark, parts: Sequence[Mark]) -> Answer | None:
    """Where the marked thing is, by the picture's map of things if it has one; None where it cannot be pointed at."""
    if asked.number:
        from engines.maps import maps  # which needs all engines, and `engines` this module

        segments = maps(of).get("segments")
        if segments is not None:
            return _shown(segments == asked.number(of.scene, mark.name))
    box = _region(mark, parts, max(of.image.shape), asked.radius)
    return None if box is None else Answer.point(box)


def _shown(is_it: np.ndarray) -> Answer | None:
    """Any of a thing's pixels, bool [H, W]; None where fewer are seen than a point needs."""
    rows, columns = np.nonzero(is_it)
    least = 2 * LEAST_RADIUS * max(is_it.shape)
    if len(rows) < least**2 or min(np.ptp(rows), np.ptp(columns)) < least:
        return None
    steps = np.diff(np.pad(is_it.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    (y, first), (_, behind) = np.nonzero(steps == 1), np.nonzero(steps == -1)
    inside = cv2.distanceTransform(np.pad(is_it.astype(np.uint8), 1), cv2.DIST_L2, 5)[1:-1, 1:-1]
    middle = np.unravel_index(int(inside.argmax()), inside.shape)
    return Answer.point_on(zip(y.tolist(), first.tolist(), (behind - 1).tolist(), strict=True), middle[::-1])


def _words(mark: Mark) -> list[str]:
    return mark.name.split(" ")


def _region(mark: Mark, parts: Sequence[Mark], side_px: int, most: float) -> Box | None:
    """Where a point is on what is marked and on nothing else; None where there is no such box of some size."""
    others = [_centre(part.box) for part in parts if part is not mark]
    x, y = _centre(mark.box)
    left, top, right, bottom = mark.box
    if left == right or top == bottom:
        free = min((max(abs(x - a), abs(y - b)) / 2 for a, b in others), default=side_px)
        radius = min(most * side_px, free)
        left, top, right, bottom = x - radius, y - radius, x + radius, y + radius
    elif any(part.box[0] <= x <= part.box[2] and part.box[1] <= y <= part.box[3] for part in parts if part is not mark):
        return None
    if min(right - left, bottom - top) < 2 * LEAST_RADIUS * side_px:
        return None
    return None if any(left <= a <= right and top <= b <= bottom for a, b in others) else (left, top, right, bottom)


def _centre(box: Box) -> tuple[float, float]:
    left, top, right, bottom = box
    return (left + right) / 2, (top + bottom) / 2
