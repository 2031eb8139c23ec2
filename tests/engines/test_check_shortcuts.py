"""What the audit asks further, each proven by a planted fault: shortcuts, readings, idle words, photographs, levels."""

import dataclasses
import functools
import re
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest

import engines
from engines import base
from engines.answer import Answer
from engines.base import Posed, QuestionType, make_rng
from engines.camera import Pose, camera
from engines.canvas import Canvas
from engines.check import cell as cells
from engines.check import run, shortcut, table
from engines.check.idle import idle as idle_operations
from engines.check.readable import misread
from engines.oracles import readings
from engines.solids.questions import stacks
from engines.tiles.questions import images
from tests.engines import posing
from tests.engines.toy import INK, PAPER, PHRASINGS, TOY, Dots, altered, audited, pose_count


@pytest.fixture
def toy(monkeypatch):
    """The audit of the toy engine."""
    return functools.partial(audited, monkeypatch)


def bars(heights, rng, more=()):
    """A toy scene with drawn options, of which the first is right."""
    options = [tuple(heights), *more]
    places = rng.permutation(len(options)).tolist()
    return [list(options[place]) for place in places], "ABCD"[places.index(0)]


def offered(near):
    """A pose whose options are all near the right one, or all as near to each other."""

    def pose(rng, level):
        a, b, c, d = rng.permutation(9)[:4].tolist()
        more = [(c, b), (a, d), (c + 20, b)] if near else [(c, b), (a, d), (c, d)]
        options, letter = bars((a, b), rng, more)
        scene = Options(a + b, 1, level + 1, int(rng.integers(10**6)), options)
        question = f"{PHRASINGS[int(rng.integers(4))].format(row='top')}"
        return Posed(scene, question, Answer.choice(letter, "ABCD"), guess_rate=1 / 4, query={"ask": "fits"})

    return pose


@dataclass(frozen=True)
class Options(Dots):
    """Dots with lettered options."""

    options: tuple = ()


@pytest.mark.parametrize("near, is_told", [(True, True), (False, False)])
def test_options_that_tell_the_answer_are_found(toy, near, is_told):
    answer = {"oracles": {"count": lambda sample: sample.answer.text()}}
    found = toy(pose=offered(near), samples=400, levels=(0,), drawn=0, **answer)
    assert bool(found.failed["shortcut"]) == is_told, found.failures
    assert len(found.cells[0].picks) == len(shortcut.RULES)


def test_fractions_are_numbers_and_places_are_looked_at():
    lines = [["1/2", "3"], ["2", "3"], ["-1/2", "3"], ["1", "3"]]
    earned = shortcut.credits(lines, Answer.choice("B", "ABCD"))
    assert earned["the largest"] == 1.0 and earned["the smallest"] == 0.0
    arrows = [[20, 50, 48, 50], [50, 40, 50, 5], [80, 80, 60, 90], [10, 10, 10, 30]]
    places = shortcut.places_of({"kind": "map", "arrows": arrows, "points": []}, "ABCD")
    earned = shortcut.place_credits(places, Answer.choice("A", "ABCD"))
    assert earned["what ends far out, least of all"] == earned["what goes in, most of all"] == 1.0
    assert earned["what is long, most of all"] == 0.0
    exits = {"kind": "maze", "start": [1, 1], "exits": [[0, 1, "B"], [5, 5, "A"]]}
    assert [one["is far from the start"] > 2 for one in shortcut.places_of(exits, "AB")] == [True, False]


def test_a_type_whose_options_are_not_found_is_named(toy):
    letters = altered(answer=lambda p, _: Answer.choice("AB"[p.scene.top % 2], "AB"), guess_rate=lambda p, _: 0.5)
    found = toy(pose=letters, samples=8, drawn=0, oracles={"count": lambda s: "AB"[s.scene["top"] % 2]})
    assert "options" in found.unmeasured()
    assert any("options not found" in line and "toy.count" in line for line in table._summary(run.Report([found])))


def paired(rng, _):
    """Neither word tells anything; both together tell half of the answer."""
    one, two = (int(part) for part in rng.integers(2, size=2))
    value = 2 * int(rng.integers(4)) + (one ^ two)
    return f"{('red', 'blue')[one]} {('up', 'down')[two]} of {int(rng.integers(10**6))}", 0, Answer.integer(value)


def test_a_guesser_learns_what_words_tell_together():
    rng = np.random.default_rng(5)
    made = [paired(rng, 0) for _ in range(3000)]
    assert 0.2 < shortcut.learned(made[:2000], made[2000:]) < 0.32
    random = [(question, level, Answer.integer(int(rng.integers(8)))) for question, level, _ in made]
    assert shortcut.learned(random[:2000], random[2000:]) < 0.17


def test_what_a_guesser_learns_is_held_against_the_stated_rate(toy, monkeypatch):
    def told(rng, level):
        question, _, answer = paired(rng, level)
        return pose_count(rng, level)._replace(question=question, answer=answer, guess_rate=1 / 8)

    engine = dataclasses.replace(TOY, types=(QuestionType("count", told),))
    monkeypatch.setitem(engines.ENGINES, "toy", engine)
    (lesson,) = run.lessons([("toy", "count")], (0, 1), 700, 1)
    assert lesson.taught > lesson.held > 400 and lesson.right > 0.19
    kind = run.judged(run.TypeReport("toy", "count", False, [], lesson=lesson))
    assert "a guesser taught" in kind.failures["shortcut"][0]


def asked(engine, kind, question, answer, query, scene):
    """A sample as the readings get it."""
    return SimpleNamespace(
        engine=engine, question_type=kind, question=question, answer=answer, query=query, scene=scene, index=0
    )


def grid_of(*cells):
    """A grid of one row."""
    return {"rows": 1, "columns": len(cells), "cells": [list(cell) if cell else None for cell in cells]}


STAR, SAME_COLOUR = ["the", ["is", "shape", "star", ["all"]]], "that are of the same colour as the star are there?"
ONE_ROW = grid_of(("red", "star"), ("red", "disc"), ("blue", "disc"))
CIRCLES = {
    "shapes": [
        {"kind": "circle", "points": [[100, 100]], "radius": 60, "colour": "red"},
        {"kind": "circle", "points": [[130, 100]], "radius": 30, "colour": "blue"},
    ]
}
SCATTERED = {"dots": [[0, 0, 0], [1, 1, 0], [2, 2, 0], [1, 3, 0], [9, 9, 0]]}


@pytest.mark.parametrize(
    "engine, kind, open_words, settled, answer, query, scene",
    [
        ("grid", "compose", f"How many shapes {SAME_COLOUR}", f"How many other shapes {SAME_COLOUR}", Answer.integer(1),
         {"program": ["count", ["same", "colour", STAR, ["all"]]]}, ONE_ROW),
        ("grid", "compose", "How many shapes are right of the star?", "How many are in a column right of the star?",
         Answer.integer(2), {"program": ["count", ["more", "column", STAR, ["all"]]]},
         grid_of(("red", "star"), ("red", "disc"), ("blue", "disc")) | {"rows": 2, "columns": 2,
         "cells": [["red", "star"], ["red", "disc"], None, ["blue", "disc"]]}),
        ("grid", "compose", "Count the columns from the disc to the star.", "How many columns is it further?",
         Answer.integer(1), {"program": ["gap", "column", ["the", ["is", "shape", "cross", ["all"]]], STAR]},
         grid_of(("red", "star"), ("red", "cross"))),
        ("sudoku", "compose", "Read the highest digit.", "Read the topmost digit.", Answer.integer(3),
         {"program": ["read", "value", ["least", "row", ["all"]]]},
         {"side": 4, "cells": [3, 0, 0, 0, 4, *[0] * 11]}),
        ("geometry", "circle_circle", "Touching or inside?", "Choose touching (also from inside) or inside.",
         Answer.word("touching", ("touching", "inside")), {"one": "red", "other": "blue"}, CIRCLES),
        ("chart", "scatter_outlier", "Which point is far from all others?", "Which one is off the line?",
         Answer.pair(1, 3), {"ask": "outlier"}, SCATTERED),
        ("chart", "axis_step", "From tick to tick?", "From tick to tick, short ones included?", Answer.integer(1),
         {"of": "unit"}, {"axis": {"unit": 1, "step": 5}}),
        ("geometry", "vertex_order", "List the corners.", "List the corners, each once.", Answer.permutation("AB"),
         {"first": "A"}, {}),
        ("grid", "count_colour", "How many blue shapes?", None, Answer.integer(0), {"colour": "blue"},
         grid_of(("cyan", "disc"))),
        ("function", "zeros", "Where is it zero?", "Where within the grid is it zero?", Answer.set_of([1]), {}, {}),
    ],
)  # fmt: skip
def test_an_open_convention_is_found_and_words_settle_it(engine, kind, open_words, settled, answer, query, scene):
    assert len(list(readings.ambiguities(asked(engine, kind, open_words, answer, query, scene)))) == 1
    if settled is not None:
        assert not list(readings.ambiguities(asked(engine, kind, settled, answer, query, scene)))


def test_two_lines_that_seem_one_and_half_a_diameter_are_found():
    marks = [{"letter": letter, "at": at} for letter, at in (("A", [50, 50]), ("B", [0, 50]), ("C", [100, 52]))]
    lines = [{"kind": "segment", "points": [[50, 50], end]} for end in ([0, 50], [100, 52])]
    scene = {"marks": marks, "shapes": lines}
    assert list(readings.ambiguities(asked("geometry", "degree", "?", Answer.integer(2), {"point": "A"}, scene)))
    lines[1]["points"][1] = marks[2]["at"] = [60, 100]
    assert not list(readings.ambiguities(asked("geometry", "degree", "?", Answer.integer(2), {"point": "A"}, scene)))
    circle = {"kind": "circle", "points": [[50, 50]], "radius": 50, "colour": "black"}
    across = {"kind": "segment", "points": [[0, 50], [100, 50]]}
    marks[2]["at"] = [100, 50]
    scene = {"marks": marks, "shapes": [circle, across]}
    query = {"kind": "radius"}
    assert list(readings.ambiguities(asked("geometry", "circle_part", "?", Answer.name("AD"), query, scene)))


@pytest.mark.parametrize(
    "name, kind, words",
    [
        ("tiles", "holes", r"unfold\w*|flat"),
        ("tiles", "copies", "not mirrored|without mirroring|by turning alone|not flipped over"),
        ("measures", "area", "right angles"),
        ("measures", "perimeter", "right angles"),
        ("measures", "shaded", "cm"),
        ("solids", "section", "from the floor"),
    ],
)
def test_a_convention_that_a_question_leaves_out_is_found(name, kind, words):
    engine, told = engines.ENGINES[name], 0
    for item in posing.posed(engine, kind, 5, 12):
        assert not list(readings.ambiguities(posing.sample_of(engine, item, kind)))
        vague = item._replace(question=re.sub(words, "", item.question))
        told += len(list(readings.ambiguities(posing.sample_of(engine, vague, kind))))
    assert 6 < told <= 12  # a hole through one layer is one hole either way


def test_facts_about_what_is_not_drawn_are_found():
    views = {"given": [["view", [[1, 0]], "front"]]}
    assert list(readings.fact_ambiguities("solids", views, "How many squares does the front view have?"))
    assert not list(readings.fact_ambiguities("solids", views, "How many shaded squares does the front view have?"))
    streets = {"rows": 2, "columns": 2, "one_way": [], "two_way": [[2, 1, 2, 2]]}
    assert list(readings.fact_ambiguities("path", streets, "In which row of crossings is A?"))
    streets["two_way"].append([1, 1, 2, 1])
    assert not list(readings.fact_ambiguities("path", streets, "In which row of crossings is A?"))
    things = {"things": [{"size": "large"}, {"size": "large"}]}
    assert list(readings.fact_ambiguities("scene", things, "Is the thing nearest to you small or large?"))


def test_an_open_fact_is_found(toy):
    scene = {"shapes": [{"kind": "segment"}], "marks": []}
    assert list(readings.fact_ambiguities("geometry", scene, "How many closed shapes are there?"))
    assert not list(readings.fact_ambiguities("geometry", {**scene, "shapes": []}, "How many closed shapes are there?"))


def test_an_operation_that_says_nothing_anywhere_is_found():
    rng = np.random.default_rng(0)
    scenes = [
        [
            {"colour": str(c), "row": int(r)}
            for c, r in zip(rng.choice(["red", "blue"], 6), rng.integers(1, 4, 6), strict=True)
        ]
        for _ in range(60)
    ]
    needed = ["count", ["is", "colour", "red", ["is", "row", 2, ["all"]]]]
    doubled = ["count", ["is", "colour", "red", ["is", "colour", "red", ["all"]]]]
    found = idle_operations([(3, needed), (4, doubled)], scenes)
    assert {index for index, _ in found.faults} == {4} and "says no more than" in found.faults[0][1]
    assert found.judged == 2 and idle_operations([(3, needed)], scenes[:30]).judged == 0


def test_scenes_are_drawn_until_a_program_means_something_in_enough_of_them():
    """A program that only one scene in ten has a thing for is judged as well."""
    drawn = []

    def scenes():
        for number in range(10**6):
            drawn.append(number)
            yield [{"colour": "red" if number % 10 == 0 else "blue", "row": number % 3}]

    rare = ["read", "row", ["the", ["is", "colour", "red", ["is", "colour", "red", ["all"]]]]]
    found = idle_operations([(1, rare)], scenes())
    assert found.judged == 1 and {index for index, _ in found.faults} == {1} and 390 <= len(drawn) < 420


def tilted(scene, drawing):
    """How much of a chart is misread in a photograph from a steep angle."""
    view = camera(Pose((0.3, 0.3), 0.05, 0.0, 0.0, 2.0, 0.0, 0.0, 0.1, (0.5, 0.5)), 448, 1.0).view
    return list(misread(drawing, view, scene.to_json()))


def test_a_chart_without_gridlines_is_misread_in_a_photograph_and_one_with_them_is_not():
    wrong = 0
    for index in range(6):
        scene = engines.ENGINES["chart"].types[0].pose(make_rng("tilted", index), 7).scene
        scene = dataclasses.replace(
            scene, axis=dataclasses.replace(scene.axis, is_log=False, low=0, high=50, step=5, unit=1),
            furniture=dataclasses.replace(scene.furniture, gridlines=False), kind="bar",
            values=(tuple(range(41, 41 + len(scene.values[0]))),),
        )  # fmt: skip
        wrong += len(tilted(scene, engines.ENGINES["chart"].draw(scene, 448, base.Style(0, 10))))
        assert not tilted(scene, engines.ENGINES["chart"].draw(scene, 448, base.Style(0, 10, is_photographed=True)))
    assert wrong > 6


def ink(share):
    """A drawing in which the number of dots shows, or does not."""

    def drawn(scene, size_px, style):
        canvas = Canvas(size_px, PAPER)
        for place in range(scene.top if scene.size - 1 in share else 5):
            canvas.rectangle((size_px * 0.1 * place, size_px * 0.4), (size_px * 0.1, size_px * 0.3), INK)
        return canvas.drawing()

    return drawn


@pytest.mark.parametrize("clear, is_wrong", [((0,), False), ((1,), True)])
def test_levels_that_grow_easier_for_the_solver_are_found(toy, clear, is_wrong):
    pose = altered(question=lambda p, level: PHRASINGS[0], answer=lambda p, level: Answer.integer(p.scene.top))
    oracle = {"count": lambda sample: str(sample.scene["top"])}
    found = toy(pose=pose, oracles=oracle, draw=ink(clear), solved=80, drawn=0)
    assert all(cell.solved is not None for cell in found.cells)
    assert bool(found.failed["level"]) == is_wrong, [cell.solved for cell in found.cells]


@pytest.mark.parametrize(
    "name, kind, templates", [("tiles", "image", (images, "IMAGE")), ("solids", "section", (stacks, "SECTION"))]
)
def test_words_that_a_question_inserts_are_no_way_to_put_it(monkeypatch, name, kind, templates):
    def ways():
        cell = cells.Cell(name, kind, 0, "train")
        for level in (0, 5, 9):
            for item in posing.posed(engines.ENGINES[name], kind, level, 30):
                cells._note(cell, item, "")
        return len(set().union(*cell.phrasings.values()))

    assert ways() == 4
    monkeypatch.setattr(*templates, getattr(*templates)[:1])
    assert ways() == 1
