"""Function graphs: answers found again by dense sampling, margins in pixels, curves drawn where they are."""

import collections
import re
from fractions import Fraction

import numpy as np
import pytest

from engines.base import Posed, Style, make_rng
from engines.function import ENGINE
from engines.function import curves as levels
from engines.function.draw import Plot
from engines.style import COLOURS, colour_of, theme_of

TYPES = {kind.name: kind for kind in ENGINE.types}
CASES = [(name, level) for name in TYPES for level in range(10)]
PER_CASE = 6


def posed(name: str, level: int, count: int = PER_CASE) -> list[Posed]:
    return [TYPES[name].pose(make_rng("test", name, level, i), level) for i in range(count)]


def heights(curve: dict, x: np.ndarray) -> np.ndarray:
    numbers = [float(Fraction(number)) for number in curve["numbers"]]
    if curve["family"] == "polynomial":
        return np.polyval(numbers[::-1], x)
    if curve["family"] == "pieces":
        return np.interp(x, numbers[::2], numbers[1::2])
    amplitude, half_period, start, middle = numbers
    return middle + amplitude * np.sin(np.pi * (x - start) / half_period)


def asked_curve(scene: dict, question: str) -> dict:
    named = [curve for curve in scene["curves"] if f"the {curve['colour']} " in question]
    (curve,) = named or scene["curves"]
    return curve


def asked_x(question: str) -> np.ndarray:
    return np.array([float(re.search(r"x = (-?\d+)", question)[1])])


def grid(scene: dict) -> np.ndarray:
    low, high = scene["window"][:2]
    return np.linspace(low, high, 4001) + 1e-7 * np.sqrt(2)


def sign_changes(values: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.sign(values[1:]) != np.sign(values[:-1]))


def unit_px(scene: dict, name: str, level: int) -> float:
    low, high = scene["window"][:2]
    return 0.78 * TYPES[name].min_size_px[level] / (high - low)


def oracle(name: str, scene: dict, question: str) -> object:
    x = grid(scene)
    if name == "meetings":
        pair = [c for c in scene["curves"] if re.search(rf"\b{c['colour']}\b", question)] or scene["curves"]
        assert len(pair) == 2
        return len(sign_changes(heights(pair[0], x) - heights(pair[1], x)))
    curve = asked_curve(scene, question)
    y = heights(curve, x)
    low, high = scene["window"][2:]
    if name == "value":
        return round(heights(curve, asked_x(question))[0], 6)
    if name == "y_intercept":
        return round(heights(curve, np.zeros(1))[0], 6)
    if name == "root":
        (place,) = sign_changes(y)
        return round(float(x[place]), 1)
    if name == "axis_crossings":
        return len(sign_changes(y))
    if name == "slope_sign":
        at = asked_x(question) if "x =" in question else np.zeros(1)
        rise = heights(curve, at + 1e-4)[0] - heights(curve, at - 1e-4)[0]
        return "zero" if abs(rise) < 1e-6 else "positive" if rise > 0 else "negative"
    if name == "slope":
        rise = heights(curve, np.array([0.0, 1.0]))
        return round(float(rise[1] - rise[0]), 6)
    inside = (y >= low) & (y <= high)
    if name == "extremum":
        best = np.argmax(y) if "highest" in question else np.argmin(y)
        assert inside[best]
        return round(float(x[best]), 1)
    steps = np.sign(np.diff(y))
    (turn,) = np.flatnonzero(steps[1:] != steps[:-1])
    return round(float(x[turn + 1]), 1), round(float(y[turn + 1]), 1)


@pytest.mark.parametrize(("name", "level"), CASES)
def test_answer_is_found_again_by_sampling(name, level):
    for sample in posed(name, level):
        scene = sample.scene.to_json()
        found, gold = oracle(name, scene, sample.question), sample.answer.value
        if isinstance(found, float):
            assert found == pytest.approx(float(gold), abs=1e-5), (sample.question, scene)
        else:
            assert found == gold, (sample.question, scene)
        for fact in sample.facts:
            x = asked_x(fact.question)
            assert heights(asked_curve(scene, fact.question), x)[0] == pytest.approx(fact.answer.value)


@pytest.mark.parametrize(("name", "level"), CASES)
def test_margins_in_pixels(name, level):
    for sample in posed(name, level):
        scene, unit = sample.scene.to_json(), unit_px(sample.scene.to_json(), name, level)
        assert unit >= 8.7
        x_low, x_high, y_low, y_high = scene["window"]
        assert x_low < 0 < x_high and y_low < 0 < y_high
        colours = [curve["colour"] for curve in scene["curves"]]
        assert len(set(colours)) == len(colours) and set(colours) <= set(COLOURS) - {"black", "yellow"}
        x = grid(scene)
        if name in ("value", "y_intercept"):
            at = asked_x(sample.question) if name == "value" else np.zeros(1)
            assert x_low < at[0] < x_high and y_low < sample.answer.value < y_high
            others = [c for c in scene["curves"] if c is not asked_curve(scene, sample.question)]
            assert all(abs(heights(c, at)[0] - sample.answer.value) * unit >= 8 for c in others)
        if name in ("axis_crossings", "root"):
            y = heights(asked_curve(scene, sample.question), x)
            places = sign_changes(y)
            assert all(np.diff(x[places]) * unit >= 6)
            # Away from its crossings the curve keeps clear of the axis: every local least distance is a crossing.
            far = np.abs(y)
            dips = np.flatnonzero((far[1:-1] <= far[:-2]) & (far[1:-1] <= far[2:])) + 1
            dips = [d for d in dips if not any(abs(d - p) <= 2 for p in places)]
            assert all(far[d] * unit >= 6 for d in [*dips, 0, -1])


def test_every_curve_shows_in_its_colour():
    for name, level in CASES:
        sample = posed(name, level, 1)[0]
        size, style = TYPES[name].min_size_px[level], Style(level % ENGINE.themes, level)
        image, plot = np.array(ENGINE.draw(sample.scene, size, style)), Plot(sample.scene, size)
        assert image.shape == (size, size, 3) and image.dtype == np.uint8
        edge = np.concatenate([image[:2].reshape(-1, 3), image[:, -2:].reshape(-1, 3), image[-1:].reshape(-1, 3)])
        assert (edge == theme_of(style).background).all()
        last, scene = sample.scene.curves[-1], sample.scene.to_json()
        x = np.linspace(*scene["window"][:2], 99)[1:-1]
        y = heights(scene["curves"][-1], x)
        inside = [plot.pixel(*place) for place in zip(x, y, strict=True) if sample.scene.shows(*place, 0.3)]
        around = [image[int(v) - 1 : int(v) + 2, int(u) - 1 : int(u) + 2].reshape(-1, 3).astype(int) for u, v in inside]
        near = [(np.abs(pixels - colour_of(last.colour, style)).max(axis=1) < 40).any() for pixels in around]
        assert np.mean(near) > (0.4 if last.dashed else 0.8), (name, level)


@pytest.mark.parametrize("name", TYPES)
def test_scenes_vary_and_answers_are_balanced(name):
    for level in (0, 4):
        samples = posed(name, level, 150)
        assert len({str(sample.scene) for sample in samples}) >= 140
        (_, most), *_ = collections.Counter(sample.answer.text() for sample in samples).most_common(1)
        assert most / 150 <= samples[0].guess_rate + 0.14
        assert all(sample.answer.accepts(sample.answer.text()) for sample in samples)
        phrasings = {re.sub(r"-?\d+|" + "|".join(COLOURS), "", sample.question) for sample in samples}
        assert len(phrasings) >= 4
        assert max(len(sample.question.split()) for sample in samples) <= 18


def test_levels_grow_and_low_levels_are_small():
    for table in (levels.HALF, levels.SHIFT, levels.CURVES, levels.FAMILY_COUNT, levels.MOST_CROSSINGS):
        assert len(table) == 10 and list(table) == sorted(table)
    trained = [kind for kind in ENGINE.types if not kind.held_out]
    assert len(trained) >= 3 and len(trained) < len(ENGINE.types)
    assert all(kind.min_size_px[:5] == (112,) * 5 for kind in trained)
