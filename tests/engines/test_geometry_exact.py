"""Exact plane geometry: cutting, meeting and symmetry in whole numbers, against SymPy and brute force."""

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engines.geometry.exact import (
    cross_properly,
    cut,
    is_simple,
    line_through,
    on_segment,
    place_of,
    spot_of,
    twice_area,
)
from engines.geometry.questions.circles import touches
from engines.geometry.questions.counting import BY_NUMBER, triangles
from engines.geometry.questions.polygons import is_axis
from engines.geometry.questions.special import holds
from engines.geometry.scene import Shape, inward

POINT = st.tuples(st.integers(-40, 40), st.integers(-40, 40))
SQUARE = ((0, 0), (40, 0), (40, 40), (0, 40))


def area(part) -> float:
    places = [place_of(spot) for spot in part]
    around = zip(places, (*places[1:], places[0]), strict=True)
    return sum(a[0] * b[1] - a[1] * b[0] for a, b in around) / 2


@given(st.lists(st.tuples(POINT, POINT), min_size=1, max_size=5))
def test_cutting_keeps_the_area_and_leaves_convex_parts(ends):
    parts = [[(x, y, 1) for x, y in SQUARE]]
    for start, end in ends:
        if start != end:
            parts = [piece for part in parts for piece in cut(part, line_through(start, end))]
    assert math.isclose(sum(map(area, parts)), 1600, rel_tol=1e-9)
    assert all(area(part) > 0 for part in parts)


@settings(max_examples=25, deadline=None)
@given(POINT, POINT, POINT, POINT)
def test_meeting_points_are_those_of_sympy(a, b, c, d):
    sympy = pytest.importorskip("sympy", reason="the second opinion is SymPy's")
    if a == b or c == d:
        return
    spot = spot_of(line_through(a, b), line_through(c, d))
    (x1, y1), (x2, y2) = (b[0] - a[0], b[1] - a[1]), (d[0] - c[0], d[1] - c[1])
    if x1 * y2 == x2 * y1:
        assert spot is None
        return
    (met,) = sympy.Line(a, b).intersection(sympy.Line(c, d))
    assert (sympy.Rational(spot[0], spot[2]), sympy.Rational(spot[1], spot[2])) == (met.x, met.y)


@given(POINT, POINT, POINT, POINT)
def test_segments_cross_the_same_in_any_order(a, b, c, d):
    found = cross_properly((a, b), (c, d))
    assert found == cross_properly((c, d), (a, b)) == cross_properly((b, a), (d, c))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_triangles_of_a_triangle_with_lines_from_two_corners(size):
    """A triangle with n - 1 lines from each of two corners holds n^3 triangles."""
    base = 12
    a, b, c = (0, 0), (base * 7, 0), (base * 3, base * 9)
    stops = [round(base * (i + 1) / size) for i in range(size - 1)]
    sides = [(a, b), (b, c), (c, a)]
    sides += [(a, (b[0] + (c[0] - b[0]) // base * k, (c[1] - b[1]) // base * k)) for k in stops]
    sides += [(b, (c[0] - c[0] // base * k, c[1] - c[1] // base * k)) for k in stops]
    assert triangles([line_through(*side) for side in sides], sides) == size**3
    assert size**3 in BY_NUMBER


def test_three_lines_through_one_point_make_no_triangle():
    sides = [((0, 0), (8, 8)), ((0, 8), (8, 0)), ((4, 0), (4, 8))]
    assert triangles([line_through(*side) for side in sides], sides) == 0


def test_tangents_touch_and_nothing_else_does():
    circle = Shape("circle", ((10, 20),), "black", 5)
    assert touches(Shape("segment", ((13 - 8, 24 + 6), (13 + 4, 24 - 3)), "black"), circle)
    assert not touches(Shape("segment", ((13 - 8, 24 + 7), (13 + 4, 24 - 3)), "black"), circle)


def test_special_points_are_told_exactly():
    assert holds("midpoint", (2, 3), ((0, 0), (4, 6))) and not holds("midpoint", (2, 4), ((0, 0), (4, 6)))
    assert holds("foot", (4, 0), (((0, 0), (9, 0)), (4, 7))) and not holds("foot", (5, 0), (((0, 0), (9, 0)), (4, 7)))
    assert holds("crossing", (2, 2), (((0, 0), (4, 4)), ((0, 4), (4, 0))))
    assert not holds("crossing", (5, 5), (((0, 0), (4, 4)), ((0, 10), (10, 0))))
    assert on_segment((2, 2), (0, 0), (4, 4)) and not on_segment((5, 5), (0, 0), (4, 4))


def test_axes_of_a_square_a_rectangle_and_a_slanted_shape():
    ways = [(1, 0), (0, 1), (1, 1), (1, -1), (2, 1)]
    square = ((-2, -2), (2, -2), (2, 2), (-2, 2))
    oblong = ((-3, -2), (3, -2), (3, 2), (-3, 2))
    slanted = ((-3, -2), (1, -2), (3, 2), (-1, 2))
    found = [[is_axis(shape, (0, 0), way) for way in ways] for shape in (square, oblong, slanted)]
    assert found == [[True] * 4 + [False], [True, True] + [False] * 3, [False] * 5]


@pytest.mark.parametrize("order", [1, -1])
def test_dents_do_not_depend_on_the_direction_around(order):
    arrow = ((0, 0), (8, 4), (0, 8), (3, 4))[::order]
    assert inward(arrow) == [(3, 4)] and is_simple(arrow)
    assert abs(twice_area(arrow)) == 2 * 20
    assert not any(is_simple(p) for p in [((0, 0), (8, 8), (8, 0), (0, 8)), ((0, 0), (8, 0), (4, 0))])
    assert len({twice_area(p) for p in itertools.permutations(((0, 0), (4, 0), (0, 4)))}) == 2
