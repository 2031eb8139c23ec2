"""What every engine owes: a sample is a function of its name, splits share no scene, gold is right and unguessable."""

import collections
import dataclasses
import functools
import json
import subprocess
import sys

import numpy as np
import pytest

import engines
from engines.base import SPLITS, pose, scene_split
from engines.gallery import main as gallery

CATEGORIES = ("grid", "cube", "chart", "sudoku", "function", "geometry")
KINDS = [(engine, kind) for engine in engines.ENGINES.values() for kind in engine.types]
EACH_ENGINE = pytest.mark.parametrize("engine", engines.ENGINES.values(), ids=lambda engine: engine.name)
EACH_KIND = pytest.mark.parametrize("engine, kind", KINDS, ids=[f"{engine.name}.{kind.name}" for engine, kind in KINDS])

NAMES = [
    {"name": name, "split": split, "index": 5, "level": level, "size_px": size_px}
    for name in CATEGORIES
    for split, level, size_px in (("train", 0, 112), ("test_b", 2, 112), ("test_d", 1, 140))
]
DIGEST = """
import hashlib, json, sys
import engines
for name in json.loads(sys.argv[1]):
    s = engines.sample(**name)
    print(hashlib.sha256(s.image.tobytes() + repr((s.question, s.answer, s.facts, s.scene)).encode()).hexdigest())
banned = {"jax", "flax", "grain", "transformers", "perc_jax"} & set(sys.modules)
assert not banned, f"engines import {banned}"
"""


@functools.cache
def posed(engine, kind, level, count, split=None):
    split = split or ("test_d" if kind.held_out else "train")
    return [pose(engine, kind, split=split, index=index, level=level) for index in range(count)]


def test_the_six_categories_are_there_in_order():
    assert tuple(engines.ENGINES) == CATEGORIES


def test_equal_names_give_equal_bytes_in_every_process_and_engines_stand_alone():
    run = [sys.executable, "-W", "error", "-c", DIGEST, json.dumps(NAMES)]
    first, second = (subprocess.run(run, capture_output=True, text=True) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout and len(set(first.stdout.split())) == len(NAMES)


@EACH_ENGINE
def test_a_category_has_types_to_train_and_to_hold_out(engine):
    small = [kind for kind in engine.types if max(kind.min_size_px[:5]) <= 112]
    assert sum(not kind.held_out for kind in small) >= 3
    assert sum(kind.held_out for kind in small) >= 1
    assert 1 <= engine.held_out_themes < engine.themes
    assert len({kind.name for kind in engine.types}) == len(engine.types)
    for kind in engine.types:
        assert len(kind.min_size_px) == 10 and list(kind.min_size_px) == sorted(kind.min_size_px)


@EACH_KIND
def test_every_level_and_split_has_scenes_of_its_own(engine, kind):
    for level in range(10):
        owners = collections.defaultdict(set)
        for split in ("test_d",) if kind.held_out else SPLITS:
            for item in posed(engine, kind, level, 1, split):
                assert scene_split(item.scene) == split
                owners[json.dumps(item.scene.to_json(), sort_keys=True)].add(split)
        assert all(len(splits) == 1 for splits in owners.values())


@EACH_KIND
def test_gold_is_accepted_and_other_answers_are_not(engine, kind):
    for level in (0, 4, 9):
        items = posed(engine, kind, level, 8)
        for item in items:
            gold = item.answer.text()
            assert engines.verify(f"<answer>\\boxed{{{gold}}}</answer>", item.answer)
            for other in items:
                wrong = other.answer
                if wrong.kind == "decimal":
                    is_same = abs(wrong.value - item.answer.value) <= item.answer.tolerance
                else:
                    is_same = wrong.value == item.answer.value
                assert item.answer.accepts(wrong.text()) == is_same, (gold, wrong.text())
            for content in (f"{gold} or {gold}", f"{gold}x", "", "-99999", "zzz", f"{gold}; {gold}", f"{gold}, {gold}"):
                assert not item.answer.accepts(content), (gold, content)
            assert all(fact.answer.accepts(fact.answer.text()) and fact.question.isascii() for fact in item.facts)


@EACH_KIND
def test_low_levels_cannot_be_guessed_more_often_than_declared(engine, kind):
    for level in (0, 1, 2):
        items = posed(engine, kind, level, 48)
        rate = max(0.05, *(item.guess_rate for item in items))  # 0 declares that guessing is hopeless
        assert rate <= 0.5
        (answer, count), *_ = collections.Counter(item.answer.text() for item in items).most_common(1)
        spread = (rate * (1 - rate) / len(items)) ** 0.5  # of the share of one answer
        assert count <= (rate + 3.5 * spread) * len(items), (level, answer, count)


@EACH_KIND
def test_scenes_and_wordings_vary_and_questions_are_short(engine, kind):
    items = posed(engine, kind, 0, 48)
    assert len({json.dumps(item.scene.to_json()) for item in items}) >= 43
    assert len({item.question for item in items}) >= 4
    for item in items:
        assert item.question.isascii() and item.question == item.question.strip() and "  " not in item.question
        assert len(item.question.split()) <= 24, item.question


@EACH_ENGINE
def test_scenes_grow_with_the_level(engine):
    sizes = [
        np.mean(
            [len(json.dumps(item.scene.to_json())) for kind in engine.types for item in posed(engine, kind, level, 8)]
        )
        for level in (0, 4, 9)
    ]
    assert sizes[0] <= sizes[1] < sizes[2]


@EACH_KIND
def test_a_picture_has_the_size_asked_for_and_something_in_it(engine, kind):
    split = "test_d" if kind.held_out else "train"
    for level, size_px in ((0, max(112, kind.min_size_px[0])), (9, max(224, kind.min_size_px[9]))):
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
            sample = engines.sample(engine.name, split=split, index=index, level=index % 5, size_px=112)
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


def test_the_gallery_is_one_page_with_every_type(tmp_path, capsys):
    assert gallery(["--out", str(tmp_path / "sheet"), "--size-px", "112", "--levels", "0"]) == 0
    page = (tmp_path / "sheet" / "gallery.html").read_text()
    shown = [kind for _, kind in KINDS if kind.min_size_px[0] <= 112]
    assert page.count("data:image/png;base64,") == 2 * len(shown) and "http" not in page
    assert all(f"<h3>{kind.name}" in page for _, kind in KINDS)
    (tmp_path / "file").write_text("")
    assert gallery(["--out", str(tmp_path / "file" / "sheet")]) == 1
    assert "--out must be a folder that can be written" in capsys.readouterr().err
