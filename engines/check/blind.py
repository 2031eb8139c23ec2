"""How often a guess is right that has read the question and not seen the picture.

Several guessers are fitted on one half of the samples of a type and level: the best constant; the best answer to the
same text, to the same text without its names and numbers, to the same numbers; naive Bayes over the words; and those
that copy from the question (the k-th thing named in it that could be an answer, or the commonest one it does not
name). The one that does best within that half is then measured on the other half, so a text that occurs once, or a
guesser that was lucky, does not look like knowledge.
"""

import collections
import re
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

import numpy as np

from engines.answer import Answer

_TOKEN = re.compile(r"[A-Za-z]+|-?\d+(?:\.\d+)?")
_LITERAL = re.compile(r"\b(?:-?\d+(?:\.\d+)?|[A-Z]{1,3})\b")
COPIES = (0, 1, 2, -1)
SMOOTHING = 0.3

Item = tuple[str, Answer]
Guesser = Callable[[str], Answer | None]


class Blind(NamedTuple):
    """What guessing without the picture is worth."""

    constant: float  # share of samples that the best constant answers
    guess: float  # the same of the best guesser
    how: str  # its name


def blind(items: Sequence[Item]) -> Blind:
    """Measure (question, answer) pairs of one type and level; at least 8 of them."""
    halves = items[::2], items[1::2]
    constants, rates, names = [], [], []
    for fit, held in (halves, halves[::-1]):
        inner, outer = fit[::2], fit[1::2]
        scores = {name: _score(make(inner), outer) for name, make in GUESSERS.items()}
        name = max(scores, key=scores.__getitem__)
        names.append(name)
        rates.append(_score(GUESSERS[name](fit), held))
        constants.append(_score(_constant(fit), held))
    return Blind(float(np.mean(constants)), max(float(np.mean(rates)), float(np.mean(constants))), names[0])


def is_right(guess: Answer | None, answer: Answer) -> bool:
    """Say whether one answer, given instead of another, would be accepted."""
    if guess is None or guess.kind != answer.kind:
        return False
    if answer.kind == "decimal":
        return abs(guess.value - answer.value) <= answer.tolerance
    return guess.value == answer.value


def favourite(answers: Sequence[Answer]) -> Answer:
    """The answer out of `answers` that is right for most of them."""
    if answers[0].kind != "decimal":
        (value, _), *_ = collections.Counter((answer.kind, answer.value) for answer in answers).most_common(1)
        return next(answer for answer in answers if (answer.kind, answer.value) == value)
    values = np.array([float(answer.value) for answer in answers])
    reach = np.array([float(answer.tolerance) for answer in answers]) + 1e-9
    hits = (abs(values[:, None] - values) <= reach).sum(1)
    return answers[int(hits.argmax())]


def _score(guesser: Guesser, items: Sequence[Item]) -> float:
    return sum(is_right(guesser(question), answer) for question, answer in items) / len(items)


def _constant(fit: Sequence[Item]) -> Guesser:
    best = favourite([answer for _, answer in fit])
    return lambda _: best


def _grouped(feature: Callable[[str], Hashable]) -> Callable[[Sequence[Item]], Guesser]:
    """The best answer of all questions that share a feature; of all, where the feature is new."""

    def make(fit: Sequence[Item]) -> Guesser:
        groups = collections.defaultdict(list)
        for question, answer in fit:
            groups[feature(question)].append(answer)
        best, otherwise = {key: favourite(group) for key, group in groups.items()}, _constant(fit)("")
        return lambda question: best.get(feature(question), otherwise)

    return make


def _words(question: str) -> list[str]:
    return [token.lower() for token in _TOKEN.findall(question)]


def _bayes(fit: Sequence[Item]) -> Guesser:
    """Naive Bayes: words of the question, each taken once, against the answers seen."""
    firsts: dict[Hashable, Answer] = {}
    for _, answer in fit:
        firsts.setdefault((answer.kind, answer.value), answer)
    places = {key: place for place, key in enumerate(firsts)}
    words = {word: place for place, word in enumerate(dict.fromkeys(w for q, _ in fit for w in _words(q)))}
    counts = np.zeros((len(places), len(words)))
    totals = np.zeros(len(places))
    for question, answer in fit:
        row = places[answer.kind, answer.value]
        totals[row] += 1
        counts[row, [words[word] for word in set(_words(question))]] += 1
    share = (counts + SMOOTHING) / (totals[:, None] + 2 * SMOOTHING)
    present, absent = np.log(share), np.log1p(-share)
    start, candidates = np.log(totals) + absent.sum(1), list(firsts.values())

    def guess(question: str) -> Answer:
        known = [words[word] for word in set(_words(question)) if word in words]
        return candidates[int((start + (present - absent)[:, known].sum(1)).argmax())]

    return guess


def _named(question: str, candidates: dict[str, Answer]) -> list[Answer]:
    """What the question names that has been an answer elsewhere, in the order in which it is named."""
    return [candidates[word] for word in _words(question) if word in candidates]


def _copied(place: int) -> Callable[[Sequence[Item]], Guesser]:
    def make(fit: Sequence[Item]) -> Guesser:
        candidates = {answer.text().lower(): answer for _, answer in fit}

        def guess(question: str) -> Answer | None:
            named = _named(question, candidates)
            return named[place] if -len(named) <= place < len(named) else None

        return guess

    return make


def _unnamed(fit: Sequence[Item]) -> Guesser:
    """The commonest answer that the question does not name."""
    counted = collections.Counter(answer.text().lower() for _, answer in fit).most_common()
    candidates = {answer.text().lower(): answer for _, answer in fit}

    def guess(question: str) -> Answer | None:
        words = set(_words(question))
        return next((candidates[text] for text, _ in counted if text not in words), None)

    return guess


GUESSERS: dict[str, Callable[[Sequence[Item]], Guesser]] = {
    "constant": _constant,
    "same text": _grouped(lambda question: question),
    "same wording": _grouped(lambda question: _LITERAL.sub("*", question)),
    "same numbers": _grouped(lambda question: tuple(_LITERAL.findall(question))),
    "words": _bayes,
    "unnamed": _unnamed,
    **{f"copies {place}": _copied(place) for place in COPIES},
}
