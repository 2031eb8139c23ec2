"""Stacks of cubes: second opinions agree, pictures tell what they must, turned stacks answer as predicted."""

import collections
import dataclasses
import functools
import itertools

import numpy as np
import pytest

from engines.base import Style, make_rng
from engines.marks import contrast_faults, faults
from engines.oracles import readings
from engines.oracles.solids import ORACLES
from engines.solids import ENGINE
from engines.solids.draw import draw
from engines.solids.questions import make, stacks, views
from engines.solids.scene import LETTERS, Panel, Solids, is_open, picture, seen
from tests.engines import posing

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
CHOICES = [kind.name for kind in ENGINE.types if not kind.name.startswith("views_m") and kind.name != "views_least"]
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


@EACH_KIND
def test_a_second_opinion_agrees_and_there_is_one_reading(kind):
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
            drawing = draw(item.scene, size_px, Style(theme, 3))
            assert not list(faults(drawing))
            assert not list(contrast_faults(np.asarray(drawing.image), drawing.marks))


@pytest.mark.parametrize("name", CHOICES)
def test_options_in_another_order_move_the_answer_along_and_none_stands_out(name):
    for level in (1, 6):
        credit, items = collections.Counter(), posed(name, level, 40)
        for item in items:
            turned = dataclasses.replace(item.scene, options=item.scene.options[1:] + item.scene.options[:1])
            place = LETTERS.index(item.answer.value)
            assert ORACLES[name](sample_of(item, name, turned)) == LETTERS[(place - 1) % 4]
            options = np.array(item.scene.options)
            apart = (options[:, None] != options[None]).sum((1, 2, 3))
            for rule, score in (("far", apart), ("near", -apart), ("most", options.sum((1, 2)))):
                best = score == score.max()
                credit[rule] += best[place] / best.sum()
        for rule, right in credit.items():
            assert right / 40 < 0.25 + 3.5 * (0.25 * 0.75 / 40) ** 0.5, (level, rule)


def rays(heights):
    """What looks at the viewer at each triangle, by walking along lines of sight until a cube or the floor is met.

    The eye looks along (-1, -1, -1); a line of sight is followed in steps far smaller than a cube.
    """
    found = {}
    cubes = {(r, c, k) for r, row in enumerate(heights) for c, height in enumerate(row) for k in range(height)}
    for strip, low in seen(heights):
        # A point of the triangle, in the picture: strip + a half across, the sum of its corners' rows down.
        across, down = strip + 0.5, low / 3
        # row + column - 2 k = down and column - row = across on this line; k goes down with the steps.
        for k in np.arange(1.0 + max(map(max, heights)), -0.1, -0.02):
            total = down + 2 * k
            row, column = (total - across) / 2, (total + across) / 2
            cell = (int(np.floor(row)), int(np.floor(column)), int(np.floor(k)))
            if cell in cubes:
                part = (row - cell[0], column - cell[1], k - cell[2])
                found[strip, low] = ("front", "right", "top")[int(np.argmax(part))]
                break
            if k < 0:
                found[strip, low] = "top"
                break
    return found


def test_what_is_seen_is_what_rays_of_light_meet():
    rng = make_rng("rays")
    for _ in range(2):
        heights = make.table(rng, 3, 2)
        assert rays(heights) == {place: face[0] for place, face in seen(heights).items()}
        assert collections.Counter(picture(heights).values()) == collections.Counter(
            f[0] for f in seen(heights).values()
        )


def test_pictures_of_different_stacks_may_be_alike_and_open_ones_are_not():
    hidden, bare = ((0, 0), (0, 2)), ((1, 0), (0, 2))
    assert picture(hidden) == picture(bare) and not is_open(bare)
    every = [((a, b), (c, d)) for a, b, c, d in itertools.product(range(3), repeat=4)]
    kept = [heights for heights in every if is_open(heights)]
    assert len({tuple(sorted(picture(heights).items())) for heights in kept}) == len(kept) > 20


def test_foils_of_a_corner_are_no_picture_of_the_stack_from_any_side():
    for level in (2, 6, 9):
        for item in posed("corner", level, 6):
            (panel,) = item.scene.given
            own = [picture(stacks.turned(panel.table, turn)) for turn in range(4)]
            fitting = [letter for letter, o in zip(LETTERS, item.scene.options, strict=True) if picture(o) in own]
            assert fitting == [item.answer.value] and is_open(panel.table)


def test_options_can_be_told_at_a_glance_where_they_are_drawn():
    """Rays again: three of a cube's six triangles or more look another way, or lie beyond the other picture."""
    for name, level in itertools.product(("corner", "built"), (0, 3, 6, 9)):
        for item in posed(name, level, 4):
            shown = [seen(option) for option in item.scene.options]
            for one, other in itertools.combinations(shown, 2):
                changed = [one[place][0] != other[place][0] for place in one.keys() & other.keys()]
                assert 2 * sum(changed) + len(one.keys() ^ other.keys()) >= stacks.LEAST_APART


def test_views_to_choose_from_have_no_gaps():
    for level in range(10):
        for item in posed("plan_view", level, 4):
            assert all(all(option[-1]) for option in item.scene.options)


def test_cubes_of_all_options_are_drawn_to_one_scale():
    for level in (1, 9):
        for item in posed("built", level, 3):
            boxes = {mark.name: mark.box for mark in draw(item.scene, 448, Style(0, 3)).marks if mark.kind == "part"}
            sizes = {
                tuple(round(b - a, 3) for a, b in ((x, u), (y, v))) for n, (x, y, u, v) in boxes.items() if "opt" in n
            }
            assert len(sizes) == 1 and min(sizes.pop()) > 448 * 0.2


def test_counts_by_hand():
    assert views.most((2, 1), (0, 2)) == 3 and views.least((2, 1), (0, 2)) == 3
    assert views.most((3, 3), (3, 3)) == 12 and views.least((3, 3), (3, 3)) == 6
    assert views.least((2, 1, 2), (2, 2, 1)) == 5
    heights = ((0, 2, 1), (1, 0, 0), (0, 0, 3))
    assert make.front(heights) == (1, 2, 3) and make.right(heights) == (3, 1, 2)
    assert views.seen_from(heights, "left") == (2, 1, 3) and views.seen_from(heights, "back") == (3, 2, 1)
    assert make.view((1, 0, 2), 2) == ((0, 0, 1), (1, 0, 1))
    assert stacks.turned(((1, 2), (3, 4)), 1) == ((3, 1), (4, 2))


def test_the_fewest_and_the_most_frame_the_stack_they_came_from():
    rng = make_rng("frame")
    for _ in range(30):
        heights = make.table(rng, 3, 3)
        tops, sides = make.front(heights), make.right(heights)
        assert views.least(tops, sides) <= sum(map(sum, heights)) <= views.most(tops, sides)


def test_turning_the_stack_turns_what_is_seen_from_a_side():
    for item in posed("plan_view", 8, 8):
        (panel,) = item.scene.given
        moved = dataclasses.replace(item.scene, given=(panel._replace(table=stacks.turned(panel.table, 1)),))
        # A quarter turn clockwise brings the right side to the front, the front to the left, and so on.
        after = {"right": "front", "front": "left", "left": "back", "back": "right"}[item.query["where"]]
        assert ORACLES["plan_view"](sample_of(item, "plan_view", moved, where=after)) == item.answer.value


def test_scenes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="solids looks must be of"):
        Solids((Panel("cake", ((1,),)),), "stack", (), "red", 1)
    with pytest.raises(ValueError, match="rectangles of numbers"):
        Solids((Panel("plan", ((1, 2), (1,))),), "stack", (), "red", 1)


def test_what_is_ruled_and_empty_is_not_counted_as_a_square():
    """Views are ruled all over, so a question says that it counts shaded squares."""
    for name in ("views_most", "views_least", "views_plan"):
        for item in posed(name, 3, 10):
            for fact in ENGINE.facts(item.scene, make_rng("facts")):
                if "squares" in fact.question and "view" in fact.question:
                    assert "shaded squares" in fact.question


def test_no_option_reaches_the_edge_of_a_small_picture():
    for name, theme in itertools.product(("corner", "built", "plan_view"), range(ENGINE.themes)):
        for item in posed(name, 0, 4):
            image = np.asarray(draw(item.scene, KINDS[name].min_size_px[0], Style(theme, 3)).image).astype(int)
            rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
            assert abs(rim - rim[0]).max() <= 12
