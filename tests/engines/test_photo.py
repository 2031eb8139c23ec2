"""The photograph stage: repeatable, marks and pixels move together, nothing gets lost, colours keep their names."""

import itertools

import cv2
import numpy as np
import pytest

import engines
from engines.base import Style, make_rng, pose
from engines.canvas import Canvas
from engines.desk import PAD_SHARE, ground, sheet
from engines.marks import Apart, Drawing, Turn, contrast_faults, faults
from engines.photo import photograph
from engines.style import COLOURS, PALETTE, THEMES, colour_of, theme_of
from tests.engines.test_style import ciede2000, lab

LEVELS = pytest.mark.parametrize("level", range(10))


def dots(size_px, places, theme=THEMES[0]):
    """A drawing with black discs at these places, as shares of the side."""
    canvas, radius = Canvas(size_px, theme.background), size_px / 56
    for index, (x, y) in enumerate(places):
        canvas.circle((x * size_px, y * size_px), radius, fill=PALETTE["black"])
        canvas.part(f"{index}", (x * size_px, y * size_px))
    return canvas.drawing()


@pytest.mark.parametrize("size_px", [28, 112, 448])
def test_same_size_same_bytes_and_the_drawing_is_untouched(size_px):
    drawing = dots(size_px, [(0.3, 0.3), (0.7, 0.6)])
    before = np.array(drawing.image)
    photo = photograph(drawing, make_rng("a"), 9)
    again = photograph(drawing, make_rng("a"), 9)
    assert photo.image.size == (size_px, size_px) and photo.image.mode == "RGB"
    assert (np.asarray(photo.image) == np.asarray(again.image)).all() and photo[1:] == again[1:]
    assert (np.asarray(drawing.image) == before).all()
    assert (np.asarray(photo.image) != np.asarray(photograph(drawing, make_rng("b"), 9).image)).any()


@LEVELS
@pytest.mark.parametrize("size_px", [112, 448])
def test_marks_move_with_the_pixels(level, size_px):
    """Discs are found by their darkness where the photograph's marks say, at every corner and in the middle."""
    spots = [(0.08, 0.08), (0.92, 0.08), (0.92, 0.92), (0.08, 0.92), (0.5, 0.5), (0.3, 0.7)]
    for index in range(4):
        photo = photograph(dots(size_px, spots), make_rng("dots", index), level)
        light = np.asarray(photo.image).astype(np.float32).mean(2)
        for mark in photo.marks:
            x, y, reach = *mark.box[:2], 1.7 * size_px / 56
            assert min(x, y) >= 0 and max(x, y) <= size_px
            rows, columns = (slice(max(int(at - reach), 0), int(at + reach) + 1) for at in (y, x))
            dark = np.maximum(0.55 * np.percentile(light[rows, columns], 80) - light[rows, columns], 0)
            places = np.indices(dark.shape) + 0.5
            seen = [
                (axis * dark).sum() / dark.sum() + part.start
                for axis, part in zip(places, (rows, columns), strict=True)
            ]
            assert np.hypot(seen[1] - x, seen[0] - y) < 0.6 * max(1, size_px / 224), (index, mark)


@LEVELS
def test_named_colours_keep_their_names_and_stay_apart(level):
    for index in range(6):
        style, size_px = Style(index % len(THEMES), index), (448, 224, 112)[index % 3]
        canvas, cell = Canvas(size_px, theme_of(style).background), size_px / 5
        for place, name in enumerate(COLOURS):
            centre = ((place % 4 + 1) * cell, (place // 4 + 1.2) * cell)
            canvas.circle(centre, 0.33 * cell, colour_of(name, style))
            canvas.part(name, centre)
        photo = photograph(canvas.drawing(), make_rng("colours", index), level)
        pixels, reach, seen = np.asarray(photo.image), int(0.15 * cell), []
        for mark in photo.marks:
            x, y = (int(at) for at in mark.box[:2])
            seen.append(pixels[y - reach : y + reach + 1, x - reach : x + reach + 1].mean((0, 1)))
        seen, palette = lab(seen), lab([PALETTE[name] for name in COLOURS])
        for place, name in enumerate(COLOURS):
            nearest = ciede2000(*np.broadcast_arrays(seen[place], palette)).argmin()
            assert nearest == place, (index, name, COLOURS[nearest])
        for one, other in itertools.combinations(range(len(COLOURS)), 2):
            assert ciede2000(seen[one : one + 1], seen[other : other + 1])[0] >= 20, (COLOURS[one], COLOURS[other])


@pytest.mark.parametrize("name", engines.ENGINES)
def test_text_and_margins_of_every_engine_are_kept(name):
    engine = engines.ENGINES[name]
    for index in range(0, len(engine.types), max(1, len(engine.types) // 7)):
        kind, level = engine.types[index], (3 * index) % 10
        split = "test_d" if kind.held_out else "train"
        posed = pose(engine, kind, split=split, index=index, level=level)
        for size_px in {448, max(112, kind.min_size_px[level])}:
            drawing = engine.draw(posed.scene, size_px, Style(index % engine.themes, index))
            drawing = drawing if isinstance(drawing, Drawing) else Drawing(drawing)
            if next(faults(drawing), None):
                continue  # the engine's own tests speak of it
            photo = photograph(drawing, make_rng("engines", index), 9)
            assert list(faults(photo, is_photo=True)) == []
            if next(contrast_faults(np.asarray(drawing.image), drawing.marks), None) is None:
                assert list(contrast_faults(np.asarray(photo.image), photo.marks)) == []


def test_a_margin_that_hardly_holds_holds_back_the_camera():
    canvas = Canvas(448, (255, 255, 255))
    corners = [(10, 10), (438, 10), (438, 438), (10, 438)]
    free = canvas.drawing()
    strict = canvas.drawing([Turn((corners[i - 1], corners[i], corners[(i + 1) % 4]), 89.5, 90.5) for i in range(4)])
    spread = canvas.drawing([Apart(corners[0], corners[2], 605.2)])
    for index in range(6):
        assert not list(faults(photograph(strict, make_rng(index), 9), is_photo=True))
        ends = photograph(spread, make_rng(index), 9).margins[0]
        assert np.allclose(ends.points(), [corners[0], corners[2]])  # not moved at all
        assert photograph(free, make_rng(index), 9).margins == ()


def test_a_drawing_with_faults_of_its_own_is_photographed_unmoved():
    canvas = Canvas(448, (255, 255, 255))
    canvas.text((200, 200), "tiny", 6, (0, 0, 0))
    photo = photograph(canvas.drawing(), make_rng("tiny"), 9)
    assert photo.marks[0].box == pytest.approx(canvas.drawing().marks[0].box)


def test_strength_grows_with_the_level():
    drawing = dots(224, [(0.2, 0.2), (0.5, 0.5), (0.8, 0.7)])
    before = np.asarray(drawing.image).astype(int)
    errors = [
        np.mean(
            [abs(np.asarray(photograph(drawing, make_rng(index), level).image) - before).mean() for index in range(16)]
        )
        for level in (0, 4, 9)
    ]
    assert errors[0] < errors[1] < errors[2]


def test_photographs_are_of_paper_and_of_screens_on_many_grounds():
    image = np.full((224, 224, 3), 240, np.uint8)
    around = [sheet(image, make_rng("sheet", index)) for index in range(80)]
    assert 0.15 < np.mean([each.is_screen for each in around]) < 0.5
    for each in around:
        assert 0 <= each.pad_px <= 2 * PAD_SHARE * 224 and each.pixels.shape[0] == 224 + 2 * each.pad_px
        inner = slice(each.pad_px, each.pad_px + 224)
        assert (each.pixels[inner, inner] == image).all()  # notes and frames lie outside the picture
    assert any((each.pixels < 150).any() for each in around if not each.is_screen)
    shade = np.ones((224, 224), np.float32)
    grounds = [ground(make_rng("ground", index), shade) for index in range(16)]
    assert np.ptp([each.mean() for each in grounds]) > 60
    for each in grounds:
        assert each.shape == (224, 224, 3) and each.dtype == np.uint8 and each.std() > 1
    dark = ground(make_rng("ground", 0), shade * 0.5)
    assert dark.mean() == pytest.approx(grounds[0].mean() / 2, rel=0.1)


def test_opencv_runs_on_one_thread():
    assert cv2.getNumThreads() == 1
