"""Ways to an answer that do without the question's picture: by looks of the options alone, by words alone.

*Options.* Where a question offers drawn options by letter, each rule of `RULES` picks one by what the options look like
beside each other, whatever else the picture shows: the one nearest to all others, the farthest, the odd one out, the
one with the commonest features, the largest, the longest. Where letters name places, arrows or exits, rules go by
where these are: how near the middle of the picture or the start, how far apart the ends of an arrow. None may be right
oftener than the stated guess. A type whose scene has neither is named: nothing is known of its options.

*Words.* A small learned guesser, a softmax over words, pairs of words, numbers and the level, fitted on many samples of
a type and measured on others, must not beat the stated guess either. It finds what the simple guessers of
`engines.check.blind` cannot: words that shift the odds only together.
"""

import collections
import itertools
import json
import math
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from engines.answer import Answer
from engines.check.blind import is_right

OPTIONS = ("options", "cubes")  # where a scene's JSON keeps what may be chosen
FEATURES = 1024  # of the learned guesser: words and pairs of them, hashed
CLASSES = 40  # the commonest answers, of which it chooses one
STEPS, RATE, DECAY = 60, 0.5, 1e-3  # of its fit: gradient steps over all samples, their size, and the pull to zero
MAP_MIDDLE = (50, 50)  # of a map of heights, whose sides go from 0 to 100
_NUMBER = re.compile(r"-?\d+(?:/\d+)?")  # how a scene's JSON writes a fraction
_TOKEN = re.compile(r"[A-Za-z]+|-?\d+(?:\.\d+)?")

Features = list[tuple[str, Any]]


def options_of(scene: Any, letters: Sequence[str]) -> list[Any]:
    """What is drawn under the letters A, B, …, as JSON; empty if the scene's JSON has no options to choose from."""
    if list(letters) != [chr(65 + place) for place in range(len(letters))] or not isinstance(scene, dict):
        return []
    found = next((scene[key] for key in OPTIONS if key in scene), None)
    if found is None and scene.get("kind") == "panels":  # each shows one graph
        found = scene.get("curves")
    return found if isinstance(found, list) and len(found) == len(letters) else []


def places_of(scene: Any, letters: Sequence[str]) -> list[dict[str, float]]:
    """What shows of the places, arrows or exits that letters name, number by number; empty if there are none."""
    if not isinstance(scene, dict):
        return []
    if scene.get("kind") == "map":
        arrows = [(math.dist(MAP_MIDDLE, (x, y)), math.dist(MAP_MIDDLE, (u, v)), math.dist((x, y), (u, v)))
                  for x, y, u, v in scene["arrows"]]  # fmt: skip
        found = [{"begins far out": a, "ends far out": b, "goes in": a - b, "is long": c} for a, b, c in arrows]
        found = found or [{"is far out": math.dist(MAP_MIDDLE, point)} for point in scene["points"]]
    else:
        exits = {letter: (row, column) for row, column, letter in scene.get("exits") or ()}
        if set(exits) != set(letters):
            return []
        found = [{"is far from the start": math.dist(exits[letter], scene["start"])} for letter in letters]
    return found if len(found) == len(letters) else []


def place_credits(places: Sequence[dict[str, float]], answer: Answer) -> dict[str, float]:
    """The same as `credits` for places: by each of their numbers, the one with most and the one with least of it."""
    place = list(answer.vocabulary).index(answer.value)
    earned = {}
    for name in places[0]:
        for word, sign in (("most", 1), ("least", -1)):
            earned[f"what {name}, {word} of all"] = _share([sign * one[name] for one in places], place)
    return earned


def _share(scores: Sequence[float], place: int) -> float:
    """1 if the best score is that of a place, a share of it where others are as good."""
    best = [i for i, one in enumerate(scores) if one >= max(scores) - 1e-9]
    return (place in best) / len(best)


def credits(options: Sequence[Any], answer: Answer) -> dict[str, float]:
    """How much of a point each rule earns: 1 if it picks the answer, a share of it where it cannot decide."""
    place = list(answer.vocabulary).index(answer.value)
    earned = {}
    for name, score in RULES.items():
        earned[name] = _share(score([list(_features(option, "")) for option in options]), place)
    return earned


def _features(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every leaf of an option with the way to it; a fraction, which JSON has as text, is a number."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _features(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _features(inner, f"{path}.{number}")
    else:
        is_fraction = isinstance(value, str) and _NUMBER.fullmatch(value)
        yield path, float(Fraction(value)) if is_fraction else value


def _distance(one: Features, other: Features) -> float:
    """How unlike two options are: numbers by their difference, all else by being another or missing."""
    first, second = dict(one), dict(other)
    total = 0.0
    for path in first.keys() | second.keys():
        a, b = first.get(path), second.get(path)
        is_number = all(isinstance(part, int | float) and not isinstance(part, bool) for part in (a, b))
        total += min(abs(a - b), 3) if is_number else float(a != b)
    return total


def _distances(options: list[Features]) -> np.ndarray:
    """Pairwise, with infinity on the diagonal; float [n, n]."""
    found = np.array([[_distance(one, other) for other in options] for one in options])
    np.fill_diagonal(found, np.inf)
    return found


def _sums(options: list[Features]) -> list[float]:
    found = _distances(options)
    np.fill_diagonal(found, 0.0)
    return found.sum(1).tolist()


def _commonness(options: list[Features]) -> list[float]:
    counts = collections.Counter(feature for option in options for feature in map(json.dumps, option))
    return [float(np.mean([counts[json.dumps(feature)] for feature in option])) for option in options]


def _size(option: Features) -> float:
    return sum(value for _, value in option if isinstance(value, int | float) and not isinstance(value, bool))


RULES: dict[str, Callable[[list[Features]], list[float]]] = {
    "the nearest to all others": lambda options: [-total for total in _sums(options)],
    "the farthest from all others": _sums,
    "the odd one out": lambda options: _distances(options).min(1).tolist(),
    "the one most like another": lambda options: (-_distances(options).min(1)).tolist(),
    "the commonest features": _commonness,
    "the rarest features": lambda options: [-share for share in _commonness(options)],
    "the largest": lambda options: [_size(option) for option in options],
    "the smallest": lambda options: [-_size(option) for option in options],
    "the longest": lambda options: [float(len(option)) for option in options],
    "the shortest": lambda options: [-float(len(option)) for option in options],
}


def learned(fit: Sequence[tuple[str, int, Answer]], held: Sequence[tuple[str, int, Answer]]) -> float:
    """Share of the held (question, level, answer) that a guesser gets right which was fitted on the others."""
    firsts: dict[Any, Answer] = {}
    counts: collections.Counter = collections.Counter()
    for _, _, answer in fit:
        counts[answer.kind, answer.value] += 1
        firsts.setdefault((answer.kind, answer.value), answer)
    classes = [key for key, _ in counts.most_common(CLASSES)]
    places = {key: place for place, key in enumerate(classes)}
    known = [item for item in fit if (item[2].kind, item[2].value) in places]
    x = _table(known)
    y = np.array([places[answer.kind, answer.value] for _, _, answer in known])
    weights, speed = np.zeros((FEATURES, len(classes)), np.float32), np.full((FEATURES, len(classes)), 1e-6, np.float32)
    goal = np.eye(len(classes), dtype=np.float32)[y]
    for _ in range(STEPS):
        scores = x @ weights
        shares = np.exp(scores - scores.max(1, keepdims=True))
        shares /= shares.sum(1, keepdims=True)
        slope = x.T @ (shares - goal) / len(x) + DECAY * weights
        speed += slope**2
        weights -= RATE * slope / np.sqrt(speed)
    guesses = (_table(held) @ weights).argmax(1).tolist()
    return float(np.mean([is_right(firsts[classes[g]], item[2]) for g, item in zip(guesses, held, strict=True)]))


def _table(items: Sequence[tuple[str, int, Answer]]) -> np.ndarray:
    """Hashed words, pairs of words and the level of each question; float32 [n, FEATURES], rows of length 1."""
    table = np.zeros((len(items), FEATURES), np.float32)
    for row, (question, level, _) in zip(table, items, strict=True):
        words = [word.lower() for word in _TOKEN.findall(question)]
        tokens = {*words, *(" ".join(pair) for pair in itertools.pairwise(words)), f"level {level}"}
        row[[zlib.crc32(token.encode()) % FEATURES for token in tokens]] = 1.0
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1.0)
