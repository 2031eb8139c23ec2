"""Questions whose answer is computed: differences, sums, means, medians, changes and shares in percent."""

import numpy as np

from engines.answer import Answer
from engines.base import Posed
from engines.panels.questions.draft import Draft, changes, differences, pick, summing

TWO_TIMES_FROM_LEVEL = 5  # of differences: sums over two times
TWO_PANELS_FROM_LEVEL = 7  # of changes: of the sum of two panels
ACROSS_FROM_LEVEL = 6  # of shares: of all panels at one time
SHARES = tuple(range(10, 65, 5))  # in percent
TRIES = 200

GAP = (
    "How much higher is {a} than {b} in {c}?",
    "In {c}, by how much is {a} above {b}?",
    "Subtract the value of {b} from that of {a} for {c}.",
    "What is the difference between {a} and {b} in {c}?",
)
GAP_OF_TWO = (
    "How much more is {a} than {b} over {c} and {d} together?",
    "Add up {c} and {d}. By how much is the sum of {a} above that of {b}?",
    "What is left of the sum of {a} for {c} and {d} if you subtract that of {b}?",
    "For {c} plus {d}, how much higher is {a} than {b}?",
)
TOTAL = (
    "What is the sum of all {series}values in {c}?",
    "Add up the {series}values of all panels for {c}.",
    "How much do all panels {year}have together in {c}?",
    "In {c}, what do the {series}values of all panels add up to?",
)
MEAN = (
    "What is the mean of the values of {a}?",
    "Find the average of all values of {a}.",
    "What is the average value of {a} over all {times}s shown?",
    "Add up the values of {a} and divide by their number.",
)
MEDIAN = (
    "What is the median of the values of {a}?",
    "Order the values of {a} by size. What is their median?",
    "Find the median value of {a} over all {times}s shown.",
    "Which value is the median of {a}?",
)
EVEN = " Of an even number it is the mean of the two in the middle."
CHANGE = (
    "By what percentage does {a} change from {c} to {d}? A fall is negative.",
    "From {c} to {d}, by how many percent does {a} change? Write a fall with a minus.",
    "What is the percentage change of {a} between {c} and {d}, negative for a fall?",
    "How many percent does {a} gain from {c} to {d}? A loss is negative.",
)
SHARE = (
    "What percentage of the total of {a} falls on {c}?",
    "Add up all values of {a}. What percentage of the sum is the value for {c}?",
    "Which share of the sum of {a} over all {times}s shown is in {c}, in percent?",
    "Of the total of {a}, how many percent belong to {c}?",
)
SHARE_ACROSS = (
    "What percentage of the sum of all {series}panels in {c} is {p}?",
    "In {c}, how many percent of the {series}total of all panels belong to {p}?",
    "Add up all {series}panels for {c}. Which share of it, in percent, is {p}?",
    "Of the {series}values in {c}, how many percent of their sum is that of {p}?",
)


def _spaced(series: str) -> str:
    """A series before a noun, with its space; nothing where there is none."""
    return f"{series} " if series else ""


def pose_gap(rng: np.random.Generator, level: int) -> Posed:
    """Ask by how much one panel is above another, at a time or over two."""
    draft = Draft(rng, level, may_be_negative=True, adds=level >= TWO_TIMES_FROM_LEVEL)
    (a, s), (b, t) = draft.two()
    known = differences((*draft.range(a), draft.grains[a]), (*draft.range(b), draft.grains[b]))
    if max(known) <= 0:  # on its own axis the one lies all below the other
        (a, s), (b, t) = (b, t), (a, s)
        known = differences((*draft.range(a), draft.grains[a]), (*draft.range(b), draft.grains[b]))
    count = 2 if level >= TWO_TIMES_FROM_LEVEL else 1
    times = sorted(rng.permutation(len(draft.times))[:count].tolist())
    wanted = pick(rng, [step for step in known if step > 0])
    parts = [wanted]
    if count == 2:
        one = pick(rng, [step for step in known if wanted - step in known])
        parts = [one, wanted - one]
    for time, part in zip(times, parts, strict=True):
        draft.values[a][s][time], draft.values[b][t][time] = pick(rng, known[part])
    named = {"a": draft.who(a, s), "b": draft.who(b, t), "c": draft.times[times[0]], "d": draft.times[times[-1]]}
    query = {"ask": "gap", "form": "one" if count == 1 else "two", "names": [named["a"], named["b"]]}
    query |= {"times": [draft.times[time] for time in times]}
    question = pick(rng, GAP if count == 1 else GAP_OF_TWO).format(**named)
    rate = 1 / sum(step > 0 for step in known)
    return Posed(draft.finish(), question, Answer.integer(wanted), guess_rate=rate, query=query)


def pose_total(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the sum of all panels at a time."""
    draft = Draft(rng, level, may_be_negative=True, adds=True)
    series, time, grain = int(rng.integers(len(draft.series))), draft.time(), max(draft.grains)
    ranges = [draft.range(panel) for panel in range(len(draft.names))]
    low, high = (sum(r[end] * g for r, g in zip(ranges, draft.grains, strict=True)) for end in (0, 1))
    spare = (high - low) // 5  # sums near the ends have few sets of values
    last = draft.grains.index(grain)  # the panel that brings the sum to where it is wanted
    for _ in range(TRIES):
        wanted = rng.uniform(low + spare, high - spare)
        drawn = [int(rng.integers(a, b + 1)) for a, b in ranges]
        others = sum(v * g for i, (v, g) in enumerate(zip(drawn, draft.grains, strict=True)) if i != last)
        drawn[last] = round((wanted - others) / grain)
        if ranges[last][0] <= drawn[last] <= ranges[last][1]:
            break
    else:
        raise RuntimeError(f"no sum at level {level} in {TRIES} tries")
    total = others + drawn[last] * grain
    for panel, value in enumerate(drawn):
        draft.values[panel][series][time] = value
    name = draft.series[series]
    year = f"in {name} " if name else ""
    question = pick(rng, TOTAL).format(series=_spaced(name), year=year, c=draft.times[time])
    query = {"ask": "total", "series": name, "times": [draft.times[time]]}
    rate = grain / (high - low - 2 * spare)
    return Posed(draft.finish(), question, Answer.integer(total), guess_rate=rate, query=query)


def pose_mean(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the mean of a line of values, a whole number."""
    draft = Draft(rng, level, may_be_negative=True)
    a, s = draft.one()
    (low, high), grain, count = draft.range(a), draft.grains[a], len(draft.times)
    sums = [n for n in range(count * low + count, count * (high - 1) + 1) if n * grain % count == 0]
    wanted = pick(rng, sums)
    draft.values[a][s] = summing(rng, draft.values[a][s], wanted, low, high)
    question = pick(rng, MEAN).format(a=draft.who(a, s), times=draft.topic.times)
    query = {"ask": "mean", "names": [draft.who(a, s)]}
    answer = Answer.integer(wanted * grain // count)
    return Posed(draft.finish(), question, answer, guess_rate=1 / len(sums), query=query)


def pose_median(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the median of a line of values; of an even number of them the mean of the two in the middle."""
    draft = Draft(rng, level, may_be_negative=True)
    a, s = draft.one()
    (low, high), grain, count = draft.range(a), draft.grains[a], len(draft.times)
    middles = range(low + 1, high)
    middle, half = pick(rng, middles), count // 2
    under, over = (rng.integers(x, y + 1, size=half).tolist() for x, y in ((low, middle), (middle, high)))
    if count % 2 == 0:
        apart = int(rng.integers(0, min(middle - low, high - middle) + 1))
        under, over = [min(x, middle - apart) for x in under], [max(x, middle + apart) for x in over]
        under[0], over[0] = middle - apart, middle + apart
    row = sorted([*under, *over, *([middle] if count % 2 else [])])
    order = np.argsort(np.array(draft.values[a][s]) + rng.random(count)).tolist()  # keeps the course
    for value, place in zip(row, order, strict=True):
        draft.values[a][s][place] = value
    question = pick(rng, MEDIAN).format(a=draft.who(a, s), times=draft.topic.times)
    if count % 2 == 0:
        question += EVEN
    query = {"ask": "median", "names": [draft.who(a, s)]}
    answer = Answer.integer(middle * grain)
    return Posed(draft.finish(), question, answer, guess_rate=1 / len(middles), query=query)


def pose_change(rng: np.random.Generator, level: int) -> Posed:
    """Ask for the change in percent between two times, of a panel or of the sum of two."""
    draft = Draft(rng, level, adds=True)
    (a, s), (b, t) = draft.two()
    is_of_two = level >= TWO_PANELS_FROM_LEVEL
    if is_of_two:
        t = s
        draft.align([b], a)
    low, high = draft.range(a)
    known = changes(2 * low, 2 * high) if is_of_two else changes(low, high)
    wanted = pick(rng, sorted(known))
    pair, times = pick(rng, known[wanted]), sorted(rng.permutation(len(draft.times))[:2].tolist())
    for time, value in zip(times, pair, strict=True):
        if is_of_two:
            first = int(rng.integers(max(low, value - high), min(high, value - low) + 1))
            draft.values[a][s][time], draft.values[b][t][time] = first, value - first
        else:
            draft.values[a][s][time] = value
    names = [draft.who(a, s), draft.who(b, t)] if is_of_two else [draft.who(a, s)]
    said = f"the sum of {names[0]} and {names[1]}" if is_of_two else names[0]
    c, d = (draft.times[time] for time in times)
    query = {"ask": "change", "form": "two" if is_of_two else "one", "names": names, "times": [c, d]}
    question = pick(rng, CHANGE).format(a=said, c=c, d=d)
    return Posed(draft.finish(), question, Answer.integer(wanted), guess_rate=1 / len(known), query=query)


def pose_share(rng: np.random.Generator, level: int) -> Posed:
    """Ask which share of a sum one value is, in percent: of a panel over all times, or of all panels at a time."""
    draft = Draft(rng, level, adds=True)
    (a, s), time, is_across = draft.one(), draft.time(), level >= ACROSS_FROM_LEVEL
    if is_across:
        (low, high), count = draft.range(0), len(draft.names)
        draft.align(range(1, count), 0)
    else:
        (low, high), count = draft.range(a), len(draft.times)
    possible = {}
    for share in SHARES:
        for value in range(low, high + 1):
            total, rest = divmod(100 * value, share)
            if not rest and (count - 1) * low <= total - value <= (count - 1) * high:
                possible.setdefault(share, []).append((value, total))
    wanted = pick(rng, sorted(possible))
    value, total = pick(rng, possible[wanted])
    others = (
        [row[s][time] for i, row in enumerate(draft.values) if i != a]
        if is_across
        else [v for i, v in enumerate(draft.values[a][s]) if i != time]
    )
    rest = summing(rng, others, total - value, low, high)
    if is_across:
        for panel in range(count):
            draft.values[panel][s][time] = value if panel == a else rest.pop()
    else:
        draft.values[a][s] = [*rest[:time], value, *rest[time:]]
    named = {"a": draft.who(a, s), "p": draft.names[a], "c": draft.times[time], "times": draft.topic.times}
    question = pick(rng, SHARE_ACROSS if is_across else SHARE).format(series=_spaced(draft.series[s]), **named)
    query = {"ask": "share", "form": "across" if is_across else "within", "names": [draft.who(a, s)]}
    query |= {"times": [draft.times[time]], "series": draft.series[s]}
    return Posed(draft.finish(), question, Answer.integer(wanted), guess_rate=1 / len(possible), query=query)
