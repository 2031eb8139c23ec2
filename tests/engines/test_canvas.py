"""The canvas: exact coverage and extents, no seams, every symbol and stroke as named, marks recorded."""

import itertools
import math

import cv2
import numpy as np
import pytest

from engines.canvas import HATCHES, MARKERS, STROKES, Canvas, text_width_px
from engines.marks import Mark

SIZE, WHITE, BLACK = 120, (255, 255, 255), (0, 0, 0)


def ink(draw, size_px=SIZE):
    """Share of black per pixel after `draw(canvas)`, float [size, size]."""
    canvas = Canvas(size_px, WHITE)
    draw(canvas)
    return 1 - np.asarray(canvas.image())[..., 0] / 255.0


def middle(share):
    """Centre of mass (x, y) with (0, 0) the corner of the first pixel."""
    rows, columns = np.indices(share.shape) + 0.5
    return (columns * share).sum() / share.sum(), (rows * share).sum() / share.sum()


@pytest.mark.parametrize("width", [0.5, 1.0, 1.5, 2.0, 3.3, 8.0])
@pytest.mark.parametrize("degrees", [0, 17, 45, 71, 90])
def test_a_line_is_as_wide_and_lies_where_it_is_told(width, degrees):
    turn = math.radians(degrees)
    x, y, half = 60.3, 58.6, 40.0
    ux, uy = math.cos(turn), math.sin(turn)
    ends = [(x + side * half * ux, y + side * half * uy) for side in (-1, 1)]
    share = ink(lambda canvas: canvas.line(ends, BLACK, width))
    fine = (np.arange(SIZE * 12) + 0.5) / 12
    along, across = ((fine[None] - x) * a + (fine[:, None] - y) * b for a, b in ((ux, uy), (-uy, ux)))
    inside = (abs(along) <= half) & (abs(across) <= width / 2)
    covered = inside.reshape(SIZE, 12, SIZE, 12).mean((1, 3))
    assert abs(share - covered).max() < 0.1 and share.sum() == pytest.approx(2 * half * width, rel=0.02)


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 0.8])
def test_an_outlined_rectangle_ends_where_its_outline_does(shift):
    def draw(canvas):
        canvas.rectangle((20 + shift, 30 + shift), (50, 40), BLACK, BLACK, 2.0)

    share = ink(draw)
    assert share.sum() == pytest.approx(52 * 42, abs=2)  # corners are round
    assert share.sum(1)[50] == pytest.approx(52, abs=0.02) and share.sum(0)[50] == pytest.approx(42, abs=0.02)
    assert middle(share) == pytest.approx((45 + shift, 50 + shift), abs=0.02)


@pytest.mark.parametrize("radius", [3.0, 10.4, 30.0])
def test_a_disc_has_its_area_and_a_circle_its_width(radius):
    disc = ink(lambda canvas: canvas.circle((60.2, 59.7), radius, BLACK))
    assert disc.sum() == pytest.approx(math.pi * radius**2, rel=0.01)
    ring = ink(lambda canvas: canvas.circle((60.2, 59.7), radius, None, BLACK, 2.0))
    assert ring.sum() == pytest.approx(math.tau * radius * 2.0, rel=0.02)
    assert middle(disc) == pytest.approx((60.2, 59.7), abs=0.03)


def test_fills_without_outline_grow_by_a_hair_so_that_neighbours_leave_no_seam():
    share = ink(lambda canvas: canvas.rectangle((20, 30), (50, 40), BLACK))
    assert 50 <= share.sum(1)[50] <= 50.7 and 40 <= share.sum(0)[50] <= 40.7
    for slant in (0.0, 7.3):

        def wall(canvas, slant=slant):
            for at in np.arange(20, 100, 9.37):
                canvas.polygon([(at, 20), (at + 9.37, 20), (at + 9.37 + slant, 100), (at + slant, 100)], BLACK)

        assert ink(wall)[30:90, 32:90].min() > 0.95


def test_joints_are_closed_and_ends_are_straight():
    share = ink(lambda canvas: canvas.line([(20, 60), (60, 60), (60, 20)], BLACK, 12))
    assert share[60, 60] > 0.99  # the middle of the joint
    assert share[65, 65] < 0.2  # it is round: no corner
    assert share[56:64, :20].sum() < 0.1 and share[:20, 56:64].sum() < 0.1


@pytest.mark.parametrize("stroke", STROKES)
def test_strokes_leave_the_gaps_that_name_them(stroke):
    share = ink(lambda canvas: canvas.line([(5, 60), (115, 60)], BLACK, 2, stroke=stroke))
    row = share[59:61].mean(0)[6:114] > 0.5
    pieces = sum(1 for value, _ in itertools.groupby(row) if value)
    assert (pieces == 1) == (stroke == "solid")
    assert pieces <= 30 and 0.2 < share.sum() / 220 <= 1.01


def test_dashes_have_the_length_asked_for():
    share = ink(lambda canvas: canvas.line([(10, 60), (110, 60)], BLACK, 2, dash_px=10))
    row = share[59:61].mean(0)
    assert row[10:110].sum() == pytest.approx(50, abs=0.5) and row[10:20].min() > 0.9 and row[21:29].max() < 0.1


@pytest.mark.parametrize("hatch", HATCHES)
def test_a_hatch_stays_inside_and_shows_the_fill(hatch):
    canvas = Canvas(SIZE, WHITE)
    canvas.rectangle((20, 20), (80, 80), (200, 220, 255), BLACK, 2, hatch=hatch)
    picture = np.asarray(canvas.image()).astype(int)
    inside = picture[25:95, 25:95]
    assert (inside[..., 0] < 150).mean() > 0.05 and (abs(inside - (200, 220, 255)).max(2) < 8).mean() > 0.25
    outside = picture.copy()
    outside[18:102, 18:102] = 255
    assert outside.min() == 255


def test_hatches_and_markers_are_told_apart():
    def hatched(hatch):
        return ink(lambda canvas: canvas.rectangle((10, 10), (100, 100), WHITE, BLACK, 2, hatch=hatch))

    def marked(kind):
        return ink(lambda canvas: canvas.marker((60, 60), kind, 20, BLACK))

    for draw, names in ((hatched, HATCHES), (marked, MARKERS)):
        for one, other in itertools.combinations([draw(name) for name in names], 2):
            assert abs(one - other).sum() / max(one.sum(), other.sum()) > 0.15


@pytest.mark.parametrize("kind", MARKERS)
def test_markers_have_about_one_size_and_stand_where_they_are_put(kind):
    share = ink(lambda canvas: canvas.marker((60, 60), kind, 20, BLACK))
    assert 0.4 * math.pi * 400 < share.sum() < 1.3 * math.pi * 400
    rows, columns = np.nonzero(share > 0.5)
    assert np.hypot(rows - 59.5, columns - 59.5).max() <= 1.4 * 20
    assert math.dist(middle(share), (60, 60)) < 4.5


def test_an_arrow_points_at_its_end():
    share = ink(lambda canvas: canvas.arrow((10, 60), (100, 60), BLACK, 2))
    columns = np.nonzero(share.max(0) > 0.3)[0]
    assert columns.min() == 10 and columns.max() in (98, 99)
    assert share.sum(0)[93] > 1.4 * share.sum(0)[50] == pytest.approx(2 * 1.4, rel=0.05)
    both = ink(lambda canvas: canvas.arrow((10, 60), (100, 60), BLACK, 2, both=True))
    assert both.sum(0)[16] > 1.4 * share.sum(0)[16]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_ticks_across_a_segment_can_be_counted(count):
    for end in ((100, 60), (80, 95)):
        share = ink(lambda canvas, end=end: canvas.ticks((20, 40), end, count, BLACK, 1.5, 14))
        found, _ = cv2.connectedComponents((share > 0.4).astype(np.uint8))
        assert found - 1 == count
        assert middle(share) == pytest.approx(((20 + end[0]) / 2, (40 + end[1]) / 2), abs=0.1)


def test_a_right_angle_is_marked_by_a_square_between_the_arms():
    share = ink(lambda canvas: canvas.right_angle((30, 90), (90, 90), (30, 20), BLACK, 2, 12))
    rows, columns = np.nonzero(share > 0.5)
    assert (columns.min(), columns.max(), rows.min(), rows.max()) == (30, 42, 77, 89)


def test_pies_turn_counter_clockwise_and_rings_have_a_hole():
    share = ink(lambda canvas: canvas.pie((60, 60), 40, 0, math.pi / 2, BLACK))
    assert share[40, 80] > 0.99 and share[80, 80] == share[40, 40] == 0
    ring = ink(lambda canvas: canvas.pie((60, 60), 40, 0, math.tau - 0.001, BLACK, hole_px=20))
    assert ring[60, 60] == 0 and ring.sum() == pytest.approx(math.pi * (1600 - 400), rel=0.04)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("anchor", ["mm", "lt", "rs", "mb"])
def test_a_text_says_where_its_ink_is(turns, anchor):
    canvas = Canvas(SIZE, WHITE)
    canvas.text((60.4, 58.8), "Rq4", 22, BLACK, anchor, "serif", turns)
    (mark,) = canvas.drawing().marks
    rows, columns = np.nonzero(np.asarray(canvas.image())[..., 0] < 128)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert mark.name == "Rq4" and mark.kind == "text" and found == pytest.approx(mark.box, abs=2)
    if anchor == "mm":
        assert math.dist(((mark.box[0] + mark.box[2]) / 2, (mark.box[1] + mark.box[3]) / 2), (60.4, 58.8)) < 4
    if anchor == "lt":
        corner = (mark.box[0], mark.box[1] if turns % 4 in (0, 3) else mark.box[3])
        assert min(abs(corner[0] - 60.4), abs(mark.box[2] - 60.4)) < 2


def test_texts_may_leave_the_picture_without_harm():
    for at in ((-3, 60), (118, 60), (60, -2), (60, 121), (-400, -400)):
        ink(lambda canvas, at=at: canvas.text(at, "edge", 20, BLACK))
    assert ink(lambda canvas: canvas.text((60, 60), " ", 20, BLACK)).sum() == 0


def test_equal_calls_give_equal_bytes_and_a_wobble_stays_small():
    def draw(wobble_px=0.0):
        canvas = Canvas(SIZE, (240, 230, 220), wobble_px)
        canvas.line([(10, 10), (100, 30), (50, 110)], (20, 60, 90), 2.0)
        canvas.rectangle((30, 40), (60, 50), None, BLACK, 1.5)
        canvas.text((60, 60), "A1", 20, (200, 0, 0))
        return np.asarray(canvas.image())

    assert (draw() == draw()).all() and (draw(1.0) == draw(1.0)).all()
    assert (draw() != draw(1.0)).any()
    steady, shaken = (
        ink(
            lambda canvas, px=px: (canvas.__init__(448, WHITE, px), canvas.line([(20, 200), (430, 200)], BLACK, 2))[0],
            448,
        )
        for px in (0.0, 0.7)
    )
    assert (steady != shaken).any() and np.nonzero(shaken.max(1) > 0.5)[0].tolist() in (
        [198, 199, 200, 201],
        [199, 200],
    )


def test_parts_and_texts_are_handed_over_with_the_picture():
    canvas = Canvas(SIZE, WHITE)
    canvas.part("A", (10, 20))
    canvas.part("bar", (1, 2, 3, 4))
    canvas.text((60, 60), "12", 20, BLACK)
    drawing = canvas.drawing()
    assert drawing.marks[:2] == (Mark("A", (10, 20, 10, 20)), Mark("bar", (1, 2, 3, 4)))
    assert drawing.marks[2].x_height_px == pytest.approx(0.547 * 20, abs=0.1)
    assert drawing.image.size == (SIZE, SIZE) and drawing.image.mode == "RGB" and drawing.margins == ()
    assert text_width_px("12", 20) == pytest.approx(drawing.marks[2].box[2] - drawing.marks[2].box[0], abs=4)


def test_many_alike_in_one_go_are_what_one_by_one_would_be():
    ways = [[(5, 5), (50, 20), (40, 60)], [(80, 10), (90, 90)]]
    spots = [(20.5, 80.0), (60.0, 80.25)]
    together, apart = (Canvas(100, (255, 255, 255)) for _ in range(2))
    together.lines(ways, (0, 0, 0), 2.0)
    together.circles(spots, 9.0, (200, 0, 0), (0, 0, 90), 1.5)
    together.lines([], (0, 0, 0))
    for way in ways:
        apart.line(way, (0, 0, 0), 2.0)
    for spot in spots:
        apart.circle(spot, 9.0, (200, 0, 0), (0, 0, 90), 1.5)
    one, other = (np.asarray(canvas.image()).astype(int) for canvas in (together, apart))
    assert (one < 250).any(-1).sum() > 500 and abs(one - other).max() <= 2
