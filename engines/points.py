"""Questions that are answered with a point in the picture: what `engines.pointing` makes of a sample.

The same scene, drawn the same, is asked where a thing is instead of what it is called. Right is a point within the box
of the thing's mark; what has a place and no box (a dot, a tile, the middle of a thing) gets a square around it, which
ends half-way to its neighbours. In a photograph both have moved with the picture. Things that cannot be told apart in
this way, because one lies within the box of another, are not asked for.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from engines.answer import Answer
from engines.base import Sample, make_rng
from engines.marks import Box, Mark

LEAST_RADIUS = 0.015  # of what is asked for, in the picture's longer side
FORM = "Answer (x, y) in pixels of the picture, from its top left corner."
FRAMES = ("Point at {it}.", "Where in the picture is {it}?", "Find {it} in the picture.", "Give a point on {it}.")

Query = Mapping[str, Any]


class Asked(NamedTuple):
    """What of a question type is pointed at."""

    words: Callable[[Query], str]  # what it is called, from the query
    name: Callable[[Query, Answer], str]  # what its mark's name is, or how that begins, ends or goes on
    part: slice = slice(None)  # words of a mark's name that must be that one
    among: str = ""  # how the names of all marks begin that may be meant
    radius: float = 0.05  # of the square around a place without a box, in the picture's longer side


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


ASKED: dict[tuple[str, str], Asked] = {
    ("grid", "locate"): Asked(_shape, _cell),
    ("grid", "read_colour"): Asked(
        _said("the shape in row {row}, column {column}"), lambda query, _: f"{query['row']},{query['column']}"
    ),
    ("grid", "read_shape"): Asked(
        _said("the shape in row {row}, column {column}"), lambda query, _: f"{query['row']},{query['column']}"
    ),
    ("sudoku", "pattern"): Asked(_said("the tile that does not belong to the repeating pattern"), _cell),
    ("chart", "extreme_bar"): Asked(_extreme("the bar with the {} value"), _answer),
    ("chart", "extreme_sector"): Asked(_extreme("the {} sector"), _answer, radius=0.02),
    ("chart", "scatter_point"): Asked(_scattered, _place),
    ("chart", "scatter_outlier"): Asked(_said("the point that does not fit the line of all others"), _place),
    ("function", "steepest"): Asked(_said("the labelled point where the graph is steepest, up or down"), _answer),
    ("depth", "nearest_point"): Asked(_said("the marked point that is closest to you"), _answer, slice(1, 2), "point "),
    ("depth", "farthest_point"): Asked(
        _said("the marked point that is farthest from you"), _answer, slice(1, 2), "point "
    ),
    ("depth", "nearest_thing"): Asked(_said("the thing that is closest to you"), _answer, slice(0, 1)),
    ("depth", "farthest_thing"): Asked(_said("the thing that is farthest from you"), _answer, slice(0, 1)),
    ("scene", "nearest"): Asked(_said("the thing that is nearest to the {colour} one"), _answer, slice(1, 2)),
    ("scene", "hider"): Asked(_said("the thing that hides a part of the {colour} one"), _answer, slice(1, 2)),
}


def pointing(of: Sample) -> Sample | None:
    r"""The sample's scene with a question that is answered with a point, `\boxed{(x, y)}` in pixels of its picture.

    None where the type has no such question (`ASKED` lists those that have), or where what it is about cannot be told
    from its neighbours by a point. Equal samples give equal ones; name and picture stay.
    """
    asked = ASKED.get((of.engine, of.question_type))
    if asked is None:
        return None
    parts = [mark for mark in of.marks if mark.kind == "part" and mark.name.startswith(asked.among)]
    wanted = asked.name(of.query, of.answer)
    found = [mark for mark in parts if " ".join(_words(mark)[asked.part]) == wanted]
    box = _region(found[0], parts, max(of.image.shape), asked.radius) if len(found) == 1 else None
    if box is None:
        return None
    rng = make_rng("pointing", of.engine, of.question_type, of.split, of.index, of.level, of.variant)
    frame = FRAMES[int(rng.integers(len(FRAMES)))]
    return dataclasses.replace(
        of,
        question=f"{frame.format(it=asked.words(of.query))} {FORM}",
        answer=Answer.point(box),
        query=of.query | {"points_at": found[0].name},
        guess_rate=1 / len(parts),
    )


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
