"""Boards with one solution: plain search agrees and finds no other, and what is needed cannot be left out."""

import collections
import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest

from engines.base import Style
from engines.logic import ENGINE
from engines.logic.draw import draw
from engines.logic.questions import nonogram, queens, signs, wall
from engines.logic.questions.squares import Candidates, squares
from engines.logic.scene import Cage, Latin, Queens, Wall
from engines.marks import faults
from engines.oracles import readings
from engines.oracles.logic import ORACLES
from tests.engines import posing

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


@EACH_KIND
def test_plain_search_finds_the_same_and_no_other_solution(kind):
    for level in range(10):
        for item in posed(kind.name, level, 3):
            sample = sample_of(item, kind.name)
            assert item.answer.accepts(ORACLES[kind.name](sample)), item.question
            assert not list(readings.ambiguities(sample))


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in itertools.product((0, 5, 9), range(0, ENGINE.themes, 3)):
        (item,) = posed(kind.name, level, 1)
        for size_px in (kind.min_size_px[level], 448):
            assert not list(faults(draw(item.scene, size_px, Style(theme, 3))))


@pytest.mark.parametrize(("side", "count"), [(3, 12), (4, 576), (5, 161280)])
def test_all_latin_squares_are_there_once(side, count):
    """As many as are known (OEIS A002860), every one with each number once in each row and column."""
    table = squares(side)
    assert table.shape == (side * side, count)
    boards = table.T.reshape(count, side, side)
    for axis in (1, 2):
        assert (np.sort(boards, axis) == np.arange(1, side + 1).reshape((1, -1, 1) if axis == 1 else (1, 1, -1))).all()
    keys = boards.reshape(count, -1).astype(np.int64) @ (6 ** np.arange(side * side))
    assert len(np.unique(keys)) == count


def test_rules_leave_what_fits_them():
    left = Candidates(3)
    assert left.count() == 12 and left.varying() == list(range(9))
    left = left.keep(left.cell(0) == 1)
    left = left.keep(left.cell(4) == 1)
    assert left.count() == 2 and left.one(0)[0] == left.one(1)[4] == 1 and 0 not in left.varying()


@pytest.mark.parametrize("level", [3, 6, 9])
def test_without_its_signs_a_board_is_open(level):
    for item in posed("futoshiki", level, 6):
        with pytest.raises(ValueError, match="one solution"):
            ORACLES["futoshiki"](sample_of(item, "futoshiki", dataclasses.replace(item.scene, signs=())))


def test_a_board_turned_on_its_side_or_upside_down_in_value_answers_as_predicted():
    for item in posed("futoshiki", 8, 6):
        scene, n = item.scene, item.scene.side
        cells = np.array(scene.cells).reshape(n, n).T.ravel().tolist()
        turned = Latin(n, tuple(cells), tuple(((b, a), (d, c)) for (a, b), (c, d) in scene.signs))
        there = {"row": item.query["column"], "column": item.query["row"]}
        assert ORACLES["futoshiki"](sample_of(item, "futoshiki", turned, **there)) == item.answer.text()
        flipped = Latin(n, tuple(n + 1 - x if x else 0 for x in scene.cells), tuple((b, a) for a, b in scene.signs))
        assert int(ORACLES["futoshiki"](sample_of(item, "futoshiki", flipped))) == n + 1 - item.answer.value


def test_a_cage_of_another_number_has_another_solution_or_none():
    for item in posed("cages", 9, 8):
        first = next(cage for cage in item.scene.cages if len(cage.cells) > 1)
        others = tuple(cage for cage in item.scene.cages if cage is not first)
        wrong = dataclasses.replace(item.scene, cages=(*others, first._replace(number=first.number + 1)))
        try:
            found = ORACLES["cages"](sample_of(item, "cages", wrong))
        except ValueError:
            continue
        assert found.isdigit()
        whole = dataclasses.replace(item.scene, cages=others)
        with pytest.raises(ValueError):
            ORACLES["cages"](sample_of(item, "cages", whole))


def test_cages_cover_the_board_and_operations_are_the_level_s():
    for level, operations in ((0, "+"), (6, "+x"), (9, "+x-:")):
        for item in posed("cages", level, 6):
            cells = [cell for cage in item.scene.cages for cell in cage.cells]
            assert sorted(cells) == [signs.at(item.scene.side, i) for i in range(item.scene.side**2)]
            assert {cage.operation for cage in item.scene.cages} <= {"", *operations}


def test_reasoning_along_lines_by_hand():
    assert nonogram.runs(0b0101100, 7) == (2, 1) and nonogram.runs(0, 4) == (0,)
    assert nonogram.lines(4)[(1, 1)] == (0b0101, 0b1001, 0b1010)
    # A full row is known at once; the others follow from the columns in the same round or the next.
    assert nonogram.solved_in(((3,), (1,), (0,)), ((2,), (1,), (1,)), 3)[0] == 1
    # Two queens' moves: both diagonals fit, so no line tells.
    assert nonogram.solved_in(((1,), (1,)), ((1,), (1,)), 2) is None


def test_a_nonogram_upside_down_has_its_rows_upside_down():
    for item in posed("nonogram", 7, 8):
        scene, row = item.scene, len(item.scene.rows) + 1 - item.query["row"]
        turned = dataclasses.replace(scene, rows=scene.rows[::-1], columns=tuple(c[::-1] for c in scene.columns))
        assert ORACLES["nonogram"](sample_of(item, "nonogram", turned, row=row)) == item.answer.text()


def test_queens_do_not_touch_and_are_counted_right():
    # Permutations whose neighbours differ by more than 1 (OEIS A002464): 2, 14, 90, 646 for sides 4 to 7.
    assert [len(queens.placements(side)) for side in (4, 5, 6, 7)] == [2, 14, 90, 646]
    for level in (2, 9):
        for item in posed("queens", level, 5):
            every = queens.placements(item.scene.side)
            regions = np.array(item.scene.regions).reshape(item.scene.side, -1)
            for row, column in item.scene.shown:
                every = every[every[:, row - 1] == column - 1]
            assert len(queens.solutions(regions, every)) == 1


def test_regions_are_whole_and_needed():
    for item in posed("queens", 9, 5):
        scene = item.scene
        for region in range(scene.side):
            cells = {i for i, own in enumerate(scene.regions) if own == region}
            front = [min(cells)]
            seen = set(front)
            while front:
                near = {x for x in queens._beside(scene.side)[front.pop()] if x in cells} - seen
                seen |= near
                front += near
            assert seen == cells
        rows = tuple(i // scene.side for i in range(scene.side**2))
        with pytest.raises(ValueError, match="one solution"):
            ORACLES["queens"](sample_of(item, "queens", Queens(scene.side, rows, scene.shown)))


def test_rounds_of_a_wall_by_hand():
    # Bricks of a wall of three: 0 1 2 below, 3 4 above them, 5 at the top.
    assert wall.rounds(3, (0, 1, 2), 3) == 1 and wall.rounds(3, (0, 1, 2), 5) == 2
    assert wall.rounds(3, (5, 3, 0), 4) == 1 and wall.rounds(3, (5, 0, 2), 1) == wall.EQUATIONS
    assert wall.is_determined(3, (5, 0, 2)) and not wall.is_determined(3, (3, 0, 1))
    assert wall.layers([1, 2, 3]) == [[1, 2, 3], [3, 5], [8]]


def test_a_wall_that_says_too_little_is_refused_by_the_oracle():
    (item,) = posed("wall", 8, 1)
    layers = tuple(tuple(n if h == 4 else None for n in layer) for h, layer in enumerate(item.scene.layers))
    with pytest.raises(ValueError, match="must follow"):
        ORACLES["wall"](sample_of(item, "wall", dataclasses.replace(item.scene, layers=layers)))


def test_doubling_a_wall_doubles_its_bricks():
    for item in posed("wall", 9, 8):
        twice = tuple(tuple(None if n is None else 2 * n for n in layer) for layer in item.scene.layers)
        assert int(ORACLES["wall"](sample_of(item, "wall", Wall(twice, item.scene.asked, 1)))) == 2 * item.answer.value


def test_only_one_thing_is_wrong():
    for level in (0, 4, 5, 9):
        for item in posed("contradiction", level, 6):
            scene = item.scene
            numbers = {signs.at(scene.side, i): n for i, n in enumerate(scene.cells)}
            wrong = [a for a, b in scene.signs if numbers[a] >= numbers[b]]
            for cage in scene.cages:
                own = [numbers[cell] for cell in cage.cells]
                value = {
                    "": sum,
                    "+": sum,
                    "x": math.prod,
                    "-": lambda o: max(o) - min(o),
                    ":": lambda o: max(o) / min(o),
                }
                if value[cage.operation](own) != cage.number:
                    wrong.append(cage.cells[0])
            assert len(wrong) == 1


def test_a_difference_without_its_convention_is_told():
    told = 0
    for item in posed("cages", 9, 12):
        vague = item._replace(question=item.question.replace(", the larger number first", ""))
        told += bool(list(readings.ambiguities(sample_of(vague, "cages"))))
    assert told > 4


def test_scenes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"4 numbers within 0\.\.2"):
        Latin(2, (0, 3, 0, 0))
    with pytest.raises(ValueError, match=r"of regions 0\.\.1"):
        Queens(2, (0, 0, 0, 0), ())
    with pytest.raises(ValueError, match="one brick fewer"):
        Wall(((1, 2), (3, 4)), (1, 0), 1)
    assert Cage(((1, 1), (1, 2)), "x", 6).label() == "6x"


@pytest.mark.parametrize("level", [5, 8])
def test_the_commonest_cell_of_a_wrong_cage_is_as_common_as_stated(level):
    items = posed("contradiction", level, 600)
    share = collections.Counter(item.answer.text() for item in items).most_common(1)[0][1] / len(items)
    assert abs(share - items[0].guess_rate) < 0.03
