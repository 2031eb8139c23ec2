"""The audit: a right toy engine passes, and each thing that can be wrong with an engine is found and named."""

import dataclasses
import functools
import io
import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

import engines
from engines import check
from engines.answer import Answer
from engines.base import QuestionType, make_rng
from engines.canvas import Canvas
from engines.check import cell as cells
from engines.check import run, table, whole
from engines.check.__main__ import main
from engines.check.blind import blind
from engines.check.near import COUNT, near_misses
from tests.engines.toy import PAPER, TOY, Dots, altered, audited, draw, facts


@pytest.fixture
def toy(monkeypatch):
    """The audit of the toy engine."""
    return functools.partial(audited, monkeypatch)


def scened(**methods):
    """The toy's pose with other methods on its scenes."""
    kind = type("Altered", (Dots,), methods)
    return altered(scene=lambda posed, level: kind(**posed.scene.to_json()))


def no_dots(posed, level):
    return dataclasses.replace(posed.scene, top=3, bottom=3, spare=0)


def clipped(scene, size_px, style):
    drawing = draw(scene, size_px, style)
    return drawing._replace(marks=(*drawing.marks, drawing.marks[0]._replace(box=(-9.0, 0.0, 5.0, 5.0), name="out")))


def faint(scene, size_px, style):
    drawing = draw(scene, size_px, style)
    return drawing._replace(image=Canvas(size_px, PAPER).image())


def test_a_right_engine_passes(toy):
    found = toy()
    assert not found.failed, found.failures
    assert found.samples == 240 and found.phrasings == 4 and abs(found.guess - found.guess_rate) < 0.1


@pytest.mark.parametrize(
    "check_name, words, change",
    [
        ("oracle", "missing: oracle, give it in engines/oracles/toy.py", {"oracles": {}}),
        ("oracle", "engine '", {"oracles": {"count": lambda s: str(s.scene["top"])}}),
        ("oracle", "KeyError", {"oracles": {"count": lambda s: str(s.scene["middle"])}}),
        ("oracle", "oracle 7", {"oracles": {"count": lambda s: 7}}),
        ("split", "no scene of split", {"pose": altered(scene=no_dots), "samples": 1}),
        ("blind", "a blind guess finds", {"pose": altered(guess_rate=lambda p, level: 0.3)}),
        ("blind", "a blind guess finds", {"pose": altered(question=lambda p, level: p.question + p.answer.text())}),
        ("blind", "a blind guess finds", {"pose": altered(answer=lambda p, level: Answer.integer(3))}),
        ("guess_rate", "must be within", {"pose": altered(guess_rate=lambda p, level: 0.6)}),
        ("phrasings", "in 1 ways", {"pose": altered(question=lambda p, level: f"Dots in {p.query['row']}?")}),
        ("query", "missing: query", {"pose": altered(query=lambda p, level: {})}),
        ("text", "not ASCII", {"pose": altered(question=lambda p, level: p.question + "\u2026")}),
        ("facts", "missing: Engine.facts", {"facts": None}),
        ("facts", "2 further questions", {"facts": lambda scene, rng: facts(scene, rng)[:2]}),
        ("describe", "ASCII", {"pose": scened(describe=lambda scene: "caf\u00e9")}),
        ("describe", "KeyError", {"pose": scened(describe=lambda scene: {}["dots"])}),
        ("describe", "another answer", {"pose": scened(describe=lambda scene: "Some dots.")}),
        ("complexity", "falls from", {"pose": scened(complexity=lambda scene: 9.0 - scene.size)}),
        ("complexity", "does not grow", {"pose": scened(complexity=lambda scene: 1.0)}),
        ("picture", "leaves the frame", {"draw": clipped}),
        ("picture", "contrast", {"draw": faint}),
        ("picture", "missing: marks", {"draw": lambda *given: draw(*given).image}),
        ("photo", "contrast", {"draw": faint}),
        ("speed", "photo takes", {"limit_ms": 1e-6}),
    ],
)
def test_what_is_wrong_is_found(toy, check_name, words, change):
    found = toy(**change)
    assert any(words in text for text in found.failures.get(check_name, [])), found.failures


def test_a_failure_names_a_sample_that_can_be_made_again(toy):
    found = toy(oracles={"count": lambda s: "0"}, levels=(1,), samples=1)
    call = found.failures["oracle"][0].split(" | ")[1]
    assert eval(call, {"engines": engines}).question in found.failures["oracle"][0]


def test_a_scene_without_methods_is_missing_them(toy):
    class Bare:
        def __init__(self, data):
            self.data = data

        def to_json(self):
            return self.data

    found = toy(pose=altered(scene=lambda posed, level: Bare(posed.scene.to_json())), drawn=0, facts=None)
    assert found.failures["describe"] == ["missing: Bare.describe()"]
    assert found.failures["complexity"] == ["missing: Bare.complexity()"]


def test_what_was_not_measured_is_not_called_right(toy):
    few = toy(samples=20, drawn=0)
    assert few.unmeasured() == ["blind", "words"] and not few.is_guessed()
    shown = Console(width=200, record=True, file=io.StringIO())
    table.show(run.Report([few]), shown)
    row = next(line for line in shown.export_text().splitlines() if line.strip().startswith("toy.count"))
    assert row.split()[3:5] == ["-", "-"] and "not measured: blind, words" in row
    assert run.as_json(run.Report([few]))["types"]["toy.count"]["guess"] is None
    assert "| - |" in table.distribution(run.Report([few]))


# --- near misses -----------------------------------------------------------------------------------------------------

WORDS = ("red", "blue", "green", "yellow", "black")
SMALL = st.integers(-60, 60)
LETTERS = st.permutations("ABCDEFG").map(lambda items: tuple(items[:4]))
ANSWERS = st.one_of(
    SMALL.map(Answer.integer),
    st.builds(lambda n, t: Answer.decimal(Fraction(n, 4), Fraction(t, 20)), SMALL, st.integers(0, 40)),
    st.builds(lambda n, d: Answer.fraction(Fraction(n, d)), SMALL, st.integers(1, 30)),
    st.sampled_from(WORDS).map(lambda word: Answer.word(word, WORDS)),
    st.sampled_from("ABCD").map(lambda letter: Answer.choice(letter, "ABCD")),
    st.sampled_from("AB").map(lambda letter: Answer.choice(letter, "AB")),
    st.builds(Answer.pair, SMALL, SMALL),
    st.lists(SMALL, min_size=1, max_size=6).map(Answer.listing),
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=5).map(lambda words: Answer.listing(words, WORDS)),
    st.sets(SMALL, max_size=5).map(Answer.set_of),
    st.sets(st.sampled_from(WORDS)).map(lambda words: Answer.set_of(words, WORDS)),
    LETTERS.map(Answer.permutation),
    st.permutations("AB").map(Answer.permutation),
    LETTERS.map(lambda letters: Answer.name("".join(letters[:2]))),
    LETTERS.map(lambda letters: Answer.name("".join(letters[:3]))),
    st.lists(st.lists(st.integers(0, 5), min_size=3, max_size=3), min_size=1, max_size=3).map(Answer.grid),
)


@given(answer=ANSWERS)
def test_twenty_near_misses_of_any_answer_are_refused(answer):
    wrong = near_misses(answer)
    assert len(wrong) == len(set(wrong)) == COUNT and answer.text() not in wrong
    assert not [content for content in wrong if answer.accepts(content)]


def test_a_verifier_that_is_too_kind_is_caught(toy, monkeypatch):
    monkeypatch.setattr(engines, "verify", lambda text, target: target.text() in text)
    found = toy(samples=8, levels=(0,), drawn=0)
    assert found.failed["near"] and "accepted" in found.failures["near"][0]
    monkeypatch.setattr(engines, "verify", lambda text, target: False)
    assert toy(samples=8, levels=(0,), drawn=0).failed["gold"] == 8


# --- guessing --------------------------------------------------------------------------------------------------------


def items(count, make):
    rng = make_rng("items")
    return [make(rng, index) for index in range(count)]


def flat(rng, _):
    return f"What is {int(rng.integers(10**6))}?", Answer.integer(int(rng.integers(10)))


def two_named(rng, _):
    one, other = rng.permutation(26)[:2].tolist()
    names = chr(65 + one), chr(65 + other)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return f"Which is longer, {names[0]} or {names[1]}?", Answer.choice(names[int(rng.integers(2))], letters)


def leaking(rng, _):
    value = int(rng.integers(5))
    return f"Among {10 + value} things, how many?", Answer.integer(value)


def hinting(rng, _):
    value = int(rng.integers(8))
    words = ("near", "far") if value < 4 else ("high", "low")
    return f"{words[int(rng.integers(2))]} of {int(rng.integers(1000))}?", Answer.integer(value)


def close(rng, _):
    return "How long?", Answer.decimal(round(float(rng.uniform(0, 10)), 2), 1)


@pytest.mark.parametrize(
    "make, low, high",
    [(flat, 0.04, 0.16), (two_named, 0.42, 0.58), (leaking, 0.98, 1.0), (hinting, 0.2, 0.31), (close, 0.13, 0.26)],
)
def test_the_best_guess_is_found_and_luck_is_not(make, low, high):
    found = blind(items(600, make))
    assert low <= found.guess <= high and found.constant <= found.guess, found


# --- all together ----------------------------------------------------------------------------------------------------


def test_streams_do_not_depend_on_the_byte_order(monkeypatch):
    assert whole.depends_on_byte_order() is None
    swapped = np.random.Generator(np.random.Philox(key=int.from_bytes(bytes(range(16)), "big")))
    monkeypatch.setattr(whole, "make_rng", lambda *name: swapped)
    assert "begins with" in whole.depends_on_byte_order()


def test_the_palette_is_far_apart_and_two_near_colours_are_named(monkeypatch):
    assert list(whole.near_colours()) == []
    monkeypatch.setitem(whole.PALETTE, "crimson", (216, 30, 44))
    assert any("crimson" in text for text in whole.near_colours())


def test_repeated_scenes_are_counted(monkeypatch):
    poses = (altered(question=lambda p, level: "Same?", scene=lambda p, level: Dots(level, 0, 0, p.scene.spare % 5)),)
    kinds = tuple(QuestionType("count", pose) for pose in poses)
    monkeypatch.setitem(engines.ENGINES, "toy", dataclasses.replace(TOY, types=kinds))
    found = whole.duplicates(400, {("toy", "count")})
    assert found.samples == 400 and found.share() > 0.8 and found.by_type["toy.count"] == (400, found.repeated)


def test_bytes_are_compared_with_another_process(monkeypatch):
    names = [{"name": "grid", "split": "train", "index": 1, "level": 0, "size_px": 112}]
    assert whole.irreproducible(names) == []
    monkeypatch.setattr(whole, "digests", lambda names: ["0" * 64])
    assert whole.irreproducible(names) == names
    with pytest.raises(
        RuntimeError, match="another process cannot make the samples: ValueError: engine must be one of"
    ):
        whole.irreproducible([{**names[0], "name": "toy"}])


def test_programs_are_shapes_of_queries():
    one, other = ({"ask": "count", "colour": colour, "row": 3} for colour in ("red", "blue"))
    nested = {"ask": "count", "in": {"op": "filter", "colour": "red"}}
    assert cells.program_of(one) == cells.program_of(other) != cells.program_of(nested)
    assert cells.program_of(one) != cells.program_of({**one, "ask": "locate"})
    red, blue = ({"program": ["count", ["is", "colour", colour, ["all"]]]} for colour in ("red", "blue"))
    assert cells.program_of(red) == cells.program_of(blue)
    assert cells.program_of(red) != cells.program_of({"program": ["count", ["is", "shape", "star", ["all"]]]})


def test_the_command_tells_what_it_found(tmp_path, capsys):
    files = {"--json": tmp_path / "found.json", "--distribution": tmp_path / "answers.md"}
    arguments = ["--types", "grid.grid_size", "--levels", "0,1", "--samples", "48", "--draw", "1", "--duplicates", "20"]
    code = main([*arguments, *(str(part) for pair in files.items() for part in pair)])
    found = json.loads(files["--json"].read_text())
    assert list(found["types"]) == ["grid.grid_size"] and code == (0 if found["passed"] else 1)
    level = found["types"]["grid.grid_size"]["levels"]["1"]
    assert sum(level["answers"].values()) == level["samples"] == 48 and found["duplicates"]["samples"] == 20
    assert "| grid.grid_size | 1 | 48 |" in files["--distribution"].read_text()
    assert "grid.grid_size" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--engines", "maze"], "must name categories (grid, cube"),
        (["--types", "grid.maze"], "got 'grid.maze'"),
        (["--levels", "0,12"], "within 0..9"),
        (["--samples", "-3"], "--samples: must be a whole number >= 1, got '-3'"),
        (["--samples", "0"], "--samples: must be a whole number >= 1, got '0'"),
        (["--processes", "0"], "--processes: must be a whole number >= 1, got '0'"),
        (["--draw", "-3"], "whole number >= 0"),
        (["--engines", "grid", "--types", "cube.count"], "--types must name types of grid as category.type"),
        (["--json", "/tmp"], "--json must name a file, got the folder /tmp"),
        (["--distribution", "/tmp"], "--distribution must name a file, got the folder /tmp"),
        (["--json", "/nowhere/at/all.json"], "the folder of /nowhere/at/all.json must exist"),
    ],
)
def test_a_wrong_argument_gives_one_clear_line(arguments, words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and words in capsys.readouterr().err


def test_the_package_says_what_it_checks():
    assert "oracle" in check.__doc__ and "guess" in check.__doc__
