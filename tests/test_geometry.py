"""Geometry pictures: answers found again by other mathematics or on pixels, margins, letters beside their points."""

import collections
import itertools
import math
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw

from engines.base import Posed, Style, make_rng
from engines.geometry import ENGINE, layout, questions
from engines.geometry.draw import dot_px, label_places, letter_px
from engines.style import COLOURS, THEMES, theme_of

TYPES = {kind.name: kind for kind in ENGINE.types}
CASES = [(name, level) for name in TYPES for level in range(10)]
PER_CASE = 6


def posed(name: str, level: int, count: int = PER_CASE) -> list[Posed]:
    return [TYPES[name].pose(make_rng("test", name, level, i), level) for i in range(count)]


def asked(things: list[dict], question: str) -> dict:
    (thing,) = [t for t in things if f"the {t['colour']} " in question] or things
    return thing


def mark_name(mark: dict) -> str:
    return mark["letter"] or mark["colour"]


def stroke(shape: dict, count: int = 1500) -> np.ndarray:
    """Points along a stroke, in units."""
    points = np.array(shape["points"], float)
    if shape["kind"] == "circle":
        turn = np.linspace(0, 2 * np.pi, count)
        return points[0] + shape["radius"] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    if shape["kind"] == "polygon":
        points = np.concatenate([points, points[:1]])
    shares = np.linspace(0, 1, count // (len(points) - 1))[:, None]
    return np.concatenate([a + shares * (b - a) for a, b in itertools.pairwise(points)])


def distance(shape: dict, at: list[int]) -> float:
    return float(np.linalg.norm(stroke(shape) - at, axis=1).min())


def crossing_places(one: dict, other: dict) -> list[np.ndarray]:
    """Crossings of two segments by linear equations, of a segment and a circle by sampling."""
    if "circle" in (one["kind"], other["kind"]):
        circle, line = (one, other) if one["kind"] == "circle" else (other, one)
        points = stroke(line)
        outside = np.linalg.norm(points - circle["points"][0], axis=1) > circle["radius"]
        return [points[i] for i in np.flatnonzero(outside[1:] != outside[:-1])]
    (a, b), (c, d) = (np.array(shape["points"], float) for shape in (one, other))
    system = np.stack([b - a, c - d], axis=1)
    if abs(np.linalg.det(system)) < 1e-9:
        return []
    shares = np.linalg.solve(system, c - a)
    return [a + shares[0] * (b - a)] if ((shares > 0) & (shares < 1)).all() else []


def filled(shape: dict) -> np.ndarray:
    """Bool [448, 448]: the inside of a shape, painted."""
    paper = Image.new("1", (448, 448))
    points = [tuple(point) for point in shape["points"]]
    if shape["kind"] == "polygon":
        ImageDraw.Draw(paper).polygon(points, fill=1)
    else:
        (x, y), r = points[0], shape["radius"]
        ImageDraw.Draw(paper).ellipse((x - r, y - r, x + r, y + r), fill=1)
    return np.array(paper)


def oracle(name: str, scene: dict, question: str) -> object:
    shapes, marks = scene["shapes"], scene["marks"]
    if name == "angle":
        angle = asked(scene["angles"], question)
        a, b, c = (np.array(angle[key]) for key in ("first", "second", "vertex"))
        excess = ((a - c) ** 2).sum() + ((b - c) ** 2).sum() - ((a - b) ** 2).sum()  # law of cosines
        return "right" if excess == 0 else "acute" if excess > 0 else "obtuse"
    if name == "sides":
        return len(asked(shapes, question)["points"])
    if name == "on_line":
        line = asked(shapes, question)
        (x0, y0), (x1, y1) = line["points"]
        (found,) = [m for m in marks if (m["at"][0] - x0) * (y1 - y0) == (m["at"][1] - y0) * (x1 - x0)]
        return mark_name(found)
    if name == "on_circle":
        circle = asked(shapes, question)
        (x, y), r = circle["points"][0], circle["radius"]
        (found,) = [m for m in marks if (m["at"][0] - x) ** 2 + (m["at"][1] - y) ** 2 == r * r]
        return mark_name(found)
    if name == "longest":
        best = max(shapes, key=lambda shape: math.dist(*shape["points"]))
        at = {tuple(mark["at"]): mark["letter"] for mark in marks}
        return tuple(sorted(at[tuple(point)] for point in best["points"])) if marks else best["colour"]
    if name == "relation":
        pair = [s for s in shapes if re.search(rf"\b{s['colour']}\b", question)] or shapes
        first, second = (complex(*np.subtract(*np.array(s["points"]))) for s in pair)
        quotient = first * second.conjugate()
        return "parallel" if quotient.imag == 0 else "perpendicular" if quotient.real == 0 else "neither"
    if name == "crossings":
        return sum(len(crossing_places(one, other)) for one, other in itertools.combinations(shapes, 2))
    if name == "inside":
        x, y = marks[0]["at"]
        (found,) = [shape for shape in shapes if filled(shape)[y, x]]
        return found["colour"]
    middle = np.mean([mark["at"] for mark in marks], axis=0)
    around = sorted(marks, key=lambda m: math.atan2(m["at"][1] - middle[1], m["at"][0] - middle[0]))
    order = [mark["letter"] for mark in around]  # y points down, so growing angles are clockwise
    start = order.index("A")
    return tuple(order[start:] + order[:start])


@pytest.mark.parametrize(("name", "level"), CASES)
def test_answer_is_found_again_by_other_means(name, level):
    for sample in posed(name, level):
        scene = sample.scene.to_json()
        assert oracle(name, scene, sample.question) == sample.answer.value, (sample.question, scene)
        for fact in sample.facts:
            assert oracle(name, scene, fact.question) == fact.answer.value


@pytest.mark.parametrize(("name", "level"), CASES)
def test_margins_in_pixels_and_inside_the_frame(name, level):
    pixel = TYPES[name].min_size_px[level] / 448
    for sample in posed(name, level):
        scene = sample.scene.to_json()
        shapes, marks, angles = scene["shapes"], scene["marks"], scene["angles"]
        extent = [stroke(shape, 200) for shape in shapes] + [np.array([mark["at"]]) for mark in marks]
        extent += [np.array([angle[key] for key in ("vertex", "first", "second")]) for angle in angles]
        everything = np.concatenate(extent)
        assert everything.min() >= 20 and everything.max() <= 428
        for angle in angles:
            a, b, c = (complex(*angle[key]) for key in ("first", "second", "vertex"))
            size = abs(math.degrees(np.angle((a - c) / (b - c))))
            assert 24 <= size <= 156 and (abs(size - 90) < 1e-9 or abs(size - 90) >= 8)
            assert min(abs(a - c), abs(b - c)) * pixel >= 14
        if name in ("on_line", "on_circle"):
            for mark, other in itertools.combinations(marks, 2):
                assert math.dist(mark["at"], other["at"]) * pixel >= 19
            for mark in marks:
                if mark_name(mark) != sample.answer.value:
                    assert all(distance(shape, mark["at"]) * pixel >= 6.9 for shape in shapes)
        if name == "longest":
            lengths = sorted(math.dist(*shape["points"]) for shape in shapes)
            assert lengths[-1] >= (1.25 if level <= 5 else 1.119) * lengths[-2]
            assert lengths[0] * pixel >= 16
        if name == "relation":
            pair = [s for s in shapes if re.search(rf"\b{s['colour']}\b", sample.question)] or shapes
            first, second = (complex(*np.subtract(*np.array(s["points"]))) for s in pair)
            turn = abs(math.degrees(np.angle(first / second)))
            off = min(turn, abs(turn - 90), 180 - turn)
            assert off < 1e-9 or off >= 9
        if name in ("crossings", "relation", "longest"):
            places = [p for pair in itertools.combinations(shapes, 2) for p in crossing_places(*pair)]
            if name == "crossings":
                assert all(math.dist(p, q) * pixel >= 7.5 for p, q in itertools.combinations(places, 2))
            for one, other in itertools.permutations(shapes, 2):
                if one["kind"] == "segment":
                    assert min(distance(other, end) for end in one["points"]) * pixel >= 6
        if name == "inside":
            assert all(distance(shape, marks[0]["at"]) * pixel >= 6.5 for shape in shapes)


@pytest.mark.parametrize(("name", "level"), [case for case in CASES if case[0] in ("sides", "inside", "vertex_order")])
def test_polygons_are_simple_and_separate(name, level):
    for sample in posed(name, level):
        shapes = sample.scene.to_json()["shapes"]
        masks = [filled(shape) for shape in shapes]
        assert all(not (one & other).any() for one, other in itertools.combinations(masks, 2))
        for shape in (s for s in shapes if s["kind"] == "polygon"):
            corners = np.array(shape["points"])
            steps = np.roll(corners, -1, axis=0) - corners
            assert np.linalg.norm(steps, axis=1).min() * TYPES[name].min_size_px[level] / 448 >= 7
            ends = zip(corners, np.roll(corners, -1, axis=0), strict=True)
            sides = [{"kind": "segment", "points": list(pair)} for pair in ends]
            pairs = itertools.combinations(sides, 2)
            met = [p for pair in pairs for p in crossing_places(*pair)]
            assert all(np.linalg.norm(corners - p, axis=1).min() < 1e-6 for p in met)


@pytest.mark.parametrize(("name", "level"), CASES)
def test_letters_stand_free_beside_their_points(name, level):
    for size in {TYPES[name].min_size_px[level], 448}:
        for sample in posed(name, level, 3):
            marks = [mark for mark in sample.scene.marks if mark.letter]
            places = np.array(label_places(sample.scene, size)).reshape(-1, 2) * size / 448
            for mark, place in zip(marks, places, strict=True):
                assert 0.5 * letter_px(size) <= place.min() and place.max() <= size - 0.5 * letter_px(size)
                gaps = {other.at: math.dist(place, np.array(other.at) * size / 448) for other in marks}
                own = gaps.pop(mark.at)
                assert all(gap >= 1.15 * own and gap >= dot_px(size) + 0.3 * letter_px(size) for gap in gaps.values())
            for one, other in itertools.combinations(places, 2):
                assert math.dist(one, other) >= 0.8 * letter_px(size)


def test_pictures_keep_a_free_edge_and_show_their_shapes():
    for i, (name, level) in enumerate(CASES):
        (sample,) = posed(name, level, 1)
        size, style = TYPES[name].min_size_px[level], Style(i % ENGINE.themes, i)
        image = np.array(ENGINE.draw(sample.scene, size, style))
        assert image.shape == (size, size, 3) and image.dtype == np.uint8
        paper = np.array(theme_of(style).panel)
        edge = np.concatenate([image[:2], image[-2:], image[:, :2].swapaxes(0, 1), image[:, -2:].swapaxes(0, 1)])
        assert (edge == paper).all(), (name, level)
        unlike = (image != paper).any(axis=-1)
        assert 0.01 < unlike.mean() < 0.75
    assert ENGINE.themes == len(THEMES)


@pytest.mark.parametrize("name", TYPES)
def test_scenes_vary_and_answers_are_balanced(name):
    for level in (0, 4):
        samples = posed(name, level, 150)
        assert len({str(sample.scene) for sample in samples}) == 150
        (_, most), *_ = collections.Counter(sample.answer.text() for sample in samples).most_common(1)
        assert most / 150 <= samples[0].guess_rate + 0.15
        phrasings = {re.sub(r"\b[A-Z]\b|" + "|".join(COLOURS), "", sample.question) for sample in samples}
        assert len(phrasings) >= 4
        assert max(len(sample.question.split()) for sample in samples) <= 16


def test_levels_grow_and_low_levels_are_small():
    growing = (layout.GROUPS, questions.MOST_SIDES, questions.POINTS, questions.SEGMENTS, questions.CROSSED)
    for table in (*growing, questions.MOST_CROSSINGS, questions.CORNERS, questions.INSIDE, layout.MIN_SIZE_PX):
        assert len(table) == 10 and list(table) == sorted(table)
    for table in (questions.ANGLE_MARGIN, questions.TURN_MARGIN, questions.LENGTH_RATIO, questions.POINT_MARGIN_PX):
        assert len(table) == 10 and list(table) == sorted(table, reverse=True)
    trained = [kind for kind in ENGINE.types if not kind.held_out]
    assert len(trained) >= 3 and len(trained) < len(ENGINE.types)
    assert all(kind.min_size_px[:5] == (112,) * 5 for kind in trained)
