"""Questions that are answered with a point: it lies on what was asked for, on nothing else, also in a photograph."""

import itertools
import json

import cv2
import numpy as np
import pytest

import engines
from engines.base import QuestionType
from engines.check.near import near_misses
from engines.maps import maps
from engines.points import ASKED, FORM

EACH_TYPE = pytest.mark.parametrize("engine, name", ASKED)


def kind_of(engine: str, name: str) -> QuestionType:
    return next(kind for kind in engines.ENGINES[engine].types if kind.name == name)


def drawn(engine: str, name: str, level: int, index: int, *, photo: bool = False) -> engines.Sample:
    kind = kind_of(engine, name)
    where = {"split": "test_d" if kind.held_out else "train", "index": 2 * index, "level": level}
    size_px = max(448, kind.min_size_px[level])
    return engines.sample(engine, **where, question_type=name, size_px=size_px, photo=photo)


def parts(sample: engines.Sample) -> dict[str, tuple[float, float]]:
    """The middles of all parts by name, of those that stand alone."""
    found = [(mark.name, mark.box) for mark in sample.marks if mark.kind == "part"]
    return {name: ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2) for name, box in found}


@EACH_TYPE
def test_what_was_asked_for_is_met_and_no_other_part_is(engine, name):
    met = 0
    for level in (0, 4, 8):
        for index in range(4):
            of = drawn(engine, name, level, index, photo=index % 2 == 1)
            found = engines.pointing(of)
            if found is None:
                continue
            met += 1
            assert found.question.endswith(FORM) and found.answer.kind == "point" and 0 < found.guess_rate <= 0.5
            assert (found.image == of.image).all() and found.facts == of.facts
            again = engines.pointing(of)
            assert (again.question, again.answer, again.query) == (found.question, found.answer, found.query)
            left, top, right, bottom = found.answer.value
            assert left >= 0 and top >= 0 and right <= of.image.shape[1] and bottom <= of.image.shape[0]
            x, y = place(found.answer)
            assert left < x < right and top < y < bottom
            target, alike = found.query["points_at"], found.query["points_at"].split(" ")[0] == "point"
            for part, (x, y) in parts(of).items():
                if not found.answer.spans and (part == target or not alike or part.startswith("point ")):
                    assert found.answer.accepts(f"({round(x)}, {round(y)})") == (part == target), (found.question, part)
            assert not any(found.answer.accepts(text) for text in near_misses(found.answer))
            assert found.answer == engines.Answer.from_json(json.loads(json.dumps(found.answer.to_json())))
    assert met >= 4


@pytest.mark.parametrize("photo", [False, True])
@pytest.mark.parametrize("engine, name", [key for key, asked in ASKED.items() if asked.number])
def test_all_of_a_thing_is_right_and_nothing_beside_it(engine, name, photo):
    """By the map of which thing each pixel shows; a pixel at its rim may be either."""
    met = 0
    for level, index in itertools.product((0, 4, 8), range(3)):
        found = engines.pointing(drawn(engine, name, level, index, photo=photo))
        segments = maps(found).get("segments") if found else None
        if segments is None:
            continue
        x, y = place(found.answer)
        is_it = (segments == segments[y, x]).astype(np.uint8)
        assert segments[y, x] == number_of(found, segments)
        inside, around = cv2.erode(is_it, np.ones((3, 3))), cv2.dilate(is_it, np.ones((3, 3)))
        rng = np.random.default_rng(index)
        for wanted, where in ((True, inside == 1), (False, around == 0)):
            spots = rng.permutation(np.argwhere(where))[:300].tolist()
            right = [found.answer.accepts(f"({x}, {y})") for y, x in spots]
            assert np.mean(right) >= 0.99 if wanted else not any(right), found.question
        met += 1
    assert met >= 4


def number_of(found, segments):
    """The thing that is meant: of the colour that its mark names, or the one at the middle of its mark."""
    name = found.query["points_at"]
    if "things" in found.scene:
        [number] = [k for k, thing in enumerate(found.scene["things"], 1) if thing["colour"] in name.split(" ")]
        return number
    x, y = parts(found)[name]
    return segments[int(y), int(x)]


def test_all_of_a_tile_but_its_edge_is_right():
    met = 0
    for level, index in itertools.product((0, 4, 8), range(3)):
        found = engines.pointing(drawn("sudoku", "pattern", level, index))
        if found is None:
            continue
        rows, columns = found.scene["rows"], found.scene["columns"]
        cell, size_px = found.image.shape[0] * 0.92 / max(rows, columns), found.image.shape[0]
        row, column = map(int, found.query["points_at"].split(","))
        middle = [size_px / 2 + (at - 0.5 - of / 2) * cell for at, of in ((column, columns), (row, rows))]
        for share, wanted in ((0.46, True), (0.54, False)):
            for x, y in itertools.product((-share, 0, share), repeat=2):
                text = f"({round(middle[0] + x * cell)}, {round(middle[1] + y * cell)})"
                assert found.answer.accepts(text) == (wanted or x == y == 0), (text, found.question)
        met += 1
    assert met >= 6


def place(answer):
    """The gold point, (x, y)."""
    return tuple(map(int, answer.text().strip("()").split(", ")))


@pytest.mark.parametrize("photo", [False, True])
@pytest.mark.parametrize("engine, name", [key for key in ASKED if key[0] == "scene" or key[1].endswith("_thing")])
def test_the_thing_of_that_name_is_seen_there(engine, name, photo):
    """By the map of which thing each pixel shows, which is drawn apart from the marks."""
    met = 0
    for index in range(6):
        found = engines.pointing(drawn(engine, name, 3, index, photo=photo))
        if found is None:
            continue
        left, top, right, bottom = found.answer.value
        seen = maps(found)["segments"][top : bottom + 1, left : right + 1]
        things = np.bincount(seen[seen > 0].ravel())
        shown = found.scene["things"][int(things.argmax()) - 1]
        assert shown["colour"] in found.query["points_at"].split(" ")
        met += 1
    assert met >= 3


@pytest.mark.parametrize("engine, name", [("grid", "locate"), ("depth", "nearest_point"), ("chart", "extreme_sector")])
def test_the_best_point_without_looking_is_about_as_often_right_as_stated(engine, name):
    """The place that is right in most of some pictures is tried on others; in its own it is right oftener than that."""
    held_out, stated, hits = kind_of(engine, name).held_out, [], np.zeros((2, 112, 112))
    for index in range(60):
        where = {"split": "test_d" if held_out else "train", "index": 2 * index, "level": 0, "size_px": 112}
        found = engines.pointing(engines.sample(engine, question_type=name, **where))
        if found is not None:
            left, top, right, bottom = found.answer.value
            rows = found.answer.spans or [(y, left, right) for y in range(top, bottom + 1)]
            for y, first, last in rows:
                hits[index % 2, y, first : last + 1] += 1
            stated.append(found.guess_rate)
    count, stated = len(stated), float(np.mean(stated))
    assert count >= 30
    tried = [other[np.unravel_index(one.argmax(), one.shape)] for one, other in (hits, hits[::-1])]
    noise = (stated * (1 - stated) / count) ** 0.5
    assert sum(tried) / count <= stated + 3 * noise
    assert stated <= 1.5 * hits.sum(0).max() / count


@pytest.mark.parametrize("engine, name", [("grid", "locate"), ("chart", "extreme_sector"), ("sudoku", "pattern")])
def test_a_photograph_moves_the_answer_with_the_picture(engine, name):
    moved = 0
    for index in range(4):
        clean, photo = (engines.pointing(drawn(engine, name, 2, index, photo=photo)) for photo in (False, True))
        assert clean.query == photo.query and clean.question == photo.question
        moved += clean.answer != photo.answer
    assert moved == 4


def test_what_has_no_place_of_its_own_is_not_asked_for():
    assert engines.pointing(drawn("grid", "count_colour", 2, 0)) is None
    assert ASKED.keys() <= {(engine, kind.name) for engine in engines.ENGINES for kind in engines.ENGINES[engine].types}
