"""Solids, nets and dice: groups have their sizes, folding and rolling undo, mirror images are told apart."""

import collections
import dataclasses
import itertools

import numpy as np
import pytest

import engines
from engines.base import make_rng
from engines.cube import ENGINE
from engines.cube.questions.solids import _library
from engines.cube.scene import nets, sight, solids
from engines.cube.scene.dice import DICE, STEPS, rolled
from engines.oracles.cube import ORACLES

KINDS = {kind.name: kind for kind in ENGINE.types}
BACK = {"lower left": "upper right", "upper right": "lower left", "lower right": "upper left"}
BACK["upper left"] = "lower right"


def posed(name, level, count=10):
    return [KINDS[name].pose(make_rng("folding test", name, level, index), level) for index in range(count)]


def asked(kind, item, scene, **query):
    """What the second opinion says of another scene."""
    sample = engines.sample("cube", split="train", index=0, level=0, question_type="extreme_colour", size_px=112)
    return ORACLES[kind](dataclasses.replace(sample, scene=scene.to_json(), query={**item.query, **query}))


def test_a_cube_has_24_turns():
    turns = {tuple(turn.ravel()) for turn in solids.ROTATIONS}
    assert len(turns) == 24 and len(DICE) == 24
    products = {tuple((a @ b).ravel()) for a, b in itertools.product(solids.ROTATIONS, repeat=2)}
    assert products == turns
    assert all(round(np.linalg.det(turn)) == 1 for turn in solids.ROTATIONS)


def test_the_two_screws_of_four_cubes_are_mirror_images():
    screw = ((0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 0, 1))
    other = solids.mirrored(screw)
    assert not set(solids.turns(screw)) & set(solids.turns(other))
    assert len(_library(4)) == 2 and solids.turns(screw)[0] in _library(4)
    flat = ((0, 0, 0), (0, 1, 0), (1, 0, 0))
    assert solids.turns(flat) == solids.turns(solids.mirrored(flat))


@pytest.mark.parametrize("count", [4, 5, 6])
def test_solids_of_the_library_are_connected_and_chiral(count):
    for solid in _library(count):
        reached, ahead = {solid[0]}, [solid[0]]
        for cube in ahead:
            near = [other for other in solid if sum(abs(a - b) for a, b in zip(cube, other, strict=True)) == 1]
            ahead += [other for other in near if other not in reached]
            reached.update(near)
        assert len(reached) == count == len(set(solid))
        assert solids.turns(solids.mirrored(solid))[0] != solid == solids.turns(solid)[0]


def test_rays_agree_with_the_closed_form_of_stacks():
    for index in range(6):
        heights = make_rng("solid", index).integers(0, 3, size=(3, 3))
        solid = tuple((r, c, z) for r, c in np.ndindex(3, 3) for z in range(heights[r, c]))
        closed = sight.cube_shares(heights[None])[0]
        found = solids.cube_shares(solid)
        assert found == pytest.approx([closed[cube] for cube in solid], abs=0.16)


@pytest.mark.parametrize("level", [0, 2, 6, 9])
def test_one_option_is_the_model_turned_and_none_is_its_mirror_image_in_disguise(level):
    for item in posed("same_solid", level, 6):
        scene = item.scene
        own, mirror = solids.turns(scene.model), solids.turns(solids.mirrored(scene.model))
        assert sum(option in own for option in scene.options) == 1 and scene.model not in scene.options
        assert (level >= 2) == any(option in mirror for option in scene.options)
        assert min(solids.cube_shares(option).min() for option in (scene.model, *scene.options)) >= sight.SEEN
        reflected = dataclasses.replace(
            scene, model=solids.mirrored(scene.model), options=tuple(map(solids.mirrored, scene.options))
        )
        assert asked("same_solid", item, reflected) == item.answer.text()


def test_there_are_eleven_nets_and_all_fold_up():
    shapes = set()
    for shape in nets.SHAPES:
        squares = np.array(nets.squares_of(shape))
        net = tuple((row, column, f"{row}{column}") for row, column in squares.tolist())
        assert len({frame.out for frame in nets.folded(net).values()}) == 6
        images = [squares * signs for signs in itertools.product((1, -1), repeat=2)]
        images += [image[:, ::-1] for image in images]
        shapes.add(min(tuple(sorted(map(tuple, (image - image.min(0)).tolist()))) for image in images))
    assert len(shapes) == 11


def test_opposite_is_mutual_and_follows_the_names():
    for item in posed("opposite", 5):
        assert asked("opposite", item, item.scene, name=item.answer.value) == item.query["name"]
        names = sorted(square[2] for net in item.scene.nets for square in net)
        new = dict(zip(names, reversed(names), strict=True))
        renamed = tuple(tuple((r, c, new[name]) for r, c, name in net) for net in item.scene.nets)
        scene = dataclasses.replace(item.scene, nets=renamed)
        assert asked("opposite", item, scene, name=new[item.query["name"]]) == new[item.answer.value]


def test_a_net_turned_over_gives_the_mirror_images():
    for item in posed("net_cube", 4):
        scene = item.scene
        assert len(set(nets.views(scene.nets[0]))) == 24
        over = tuple(tuple((row, -column, name) for row, column, name in net) for net in scene.nets)
        cubes = tuple((top, right, left) for top, left, right in scene.cubes)
        assert asked("net_cube", item, dataclasses.replace(scene, nets=over, cubes=cubes)) == item.answer.text()
        assert sum(cube in nets.views(scene.nets[0]) for cube in scene.cubes) == 1


def test_rolling_back_undoes_and_four_rolls_come_round():
    for die, move in itertools.product(DICE, STEPS):
        assert rolled(rolled(die, move), BACK[move]) == die
        round_trip = die
        for _ in range(4):
            round_trip = rolled(round_trip, move)
        assert round_trip == die != rolled(die, move)
    assert all((top, right, left) not in DICE for top, left, right in DICE)


def test_a_die_rolled_in_the_mirror_ends_on_the_same_number():
    for item in posed("dice_roll", 7):
        scene = item.scene
        top, left, right = scene.die
        mirror = dataclasses.replace(
            scene, die=(top, right, left), way=tuple((column, row) for row, column in scene.way)
        )
        assert asked("dice_roll", item, mirror) == item.answer.text()
        back = dataclasses.replace(scene, way=(*scene.way, *scene.way[-2::-1]))
        assert asked("dice_roll", item, back) == str(top)


def test_bottoms_are_what_tops_lack():
    for item in posed("dice_bottom", 5):
        tops = sum(die[0] for die in item.scene.dice)
        assert tops + item.answer.value == 7 * len(item.scene.dice)


@pytest.mark.parametrize("name", ["dice_roll", "dice_bottom", "opposite"])
def test_answers_are_spread_evenly(name):
    counts = collections.Counter(item.answer.text() for item in posed(name, 0, 300))
    share = max(counts.values()) / 300
    assert share <= posed(name, 0, 1)[0].guess_rate + 0.09
