"""Second opinions on panels: lines of values by their names, and exact arithmetic on them."""

import statistics
from fractions import Fraction
from typing import Any

from engines.base import Sample
from engines.oracles import panels_graphs


def line(scene: dict[str, Any], name: str) -> dict[str, int]:
    """Values by time of a panel, or of a panel and a series. Raises `KeyError` if it is not shown."""
    found = {}
    for panel in scene["panels"]:
        for series, row in zip(scene["series"], panel["values"], strict=True):
            found[f"{panel['name']} {series}".strip()] = dict(zip(scene["categories"], row, strict=True))
    return found[name]


def _lines(sample: Sample) -> list[dict[str, int]]:
    return [line(sample.scene, name) for name in sample.query["names"]]


def _gap(sample: Sample) -> str:
    one, other = (sum(values[time] for time in sample.query["times"]) for values in _lines(sample))
    return str(one - other)


def _column(sample: Sample) -> list[int]:
    """The values of all panels at the time asked about."""
    (time,), place = sample.query["times"], sample.scene["series"].index(sample.query["series"])
    at = sample.scene["categories"].index(time)
    return [panel["values"][place][at] for panel in sample.scene["panels"]]


def _whole(number: Fraction) -> str:
    if number.denominator != 1:
        raise ValueError(f"must be a whole number, got {number}")
    return str(number.numerator)


def _mean(sample: Sample) -> str:
    (values,) = _lines(sample)
    return _whole(statistics.mean(map(Fraction, values.values())))


def _median(sample: Sample) -> str:
    (values,) = _lines(sample)
    return _whole(statistics.median(map(Fraction, values.values())))


def _change(sample: Sample) -> str:
    before, after = (Fraction(sum(values[time] for values in _lines(sample))) for time in sample.query["times"])
    return _whole(100 * (after - before) / before)


def _share(sample: Sample) -> str:
    (values,), (time,) = _lines(sample), sample.query["times"]
    total = sum(_column(sample)) if sample.query["form"] == "across" else sum(values.values())
    return _whole(Fraction(100 * values[time], total))


def _both(sample: Sample) -> str:
    one, other = _lines(sample)
    limit = sample.query["limit"]
    if sample.query["form"] == "over":
        return str(sum(one[time] > other[time] for time in one))
    return str(sum(min(one[time], other[time]) > limit for time in one))


def _claim(sample: Sample) -> str:
    query = sample.query
    try:
        own = line(sample.scene, query["a"])
        if query["kind"] == "over":
            holds = own[query["c"]] > line(sample.scene, query["b"])[query["c"]]
        elif query["kind"] == "rise":
            holds = own[query["d"]] - own[query["c"]] > 0
        elif query["kind"] == "peak":
            holds = own[query["c"]] >= max(own.values())
        elif query["kind"] == "twice":
            holds = own[query["c"]] > 2 * line(sample.scene, query["b"])[query["c"]]
        else:
            holds = statistics.mean(map(Fraction, own.values())) > query["limit"]
    except KeyError:
        return "not shown"
    return "true" if holds else "false"


def _lead(sample: Sample) -> str:
    sizes = {}
    for panel in sample.scene["panels"]:
        rows = panel["values"]
        if sample.query["form"] == "peak":
            sizes[panel["name"]] = max(map(max, rows))
        else:
            sizes[panel["name"]] = sum(rows[sample.scene["series"].index(sample.query["series"])])
    first, second, *_ = sorted(sizes.values(), reverse=True)
    if first == second:
        raise ValueError("one panel must lead")
    return max(sizes, key=sizes.__getitem__)


ORACLES = {
    "gap": _gap,
    "total": lambda sample: str(sum(_column(sample))),
    "mean": _mean,
    "median": _median,
    "change": _change,
    "share": _share,
    "both": _both,
    "claim": _claim,
    "lead": _lead,
    **panels_graphs.ORACLES,
}
