"""Segments of what is painted: as many and as large as the scene says, where the marks are, in the thing's colour."""

import collections

import cv2
import numpy as np
import pytest

import engines
from engines.base import make_rng
from engines.canvas import Canvas, painted_maps
from engines.maps import maps
from engines.plot import looks_matplotlib
from engines.style import COLOURS, PALETTE


def samples(name, kinds, count=3, **change):
    for kind in kinds:
        for index in range(count):
            level = (0, 4, 8)[index % 3]
            given = {"split": "train", "index": index, "level": level, "size_px": 448, "question_type": kind}
            yield engines.sample(name, **given | change)


def own_look(kinds, count=4, **change):
    """Samples of charts that are not in matplotlib's look."""
    for sample in samples("chart", kinds, count, **change):
        kind = next(kind for kind in engines.ENGINES["chart"].types if kind.name == sample.question_type)
        name = {"split": sample.split, "index": sample.index, "level": sample.level}
        if not looks_matplotlib(engines.style_of(engines.ENGINES["chart"], kind, **name)):
            yield sample


def nearest_colour(pixels):
    """The name of the palette's colour that is most like the middle of some pixels, [n, 3]."""
    seen = np.median(pixels.astype(float), 0)
    return min(COLOURS, key=lambda name: abs(seen - PALETTE[name]).sum())


def test_a_pixel_shows_the_last_thing_that_covers_half_of_it():
    canvas = Canvas(32, (255, 255, 255))
    canvas.rectangle((0, 0), (32, 8), fill=(9, 9, 9))  # no thing
    with canvas.thing(3):
        canvas.rectangle((4, 4), (20, 20), fill=(200, 0, 0))
    with canvas.thing(70000):
        canvas.rectangle((10.9, 10), (20, 4), fill=(0, 0, 200), outline=(0, 0, 200), width_px=0.01)
        canvas.text((3, 28), "x", 8, (0, 0, 0))
    canvas.rectangle((0, 12), (32, 1), fill=(9, 9, 9))
    found = painted_maps(canvas.drawing(), 32)
    wanted = np.zeros((32, 32), np.int32)
    wanted[4:24, 4:24] = 3
    wanted[10:14, 11:31] = 70000
    assert found["segments"].dtype == np.int32 and (found["segments"] == wanted).all()
    assert (found["occupancy"] == (wanted > 0)).all()
    assert painted_maps(Canvas(32, (0, 0, 0)).drawing(), 32) == {}


def test_shapes_in_cells_are_where_they_are_marked_and_have_their_colours():
    for sample in samples("grid", ("count_both", "locate")):
        found = maps(sample)["segments"]
        shapes = [cell for cell in sample.scene["cells"] if cell]
        places = [mark.box[:2] for mark in sample.marks if mark.kind == "part"]
        assert found.max() == len(shapes) == len(places)
        for number, ((colour, shape), (x, y)) in enumerate(zip(shapes, places, strict=True), 1):
            is_it = found == number
            assert is_it[int(y), int(x)] and cv2.connectedComponents(is_it.astype(np.uint8))[0] == 2
            assert nearest_colour(sample.image[is_it]) == colour, shape
        left = sample.image[found == 0].astype(int)  # paper and lines: nothing in a colour
        assert (np.ptp(left, axis=1) > 90).mean() < 0.01


@pytest.mark.parametrize("is_photo", [False, True])
def test_shaded_cells_are_squares_of_one_size_and_as_many_as_the_scene_has(is_photo):
    for sample in samples("grid", ("area", "difference"), photo=is_photo):
        found, scene = maps(sample)["segments"], sample.scene
        cells = scene["shaded"] if scene["kind"] == "region" else [*scene["left"], *scene["right"]]
        sizes = np.bincount(found.ravel(), minlength=len(cells) + 1)[1:]
        assert len(sizes) == len(cells) and sizes.min() > (0.4 if is_photo else 0.8) * sizes.max()
        for number, mark in enumerate((m for m in sample.marks if m.name not in ("left", "right")), 1):
            assert found[int(mark.box[1]), int(mark.box[0])] == number


def test_bars_are_as_long_as_their_values_and_in_their_colours():
    met = 0
    for sample in own_look(("read_bar", "stacked_part", "group_value")):
        found, scene = maps(sample)["segments"], sample.scene
        is_sideways, is_stacked = scene["kind"].startswith("h"), scene["kind"].endswith("stacked")
        if scene["axis"].get("is_log") or scene["furniture"].get("threshold"):
            continue
        low = 0 if is_stacked else scene["axis"]["low"]
        number, lengths, values = 0, [], []
        for row, colours in zip(scene["values"], scene["colours"], strict=True):
            for value, colour in zip(row, colours, strict=True):
                number += 1
                axis = np.nonzero((found == number).any(0 if is_sideways else 1))[0]
                if value == low:
                    continue
                lengths.append(axis.max() - axis.min() + 1)
                values.append(value - low)
                if lengths[-1] > 20:  # more than its outline
                    assert nearest_colour(sample.image[found == number]) == colour
        unit = np.sum(np.multiply(lengths, values)) / np.sum(np.square(values))
        assert abs(np.array(lengths) - unit * np.array(values)).max() < 3.5, (sample.question_type, sample.index)
        met += 1
    assert met >= 4


def test_sectors_share_the_disc_as_their_values_do():
    met = 0
    for sample in own_look(("extreme_sector",), 8):
        values = sample.scene["values"][0]
        sizes = np.bincount(maps(sample)["segments"].ravel(), minlength=len(values) + 1)[1:]
        assert sizes / sizes.sum() == pytest.approx(np.array(values) / sum(values), abs=0.006)
        met += 1
    assert met >= 3


def test_circles_and_polygons_of_geometry_lie_where_the_scene_says():
    rows, columns = np.indices((448, 448)) + 0.5
    for sample in samples("geometry", ("circle_circle", "containing", "sides")):
        found = maps(sample)["segments"]
        for number, shape in enumerate(sample.scene["shapes"], 1):
            is_it = found == number
            if shape["kind"] == "circle":
                (x, y), radius = shape["points"][0], shape["radius"]
                away = np.hypot(columns - x, rows - y)
                far = away - radius if shape["filled"] else abs(away - radius)
            else:
                corners = np.array(shape["points"], np.float32).reshape(-1, 1, 2)
                spots = zip(columns[is_it].tolist(), rows[is_it].tolist(), strict=True)
                far = np.zeros(found.shape)
                signed = [cv2.pointPolygonTest(corners, spot, True) for spot in spots]
                far[is_it] = [-d if shape["filled"] else abs(d) for d in signed]
                if shape["kind"] == "segment":
                    continue
            assert far[is_it].max() < 5.5  # a stroke and an unsteady hand
            if shape["kind"] == "circle" and not shape["filled"]:
                assert ((abs(away - radius) < 0.5) & (found == 0)).sum() < 40


def test_charts_in_another_look_and_other_charts_have_none():
    assert maps(engines.sample("chart", split="train", index=0, level=0, question_type="table_cell")) == {}
    assert maps(engines.sample("cube", split="train", index=0, level=0, question_type="opposite")) == {}


def test_a_ray_marched_through_stacked_cubes_meets_what_the_maps_say():
    """The projection is fitted to the marks of columns; rays run along what it maps to one position."""
    met = collections.Counter()
    for sample in samples("cube", ("count_cubes", "view", "column_height"), 4, size_px=448):
        stacks = sample.scene.get("stack", sample.scene)
        heights = np.array([[len(column) for column in row] for row in stacks["stacks"]])
        found, (rows, columns) = maps(sample), heights.shape
        tops = np.array([(r + 0.5, c + 0.5, heights[r, c], 1) for r, c in np.ndindex(rows, columns)], float)
        marks = [mark.box[:2] for mark in sample.marks if len(mark.name) == 2 and mark.name[1].isdigit()]
        if np.linalg.matrix_rank(tops) < 4:
            continue  # all on one plane
        project = np.linalg.lstsq(tops, np.array(marks), rcond=None)[0]  # [4, 2]
        ray = np.cross(project[:3, 0], project[:3, 1])
        ray /= ray[2]  # per cube of height, towards the onlooker
        is_edge = cv2.morphologyEx(found["segments"].astype(np.float32), cv2.MORPH_GRADIENT, np.ones((5, 5))) > 0
        up = np.append(np.arange(heights.max() + 0.01, 1e-3, -0.002), 0.0)
        for y, x in make_rng("cubes", sample.index).integers(4, 444, size=(300, 2)).tolist():
            r, c = np.linalg.solve(project[:2].T, (x + 0.5, y + 0.5) - project[3])  # of the floor at height 0
            path = np.array([r, c]) + up[:, None] * ray[:2]
            on = ((path >= 0) & (path < (rows, columns))).all(1)
            cells = np.where(on[:, None], path, 0).astype(int)
            is_in = on & (up <= heights[cells[:, 0], cells[:, 1]])
            rim = min(r, c, rows - r, columns - c)  # of the floor
            if is_edge[y, x] or (abs(rim) < 0.05 and not is_in[:-1].any()):
                continue
            number, depth = 0, 1.0
            if is_in.any():
                hit = is_in.argmax()
                stands = hit < len(up) - 1
                number = int(cells[hit] @ (columns, 1)) + 1 if stands else 0
                depth = (rows + columns - path[hit].sum()) / 12
            assert found["segments"][y, x] == number, (sample.question_type, sample.index, x, y)
            assert found["depth"][y, x] == pytest.approx(depth, abs=4e-3)
            met[number > 0] += 1
    assert met[True] > 300 and met[False] > 300
