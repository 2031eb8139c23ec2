"""Second opinions on cubes: voxels enumerated from the scene's JSON, pictures painted with ids, hinges turned in space,
all turns of a solid tried; nets and dice are handled as bodies with coordinates."""

import itertools
import math
from collections.abc import Callable

import cv2
import numpy as np

from engines.base import Sample
from engines.oracles import compose

UNIT_PX = 36.0  # half the width of a tile on the raster
TILT = math.sin(math.radians(45))  # of the floor, seen from 45 degrees above
ROWS = "ABCDEF"
LETTERS = "ABCDEFGH"
SIXES = tuple(itertools.permutations(range(3)))


def _stack(sample: Sample) -> list[list[list[str]]]:
    return sample.scene.get("stack", sample.scene)["stacks"]


def _voxels(sample: Sample) -> dict[tuple[int, int, int], str]:
    """Every cube by (row, column, level), with its colour."""
    return {
        (row, column, level): colour
        for row, line in enumerate(_stack(sample))
        for column, stack in enumerate(line)
        for level, colour in enumerate(stack)
    }


def _heights(sample: Sample) -> np.ndarray:
    return np.array([[len(stack) for stack in line] for line in _stack(sample)])


def _seen(sample: Sample) -> dict[tuple[int, int, int], str]:
    """Cubes that remain when the silhouettes of all are painted over each other, the farthest first."""
    voxels = _voxels(sample)
    order = sorted(voxels, key=lambda cube: (cube[0] + cube[1]) / 2 + cube[2] * math.sqrt(0.5))
    shape = _heights(sample).shape
    tallest = max((level + 1 for _, _, level in voxels), default=0)
    raster = np.zeros((int((sum(shape) * TILT + tallest + 2) * UNIT_PX), int((sum(shape) + 2) * UNIT_PX)), np.int32)
    corners = np.array([(0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 1, 0), (1, 0, 0), (1, 0, 1)], float)
    for number, cube in enumerate(order, start=1):
        row, column, up = (corners + cube).T
        x = (column - row + shape[0] + 1) * UNIT_PX
        y = ((row + column) * TILT - up + tallest + 1) * UNIT_PX
        cv2.fillConvexPoly(raster, np.stack([x, y], 1).round().astype(np.int32), number)
    pixels = np.bincount(raster.ravel(), minlength=len(order) + 1)
    return {cube: voxels[cube] for number, cube in enumerate(order, start=1) if pixels[number] > 0.1 * UNIT_PX**2}


def _count_colour(sample: Sample) -> str:
    return str(list(_seen(sample).values()).count(sample.query["colour"]))


def _column_height(sample: Sample) -> str:
    row, column = sample.scene["dot"]
    return str(sum(cube[:2] == (row, column) for cube in _voxels(sample)))


def _extreme_colour(sample: Sample) -> str:
    columns = [stack for line in _stack(sample) for stack in line if stack]
    end = (max if sample.query["by"] == "tallest" else min)(map(len, columns))
    ((name,),) = (set(stack) for stack in columns if len(stack) == end)
    if sum(name in stack for stack in columns) != 1:
        raise ValueError(f"only one column may be {name}")
    return name


def _profile(sample: Sample) -> list[int]:
    """Heights along the arrow, by turning the floor until the arrow points up the array."""
    heights, arrow = _heights(sample), sample.scene.get("stack", sample.scene)["arrow"]
    turned = heights if arrow == "left" else np.rot90(heights, -1)
    return turned.max(0).tolist()


def _view(sample: Sample) -> str:
    (place,) = (i for i, option in enumerate(sample.scene["options"]) if option == _profile(sample))
    return LETTERS[place]


def _painted(sample: Sample) -> str:
    voxels, count = _voxels(sample), 0
    for cube in voxels:
        free = 0
        for axis, step in itertools.product(range(3), (-1, 1)):
            other = list(cube)
            other[axis] += step
            on_floor = other[2] < 0
            free += tuple(other) not in voxels and (not on_floor or sample.query["with_floor"])
        count += free == sample.query["faces"]
    return str(count)


def _touching(sample: Sample) -> str:
    voxels, seen = _voxels(sample), _seen(sample)
    (red,) = (cube for cube, colour in voxels.items() if colour == sample.query["colour"])
    near = [cube for cube in voxels if math.dist(cube, red) == 1]
    if red not in seen or not set(near) <= set(seen):
        raise ValueError("all of the cubes in question must show")
    return ", ".join({voxels[cube] for cube in near})


def _distances(sample: Sample) -> list[tuple[float, str]]:
    """Letters by their straight distance from the front corner, the nearest first; they must not be equal."""
    rows, columns = _heights(sample).shape
    return sorted(
        (math.dist((row, column), (rows - 1, columns - 1)), name) for name, row, column in sample.scene["letters"]
    )


def _nearest(sample: Sample) -> str:
    ordered = _distances(sample)
    if sample.query["by"] == "farthest from":
        ordered = ordered[::-1]
    if ordered[0][0] == ordered[1][0]:
        raise ValueError("two letters are equally far away")
    return ordered[0][1]


def rows(scene: dict) -> list[compose.Row]:
    """The towers of a scene, for question programs."""
    return [
        {"colour": stack[0], "height": len(stack), "row": ROWS[row], "column": column}
        for row, line in enumerate(scene["stacks"])
        for column, stack in enumerate(line, start=1)
        if stack
    ]


def _compose(sample: Sample) -> str:
    return compose.answer(sample.query["program"], rows(sample.scene))


def _turned(cubes: list[list[int]]) -> set[tuple]:
    """All turns of a solid, each moved to the corner: signed permutations of the axes that keep hands."""
    points, found = np.array(cubes), set()
    for order in SIXES:
        is_odd = sum(order[i] > order[j] for i, j in itertools.combinations(range(3), 2)) % 2
        for signs in itertools.product((1, -1), repeat=3):
            if (math.prod(signs) < 0) == bool(is_odd):
                turned = points[:, order] * signs
                found.add(tuple(sorted(map(tuple, (turned - turned.min(0)).tolist()))))
    return found


def _same_solid(sample: Sample) -> str:
    turned = _turned(sample.scene["model"])
    options = [tuple(sorted(map(tuple, option))) for option in sample.scene["options"]]
    if len(set(options)) < len(options):
        raise ValueError("two options are the same picture")
    (place,) = (i for i, option in enumerate(options) if option in turned)
    return LETTERS[place]


def _hinge(at: np.ndarray, along: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """A right angle's turn around the line through a point: Rodrigues' formula with cosine 0 and sine 1."""

    def turn(points: np.ndarray) -> np.ndarray:
        arm = points - at
        return at + np.cross(np.broadcast_to(along, arm.shape), arm) + (arm @ along)[..., None] * along

    return turn


def _folded(net: list) -> dict[str, np.ndarray]:
    """Middles of the faces after folding, float [3]: (right, up, towards the onlooker), half a cube's edge as unit.

    Squares lie in the plane; from leaf to leaf of the tree of squares, everything beyond an edge is turned backwards.
    """
    places = {(row, column): name for row, column, name in net}
    middles = {name: np.array([2.0 * column, -2.0 * row, 0.0]) for (row, column), name in places.items()}
    root = min(places)

    def beyond(cell: tuple[int, int], parent: tuple[int, int]) -> list[tuple[int, int]]:
        found = [cell]
        for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            other = (cell[0] + down, cell[1] + across)
            if other in places and other != parent:
                found += fold(other, cell)
        return found

    def fold(cell: tuple[int, int], parent: tuple[int, int]) -> list[tuple[int, int]]:
        part = beyond(cell, parent)
        step = np.array([cell[1] - parent[1], parent[0] - cell[0], 0.0])
        edge = np.array([2.0 * parent[1], -2.0 * parent[0], 0.0]) + step
        # Turned to the back: the direction away from the parent becomes the one away from the onlooker.
        turn = _hinge(edge, np.cross(step, np.array([0.0, 0.0, -1.0])))
        for one in part:
            middles[places[one]] = turn(middles[places[one]])
        return part

    beyond(root, root)
    return middles


def _body(net: list) -> dict[tuple[int, ...], str]:
    """What is on each side of the folded cube, by the direction from its centre."""
    middles = _folded(net)
    centre = np.mean(list(middles.values()), axis=0)
    body = {tuple((middle - centre).round().astype(int).tolist()): name for name, middle in middles.items()}
    if len(body) != 6 or any(np.abs(side).sum() != 1 for side in body):
        raise ValueError(f"not the net of a cube: {net}")
    return body


def _opposite(sample: Sample) -> str:
    name = sample.query["name"]
    (net,) = (net for net in sample.scene["nets"] if any(square[2] == name for square in net))
    body = _body(net)
    (side,) = (side for side, other in body.items() if other == name)
    return body[tuple(-part for part in side)]


def _net_cube(sample: Sample) -> str:
    body = _body(sample.scene["nets"][0])
    where = {name: np.array(side) for side, name in body.items()}
    right = []
    for place, (top, left, beside) in enumerate(sample.scene["cubes"]):
        # Seen from outside, left, right and top follow each other counter-clockwise: their product is positive.
        if np.linalg.det([where[left], where[beside], where[top]]) > 0.5:
            right.append(place)
    (place,) = right
    return LETTERS[place]


def _dice_bottom(sample: Sample) -> str:
    total = 0
    for top, *_ in sample.scene["dice"]:
        (bottom,) = (pips for pips in range(1, 7) if pips + top == 7)
        total += bottom
    return str(total)


def _dice_roll(sample: Sample) -> str:
    """Rolls six points with pips around the axes of a frame (row, column, up)."""
    top, left, right = sample.scene["die"]
    sides = {
        (0, 0, 1): top,
        (0, 0, -1): 7 - top,
        (1, 0, 0): left,
        (-1, 0, 0): 7 - left,
        (0, 1, 0): right,
        (0, -1, 0): 7 - right,
    }
    for (r0, c0), (r1, c1) in itertools.pairwise(sample.scene["way"]):
        turn = _hinge(np.zeros(3), np.cross((0.0, 0.0, 1.0), (r1 - r0, c1 - c0, 0.0)))
        sides = {tuple(turn(np.array(side, float)).round().astype(int).tolist()): pips for side, pips in sides.items()}
    return str(sides[0, 0, 1])


ORACLES = {
    "count_cubes": lambda sample: str(len(_voxels(sample))),
    "count_colour": _count_colour,
    "column_height": _column_height,
    "extreme_colour": _extreme_colour,
    "count_columns": lambda sample: str(int((_heights(sample) == sample.query["height"]).sum())),
    "visible_cubes": lambda sample: str(len(_seen(sample))),
    "hidden_cubes": lambda sample: str(len(_voxels(sample)) - len(_seen(sample))),
    "profile": lambda sample: ", ".join(map(str, _profile(sample))),
    "view": _view,
    "painted": _painted,
    "touching": _touching,
    "nearest": _nearest,
    "depth_order": lambda sample: ", ".join(name for _, name in _distances(sample)),
    "compose": _compose,
    "same_solid": _same_solid,
    "opposite": _opposite,
    "net_cube": _net_cube,
    "dice_roll": _dice_roll,
    "dice_bottom": _dice_bottom,
    "fill_box": lambda sample: str(int((sample.query["height"] - _heights(sample)).clip(0).sum())),
    "height_map": lambda sample: "; ".join(" ".join(map(str, line)) for line in _heights(sample).tolist()),
}
