"""Variants: the same question program about other scenes, right, different from each other, and the same each time."""

import collections
import dataclasses
import json
import re

import numpy as np
import pytest

import engines
from engines import again
from engines.again import program_of
from engines.base import QuestionType, make_rng, pose, scene_split
from engines.compose.program import Table
from engines.compose.wording import is_sayable
from engines.grid.scene import SHAPES
from engines.oracles import oracles_of
from engines.style import COLOURS
from tests.engines.toy import TOY, Dots, pose_count

EACH_ENGINE = pytest.mark.parametrize("name", engines.ENGINES)
COMPOSED = [name for name, engine in engines.ENGINES.items() if any(kind.name == "compose" for kind in engine.types)]


def sample(name, question_type, level=3, index=1, **more):
    return engines.sample(name, split="train", index=index, level=level, question_type=question_type, **more)


@EACH_ENGINE
def test_each_variant_is_another_scene_with_the_same_program_and_its_own_answer(name):
    """Of every third type: a smaller share would leave out kinds of scenes."""
    pytest.importorskip("shapely", reason="oracles of some categories use shapely")
    engine, oracles = engines.ENGINES[name], oracles_of(name)
    for place, kind in enumerate(engine.types):
        if place % 3 or kind.held_out:
            continue
        of = sample(name, kind.name, level=2)
        found = engines.variants(of, 3)
        assert [one.variant for one in found] == [1, 2, 3] and of.variant == 0
        assert len({json.dumps(one.scene, sort_keys=True) for one in (of, *found)}) == 4
        for one in found:
            assert program_of(one.query) == program_of(of.query)
            assert (one.engine, one.question_type, one.level, one.split) == (name, kind.name, 2, "train")
            assert one.answer.accepts(oracles[kind.name](one)), one.question


UP, DOWN = "highest|longest|largest", "lowest|shortest|smallest"
SAYS_OTHERWISE = {  # one of the words that a type's questions differ in; those of a group mean the same
    "chart.extreme_bar": (UP, DOWN),
    "chart.extreme_sector": (UP, DOWN),
    "chart.rank_order": (UP, DOWN),
    "chart.kth_largest": (UP, DOWN),
    "chart.best_series": (UP, DOWN),
    "chart.steepest": ("rise", "fall"),
    "chart.longest_run": ("rise", "fall"),
    "chart.box_value": ("smallest", "lower", "median", "upper", "largest"),
    "function.extremum": ("highest", "lowest", "leftmost", "rightmost"),
    "grid.neighbour": ("left of", "right of", "above", "below"),
    "grid.grid_size": ("rows", "columns"),
    "sudoku.count_line": ("row", "column"),
    "solids.plan_view": ("front", "left", "right", "back"),
}


def said(question: str, groups: tuple[str, ...]) -> int:
    """The group of the first of its words."""
    found = {number: match.start() for number, words in enumerate(groups) if (match := re.search(words, question))}
    assert found, question
    return min(found, key=found.get)


def asked_again(kind_name: str, index: int) -> list[str]:
    """A question of a type and five variants of it."""
    engine = engines.ENGINES[kind_name.partition(".")[0]]
    kind = next(kind for kind in engine.types if f"{engine.name}.{kind.name}" == kind_name)
    place = {"split": "test_d" if kind.held_out else "train", "index": 2 * index, "level": 4}
    of = pose(engine, kind, **place)
    drawn = again.posed_again(engine, kind, of, **place)
    return [of.question, *(posed.question for _, (_, posed) in zip(range(5), drawn, strict=False))]


@pytest.mark.parametrize("name", SAYS_OTHERWISE)
def test_a_variant_never_asks_the_opposite(name):
    met = set()
    for index in range(8):
        questions = asked_again(name, index)
        meant = {said(question, SAYS_OTHERWISE[name]) for question in questions}
        assert len(meant) == 1, questions
        met |= meant
    assert len(met) > 1, "samples of one kind only: take others"


def test_a_variant_names_a_thing_as_the_sample_does():
    """By its colour, its shape, or both."""
    met = set()
    for index in range(12):
        questions = [set(re.findall(r"[a-z]+", question)) for question in asked_again("grid.locate", index)]
        named = {(not words.isdisjoint(COLOURS), not words.isdisjoint(SHAPES)) for words in questions}
        assert len(named) == 1, questions
        met |= named
    assert met == {(True, False), (False, True), (True, True)}


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("level", [1, 6])
def test_a_composed_question_is_the_same_word_for_word(name, level):
    of = sample(name, "compose", level)
    found = engines.variants(of, 6)
    assert {one.question for one in found} == {of.question} and {json.dumps(one.query) for one in found} == {
        json.dumps(of.query)
    }
    oracle = oracles_of(name)["compose"]
    assert all(one.answer.accepts(oracle(one)) for one in found)
    assert all(one.answer.kind != "integer" or one.answer.value > 0 for one in found)


def test_answers_of_the_same_question_differ():
    answers = collections.Counter(one.answer.text() for one in engines.variants(sample("scene", "compose", 2), 12))
    assert len(answers) > 1


def test_equal_samples_have_equal_variants_whose_first_do_not_depend_on_how_many():
    of = sample("path", "maze_exit", photo=True)
    two, three = (engines.variants(of, count) for count in (2, 3))
    for one, other in zip(two, three, strict=False):
        assert one.question == other.question and one.scene == other.scene and (one.image == other.image).all()
        assert one.photographed and one.size_px == of.size_px
    assert (two[0].image != two[1].image).any()
    other = engines.variants(sample("path", "maze_exit", index=2), 1)
    assert other[0].scene != two[0].scene


def test_variants_belong_to_the_split_of_the_sample():
    for split in ("train", "test_a"):
        of = engines.sample("grid", split=split, index=3, level=2, question_type="compose")
        kind = next(kind for kind in engines.ENGINES["grid"].types if kind.name == "compose")
        asked = kind.pose(make_rng("split"), 2)
        drawn = again.posed_again(engines.ENGINES["grid"], kind, asked, split=split, index=0, level=2)
        for _, item in (next(drawn) for _ in range(4)):
            assert scene_split(item.scene) == split
        assert all(one.split == split for one in engines.variants(of, 2))


def test_what_means_nothing_or_is_idle_in_a_scene_is_not_asked_of_it():
    pose = next(kind.pose for kind in engines.ENGINES["grid"].types if kind.name == "compose")
    asked = pose(make_rng("asked"), 7)
    drawn = [pose.again(asked, make_rng("again", index), 7) for index in range(300)]
    found = [item for item in drawn if item is not None]
    assert found and len(found) < len(drawn)
    things = pose._things
    for item in found:
        node = again_as_tuples(item.query["program"])
        assert not Table(things(item.scene)).is_idle(node) and is_sayable(node)


def again_as_tuples(part):
    return tuple(again_as_tuples(x) for x in part) if isinstance(part, list) else part


def test_a_sample_that_is_a_variant_or_of_another_version_is_refused():
    of = sample("path", "tangle_end")
    (one,) = engines.variants(of, 1)
    with pytest.raises(ValueError, match="got variant 1 of version"):
        engines.variants(one, 1)
    with pytest.raises(ValueError, match="got variant 0 of version 0"):
        engines.variants(dataclasses.replace(of, version=0), 1)


def test_a_question_without_further_scenes_is_told(monkeypatch):
    def pose(rng, level):
        return pose_count(rng, level)._replace(scene=Dots(3, 4, 1))

    monkeypatch.setattr(again, "MAX_TRIES", 5)
    monkeypatch.setattr(again, "pose", lambda *_, **__: pose(make_rng("one"), 0))
    engine = dataclasses.replace(TOY, types=(QuestionType("count", pose),))
    drawn = again.posed_again(engine, engine.types[0], pose(make_rng("one"), 0), split="train", index=0, level=0)
    with pytest.raises(RuntimeError, match=r"toy\.count level 0: no further scene of train"):
        next(drawn)


def test_variants_look_like_their_sample():
    """The theme's paper is the sample's: what differs is the scene."""
    of = sample("logic", "futoshiki")
    for one in engines.variants(of, 3):
        assert np.array_equal(one.image[0, 0], of.image[0, 0])
