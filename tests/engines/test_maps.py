"""Maps beside a picture: what a ray would hit, what shapely would cut, and where a photograph moves it."""

import dataclasses
import hashlib
import math
import subprocess
import sys

import numpy as np
import pytest

import engines
from engines.base import make_rng
from engines.camera import camera, pose
from engines.maps import maps, photographed
from engines.photo import held
from engines.style import COLOURS, PALETTE

FLAT, WALL, FRONT = 0.36, 240, 978  # of both engines' floors
FLOORS = pytest.mark.parametrize("name", ["scene", "depth"])


def samples(name, count=4, **change):
    for index in range(count):
        level = (0, 3, 6, 9)[index % 4]
        yield engines.sample(name, **({"split": "train", "index": index, "level": level, "size_px": 448} | change))


def inside(thing, u, y, up):
    """Say whether points of space are in a thing: across, row of the floor, height; each float [n]."""
    x, r = thing["x"], thing["radius"]
    across, back = u - x, (y - thing["y"]) / FLAT
    shape = {"cylinder": "column", "cube": "box", "sphere": "ball"}.get(thing["shape"], thing["shape"])
    if shape == "ball":
        return across**2 + back**2 + ((up - r * (1 - FLAT / 2)) / math.sqrt(1 - FLAT**2)) ** 2 <= r**2
    height = thing.get("height", r * {"column": 1.7, "box": 1.2, "cone": 2.2}[shape])
    is_between = (up >= 0) & (up <= height)
    if shape == "box":
        turn = math.radians(thing["turn"] if "height" in thing else -thing["turn"])
        a, b = (
            across * math.cos(turn) + back * math.sin(turn),
            back * math.cos(turn) - across * math.sin(turn),
        )
        return is_between & (np.maximum(abs(a), abs(b)) <= 0.8 * r)
    radius = r * (1 - up / height) if shape == "cone" else r
    return is_between & (across**2 + back**2 <= radius**2) & (radius >= 0)


def hit(scene, u, v):
    """What a ray through a position meets first: the number of a thing and the row of the floor below, by marching."""
    y = np.arange(FRONT, WALL, -0.1)
    found = [
        (float(y[is_in.argmax()]), i)
        for i, t in enumerate(scene["things"], 1)
        if (is_in := inside(t, u, y, y - v)).any()
    ]
    return max(found, default=(max(v, WALL), 0))


@FLOORS
def test_a_ray_marched_through_the_scene_meets_what_the_maps_say(name):
    met = 0
    for sample in samples(name):
        found, size_px = maps(sample), sample.size_px
        edges = np.zeros((size_px, size_px), bool)
        for dy, dx in ((0, 2), (2, 0), (2, 2), (2, -2)):
            differs = found["segments"] != np.roll(found["segments"], (dy, dx), (0, 1))
            edges |= differs | np.roll(differs, (-dy, -dx), (0, 1))
        rng = make_rng("rays", name, sample.index)
        spots = rng.integers(30, size_px - 30, size=(40, 2)).tolist()
        things = np.argwhere((found["segments"] > 0) & ~edges)
        spots += things[rng.integers(len(things), size=60)].tolist()
        for row, column in spots:
            if edges[row, column]:
                continue
            u, v = (column + 0.5) * 1000 / size_px, (row + 0.5) * 1000 / size_px
            place, number = hit(sample.scene, u, v)
            assert found["segments"][row, column] == number, (sample.index, row, column)
            depth = (FRONT - place) / (FRONT - WALL)
            assert found["depth"][row, column] == pytest.approx(min(depth, 1), abs=3e-4), (sample.index, row, column)
            met += number > 0
    assert met > 150


@FLOORS
def test_segments_have_the_areas_that_shapely_cuts(name):
    oracle = pytest.importorskip(f"engines.oracles.{name}")
    pytest.importorskip("shapely")
    for sample in samples(name):
        found, things = maps(sample)["segments"], sample.scene["things"]
        outline = oracle._outline if name == "scene" else oracle.outline
        shapes = [outline(thing) for thing in things]
        assert found.max() == len(things) and found.min() == 0
        for number, (thing, whole) in enumerate(zip(things, shapes, strict=True), 1):
            part = whole
            for other, cover in zip(things, shapes, strict=True):
                part = part.difference(cover) if other["y"] > thing["y"] else part
            pixels = (found == number).sum() * (1000 / sample.size_px) ** 2
            assert abs(pixels - part.area) < 0.012 * whole.area + 0.4 * part.length * 1000 / sample.size_px


def test_segments_have_the_pixels_that_the_scene_counts():
    for sample in samples("scene", 8, size_px=336):
        found = maps(sample)["segments"]
        for number, (seen, whole) in enumerate(sample.scene["seen"], 1):
            pixels = (found == number).sum() * (250 / 336) ** 2
            assert abs(pixels - seen) < 0.05 * whole + 2 * seen**0.5


@FLOORS
@pytest.mark.parametrize("is_photo", [False, True])
def test_maps_have_types_and_sizes_and_agree_with_each_other(name, is_photo):
    for sample in samples(name, photo=is_photo):
        found = maps(sample)
        assert {key: value.dtype for key, value in found.items()} == {
            "depth": np.float32,
            "segments": np.int32,
            "occupancy": bool,
        }
        assert all(each.shape == sample.image.shape[:2] for each in found.values())
        assert (found["occupancy"] == (found["segments"] > 0)).all()
        assert (
            found["depth"].min() >= 0 and found["depth"].max() == 1 and (found["depth"][found["occupancy"]] < 1).all()
        )
        rim = np.concatenate([found["depth"][0], found["depth"][-1], found["depth"][:, 0], found["depth"][:, -1]])
        assert (rim == 1).all() and 0.4 < (found["depth"] < 1).mean() < 0.8


@FLOORS
def test_a_photograph_moves_maps_as_it_moves_marks(name):
    """Positions of the clean map, taken forwards through the camera as marks are, show the same in the other map."""
    compared = 0
    for sample in samples(name, photo=True):
        kind, key = sample.question_type, (sample.split, sample.index, sample.level)
        flat = engines.sample(name, split="train", index=sample.index, level=sample.level, photo=False)
        clean, moved = maps(flat), maps(sample)
        engine = engines.ENGINES[name]
        posed = engines.base.pose(engine, _kind(engine, kind), split=key[0], index=key[1], level=key[2])
        style = engines.style_of(engine, _kind(engine, kind), split=key[0], index=key[1], level=key[2])
        drawing = engine.draw(posed.scene, 448, style._replace(is_photographed=True))
        _, taken = held(drawing, make_rng("photo", name, engine.version, kind, *key), sample.level)
        spots = make_rng("spots", name, sample.index).integers(4, 444, size=(400, 2))
        for (row, column), (x, y) in zip(spots, taken.view(spots[:, ::-1] + 0.5), strict=True):
            around = clean["segments"][row - 2 : row + 3, column - 2 : column + 3]
            deep = clean["depth"][row - 2 : row + 3, column - 2 : column + 3]
            if np.ptp(around) == 0 and np.ptp(deep) < 0.02:
                assert moved["segments"][int(y), int(x)] == around[2, 2]
                assert abs(moved["depth"][int(y), int(x)] - deep[2, 2]) < 0.01
                compared += 1
        assert (moved["segments"] != clean["segments"]).any()
    assert compared > 1000


def _kind(engine, name):
    return next(kind for kind in engine.types if kind.name == name)


@pytest.mark.parametrize("is_photo", [False, True])
def test_boxes_of_things_hold_their_segments(is_photo):
    for sample in samples("depth", 8, photo=is_photo):
        found = maps(sample)["segments"]
        boxes = [mark.box for mark in sample.marks if mark.kind == "part" and not mark.name.startswith("point")]
        things = sorted(enumerate(sample.scene["things"], 1), key=lambda pair: pair[1]["y"])
        for (number, _), (left, top, right, bottom) in zip(things, boxes, strict=True):
            rows, columns = np.nonzero(found == number)
            slack = 1 + 3 * is_photo  # a curled sheet bends the sides of a box
            assert left - slack <= columns.min() and columns.max() <= right + slack
            assert top - slack <= rows.min() and rows.max() <= bottom + slack
            assert columns.max() - columns.min() > 0.4 * (right - left)


def test_inside_a_segment_the_picture_has_the_colour_of_the_thing():
    palette = np.array([PALETTE[name] for name in COLOURS], float)
    for sample in samples("depth", 8):
        found = maps(sample)["segments"]
        for number, thing in enumerate(sample.scene["things"], 1):
            seen = np.median(sample.image[found == number].astype(float), 0)
            seen, known = seen / np.linalg.norm(seen), palette / np.linalg.norm(palette, axis=1, keepdims=True)
            alike = known @ seen
            assert alike[COLOURS.index(thing["colour"])] > 0.97, (sample.index, thing)
        bare = sample.image[(found == 0) & (maps(sample)["depth"] < 1)].astype(int)
        assert np.ptp(bare, axis=1).mean() < 40  # the floor has no colour of a thing


def test_equal_samples_have_equal_maps_in_every_process():
    said = (
        "import hashlib, engines; from engines.maps import maps\n"
        "for name in ('scene', 'depth'):\n"
        "    s = engines.sample(name, split='test_b', index=3, level=1, size_px=224)\n"
        "    print(hashlib.sha256(b''.join(m.tobytes() for m in maps(s).values())).hexdigest())\n"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-c", said], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    here = []
    for name in ("scene", "depth"):
        sample = engines.sample(name, split="test_b", index=3, level=1, size_px=224)
        here.append(hashlib.sha256(b"".join(each.tobytes() for each in maps(sample).values())).hexdigest())
        assert all((maps(sample)[key] == value).all() for key, value in maps(sample).items())
    assert run.stdout.split() == here


def test_a_variant_has_the_maps_of_its_own_scene():
    sample = engines.sample("depth", split="train", index=0, level=2, size_px=112)
    for variant in engines.variants(sample, 3):
        found = maps(variant)["segments"]
        assert found.max() == len(variant.scene["things"])
        for point in variant.scene["points"]:
            assert found[int(point["y"] * 0.112), int(point["x"] * 0.112)] == point["on"]


def test_beyond_the_sheet_there_is_nothing():
    clean = {"depth": np.zeros((64, 64), np.float32), "segments": np.full((64, 64), 7, np.int32)}
    clean["occupancy"] = clean["segments"] > 0
    still = camera(pose(make_rng("still"), 9), 64, 0.0)
    assert all((photographed(clean, still)[key] == value).all() for key, value in clean.items())
    small = still._replace(scale=0.5)
    seen = photographed(clean, small)
    assert (seen["segments"] > 0).sum() == 32 * 32 and (seen["depth"] == 1).sum() == 64 * 64 - 32 * 32
    assert (seen["occupancy"] == (seen["segments"] == 7)).all() and set(np.unique(seen["segments"])) == {0, 7}
    assert seen["depth"].dtype == np.float32 and seen["segments"].dtype == np.int32


def test_what_has_no_maps_gives_none_and_an_old_sample_is_refused():
    sample = engines.sample("sudoku", split="train", index=0, level=0)
    assert maps(sample) == {}
    old = dataclasses.replace(sample, version=0)
    with pytest.raises(ValueError, match=r"maps of sudoku are made of samples of version \d, got version 0"):
        maps(old)
