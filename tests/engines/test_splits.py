"""Splits share no picture: what a picture does not show has no part in which split owns its scene."""

import dataclasses

import numpy as np
import pytest

import engines
from engines.base import pose, scene_split
from engines.tiles.scene import Sheet
from tests.engines import posing

UNSEEN = {"steps": 7, "rounds": 7}  # fields that say how much thought a question takes


def scenes(name, level):
    """One scene of each type of an engine."""
    engine = engines.ENGINES[name]
    for kind in engine.types:
        yield posing.posed(engine, kind.name, level, 1)[0].scene


@pytest.mark.parametrize("name", ["logic", "panels", "tiles", "solids", "measures", "path", "scene"])
def test_how_much_thought_a_question_takes_is_no_part_of_its_scene(name):
    for level in (0, 5, 9):
        for scene in scenes(name, level):
            fields = {field.name for field in dataclasses.fields(scene)} & UNSEEN.keys()
            other = dataclasses.replace(scene, **{field: UNSEEN[field] for field in fields})
            assert other.to_json() == scene.to_json() and scene_split(other) == scene_split(scene)


def test_a_picture_of_tiles_has_one_numbering_of_its_colours():
    one = Sheet("copies", (((1, 0, 2),),), (((2, 1, 0),), ((0, 1, 1),)), ("red", "blue"), 1)
    other = Sheet("copies", (((3, 0, 1),),), (((1, 3, 0),), ((0, 3, 3),)), ("blue", "green", "red"), 2)
    assert one.describe() == other.describe() and one.to_json() == other.to_json()
    assert one.to_json()["colours"] == ["red", "blue"]
    assert one.to_json() != dataclasses.replace(one, colours=("blue", "red")).to_json()


@pytest.mark.parametrize("name, kind", [("logic", "nonogram"), ("tiles", "holes"), ("tiles", "image")])
def test_no_picture_is_in_two_splits(name, kind):
    engine = engines.ENGINES[name]
    (asked,) = (one for one in engine.types if one.name == kind)
    told = {
        split: {pose(engine, asked, split=split, index=index, level=0).scene.describe() for index in range(count)}
        for split, count in (("test_a", 150), ("train", 500))
    }
    assert np.prod([len(texts) for texts in told.values()]) > 0 and not told["test_a"] & told["train"]
