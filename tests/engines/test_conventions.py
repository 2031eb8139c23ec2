"""What a careful reader could hold against a question: two readings, words that answer it, options that do."""

import collections
import json
import re

import numpy as np
import pytest

import engines
from engines.base import Style, make_rng
from engines.check.cell import Cell, Undrawn
from engines.check.shortcut import RULES, credits, options_of
from engines.compose.program import Table, states
from engines.oracles import readings
from engines.style import ALIKE

TYPES = [(engine, kind) for engine in engines.ENGINES.values() for kind in engine.types]
COMPOSED = [(engine, kind) for engine, kind in TYPES if kind.name == "compose"]
EACH = pytest.mark.parametrize("engine, kind", TYPES, ids=[f"{engine.name}.{kind.name}" for engine, kind in TYPES])
EACH_COMPOSED = pytest.mark.parametrize("engine, kind", COMPOSED, ids=[engine.name for engine, _ in COMPOSED])
WRONG_ENGLISH = re.compile(
    r"\ba (orange|empty|odd|arrow|outline)|\ban [^aeiouAEFHILMNORSX]|[Ww]hat colour has|[Hh]ow many \w+ has|[Ww]ho "
    r"|each nets|[Hh]ow much are|[Ww]hich colours have|hold (black|red|blue|green|brown)\b|\bare with\b|more are the"
)


def posed(engine, kind, level, count):
    return [kind.pose(make_rng("conventions", engine.name, kind.name, level, i), level) for i in range(count)]


def sample_of(engine, kind, level, index, item):
    cell = Cell(engine.name, kind.name, level, "train")
    return Undrawn.of(engine, cell, index, item, json.dumps(item.scene.to_json()))


@EACH
def test_questions_have_one_reading_and_plain_english(engine, kind):
    if engine.name == "geometry":
        pytest.importorskip("shapely", reason="a second reading measures with shapely")
    for level in (0, 4, 9):
        for index, item in enumerate(posed(engine, kind, level, 8)):
            assert not list(readings.ambiguities(sample_of(engine, kind, level, index, item)))
            facts = engine.facts(item.scene, make_rng("facts", index))
            scene = item.scene.to_json()
            assert not WRONG_ENGLISH.search(item.question), item.question
            for fact in facts:
                assert not list(readings.fact_ambiguities(engine.name, scene, fact.question))
                assert not WRONG_ENGLISH.search(fact.question), fact.question


def clauses(node):
    while node[0] != "all":
        yield node
        node = node[-1]


def parts(node):
    yield node
    for part in node[1:]:
        if isinstance(part, tuple):
            yield from parts(part)


def as_tuples(part):
    return tuple(as_tuples(x) for x in part) if isinstance(part, list) else part


@EACH_COMPOSED
def test_the_words_of_a_compositional_question_do_not_answer_it(engine, kind):
    for level in range(10):
        for item in posed(engine, kind, level, 30):
            rows = readings.ROWS[engine.name](item.scene.to_json())
            table, program = Table(rows), as_tuples(item.query["program"])
            for node in parts(program):
                if node[0] in ("most", "least"):
                    assert table.members(node[-1]).bit_count() > 1, "an extreme of one thing"
                if node[0] in ("same", "more", "less"):
                    assert not states(node[2], node[1]), "a relation to a stated value"
            if program[0] in ("read", "gap", "sum"):
                assert not any(states(part, program[1]) for part in program[2:])
            else:
                for counted in program[1:]:
                    fixed = {clause[1] for clause in clauses(counted) if clause[0] in ("is", "same")}
                    assert not (fixed >= {"row", "column"} or "label" in fixed), "a set that has one member at most"


def test_the_bar_of_a_label_is_never_counted_nor_an_extreme():
    (engine, kind), *_ = [(engine, kind) for engine, kind in COMPOSED if engine.name == "chart"]
    said = [item for level in range(10) for item in posed(engine, kind, level, 40)]
    assert not any(
        re.search(r"bars labelled|(high|low|left|right)(er|est|most)? bar labelled", i.question) for i in said
    )
    assert any("the bar labelled" in item.question for item in said)


CHOICES = [
    (e, k)
    for e, k in TYPES
    if (e.name, k.name) in {("sudoku", "matrix"), ("cube", "view"), ("cube", "net_cube"), ("function", "match")}
]


@pytest.mark.parametrize("engine, kind", CHOICES, ids=[kind.name for _, kind in CHOICES])
@pytest.mark.parametrize("level", [0, 5, 9])
def test_no_look_of_the_options_alone_tells_the_right_one(engine, kind, level):
    count, earned = 300 if kind.name == "matrix" else 120, collections.Counter()
    for item in posed(engine, kind, level, count):
        options = options_of(json.loads(json.dumps(item.scene.to_json())), item.answer.vocabulary)
        earned.update(credits(options, item.answer))
    chance = 1 / len(options)
    bound = chance + 3.5 * (chance * (1 - chance) / count) ** 0.5
    assert len(earned) == len(RULES) and max(earned.values()) / count <= bound, earned


@pytest.mark.parametrize("level", [0, 4, 9])
def test_options_of_a_matrix_share_as_much_with_each_other(level):
    (engine, kind), *_ = [(e, k) for e, k in TYPES if k.name == "matrix"]
    for item in posed(engine, kind, level, 40):
        options = item.scene.options
        unlike = {
            sorted(sum(a != b for a, b in zip(one, other, strict=True)) for other in options if other != one)[-1]
            for one in options
        }
        assert len(set(options)) == 4 and len(unlike) == 1


@EACH
def test_no_colour_is_asked_for_that_only_its_like_shows(engine, kind):
    for level in (4, 9):
        for item in posed(engine, kind, level, 12):
            shown = set(readings._texts(json.loads(json.dumps(item.scene.to_json()))))
            for fact in engine.facts(item.scene, make_rng("likes", level)):
                named = set(re.findall(r"[a-z]+", fact.question)) & set(ALIKE)
                assert all(colour in shown or ALIKE[colour] not in shown for colour in named), fact.question


def test_bars_seldom_end_with_their_axis():
    kinds = {kind.name: kind for kind in engines.ENGINES["chart"].types}
    for level in (0, 4):
        scenes = [item.scene for item in posed(engines.ENGINES["chart"], kinds["read_bar"], level, 80)]
        ending = np.mean([max(scene.values[0]) == scene.axis.high for scene in scenes])
        assert ending < 0.35


def test_a_photographed_chart_has_gridlines_and_is_else_the_same():
    kind = next(kind for kind in engines.ENGINES["chart"].types if kind.name == "read_bar")
    item = next(i for i in posed(engines.ENGINES["chart"], kind, 3, 20) if not i.scene.furniture.gridlines)
    plain, ruled = (
        engines.ENGINES["chart"].draw(item.scene, 448, Style(0, 10, is_photographed=is_photo)) for is_photo in (0, 1)
    )
    assert plain.marks == ruled.marks and plain.margins == ruled.margins
    changed = (np.asarray(plain.image) != np.asarray(ruled.image)).any(2)
    numbers = len(item.scene.axis.numbers()) - 1
    assert numbers <= changed.any(1).sum() <= 5 * numbers and changed.any(0).sum() > 40
