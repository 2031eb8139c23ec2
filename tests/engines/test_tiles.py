"""Figures in squares: second opinions agree, options are even, and a changed scene answers as predicted."""

import collections
import dataclasses
import functools
import itertools

import numpy as np
import pytest

from engines.base import Style
from engines.marks import contrast_faults, faults
from engines.oracles import readings
from engines.oracles.tiles import ORACLES
from engines.tiles import ENGINE
from engines.tiles.draw import draw
from engines.tiles.questions import cells, folding, rules
from engines.tiles.scene import LETTERS, Paper, Sheet
from tests.engines import posing

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
CHOICES = [kind.name for kind in ENGINE.types if kind.name not in ("holes", "copies", "join")]
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


@EACH_KIND
def test_a_second_opinion_agrees_and_there_is_one_reading(kind):
    for level in range(10):
        for item in posed(kind.name, level, 4):
            sample = sample_of(item, kind.name)
            assert item.answer.accepts(ORACLES[kind.name](sample)), item.question
            assert not list(readings.ambiguities(sample))


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in itertools.product((0, 5, 9), range(0, ENGINE.themes, 3)):
        (item,) = posed(kind.name, level, 1)
        for size_px in (kind.min_size_px[level], 448):
            drawing = draw(item.scene, size_px, Style(theme, 3))
            assert not list(faults(drawing))
            assert not list(contrast_faults(np.asarray(drawing.image), drawing.marks))


@pytest.mark.parametrize("name", CHOICES)
def test_options_in_another_order_move_the_answer_along(name):
    for level in (1, 6):
        for item in posed(name, level, 4):
            turned = dataclasses.replace(item.scene, options=item.scene.options[1:] + item.scene.options[:1])
            before = LETTERS.index(item.answer.value)
            assert ORACLES[name](sample_of(item, name, turned)) == LETTERS[(before - 1) % 4]


@pytest.mark.parametrize("name", ["combine", "tally", "march", "unfold"])
def test_no_option_stands_out_by_how_many_others_are_like_it(name):
    """The right one is the nearest to the others, the farthest and the fullest as often as any."""
    for level in (1, 8):
        credit, items = collections.Counter(), posed(name, level, 80)
        for item in items:
            options = np.array([np.array(option) for option in item.scene.options])
            apart = (options[:, None] != options[None]).sum((1, 2, 3))
            place = LETTERS.index(item.answer.value)
            for rule, score in (("far", apart), ("near", -apart), ("full", (options > 0).sum((1, 2)))):
                best = score == score.max()
                credit[rule] += best[place] / best.sum()
        for rule, right in credit.items():
            assert right / 80 < 0.25 + 3.5 * (0.25 * 0.75 / 80) ** 0.5, (level, rule)


def test_four_quarter_turns_and_two_reflections_do_nothing():
    pattern = ((1, 0, 2), (0, 0, 1), (2, 2, 0))
    for move, times in (("quarter", 4), ("three", 4), ("half", 2), ("upright", 2), ("level", 2), ("falling", 2)):
        found = pattern
        for _ in range(times):
            found = cells.moved(found, move)
        assert found == pattern and cells.moved(pattern, move) != pattern
    assert cells.moved(pattern, "quarter") == ((2, 0, 1), (2, 0, 0), (0, 1, 2))
    assert cells.moved(cells.moved(pattern, "upright"), "level") == cells.moved(pattern, "half")


def test_mirroring_every_figure_changes_no_copy():
    for item in posed("copies", 7, 12):
        scene = item.scene
        mirrored = dataclasses.replace(
            scene,
            given=tuple(cells.moved(p, "upright") for p in scene.given),
            options=tuple(cells.moved(p, "upright") for p in scene.options),
        )
        assert item.answer.accepts(ORACLES["copies"](sample_of(item, "copies", mirrored)))
        alone = dataclasses.replace(scene, given=mirrored.given)
        other = set(LETTERS[: len(scene.options)]) - set(item.answer.value)
        assert ORACLES["copies"](sample_of(item, "copies", alone)) == (", ".join(sorted(other)) or "none")


def test_pieces_are_halves_and_turning_matters():
    """Without turns the two halves seldom fit; every piece covers as much as any other."""
    refused = 0
    for item in posed("join", 9, 10):
        sizes = {sum(map(sum, option)) for option in item.scene.options}
        assert sizes == {sum(map(sum, item.scene.given[0])) // 2}
        try:
            ORACLES["join"](sample_of(item, "join", turned=False))
        except ValueError:
            refused += 1
    assert refused >= 6


def test_pieces_to_join_stand_in_fields_of_their_own_to_one_scale():
    for level in (0, 5, 9):
        for item in posed("join", level, 2):
            boxes = {mark.name: mark.box for mark in draw(item.scene, 448, Style(0, 3)).marks if mark.kind == "part"}
            fields = set()
            for name, (left, top, right, foot) in boxes.items():
                fields.add((int(left * 3 // 448), int(top * 2 // 448)))
                assert int(left * 3 // 448) == int(right * 3 // 448) and int(top * 2 // 448) == int(foot * 2 // 448), (
                    name
                )
            assert len(fields) == len(boxes) == 1 + len(item.scene.options)
            (left, _, right, _), (a, _, b, _) = boxes["picture 1"], boxes["option A"]
            wide, many = len(item.scene.given[0][0]), len(item.scene.options[0])
            assert abs((right - left) / wide - (b - a) / many) < 1e-6


def test_a_gap_with_the_mirrored_piece_is_filled_by_the_other():
    for item in posed("gap", 8, 8):
        board = cells.moved(item.scene.given[0], "upright")
        found = ORACLES["gap"](sample_of(item, "gap", dataclasses.replace(item.scene, given=(board,))))
        assert found != item.answer.value and found in "ABCD"


def test_a_sheet_by_hand():
    """Left quarter over to the right, then the bottom half up: a hole where both lie makes four."""
    paper = Paper(4, (("right", 1), ("up", 2)), ((0, 1), (1, 3)))
    assert paper.rest(1) == (0, 1, 4, 4) and paper.rest(2) == (0, 1, 2, 4)
    assert paper.unfolded() == ((1, 1, 0, 0), (0, 0, 0, 1), (0, 0, 0, 1), (1, 1, 0, 0))
    assert folding._thickness(4, paper.folds) == ({0: 2, 1: 2}, {1: 2, 2: 1, 3: 1})
    assert sorted(paper.layers()[0, 1]) == [(0, 0), (0, 1), (3, 0), (3, 1)]
    with pytest.raises(ValueError, match="on the folded sheet"):
        Paper(4, (("right", 2),), ((0, 0),))
    with pytest.raises(ValueError, match="at most half of 4"):
        Paper(4, (("right", 3),), ((0, 3),))


def test_holes_are_the_layers_under_them_and_a_fold_less_has_fewer():
    for level in (2, 5, 9):
        for item in posed("holes", level, 8):
            paper = item.scene
            assert item.answer.value == sum(map(sum, paper.unfolded())) >= len(paper.holes)
            flat = dataclasses.replace(paper, folds=())
            assert int(ORACLES["holes"](sample_of(item, "holes", flat))) == len(paper.holes)


def test_pairs_that_say_too_little_are_refused_by_the_oracle():
    (item,) = posed("rule", 0, 1)
    blank = ((0,) * 3,) * 3
    scene = dataclasses.replace(item.scene, given=(blank,) * 4 + item.scene.given[4:])
    with pytest.raises(ValueError, match="leave one result"):
        ORACLES["rule"](sample_of(item, "rule", scene))


def test_rules_of_a_level_are_known_to_the_onlooker_and_harder_ones_come_later():
    for level in range(10):
        every = rules.pool(rules.SIDES[level], rules.INKS[level])
        assert set(rules.asked(level)) <= set(every) and len(rules.asked(level)) >= 5
    assert len(rules.asked(9)) > len(rules.asked(5)) > len(rules.asked(0))


def test_patterns_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match=r"rectangles of 0\.\.1"):
        Sheet("figure", (((0, 2),),), (), ("red",), 1)
    with pytest.raises(ValueError, match=r"sheet\.kind must be one of"):
        Sheet("shapes", (), (), ("red",), 1)
