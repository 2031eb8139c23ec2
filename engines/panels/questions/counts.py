"""Questions that compare lines of values: in how many times one is above another, which panel leads, what is true."""

import numpy as np

from engines.answer import Answer
from engines.base import Fact, Posed
from engines.panels.questions.draft import Draft, pick
from engines.panels.scene import Panels

VERDICTS = ("true", "false", "not shown")
LIMIT_FROM_LEVEL = 3  # of counts: above a number in two panels
HARD_CLAIMS_FROM_LEVEL = 3
TOTAL_FROM_LEVEL = 5  # of leads: by total and not by peak
NAMED = 0.05  # of the leads: the commonest of all names that panels may have, measured
TRIES, TRIES_OF_ONE = 2000, 20  # claims in all, and about one set of panels

OVER = (
    "In how many {times}s is {a} above {b}?",
    "Count the {times}s in which {a} is higher than {b}.",
    "How many {times}s are there in which {a} has more than {b}?",
    "For how many {times}s is the value of {a} larger than that of {b}?",
)
BOTH = (
    "In how many {times}s are {a} and {b} both above {limit}?",
    "Count the {times}s in which {a} as well as {b} is above {limit}.",
    "How many {times}s have more than {limit} for both {a} and {b}?",
    "For how many {times}s do {a} and {b} both exceed {limit}?",
)
PEAK = (
    "Which panel reaches the highest value?",
    "In which panel is the largest value of all?",
    "Where is the highest value shown? Name the panel.",
    "Name the panel with the largest single value.",
)
SUM = (
    "Which panel has the largest total{year}?",
    "In which panel do the values{year} add up to the most?",
    "Where is the sum of all values{year} the largest? Name the panel.",
    "Name the panel whose values{year} have the largest sum.",
)
CLAIMS = {
    "over": "{a} is above {b} in {c}",
    "rise": "{a} is higher in {d} than in {c}",
    "peak": "{a} has its highest value in {c}",
    "mean": "the mean of {a} is above {limit}",
    "twice": "{a} in {c} is more than twice {b} in {c}",
}
ASKED = (
    'Is this true, false or not shown? "{claim}."',
    'True, false or not shown: "{claim}."',
    '"{claim}." Answer true, false or not shown.',
    'Judge the claim "{claim}" by the panels: true, false or not shown?',
)


def pose_both(rng: np.random.Generator, level: int) -> Posed:
    """Ask in how many times a condition holds; all counts are equally likely."""
    draft = Draft(rng, level, may_be_negative=True)
    (a, s), (b, t) = draft.two()
    draft.align([b], a)
    form = "both" if level >= LIMIT_FROM_LEVEL and rng.random() < 0.5 else "over"
    count = int(rng.integers(len(draft.times) + 1))
    holds = set(rng.permutation(len(draft.times))[:count].tolist())
    axis = draft.axes[a]
    limit = axis.low + axis.step * int(rng.integers(1, 4))
    for time in range(len(draft.times)):
        for _ in range(TRIES):
            one, two = (int(rng.integers(draft.range(p)[0], draft.range(p)[1] + 1)) for p in (a, b))
            x, y = one * draft.grains[a], two * draft.grains[b]
            if form == "over":
                fits = x != y and (x > y) == (time in holds)
            else:
                fits = limit not in (x, y) and (x > limit and y > limit) == (time in holds)
            if fits:
                draft.values[a][s][time], draft.values[b][t][time] = one, two
                break
        else:
            raise RuntimeError(f"no values that {form} at level {level} in {TRIES} tries")
    named = {"a": draft.who(a, s), "b": draft.who(b, t), "limit": limit, "times": draft.topic.times}
    question = pick(rng, OVER if form == "over" else BOTH).format(**named)
    query = {"ask": "both", "form": form, "names": [named["a"], named["b"]], "limit": limit}
    rate = 1 / (len(draft.times) + 1)
    return Posed(draft.finish(), question, Answer.integer(count), guess_rate=rate, query=query)


def _holds(draft: Draft, kind: str, claim: dict) -> bool | None:
    """Whether a claim holds; `None` if it is too close to call."""
    (a, s), (b, t) = claim["one"], claim["other"]
    own, other = draft.values[a][s], draft.values[b][t]
    g, h = draft.grains[a], draft.grains[b]
    c, d = claim["time"], claim["later"]
    if kind == "over":
        return None if own[c] * g == other[c] * h else own[c] * g > other[c] * h
    if kind == "rise":
        return None if own[c] == own[d] else own[d] > own[c]
    if kind == "peak":
        return None if own.count(max(own)) > 1 else own[c] == max(own)
    if kind == "twice":
        one, two = own[c] * g, 2 * other[c] * h
        return None if other[c] <= 0 or abs(one - two) < max(g, h) else one > two
    total, limit = sum(own) * g, claim["limit"] * len(own)
    return None if abs(total - limit) < g * len(own) / 2 else total > limit


def pose_claim(rng: np.random.Generator, level: int) -> Posed:
    """Ask whether a claim is true, false or not shown."""
    kinds = ("over", "rise", "peak") + (("mean", "twice") if level >= HARD_CLAIMS_FROM_LEVEL else ())
    kind, verdict = pick(rng, kinds), pick(rng, VERDICTS)
    for attempt in range(TRIES):
        if attempt % TRIES_OF_ONE == 0:
            draft = Draft(rng, level, may_be_negative=kind != "twice")
        one, other = draft.two()
        c, d = rng.permutation(len(draft.times))[:2].tolist()
        if kind == "rise" and c > d:
            c, d = d, c
        axis = draft.axes[one[0]]
        claim = {
            "one": one,
            "other": other,
            "time": c,
            "later": d,
            "limit": axis.low + axis.step * int(rng.integers(1, 4)),
        }
        if kind == "peak":  # any time has the peak as often, whatever the course
            draft.peak(*one, c, is_there=verdict == "true" or (verdict == "not shown" and bool(rng.integers(2))))
        holds = _holds(draft, kind, claim)
        if holds is not None and (verdict == "not shown" or holds == (verdict == "true")):
            break
    else:
        raise RuntimeError(f"no {verdict} claim of {kind} at level {level} in {TRIES} tries")
    named = {
        "a": draft.who(*one),
        "b": draft.who(*other),
        "c": draft.times[c],
        "d": draft.times[d],
        "limit": claim["limit"],
    }
    if verdict == "not shown":
        series = draft.series[one[1]]
        wrong = [("a", f"{pick(rng, draft.absent_names)}{series and f' {series}'}")]
        if kind in ("over", "twice"):
            wrong.append(("b", f"{pick(rng, draft.absent_names)}{series and f' {series}'}"))
        if kind != "mean" and draft.can_hide(c):
            wrong.append(("c", named["c"]))
        key, value = pick(rng, wrong)
        named[key] = value
        if key == "c":  # the time is drawn as one that is shown, and then the panels show others
            draft.hide(c)
    text = CLAIMS[kind].format(**named)
    phrasing = pick(rng, ASKED)
    said = text[0].upper() + text[1:] if not phrasing.startswith("Judge") else text
    query = {"ask": "claim", "kind": kind} | {key: named[key] for key in named if f"{{{key}}}" in CLAIMS[kind]}
    answer = Answer.word(verdict, VERDICTS)
    return Posed(draft.finish(), phrasing.format(claim=said), answer, guess_rate=1 / 3, query=query)


def pose_lead(rng: np.random.Generator, level: int) -> Posed:
    """Ask which panel leads, by its highest value or by its total."""
    form = "peak" if level < TOTAL_FROM_LEVEL else "total"
    for _ in range(TRIES):
        draft = Draft(rng, level, may_be_negative=True, adds=form == "total")
        series = int(rng.integers(len(draft.series)))
        if form == "peak":
            sizes = [max(max(row) for row in rows) * g for rows, g in zip(draft.values, draft.grains, strict=True)]
        else:
            sizes = [sum(rows[series]) * g for rows, g in zip(draft.values, draft.grains, strict=True)]
        *_, second, first = sorted(sizes)
        if first - second >= max(draft.grains) * (1 if form == "peak" else 2):
            break
    else:
        raise RuntimeError(f"no panel leads at level {level} in {TRIES} tries")
    name = draft.series[series] if form == "total" else ""
    question = pick(rng, PEAK if form == "peak" else SUM).format(year=f" of {name}" if name else "")
    query = {"ask": "lead", "form": form, "series": name}
    answer = Answer.word(draft.names[sizes.index(first)], sorted(draft.names))
    return Posed(draft.finish(), question, answer, guess_rate=NAMED, query=query)


def facts(scene: Panels, rng: np.random.Generator) -> tuple[Fact, ...]:
    """Further questions: how many panels there are, and single values."""
    found = [
        Fact("How many panels are there?", Answer.integer(len(scene.panels))),
        Fact(
            "What is written at the first place of each time axis?", Answer.word(scene.categories[0], scene.categories)
        ),
    ]
    for panel in (scene.panels[i] for i in rng.permutation(len(scene.panels))[:2].tolist()):
        series, time = int(rng.integers(len(scene.series))), int(rng.integers(len(scene.categories)))
        name = panel.name + (f" {scene.series[series]}" if scene.series[series] else "")
        value = Answer.integer(panel.values[series][time])
        found.append(Fact(f"What is the value of {name} in {scene.categories[time]}?", value))
        found.append(Fact(f"What is the largest number on the axis of {panel.name}?", Answer.integer(panel.axis.high)))
    return tuple(found)
