"""Compositional questions: what programs mean, that every part of one matters, and how they are said."""

import json

import numpy as np
import pytest

from engines import compose
from engines.base import Posed
from engines.compose.pose import MOST
from engines.compose.program import Table, Undefined, operations, tells
from engines.compose.wording import is_sayable, question
from engines.oracles.compose import Manner, shorter
from engines.oracles.compose import answer as oracle

COLOURS, SHAPES = ("red", "blue", "green"), ("star", "disc")
KIND = compose.Kind(
    "shape",
    "shapes",
    (
        compose.Attribute(
            "colour", COLOURS, "before", same="of the same colour as {it}", read=("What colour is {it}?",)
        ),
        compose.Attribute("shape", SHAPES, "noun", plurals=("stars", "discs"), same="like {it}"),
        compose.Attribute(
            "row",
            says="in row {value}",
            same="in the same row as {it}",
            more="below {it}",
            less="above {it}",
            most="lowest",
            least="highest",
            read=("In which row is {it}?",),
            gap=("How many rows is {one} below {two}?",),
        ),
    ),
)
# red star 1, blue star 1, red disc 2, green disc 3, red star 3
THINGS = [
    {"colour": "red", "shape": "star", "row": 1},
    {"colour": "blue", "shape": "star", "row": 1},
    {"colour": "red", "shape": "disc", "row": 2},
    {"colour": "green", "shape": "disc", "row": 3},
    {"colour": "red", "shape": "star", "row": 3},
]
ALL = ("all",)
RED, STARS = ("is", "colour", "red", ALL), ("is", "shape", "star", ALL)
BLUE_STAR = ("the", ("is", "colour", "blue", STARS))
MEANT = [
    (("count", RED), 3),
    (("count", ("is", "colour", "red", STARS)), 2),
    (("count", ("more", "row", BLUE_STAR, RED)), 2),
    (("count", ("same", "row", BLUE_STAR, ALL)), 1),
    (("count", ("less", "row", ("the", ("is", "colour", "green", ALL)), ALL)), 3),
    (("read", "colour", ("most", "row", STARS)), "red"),
    (("read", "row", ("the", ("is", "shape", "disc", RED))), 2),
    (("difference", RED, ("is", "shape", "disc", ALL)), 1),
    (("total", STARS, ("is", "shape", "disc", ALL)), 5),
    (("compare", STARS, RED), "equal"),
    (("gap", "row", ("most", "row", STARS), BLUE_STAR), 2),
]


class Rows:
    """A scene that is its rows."""

    def __init__(self, rows: list[dict]):
        self.rows = rows

    def to_json(self) -> dict:
        return {"rows": self.rows}


def random_scene(rng: np.random.Generator, level: int) -> Rows:
    count = 6 + 2 * level
    picks = zip(rng.choice(COLOURS, count), rng.choice(SHAPES, count), rng.integers(1, 5, count), strict=True)
    return Rows([{"colour": str(c), "shape": str(s), "row": int(r)} for c, s, r in picks])


POSE = compose.make_pose(KIND, random_scene, lambda scene: scene.rows)


def posed(level: int, count: int = 40) -> list[Posed]:
    return [POSE(np.random.default_rng([level, i]), level) for i in range(count)]


@pytest.mark.parametrize("node, wanted", MEANT, ids=lambda x: json.dumps(x) if isinstance(x, tuple) else str(x))
def test_programs_mean_what_the_grammar_says(node, wanted):
    assert Table(THINGS).answer(node) == wanted
    assert oracle(json.loads(json.dumps(node)), THINGS) == str(wanted)


@pytest.mark.parametrize(
    "node",
    [
        ("read", "row", ("the", RED)),
        ("read", "row", ("the", ("is", "colour", "green", STARS))),
        ("read", "colour", ("least", "row", STARS)),
        ("total", RED, STARS),
    ],
)
def test_what_is_not_exactly_one_thing_is_undefined(node):
    with pytest.raises(Undefined):
        Table(THINGS).answer(node)


def test_a_clause_that_changes_nothing_makes_a_program_idle():
    table = Table(THINGS)
    assert table.is_idle(("read", "row", ("the", ("is", "colour", "blue", STARS))))  # there is one blue thing
    assert not table.is_idle(("read", "row", ("the", ("is", "colour", "blue", ALL))))
    assert table.is_idle(("count", ("more", "row", BLUE_STAR, ALL)))  # its "star" is idle
    assert not table.is_idle(("count", ("is", "colour", "red", STARS)))


def test_an_extreme_of_one_thing_is_idle_and_so_is_what_it_would_name():
    table = Table(THINGS)
    green = ("is", "colour", "green", ALL)
    assert table.is_idle(("read", "row", ("most", "row", green))) and table.place_of_concise(("most", "row", green)) < 0
    assert not table.is_idle(("read", "colour", ("most", "row", STARS)))


@pytest.mark.parametrize(
    "node, is_told",
    [
        (("read", "row", ("the", ("is", "row", 2, ALL))), True),
        (("read", "row", ("the", ("same", "row", BLUE_STAR, ALL))), True),
        (("read", "row", BLUE_STAR), False),
        (("gap", "row", ("the", ("is", "row", 3, RED)), BLUE_STAR), True),
        (("count", ("more", "row", ("the", ("is", "row", 2, ALL)), ALL)), True),
        (("count", ("more", "row", BLUE_STAR, ALL)), False),
        (("count", ("is", "shape", "star", ("is", "row", 1, ALL))), True),
        (("count", ("same", "row", BLUE_STAR, STARS)), True),
        (("count", ("is", "row", 1, ALL)), False),
        (("compare", RED, RED), True),
        (("compare", RED, STARS), False),
        (("compare", ("is", "row", 3, RED), RED), True),
    ],
)
def test_what_the_words_of_a_question_tell_is_known(node, is_told):
    assert tells(node, (("shape", "row"),)) == is_told


def test_shorter_programs_leave_out_one_operation_each():
    for item in posed(6, 12):
        program = item.query["program"]
        less = list(shorter(program))
        assert len(less) >= operations(_tuples(program)) - 1
        assert all(operations(_tuples(one)) < operations(_tuples(program)) for one in less)


def test_the_second_opinion_reads_the_same_and_below_either_way():
    rows = [thing | {"column": place} for place, thing in enumerate(THINGS)]
    same = ["count", ["same", "row", ["the", ["is", "colour", "blue", ["all"]]], ["all"]]]
    assert (oracle(same, rows), oracle(same, rows, Manner(with_itself=True))) == ("1", "2")
    below = ["count", ["more", "row", ["the", ["is", "colour", "blue", ["all"]]], ["all"]]]
    assert (oracle(below, rows), oracle(below, rows, Manner(in_line=True))) == ("3", "0")


@pytest.mark.parametrize("level", range(10))
def test_posed_questions_are_right_needed_and_as_long_as_the_level_says(level):
    for item in posed(level, 12):
        program = item.query["program"]
        node = _tuples(program)
        assert item.answer.accepts(oracle(program, item.scene.rows))
        assert operations(node) == compose.OPERATIONS[level]
        assert not Table(item.scene.rows).is_idle(node) and is_sayable(node)


def test_counts_are_drawn_evenly_and_programs_differ():
    items = posed(3, 400)
    counts = [item.answer.value for item in items if item.query["program"][0] == "count"]
    shares = np.bincount(counts, minlength=MOST[3] + 1)[1:] / len(counts)
    assert len(counts) > 60 and abs(shares - 1 / MOST[3]).max() < 0.2
    assert len({json.dumps(item.query) for item in items}) > 60


def test_recolouring_the_scene_recolours_the_answer():
    turned = dict(zip(COLOURS, (*COLOURS[1:], COLOURS[0]), strict=True))

    def recolour(part):
        return [recolour(x) for x in part] if isinstance(part, list) else turned.get(part, part)

    for item in posed(5):
        rows = [row | {"colour": turned[row["colour"]]} for row in item.scene.rows]
        found = Table(rows).answer(_tuples(recolour(item.query["program"])))
        assert found == turned.get(item.answer.value, item.answer.value)


@pytest.mark.parametrize(
    "node, text",
    [
        (("count", ("more", "row", BLUE_STAR, RED)), "red shapes that are below the blue star"),
        (("read", "colour", ("most", "row", STARS)), "What colour is the lowest star?"),
        (
            ("read", "row", ("the", ("same", "colour", ("least", "row", RED), ALL))),
            "the other shape that is of the same",
        ),
    ],
)
def test_programs_are_said_in_plain_words(node, text):
    assert text in question(KIND, node, np.random.default_rng(0))


def test_two_relations_in_one_phrase_are_not_said():
    inner = ("more", "row", BLUE_STAR, ALL)
    assert not is_sayable(("count", ("less", "row", BLUE_STAR, inner)))
    assert not is_sayable(("count", ("is", "colour", "red", inner)))
    assert is_sayable(("count", ("more", "row", ("the", inner), ALL)))


def _tuples(part):
    return tuple(_tuples(x) for x in part) if isinstance(part, list) else part
