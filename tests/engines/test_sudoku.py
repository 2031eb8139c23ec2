"""Sudoku: boards are valid, second opinions agree, and a moved or renamed board moves or renames its answer."""

import itertools

import numpy as np
import pytest

import engines
from engines.base import Style, make_rng
from engines.marks import faults
from engines.oracles.sudoku import ORACLES
from engines.sudoku import ENGINE
from engines.sudoku.draw import draw
from engines.sudoku.questions import patterns
from engines.sudoku.scene import BOXES, IRREGULAR, SudokuScene, Tile, box_regions, solved, solved_irregular
from engines.sudoku.solver import solutions

KINDS = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
DRAWN = ("read", "matrix", "pattern", "runs", "word")


def sample(kind, level, index=0):
    split, size_px = "test_d" if kind.held_out else "train", max(112, kind.min_size_px[level])
    return engines.sample("sudoku", split=split, index=index, level=level, question_type=kind.name, size_px=size_px)


def posed(name, level, count=15):
    kind = next(kind for kind in ENGINE.types if kind.name == name)
    return [kind.pose(make_rng("sudoku test", level, index), level) for index in range(count)]


def is_valid(board, regions):
    """Say whether no row, column or region repeats a symbol."""
    board, regions = np.array(board), np.array(regions)
    groups = [*board, *board.T, *(board[regions == region] for region in np.unique(regions))]
    return all(len(set(g[g > 0].tolist())) == int((g > 0).sum()) for g in groups)


@KINDS
def test_a_second_opinion_agrees(kind):
    if kind.name == "deduce":
        pytest.importorskip("ortools")
    for level in range(10):
        for index in (0, 2):
            item = sample(kind, level, index)
            assert item.answer.accepts(ORACLES[kind.name](item)), item.question
            assert len(item.facts) >= 3


@pytest.mark.parametrize("name", DRAWN)
def test_every_picture_is_fit_to_look_at(name):
    kind = next(kind for kind in ENGINE.types if kind.name == name)
    for level, theme in itertools.product((0, 4, 9), range(0, ENGINE.themes, 2)):
        scene = kind.pose(make_rng("sudoku look", level), level).scene
        for size_px in (kind.min_size_px[level], 448):
            assert not list(faults(draw(scene, size_px, Style(theme, 3))))


@pytest.mark.parametrize("side", BOXES)
def test_solutions_are_valid_and_vary(side):
    rng, boards = make_rng("boards", side), set()
    for _ in range(20):
        board = solved(rng, side)
        assert is_valid(board, np.reshape(box_regions(side), (side, side)))
        irregular, regions = solved_irregular(rng, side)
        assert is_valid(irregular, regions) and sorted(np.bincount(regions.ravel())) == [side] * side
        assert set(irregular.ravel().tolist()) == set(range(1, side + 1))
        boards |= {board.tobytes(), irregular.tobytes()}
    assert len(boards) > 30


@pytest.mark.parametrize("side", IRREGULAR)
def test_irregular_regions_hang_together(side):
    for text, _ in IRREGULAR[side]:
        regions = np.array(list(text)).reshape(side, side)
        for region in set(text):
            inside = {tuple(cell) for cell in np.argwhere(regions == region).tolist()}
            seen = [min(inside)]
            for row, column in seen:
                near = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)}
                seen += sorted((near & inside) - set(seen))
            assert set(seen) == inside


def test_the_solver_finds_none_one_and_more():
    regions = box_regions(4)
    board = tuple(solved(make_rng("solver"), 4).ravel().tolist())
    assert solutions(board, regions) == [board]
    assert len(solutions((0,) * 16, regions)) == 2 and len(solutions((0,) * 16, regions, most=999)) == 288
    assert solutions((1, 1, *(0,) * 14), regions) == []


def test_only_repeats_break_the_rule():
    for name, level in itertools.product(("read", "candidates", "single", "lacking"), (0, 4, 9)):
        for item in posed(name, level, 5):
            side = item.scene.side
            assert is_valid(np.reshape(item.scene.cells, (side, side)), np.reshape(item.scene.regions, (side, side)))


def test_swapping_rows_and_columns_swaps_the_place_of_a_digit():
    for item in posed("find_column", 1):
        side, query = item.scene.side, item.query
        turned = np.reshape(item.scene.cells, (side, side)).T
        row = int(np.flatnonzero(turned[:, query["row"] - 1] == int(query["symbol"]))[0])
        assert row + 1 == item.answer.value


def test_renaming_symbols_renames_the_answer():
    for item in posed("deduce", 5):
        scene = item.scene
        turn = {number: number % scene.side + 1 for number in range(1, scene.side + 1)} | {0: 0}
        place = (item.query["row"] - 1) * scene.side + item.query["column"] - 1
        (before,) = solutions(scene.cells, scene.regions)
        (after,) = solutions([turn[number] for number in scene.cells], scene.regions)
        assert after[place] == turn[before[place]]


def test_a_pattern_with_one_wrong_tile_is_seen_and_a_right_one_is_not():
    red, blue = Tile("star", "red"), Tile("star", "blue")
    tiles = [red, blue] * 8
    assert patterns.exceptions(tiles, 4, 4) == set()
    assert patterns.exceptions([*tiles[:5], Tile("star", "green"), *tiles[6:]], 4, 4) == {5}


def test_every_clue_fits_its_row_and_there_are_as_many_as_can_be():
    assert patterns.clues(3) == ((1,), (1, 1), (2,), (3,))
    for item in posed("runs", 3, 30):
        assert patterns.runs(item.scene.line(item.query["row"])) == item.answer.value


@pytest.mark.parametrize("cells", [(0,) * 15, (5, *(0,) * 15)])
def test_a_board_must_be_whole_and_in_range(cells):
    with pytest.raises(ValueError, match="sudoku"):
        SudokuScene(4, cells, ("1", "2", "3", "4"), "digits", box_regions(4))
