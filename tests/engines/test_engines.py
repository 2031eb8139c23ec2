"""What every engine owes: a sample is a function of its name, splits share no scene, gold is right and unguessable."""

import collections
import dataclasses
import functools
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import engines
from engines.base import SPLITS, pose, scene_split
from engines.check import run
from engines.check.__main__ import main as check

FOLDER = Path(engines.__file__).parent

CATEGORIES = ("grid", "cube", "chart", "sudoku", "function", "geometry")  # drawn where none are named
FURTHER = ("path", "scene", "logic", "panels", "depth", "tiles", "measures", "solids")  # drawn by name
KINDS = [(engine, kind) for engine in engines.ENGINES.values() for kind in engine.types]
EACH_ENGINE = pytest.mark.parametrize("engine", engines.ENGINES.values(), ids=lambda engine: engine.name)
EACH_KIND = pytest.mark.parametrize("engine, kind", KINDS, ids=[f"{engine.name}.{kind.name}" for engine, kind in KINDS])

NAMES = [
    {"name": name, "split": split, "index": 5, "level": level, "size_px": size_px}
    for name in (*CATEGORIES, *FURTHER)
    for split, level, size_px in (("train", 0, 224), ("test_b", 2, 448), ("test_d", 1, 448))
]
DIGEST = """
import hashlib, json, sys
import engines
for name in json.loads(sys.argv[1]):
    s = engines.sample(**name)
    print(hashlib.sha256(s.image.tobytes() + repr((s.question, s.answer, s.facts, s.scene)).encode()).hexdigest())
banned = {"jax", "flax", "grain", "transformers", "perc_jax", "shapely", "sympy", "ortools", "rich", "engines.oracles"}
banned &= set(sys.modules)
assert not banned, f"engines import {banned}"
"""


@functools.cache
def posed(engine, kind, level, count, split=None):
    split = split or ("test_d" if kind.held_out else "train")
    return [pose(engine, kind, split=split, index=index, level=level) for index in range(count)]


def test_the_categories_are_there_in_order_and_the_main_ones_alone_are_drawn_unasked():
    assert tuple(engines.ENGINES) == (*CATEGORIES, *FURTHER) and engines.MAIN == CATEGORIES
    assert engines.versions() == dict.fromkeys(CATEGORIES, 3) | {"chart": 4, "function": 4}
    assert engines.versions(["path", "no engine"]) == engines.versions() | {"path": engines.ENGINES["path"].version}


def test_equal_names_give_equal_bytes_in_every_process_and_engines_stand_alone():
    run = [sys.executable, "-W", "error", "-c", DIGEST, json.dumps(NAMES)]
    first, second = (subprocess.run(run, capture_output=True, text=True) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout and len(set(first.stdout.split())) == len(NAMES)


@EACH_ENGINE
def test_a_category_has_types_to_train_and_to_hold_out(engine):
    names = [kind.name for kind in engine.types]
    assert len(names) == len(set(names)) >= (10 if engine.name in engines.MAIN else 6)
    assert sum(kind.held_out for kind in engine.types) >= 2
    assert 1 <= engine.held_out_themes < engine.themes
    smallest = 112 if engine.name in engines.MAIN else 224
    assert {kind.held_out for kind in engine.types if kind.min_size_px[0] <= smallest} == {False, True}
    for kind in engine.types:
        assert len(kind.min_size_px) == 10 and list(kind.min_size_px) == sorted(kind.min_size_px)
        assert kind.min_size_px[9] <= 448


@EACH_ENGINE
def test_every_level_and_split_has_scenes_of_its_own(engine):
    """Of one type to train and one that is held out; the audit compares the scenes of all."""
    of_both = {kind.held_out: kind for kind in engine.types}.values()
    for kind, level in itertools.product(of_both, (0, 9)):
        owners = collections.defaultdict(set)
        for split in ("test_d",) if kind.held_out else SPLITS:
            for item in posed(engine, kind, level, 1, split):
                assert scene_split(item.scene) == split
                owners[json.dumps(item.scene.to_json(), sort_keys=True)].add(split)
        assert all(len(splits) == 1 for splits in owners.values())


@EACH_KIND
def test_a_type_passes_a_small_audit(engine, kind):
    tasks = [
        task
        for level, drawn in ((0, 0), (9, 1))  # pictures of level 0 are looked at by the tests of each engine
        for task in run.tasks([(engine.name, kind.name)], (level,), samples=2, drawn=drawn, size_px=448)
    ]
    report = run.TypeReport(
        engine.name, kind.name, kind.held_out, sorted(map(run.cell_of, tasks), key=lambda c: c.level)
    )
    failures = run.judged(report).failures
    failures.pop("speed", None)  # of this machine at this moment; engines.bench measures
    assert not failures, failures


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_every_type_passes_the_audit():
    given = ["--samples", "200", "--draw", "4", "--duplicates", "20000", "--processes", "2"]
    assert check(given) == 0


@EACH_KIND
def test_questions_are_short_at_low_levels(engine, kind):
    for item in posed(engine, kind, 0, 24):
        assert item.question == item.question.strip() and "  " not in item.question
        assert len(item.question.split()) <= 24, item.question


def test_samples_are_made_of_numbers_not_of_bytes():
    """What is posed may not depend on the order of bytes in memory; `engines.check` shows it of the random streams."""
    rooms = [path for room in ("scene", "questions") for path in FOLDER.glob(f"*/{room}*/**/*.py")]
    rooms += [path for room in ("scene", "questions") for path in FOLDER.glob(f"*/{room}.py")]
    assert len(rooms) >= 2 * len(CATEGORIES)
    for path in (*rooms, FOLDER / "base.py"):
        for word in ("tobytes", "frombuffer", ".view(", "rng.bytes", "random_raw", "byteorder", " hash("):
            assert word not in path.read_text(), f"{path}: {word}"


@EACH_KIND
def test_a_picture_has_the_size_asked_for_and_something_in_it(engine, kind):
    split = "test_d" if kind.held_out else "train"
    for level, size_px in ((0, max(112, kind.min_size_px[0])), (9, 448)):
        name = {"split": split, "index": 0, "level": level, "question_type": kind.name, "size_px": size_px}
        image = engines.sample(engine.name, **name).image
        assert image.shape == (size_px, size_px, 3) and image.dtype == np.uint8 and image.flags.c_contiguous
        rim = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]]).astype(int)
        assert (abs(rim - rim[0]).max(1) <= 12).mean() > 0.97, "the drawing touches the edge of the picture"
        assert (abs(image.astype(int) - image[0, 0]).max(2) > 40).mean() > 0.005, "the picture is all but empty"


def test_the_scene_does_not_depend_on_the_size_or_the_photograph():
    for name in CATEGORIES:
        kind = engines.ENGINES[name].types[0].name
        small, large, photo = (
            engines.sample(name, split="train", index=1, level=1, question_type=kind, size_px=px, photo=is_photo)
            for px, is_photo in ((112, False), (224, False), (112, True))
        )
        assert small.scene == large.scene == photo.scene and small.question == large.question == photo.question
        assert photo.photographed and not small.photographed and (photo.image != small.image).any()


@EACH_ENGINE
def test_splits_ask_show_and_photograph_what_they_should(engine, monkeypatch):
    themes = []
    spied = dataclasses.replace(engine, draw=lambda *given: (themes.append(given[2].theme), engine.draw(*given))[1])
    monkeypatch.setitem(engines.ENGINES, engine.name, spied)
    is_held_out = {kind.name: kind.held_out for kind in engine.types}
    for split in SPLITS:
        for index in range(6):
            sample = engines.sample(engine.name, split=split, index=index, level=index % 5, size_px=448)
            assert sample.photographed == (split == "test_b")
            assert is_held_out[sample.question_type] == (split == "test_d" and index % 2 == 0)
            shows_held_out = themes.pop() >= engine.themes - engine.held_out_themes
            assert shows_held_out == (split == "test_d" and index % 2 == 1)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"name": "maze"}, "engine must be one of grid, cube, .*, got 'maze'"),
        ({"split": "valid"}, "split must be one of train, .*, got 'valid'"),
        ({"index": -1}, "index must be >= 0, got -1"),
        ({"level": 10}, "level must be within 0..9, got 10"),
        ({"size_px": 28}, "size_px must be at least 112 for grid at level 0, got 28"),
        ({"question_type": "neighbour"}, "question_type must be one of .* for grid in train at level 0 and 112 px"),
        ({"question_type": "locate", "level": 9}, "question_type must be one of .*none.* at level 9 and 112 px"),
    ],
)
def test_a_name_that_means_nothing_gives_one_clear_line(change, message):
    with pytest.raises(ValueError, match=message):
        engines.sample(**{"name": "grid", "split": "train", "index": 0, "level": 0, "size_px": 112} | change)
