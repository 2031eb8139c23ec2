"""Charts answered again: by brute force on the scene's JSON, and every so often on the pixels alone.

A chart's JSON is flattened into a list of cells (category, series, colour, marker, value) first; whatever is asked is
then a search through that list. Lines are crossed by sampling them finely, longest runs are found by trying all.
"""

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

from engines.base import Sample
from engines.oracles import chart_pixels, compose

PIXELS_OF = 10  # one sample in so many is answered from its picture, where that can be
FINE = 240  # samples of a line between two categories


class Cell(NamedTuple):
    """A value with everything by which it may be named."""

    category: str | None
    series: str | None
    colour: str | None
    marker: str | None
    row: int
    column: int
    value: int


def _cells(scene: dict[str, Any]) -> list[Cell]:
    found = []
    for r, row in enumerate(scene["values"]):
        for c, value in enumerate(row):
            category = scene["categories"][c] if scene["categories"] else None
            series = scene["series"][r] if scene["series"] else None
            colour = scene["colours"][r][c] if scene["colours"] else None
            marker = scene["markers"][r] if scene["markers"] else None
            found.append(Cell(category, series, colour, marker, r, c, value))
    return found


def _only(found: list) -> Any:
    """The single thing that fits; anything else is a defect of the question."""
    if len(found) != 1:
        raise ValueError(f"the question must mean one thing, found {len(found)}")
    return found[0]


def _bar(sample: Sample, key: str = "bar") -> Cell:
    """The only bar or sector of a colour or category that the query names."""
    by, name = sample.query["by"], sample.query[key]
    return _only([cell for cell in _cells(sample.scene) if getattr(cell, by) == name])


def _text(value: int, scene: dict[str, Any]) -> str:
    """A value as a number of the axis."""
    exact = Fraction(value, 10 ** scene["axis"]["decimals"])
    return str(exact) if exact.denominator == 1 else str(float(exact))


def _value(sample: Sample) -> str:
    """The value at whatever the query names."""
    if "by" in sample.query:
        return _text(_bar(sample).value, sample.scene)
    names = {key: sample.query[key] for key in ("category", "series", "colour") if key in sample.query}
    fits = [cell for cell in _cells(sample.scene) if all(getattr(cell, key) == name for key, name in names.items())]
    return _text(_only(fits).value, sample.scene)


def _extreme(sample: Sample) -> str:
    cells = _cells(sample.scene)
    end = (max if sample.query["end"] == "high" else min)(cell.value for cell in cells)
    return getattr(_only([cell for cell in cells if cell.value == end]), sample.query["by"])


def _rank(sample: Sample) -> str:
    cells = _cells(sample.scene)
    is_high = sample.query["end"] == "high"
    beaten = [
        [other for other in cells if (other.value > one.value) == is_high and other.value != one.value] for one in cells
    ]
    fits = [one for one, better in zip(cells, beaten, strict=True) if len(better) == sample.query["rank"] - 1]
    return getattr(_only(fits), sample.query["by"])


def _count_above(sample: Sample) -> str:
    limit = sample.query["value"]
    if sample.scene["threshold"] not in (None, limit) or any(cell.value == limit for cell in _cells(sample.scene)):
        raise ValueError("a bar must not end at the threshold")
    return str(len([cell for cell in _cells(sample.scene) if cell.value > limit]))


def _difference(sample: Sample) -> str:
    return str(_bar(sample).value - _bar(sample, "less").value)


def _sum(sample: Sample) -> str:
    return str(_bar(sample).value + _bar(sample, "and").value)


def _ratio(sample: Sample) -> str:
    return str(Fraction(_bar(sample).value, _bar(sample, "whole").value))


def _order(sample: Sample) -> str:
    """The one order, of all there are, in which values only grow or only fall."""
    cells, by = _cells(sample.scene), sample.query["by"]
    sign = 1 if sample.query["end"] == "low" else -1
    fits = [
        order
        for order in itertools.permutations(cells)
        if all(sign * (b.value - a.value) > 0 for a, b in itertools.pairwise(order))
    ]
    return ", ".join(getattr(cell, by) for cell in _only(fits))


def _share(sample: Sample) -> str:
    part = _bar(sample, "sector").value
    return str(Fraction(part, sum(cell.value for cell in _cells(sample.scene))))


def _best_series(sample: Sample) -> str:
    column = [cell for cell in _cells(sample.scene) if cell.category == sample.query["category"]]
    end = (max if sample.query["end"] == "high" else min)(cell.value for cell in column)
    return _only([cell for cell in column if cell.value == end]).series


def _legend(sample: Sample) -> str:
    """Name of a colour or marker, or colour of a name; all cells of that series agree."""
    given = next(key for key in ("series", "colour", "marker") if key in sample.query)
    wanted = "colour" if sample.query["ask"] == "legend_colour" else "series"
    fits = {getattr(cell, wanted) for cell in _cells(sample.scene) if getattr(cell, given) == sample.query[given]}
    return _only(sorted(fits))


def _line(scene: dict[str, Any], names: dict[str, str]) -> list[int]:
    """Values of a line, by the one name that the query gives it."""
    rows = {cell.row for cell in _cells(scene) if all(getattr(cell, key) == name for key, name in names.items())}
    return scene["values"][_only(sorted(rows))]


def _rise(sample: Sample) -> str:
    by_name = {cell.category: cell.value for cell in _cells(sample.scene)}
    return str(by_name[sample.query["to"]] - by_name[sample.query["from"]])


def _meetings(sample: Sample) -> list[Fraction]:
    """Where two lines meet, in categories from the first on: places found by walking along both in small steps."""
    one, other = (_line(sample.scene, names) for names in sample.query["lines"])
    gaps = []
    for place in range(FINE * (len(one) - 1) + 1):
        at, along = divmod(place, FINE)
        if at == len(one) - 1:
            at, along = at - 1, FINE
        gaps.append((FINE - along) * (one[at] - other[at]) + along * (one[at + 1] - other[at + 1]))
    found = [Fraction(place, FINE) for place, gap in enumerate(gaps) if gap == 0]
    found += [Fraction(2 * i + 1, 2 * FINE) for i, (a, b) in enumerate(itertools.pairwise(gaps)) if a * b < 0]
    return sorted(found)


def _crossings(sample: Sample) -> str:
    return str(len(_meetings(sample)))


def _crossing_place(sample: Sample) -> str:
    place = _only(_meetings(sample))
    names = sample.scene["categories"]
    if place.denominator == 1:
        return names[int(place)]
    return f"{names[int(place)]}, {names[int(place) + 1]}"


def _steepest(sample: Sample) -> str:
    (row,), names = sample.scene["values"], sample.scene["categories"]
    slopes = sorted(((b - a) * sample.query["sign"], i) for i, (a, b) in enumerate(itertools.pairwise(row)))
    (next_best, _), (best, at) = slopes[-2:]
    if best < 1.2 * max(next_best, 0):
        raise ValueError("the steepest step must be 1.2 times as steep as the next")
    return f"{names[at]}, {names[at + 1]}"


def _longest_run(sample: Sample) -> str:
    (row,), sign = sample.scene["values"], sample.query["sign"]
    spans = itertools.combinations(range(len(row)), 2)
    return str(max(b - a for a, b in spans if all(sign * (row[i + 1] - row[i]) > 0 for i in range(a, b))))


def _rising(sample: Sample) -> str:
    scene, by = sample.scene, sample.query["by"]
    first = {cell.row: cell for cell in _cells(scene) if cell.column == 0}
    last = {cell.row: cell for cell in _cells(scene) if cell.column == len(scene["values"][0]) - 1}
    return ", ".join(getattr(last[r], by) for r in last if last[r].value > first[r].value) or "none"


def _find(sample: Sample) -> str:
    cell = _only([cell for cell in _cells(sample.scene) if cell.value == sample.query["value"]])
    return f"({cell.row + 1}, {cell.column + 1})"


def _numbers(sample: Sample) -> str:
    (key,) = {"series", "category"} & set(sample.query)
    fits = [cell for cell in _cells(sample.scene) if getattr(cell, key) == sample.query[key]]
    ordered = sorted(fits, key=lambda cell: cell.column if key == "series" else cell.row)
    return ", ".join(str(cell.value) for cell in ordered)


def _count_value(sample: Sample) -> str:
    return str([cell.value for cell in _cells(sample.scene)].count(sample.query["value"]))


def _count_bars(sample: Sample) -> str:
    return str(len(_cells(sample.scene)))


def _position(sample: Sample) -> str:
    scene = sample.scene
    is_named = "series" in sample.query
    of_kind = (scene["series"] if is_named else scene["colours"]).index(
        sample.query["series" if is_named else "colour"]
    )
    x, y, _ = _only([dot for dot in scene["dots"] if dot[2] == of_kind])
    return f"({x}, {y})"


def _outlier(sample: Sample) -> str:
    """The point without which the others lie closest to a line of slope 1 or -1."""
    dots = [tuple(dot[:2]) for dot in sample.scene["dots"]]

    def width(points: list[tuple[int, int]]) -> int:
        return min(max(y - s * x for x, y in points) - min(y - s * x for x, y in points) for s in (1, -1))

    widths = sorted((width([other for other in dots if other != dot]), dot) for dot in dots)
    (least, (x, y)), (second, _) = widths[:2]
    if second - least < 2:
        raise ValueError("no point stands out")
    return f"({x}, {y})"


def _quadrant(sample: Sample) -> str:
    q = sample.query
    sides = [(q["right"], q["x"], 0), (q["above"], q["y"], 1)]
    dots = sample.scene["dots"]
    return str(len([dot for dot in dots if all((dot[i] > bound) == is_up for is_up, bound, i in sides)]))


def _between(sample: Sample) -> str:
    edges, counts = sample.scene["edges"], sample.scene["counts"]
    inside = [i for i in range(len(counts)) if edges[i] >= sample.query["low"] and edges[i + 1] <= sample.query["high"]]
    return str(sum(counts[i] for i in inside))


def _five(sample: Sample) -> str:
    box = dict(zip(sample.scene["categories"], sample.scene["boxes"], strict=True))[sample.query["category"]]
    if sorted(set(box)) != box:
        raise ValueError("the five numbers must grow")
    return str(box[sample.query["part"]])


def _best_box(sample: Sample) -> str:
    size = {"median": (2, None), "spread": (4, 0), "box": (3, 1)}[sample.query["by"]]
    sizes = [box[size[0]] - (0 if size[1] is None else box[size[1]]) for box in sample.scene["boxes"]]
    return sample.scene["categories"][_only([i for i, found in enumerate(sizes) if found == max(sizes)])]


def _axis(sample: Sample) -> str:
    axis = sample.scene["axis"]
    if sample.query["ask"] == "range":
        return f"({axis['low']}, {axis['high']})"
    return str(axis[sample.query["of"]])


def _written(sample: Sample) -> str:
    scene = sample.scene
    return {
        "title": scene["furniture"]["title"],
        "axis_title": scene["furniture"]["axis_title"],
        "measure_title": scene["axis"]["title"],
        "measure": scene["axis"]["measure"],
    }[sample.query["what"]]


def rows(scene: dict[str, Any]) -> list[compose.Row]:
    """The bars of a chart, for question programs."""
    columns = zip(scene["categories"], scene["values"][0], scene["colours"][0], strict=True)
    return [{"place": i, "label": name, "value": v, "colour": c} for i, (name, v, c) in enumerate(columns)]


def _compose(sample: Sample) -> str:
    return compose.answer(sample.query["program"], rows(sample.scene))


def _seen(by_data: Callable[[Sample], str], by_pixels: Callable[[Sample], str | None]) -> Callable[[Sample], str]:
    """An oracle that looks at the picture of one sample in `PIXELS_OF`, if the picture shows it well enough."""

    def oracle(sample: Sample) -> str:
        seen = None if sample.index % PIXELS_OF or sample.photographed else by_pixels(sample)
        return by_data(sample) if seen is None else seen

    return oracle


ORACLES: dict[str, Callable[[Sample], str]] = {
    "read_bar": _seen(_value, chart_pixels.bar_value),
    "read_between": _value,
    "extreme_bar": _seen(_extreme, chart_pixels.extreme_bar),
    "count_above": _count_above,
    "count_marks": _count_bars,
    "compare_bars": _difference,
    "sum_bars": _sum,
    "ratio_bars": _ratio,
    "rank_order": _order,
    "compose": _compose,
    "extreme_sector": _seen(_extreme, chart_pixels.extreme_sector),
    "stacked_part": _value,
    "group_value": _value,
    "best_series": _best_series,
    "legend_lookup": _legend,
    "radar_value": _value,
    "line_value": _value,
    "line_crossings": _crossings,
    "crossing_place": _crossing_place,
    "steepest": _steepest,
    "longest_run": _longest_run,
    "trend_lines": _rising,
    "table_cell": _value,
    "table_find": _find,
    "table_row": _numbers,
    "heat_value": _seen(_value, chart_pixels.heat_value),
    "scatter_point": _seen(_position, chart_pixels.point_position),
    "scatter_outlier": _outlier,
    "scatter_count": _quadrant,
    "hist_bin": _between,
    "box_value": _five,
    "axis_step": _axis,
    "axis_range": _axis,
    "axis_words": _written,
    "kth_largest": _rank,
    "line_rise": _rise,
    "pie_share": _seen(_share, chart_pixels.pie_share),
    "heat_count": _count_value,
    "table_best": _best_series,
    "box_extreme": _best_box,
}
