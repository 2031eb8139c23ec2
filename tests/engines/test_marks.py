"""Marks: what a drawing must keep clear is found when it is not, before and after a photograph moves it."""

import math

import numpy as np
import pytest
from PIL import Image

from engines.marks import (
    PHOTO_SHARE,
    Apart,
    Drawing,
    Longer,
    Mark,
    Turn,
    contrast_faults,
    faults,
    moved_margins,
    moved_marks,
    x_height_floor_px,
)

BLANK = Image.new("RGB", (448, 448), (255, 255, 255))
FLOOR = x_height_floor_px(448)


def text(name, left, top, width=40, height=12, x_height_px=FLOOR):
    return Mark(name, (left, top, left + width, top + height), "text", x_height_px)


def shrink(points):
    return points * 0.5 + 100


def turn(points):
    """A quarter turn around the middle of the picture."""
    return np.stack([448 - points[:, 1], points[:, 0]], 1)


def test_floors_scale_with_the_picture_down_to_the_least():
    assert [x_height_floor_px(size) for size in (448, 896, 112, 28)] == [8.0, 16.0, 4.5, 4.5]


def test_a_clear_drawing_has_no_faults():
    margins = (
        Apart((0, 0), (0, 5), 5),
        Longer(((0, 0), (11, 0)), ((0, 0), (0, 10)), 1.1),
        Turn(((9, 0), (0, 0), (0, 9)), 84, 96),
    )
    drawing = Drawing(BLANK, (text("12", 0, 0), text("34", 0, 13), Mark("A", (448, 448, 448, 448))), margins)
    assert list(faults(drawing)) == []


@pytest.mark.parametrize(
    "marks, margins, says",
    [
        ((Mark("A", (-1, 5, 3, 9)),), (), "part 'A' leaves the frame"),
        ((text("12", 420, 10),), (), "text '12' leaves the frame"),
        ((text("12", 10, 10, x_height_px=FLOOR - 0.1),), (), "small letters of 7.9 px, need 8.0"),
        ((text("12", 10, 10), text("34", 40, 15)), (), "texts '12' and '34' overlap"),
        ((), (Apart((0, 0), (3, 0), 5),), "positions 3.0 px apart, need 5.0"),
        ((), (Longer(((0, 0), (10, 0)), ((0, 0), (10, 0)), 1.1),), "length ratio 1.00, need 1.10"),
        ((), (Turn(((9, 0), (0, 0), (9, 9)), 84, 96),), "angle 45.0 degrees, need 84.0..96.0"),
    ],
)
def test_each_fault_is_named(marks, margins, says):
    (fault,) = faults(Drawing(BLANK, marks, margins))
    assert says in fault


def test_photographs_may_show_smaller_text_but_not_too_small():
    small = Drawing(BLANK, (text("12", 10, 10, x_height_px=FLOOR * PHOTO_SHARE),))
    assert list(faults(small)) and not list(faults(small, is_photo=True)) and not list(faults(small, lambda p: p))
    assert list(faults(small, lambda points: points * 0.9 + 10))


def test_a_view_moves_marks_and_margins_alike():
    marks = (text("12", 100, 50), Mark("A", (10, 20, 10, 20)))
    seen = moved_marks(marks, shrink)
    assert seen[0].box == (150, 125, 170, 131) and seen[0].x_height_px == pytest.approx(FLOOR / 2)
    assert seen[1].box == (105, 110, 105, 110)
    turned = moved_marks(marks, turn)
    assert turned[0].box == (386, 100, 398, 140) and turned[0].x_height_px == pytest.approx(FLOOR)
    margins = (
        Apart((0, 0), (0, 8), 5),
        Longer(((0, 0), (20, 0)), ((0, 0), (0, 10)), 1.1),
        Turn(((9, 0), (0, 0), (0, 9)), 84, 96),
    )
    moved = moved_margins(margins, shrink)
    assert [type(margin) for margin in moved] == [Apart, Longer, Turn]
    assert moved[0] == Apart((100, 100), (100, 104), 5) and moved[1].ratio == 1.1 and moved[2][1:] == (84, 96)
    drawing, seen = Drawing(BLANK, (), margins), Drawing(BLANK, (), moved)
    assert list(faults(drawing, shrink)) == list(faults(seen)) != list(faults(drawing)) == []
    assert moved_marks((), shrink) == () and moved_margins((), shrink) == ()


def test_margins_are_seen_through_one_call_of_the_view():
    calls = []

    def counted(points):
        calls.append(len(points))
        return points

    list(faults(Drawing(BLANK, (), (Apart((0, 0), (9, 9), 5),) * 20), counted))
    assert calls == [40]


def test_faint_text_is_found_in_the_pixels():
    picture = np.full((448, 448, 3), 250, np.uint8)
    marks = (text("12", 100, 100), text("34", 200, 100), Mark("A", (300, 100, 340, 112)))
    picture[102:110, 105:130] = 20
    picture[102:110, 205:230] = 220
    (fault,) = contrast_faults(picture, marks)
    assert "text '34' has a contrast of 30 grey levels" in fault


def test_angles_do_not_depend_on_the_order_of_the_arms():
    for degrees in (10, 90, 170):
        end = (9 * math.cos(math.radians(degrees)), 9 * math.sin(math.radians(degrees)))
        for arms in (((9, 0), (0, 0), end), (end, (0, 0), (9, 0))):
            assert Turn(arms, degrees - 1, degrees + 1).fault(np.array(arms)) is None
