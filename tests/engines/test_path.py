"""Ways: second opinions agree, gates and arrows matter, and a mirrored or reversed scene answers as predicted."""

import collections
import dataclasses
import functools
import itertools
import math

import numpy as np
import pytest

import engines
from engines.base import Style, make_rng
from engines.marks import faults
from engines.oracles import readings
from engines.oracles.path import ORACLES
from engines.path import ENGINE
from engines.path.draw import draw
from engines.path.questions.carve import Carving, distances, neighbours, turns, way
from engines.path.scene import Maze, Streets, Tangle
from tests.engines import posing

EACH_KIND = pytest.mark.parametrize("kind", ENGINE.types, ids=lambda kind: kind.name)
KINDS = {kind.name: kind for kind in ENGINE.types}
posed = functools.partial(posing.posed, ENGINE)
sample_of = functools.partial(posing.sample_of, ENGINE)


@EACH_KIND
def test_a_second_opinion_agrees(kind):
    for level in range(10):
        for item in posed(kind.name, level, 3):
            assert item.answer.accepts(ORACLES[kind.name](sample_of(item, kind.name))), item.question


@EACH_KIND
def test_every_picture_is_fit_to_look_at(kind):
    for level, theme in itertools.product((0, 5, 9), range(0, ENGINE.themes, 3)):
        (item,) = posed(kind.name, level, 1)
        for size_px in (kind.min_size_px[level], 448):
            assert not list(faults(draw(item.scene, size_px, Style(theme, 3))))


def mirrored(scene):
    """A maze seen in a mirror that stands beside it."""
    ways = np.array(scene.right).reshape(scene.rows, scene.columns)
    right = np.zeros_like(ways)
    right[:, :-1] = ways[:, -2::-1]
    down = np.array(scene.down).reshape(scene.rows, scene.columns)[:, ::-1]

    def there(cell):
        return cell[0], scene.columns + 1 - cell[1]

    gates = tuple(g._replace(column=scene.columns + 1 - g.column - g.is_right) for g in scene.gates)
    moved = {
        "letters": tuple((there(c), x) for c, x in scene.letters),
        "exits": tuple((there(c), x) for c, x in scene.exits),
    }
    goal = scene.goal and there(scene.goal)
    right, down = (tuple(part.ravel().tolist()) for part in (right, down))
    return dataclasses.replace(scene, right=right, down=down, start=there(scene.start), goal=goal, gates=gates, **moved)


@pytest.mark.parametrize("name", ["maze_exit", "maze_reach", "maze_length", "maze_turns"])
def test_a_mirror_changes_no_way(name):
    for level in (0, 5, 9):
        for item in posed(name, level, 6):
            assert item.answer.accepts(ORACLES[name](sample_of(item, name, mirrored(item.scene))))


def test_a_closed_gate_is_one_and_an_open_one_is_none():
    """Were all gates open, other exits could be reached; were all closed, the right one often could not."""
    shut = 0
    for item in posed("maze_exit", 9):
        assert item.query["closed"] in {gate.colour for gate in item.scene.gates}
        gone = dataclasses.replace(item.scene, gates=())
        with pytest.raises(ValueError):
            ORACLES["maze_exit"](sample_of(item, "maze_exit", gone))
        closed = item.query["closed"]
        every = dataclasses.replace(item.scene, gates=tuple(g._replace(colour=closed) for g in item.scene.gates))
        try:
            ORACLES["maze_exit"](sample_of(item, "maze_exit", every))
        except ValueError:
            shut += 1
    assert shut > 6


def test_the_only_way_has_no_shorter_one_and_a_wall_less_makes_none_longer():
    for item in posed("maze_length", 9):
        walls = [place for place, is_open in enumerate(item.scene.right) if not is_open and (place + 1) % 12]
        right = list(item.scene.right)
        right[walls[len(walls) // 2]] = 1
        opened = dataclasses.replace(item.scene, right=tuple(right))
        assert int(ORACLES["maze_length"](sample_of(item, "maze_length", opened))) <= item.answer.value


def test_carved_trees_fill_the_board_without_a_ring():
    for index in range(6):
        carving = Carving(make_rng("carve", index), 6, 7, [0, 20, 41], 0.3)
        ways = sum(map(len, carving.open.values())) // 2
        assert ways == 6 * 7 - 3 and sorted(set(carving.owner)) == [0, 1, 2]
        for tree, seed in enumerate((0, 20, 41)):
            assert sorted(distances(carving.open, seed)) == carving.cells(tree)
        assert all(b in neighbours(6, 7)[a] for a, others in carving.open.items() for b in others)
        far = distances(carving.open, 0)
        goal = max(far, key=far.get)
        steps = way(carving.open, 0, goal)
        bends = sum(b - a != c - b for a, b, c in zip(steps, steps[1:], steps[2:], strict=False))
        assert len(steps) == far[goal] + 1 and bends == turns(carving.open, 0)[goal]


def test_a_tangle_read_from_the_right_leads_back():
    for item in posed("tangle_end", 9):
        scene = item.scene
        back = Tangle(scene.ends, scene.starts, scene.layers[::-1], ())
        found = ORACLES["tangle_end"](sample_of(item, "tangle_end", back, letter=item.answer.value))
        assert found == item.query["letter"]


def test_every_crossing_lies_on_two_lines():
    for item in posed("tangle_cross", 7):
        counts = [int(ORACLES["tangle_cross"](sample_of(item, "tangle_cross", letter=x))) for x in item.scene.starts]
        assert sum(counts) == 2 * sum(map(len, item.scene.layers))


def test_turning_all_arrows_turns_the_drive():
    for item in posed("drive_blocks", 8):
        scene, query = item.scene, item.query
        turned = dataclasses.replace(scene, one_way=tuple((b, a) for a, b in scene.one_way))
        found = ORACLES["drive_blocks"](
            sample_of(item, "drive_blocks", turned, **{"from": query["to"], "to": query["from"]})
        )
        assert item.answer.accepts(found)


def test_arrows_matter():
    """Were all streets two-way, most drives would be shorter, and more places would be reached."""
    shorter = more = 0
    for name in ("drive_blocks", "drive_reach"):
        for item in posed(name, 9):
            free = dataclasses.replace(item.scene, one_way=(), two_way=item.scene.one_way + item.scene.two_way)
            found = ORACLES[name](sample_of(item, name, free))
            shorter += name == "drive_blocks" and int(found) < item.answer.value
            more += name == "drive_reach" and len(found) > len(item.answer.text())
    assert shorter > 8 and more > 6


@pytest.mark.parametrize(
    ("name", "words"),
    [("maze_exit", " All "), ("maze_reach", " All "), ("drive_blocks", " An arrow"), ("drive_reach", " An arrow")],
)
def test_a_rule_left_out_is_told(name, words):
    """The audit of readings sees a question whose gates or streets without arrows could be taken either way."""
    told = 0
    for item in posed(name, 7, 8):
        assert not list(readings.ambiguities(sample_of(item, name)))
        told += bool(
            list(readings.ambiguities(sample_of(item._replace(question=item.question.partition(words)[0]), name)))
        )
    assert told > 5


def test_a_length_that_is_not_said_in_steps_is_told():
    (item,) = posed("maze_length", 3, 1)
    vague = item._replace(question="How long is the way from the red dot to the blue square?")
    assert list(readings.ambiguities(sample_of(vague, "maze_length")))


def test_scenes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="must have 4 entries, got 3 and 4"):
        Maze(2, 2, (0,) * 3, (0,) * 4, (1, 1))
    with pytest.raises(ValueError, match=r"exchange lanes of 0\.\.2 once"):
        Tangle(("A", "B", "C"), ("1", "2", "3"), ((0, 1),), ())
    with pytest.raises(ValueError, match="between neighbouring crossings, each once"):
        Streets(2, 2, (((1, 1), (1, 2)), ((1, 2), (1, 1))), (), ())


def test_the_engine_is_asked_by_its_name_alone():
    assert "path" in engines.ENGINES and "path" not in engines.MAIN


def test_rows_and_columns_of_crossings_are_counted_as_they_are_drawn():
    """A row or column of crossings without a street is not drawn, so nobody would count it."""
    for name, level in itertools.product(("drive_reach", "drive_blocks"), (0, 1, 4)):
        for item in posed(name, level, 60):
            blocks = (*item.scene.one_way, *item.scene.two_way)
            rows, columns = ({place[way] for block in blocks for place in block} for way in (0, 1))
            told = {
                fact.question: int(fact.answer.text()) for fact in ENGINE.facts(item.scene, make_rng("facts", level))
            }
            for lines, words in ((rows, "row of crossings"), (columns, "column of crossings")):
                (number,) = (number for question, number in told.items() if words in question)
                assert sum(line <= number for line in lines) == number


@pytest.mark.parametrize("level", [0, 2, 6, 9])
def test_no_exit_is_a_better_guess_for_being_near_or_far(level):
    ranks, count = collections.Counter(), 200
    for item in posed("maze_exit", level, count):
        away = {letter: math.dist(place, item.scene.start) for place, letter in item.scene.exits}
        ranks[sorted(away, key=away.get).index(item.answer.value)] += 1
        places = [place for place, _ in item.scene.exits]
        assert all(math.dist(a, b) > 1 for a, b in itertools.combinations(places, 2))
    rate = item.guess_rate
    assert max(ranks.values()) / count < rate + 3.5 * (rate * (1 - rate) / count) ** 0.5, ranks


@pytest.mark.parametrize("name", ["maze_reach", "drive_reach"])
def test_what_is_near_is_hardly_reached_more_often(name):
    right = []
    for item in posed(name, 8, 80):
        places = {letter: place for place, letter in item.scene.letters}
        start = places.pop(item.query["from"]) if name == "drive_reach" else item.scene.start
        away = {letter: math.dist(place, start) for letter, place in places.items()}
        middle = np.median(list(away.values()))
        right += [(away[letter] <= middle) == (letter in item.answer.value) for letter in away]
    assert np.mean(right) < 0.68


def test_lines_end_anywhere():
    same = [
        i.scene.ends[i.scene.starts.index(i.query["letter"])] == i.answer.value for i in posed("tangle_end", 9, 120)
    ]
    assert np.mean(same) < 0.3
