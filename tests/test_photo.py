"""The photograph stage: exact shape and type, repeatable, nothing leaves the frame, colours and marks stay readable."""

import cv2
import numpy as np
import pytest

import engines
from engines.base import make_rng
from engines.photo import corners, photograph
from engines.style import COLOURS, PALETTE, THEMES

LEVELS = pytest.mark.parametrize("level", range(10))


@pytest.mark.parametrize("size_px", [28, 112, 448])
def test_same_shape_same_type_same_bytes_and_input_untouched(size_px):
    image = np.full((size_px, size_px, 3), 200, np.uint8)
    photo = photograph(image, make_rng("a"), 9)
    assert photo.shape == image.shape and photo.dtype == np.uint8 and photo.flags.c_contiguous
    assert (photo == photograph(image, make_rng("a"), 9)).all() and (image == 200).all()
    assert (photo != photograph(image, make_rng("b"), 9)).any()


@LEVELS
def test_the_whole_sheet_stays_in_the_frame_and_keeps_its_orientation(level):
    for index in range(200):
        quad = corners(make_rng("quad", index), 112, level)
        assert quad.min() >= 0 and quad.max() <= 111
        assert cv2.isContourConvex(quad) and cv2.contourArea(quad, oriented=True) > 0.6 * 112**2
        assert np.linalg.norm(quad - [(0, 0), (111, 0), (111, 111), (0, 111)], axis=1).max() <= 0.13 * 112


@LEVELS
def test_marks_in_the_corners_are_still_there(level):
    clean = np.full((112, 112, 3), 250, np.uint8)
    for y in (2, 104):
        for x in (2, 104):
            clean[y : y + 6, x : x + 6] = 20
    for index in range(10):
        rng, again = make_rng("mark", index), make_rng("mark", index)
        quad = corners(again, 112, level)
        photo = photograph(clean, rng, level).astype(int).sum(2)
        view = cv2.getPerspectiveTransform(np.float32([(0, 0), (111, 0), (111, 111), (0, 111)]), quad)
        marks = np.float32([[(5, 5)], [(107, 5)], [(107, 107)], [(5, 107)]])
        for x, y in cv2.perspectiveTransform(marks, view)[:, 0].round().astype(int):
            paper = photo[y + 10 * (1 if y < 56 else -1), x + 10 * (1 if x < 56 else -1)]
            assert photo[y, x] < 0.6 * paper


@LEVELS
def test_named_colours_keep_their_names(level):
    """The mean of a photographed patch, after dividing by what white paper became, is nearest to its own colour."""
    palette = np.array([PALETTE[name] for name in COLOURS], float)
    for index in range(12):
        white = np.full((112, 112, 3), 255, np.uint8)
        light = photograph(white, make_rng("colour", index), level)[40:72, 40:72].mean((0, 1)) / 255
        for place, name in enumerate(COLOURS):
            patch = white.copy()
            patch[30:82, 30:82] = PALETTE[name]
            seen = photograph(patch, make_rng("colour", index), level)[40:72, 40:72].mean((0, 1))
            for shown in (seen / light, seen / light.max()):
                assert np.linalg.norm(palette - shown, axis=1).argmin() == place, (name, shown)


def test_strength_grows_with_the_level():
    image = engines.sample("grid", split="train", index=0, level=4, size_px=112).image
    errors = [
        np.mean([abs(photograph(image, make_rng(index), level).astype(int) - image).mean() for index in range(12)])
        for level in (0, 4, 9)
    ]
    assert errors[0] < errors[1] < errors[2]


def test_palette_colours_are_far_apart_and_off_every_background():
    def lab(colour):
        return cv2.cvtColor(np.float32([[colour]]) / 255, cv2.COLOR_RGB2LAB)[0, 0]

    named = [lab(PALETTE[name]) for name in COLOURS]
    papers = [lab(paper) for theme in THEMES for paper in (theme.background, theme.panel)]
    for place, colour in enumerate(named):
        assert all(np.linalg.norm(colour - other) > 30 for other in [*named[:place], *papers])
