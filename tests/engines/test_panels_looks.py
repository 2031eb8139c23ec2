"""Claims and maps of heights are not answered by words alone or by where things are: each rule is held to its rate."""

import collections
import functools
import math

import numpy as np
import pytest

from engines.panels import ENGINE
from engines.panels.scene import LETTERS, SIDE
from engines.panels.words import DAYS, MONTHS
from tests.engines import posing

posed = functools.partial(posing.posed, ENGINE)
MIDDLE = (SIDE / 2, SIDE / 2)


def chance(rate, count):
    """The share that a rule of this rate may reach among so many by chance."""
    return rate + 3.5 * (rate * (1 - rate) / count) ** 0.5


def looks(arrow):
    """What shows of an arrow without lines of equal height."""
    start, end = (math.dist(at, MIDDLE) for at in arrow)
    return {"end": end, "start": start, "in": start - end, "length": math.dist(*arrow)}


@pytest.mark.parametrize("level", [0, 4, 7, 9])
def test_no_arrow_climbs_more_often_by_where_it_is_or_how_long(level):
    right, count = collections.Counter(), 120
    for item in posed("climb", level, count):
        seen = dict(zip(LETTERS, map(looks, item.scene.arrows), strict=False))
        for look in ("end", "start", "in", "length"):
            for sign in (1, -1):
                right[look, sign] += max(seen, key=lambda x: sign * seen[x][look]) == item.answer.value
    limit = chance(0.25, count)
    assert max(number for (look, _), number in right.items() if look != "start") / count < limit, right
    assert max(number for (look, _), number in right.items() if look == "start") / count < limit + 0.08, right


@pytest.mark.parametrize("level", [0, 2, 4, 6, 8])
def test_a_point_is_no_higher_for_being_near_the_middle(level):
    right, count = collections.Counter(), 150
    for item in posed("summit", level, count):
        away = {x: math.dist(at, MIDDLE) for x, at in zip(LETTERS, item.scene.points, strict=False)}
        order = sorted(away, key=away.get)
        if item.query["ask"] == "order":
            right["up"] += order[::-1] == list(item.answer.value)
            right["down"] += order == list(item.answer.value)
        else:
            is_high = item.query["ask"] == "highest"
            right["up"] += item.answer.value == order[0 if is_high else -1]
            right["down"] += item.answer.value == order[-1 if is_high else 0]
    assert max(right.values()) / count < chance(item.guess_rate, count), right


def ends(time):
    """How near the ends of the year or of the week a time is."""
    times = MONTHS if time in MONTHS else DAYS
    return min(times.index(time), len(times) - 1 - times.index(time)), len(times)


@pytest.mark.parametrize("level", [0, 5])
def test_the_times_of_a_claim_do_not_tell_whether_they_are_shown(level):
    """The best verdict by kind of claim and time, learned of one half, is right about a third of the other half."""
    items = [item for item in posed("claim", level, 3000) if "c" in item.query]
    known = [((item.query["kind"], *ends(item.query["c"])), item.answer.value) for item in items]
    learned = collections.defaultdict(collections.Counter)
    for feature, verdict in known[::2]:
        learned[feature][verdict] += 1
    held = known[1::2]
    right = np.mean([learned[feature].most_common(1) != [] and learned[feature].most_common(1)[0][0] == verdict
                     for feature, verdict in held])  # fmt: skip
    assert right < chance(1 / 3, len(held)), right


def test_the_highest_value_is_at_any_time_as_often():
    places = collections.Counter()
    for item in posed("claim", 0, 1500):
        if item.query["kind"] == "peak" and item.answer.value == "true":
            times = item.scene.categories
            places[times.index(item.query["c"]), len(times)] += 1
    for count in {count for _, count in places}:
        found = [places[place, count] for place in range(count)]
        assert min(found) > 0.5 * np.mean(found), places
