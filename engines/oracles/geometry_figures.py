"""Second opinions on figures as a whole: parts by shapely's polygonize, triangles by brute force over meeting points,
graphs by their adjacency, symmetry by overlaying mirror images, areas by Pick's theorem."""

import itertools
import math

import numpy as np

from engines.base import Sample

SAME = 1e-6  # units: two computed points are one
CORNERS = {"triangles": 3, "quadrilaterals": 4, "pentagons": 5}


def _letters(sample: Sample) -> dict[tuple[int, int], str]:
    return {tuple(mark["at"]): mark["letter"] for mark in sample.scene["marks"] if mark["letter"]}


def _of(sample: Sample, kind: str) -> list[dict]:
    return [shape for shape in sample.scene["shapes"] if shape["kind"] == kind]


def _lines(sample: Sample) -> list:
    """Every stroke as a shapely line; circles as fine polygons."""
    from shapely import LinearRing, LineString, Point

    found = []
    for shape in sample.scene["shapes"]:
        if shape["kind"] == "circle":
            found.append(Point(shape["points"][0]).buffer(shape["radius"], quad_segs=720).exterior)
        else:
            found.append((LineString if shape["kind"] == "segment" else LinearRing)(shape["points"]))
    return found


def _sides(sample: Sample) -> str:
    shapes = [s for s in _of(sample, "polygon") if sample.query.get("colour") in (None, s["colour"])]
    (shape,) = shapes
    points = np.array(shape["points"])
    steps = np.roll(points, -1, axis=0) - points
    bends = np.cross(np.c_[steps, 0 * steps[:, 0]], np.c_[np.roll(steps, -1, axis=0), 0 * steps[:, 0]])[:, 2]
    return str(int((bends != 0).sum()))


def _crossings(sample: Sample) -> str:
    from shapely import get_num_geometries

    met = [a.intersection(b) for a, b in itertools.combinations(_lines(sample), 2)]
    if any(part.geom_type not in ("Point", "MultiPoint") for part in met if not part.is_empty):
        raise ValueError("strokes overlap")
    return str(sum(int(get_num_geometries(part)) for part in met if not part.is_empty))


def _triangles(sample: Sample) -> str:
    """Every three meeting points that are pairwise joined along one stroke each, but not all along the same."""
    strokes = [np.array(shape["points"], float) for shape in _of(sample, "segment")]
    on: dict[tuple[float, float], frozenset[int]] = {}
    for (i, a), (j, b) in itertools.combinations(enumerate(strokes), 2):
        system = np.stack([a[1] - a[0], b[0] - b[1]], axis=1)
        if abs(np.linalg.det(system)) < SAME:
            continue
        shares = np.linalg.solve(system, b[0] - a[0])
        if ((shares > -SAME) & (shares < 1 + SAME)).all():
            place = tuple((a[0] + shares[0] * (a[1] - a[0])).round(4).tolist())
            on[place] = on.get(place, frozenset()) | {i, j}
    found = 0
    for p, q, r in itertools.combinations(on.values(), 3):
        # Three points in general position: sides on strokes p&q, q&r, r&p, which are different strokes.
        pq, qr, rp = p & q, q & r, r & p
        found += bool(pq and qr and rp and not (p & q & r))
    return str(found)


def _parts(sample: Sample) -> list:
    from shapely import unary_union
    from shapely.ops import polygonize

    return list(polygonize(unary_union([line.buffer(0) if line.is_empty else line for line in _stretched(sample)])))


def _stretched(sample: Sample) -> list:
    """Strokes with the segments drawn out by a hair, so that they reach the outline in floating point."""
    from shapely import LineString
    from shapely.affinity import scale

    return [scale(s, 1.002, 1.002, origin="center") if type(s) is LineString else s for s in _lines(sample)]


def _regions(sample: Sample) -> str:
    return str(len([part for part in _parts(sample) if part.area > 60]))


def _part_shapes(sample: Sample) -> str:
    """Parts by the number of their corners, where a corner bends by three degrees or more."""
    counts = []
    for part in _parts(sample):
        ring = np.array(part.exterior.coords)[:-1]
        keep = np.linalg.norm(ring - np.roll(ring, 1, axis=0), axis=1) > 1.5
        ring = ring[keep]
        steps = np.roll(ring, -1, axis=0) - ring
        turns = np.angle(np.exp(1j * np.diff(np.angle([complex(*s) for s in (*steps, steps[0])]))), deg=True)
        if part.area > 60:
            counts.append(int((abs(turns) > 3).sum()))
    return str(counts.count(CORNERS[sample.query["kind"]]))


def _neighbours(sample: Sample) -> list[str]:
    letters, asked = _letters(sample), sample.query["point"]
    ends = [[letters[tuple(point)] for point in shape["points"]] for shape in _of(sample, "segment")]
    return sorted({letter for pair in ends if asked in pair for letter in pair} - {asked})


def _vertex_order(sample: Sample) -> str:
    """Letters sorted by their direction from the middle; y points down, so growing angles are clockwise."""
    letters = _letters(sample)
    middle = np.mean(list(letters), axis=0)
    order = sorted(letters, key=lambda at: math.atan2(at[1] - middle[1], at[0] - middle[0]))
    names = [letters[at] for at in order]
    start = names.index(sample.query["first"])
    return ", ".join(names[start:] + names[:start])


def _inward(sample: Sample) -> str:
    """Corners whose removal makes the shape larger."""
    from shapely import Polygon

    (shape,) = _of(sample, "polygon")
    points, letters = [tuple(p) for p in shape["points"]], _letters(sample)
    whole, found = Polygon(points).area, []
    for point in points:
        grown = Polygon([p for p in points if p != point])
        if grown.area > whole:
            found.append(letters[point])
    return ", ".join(sorted(found)) or "none"


def _axes(sample: Sample) -> str:
    """Dashed lines over which the mirror image of the shape covers the shape."""
    from shapely import Polygon
    from shapely.affinity import affine_transform

    (shape,) = _of(sample, "polygon")
    body, found = Polygon(shape["points"]), []
    for line in _of(sample, "segment"):
        start, end = (complex(*point) for point in line["points"])
        turn = ((end - start) / abs(end - start)) ** 2  # z -> start + turn * conj(z - start)
        shift = start - turn * start.conjugate()
        mirrored = affine_transform(body, [turn.real, turn.imag, turn.imag, -turn.real, shift.real, shift.imag])
        missed = body.symmetric_difference(mirrored).area / body.area
        if 1e-6 < missed < 0.01:
            raise ValueError(f"{line['letter']} is nearly an axis: {missed}")
        if missed <= 1e-6:
            found.append(line["letter"])
    return ", ".join(sorted(found)) or "none"


def _coordinates(sample: Sample) -> str:
    net = sample.scene["lattice"]
    place = {letter: at for at, letter in _letters(sample).items()}[sample.query["point"]]
    columns = [net["left"] + i * net["step"] for i in range(net["cells"] + 1)]
    rows = [net["top"] + i * net["step"] for i in range(net["cells"] + 1)][::-1]
    return f"({columns.index(place[0])}, {rows.index(place[1])})"


def _lattice_area(sample: Sample) -> str:
    """Pick's theorem: nodes inside, and half of those on the outline, less one."""
    from shapely import Point, Polygon

    (shape,) = _of(sample, "polygon")
    net, body = sample.scene["lattice"], Polygon(shape["points"])
    nodes = itertools.product(range(net["cells"] + 1), repeat=2)
    points = [Point(net["left"] + i * net["step"], net["top"] + j * net["step"]) for i, j in nodes]
    rim = sum(body.exterior.distance(point) < SAME for point in points)
    inside = sum(body.contains(point) and body.exterior.distance(point) >= SAME for point in points)
    twice = 2 * inside + rim - 2
    if twice % 2:
        raise ValueError("the area is no whole number")
    return str(twice // 2)


ORACLES = {
    "sides": _sides,
    "crossings": _crossings,
    "triangles": _triangles,
    "regions": _regions,
    "part_shapes": _part_shapes,
    "joined": lambda sample: ", ".join(_neighbours(sample)),
    "degree": lambda sample: str(len(_neighbours(sample))),
    "vertex_order": _vertex_order,
    "inward": _inward,
    "axes": _axes,
    "coordinates": _coordinates,
    "lattice_area": _lattice_area,
}
