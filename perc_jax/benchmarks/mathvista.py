r"""MathVista (Lu et al. 2024, arXiv 2310.02255): 1,000 questions of testmini, choices and numbers.

Official protocol: GPT-4 shortens the response to an answer, which is normalised and compared as text. Copied: the
normalisation, with its fallback to the nearest choice by edit distance, so that a multiple-choice answer always has a
chance; integers are cut, not rounded; lists are compared as written. Not copied: GPT-4; `official` reads the response
by the offline rule below, and where it finds no choice gives the first sentence to the fallback, as GPT-4 often does.
The test split of 5,141 has no public answers.

Agreement with the authors' labels: 99.96 % from the stored extraction. From the response alone 94.9 % on 13 models on
which no rule was made or tuned (91.0 to 99.4 by model; code answers left out); on the half of the ids of six other
models that was held out, 96.6 % of the 2,415 responses that are not empty (the last letter, option text or number:
89.3 %) and 95.7 % of all 2,784. Of the 369 empty ones, 157 have an extraction nevertheless, GPT-4's own guess, which no
reading finds. Most of the rest are guesses of GPT-4, too, where a response chooses nothing. A letter before the text of
another option follows the text, as the labels do; a response that goes on with a question of its own ends there.
"""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, hedges, numbers, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

_NEGATION = re.compile(r"\b(?:not|no|never|cannot)\b|n't\b", re.IGNORECASE)
_NO_ANSWER = re.compile(
    r"(?:\b(?:not|cannot|unable|insufficient|impossible|ambiguous|incomplete|missing|unclear|refrain)|n['’]t)\b[^.]{0,80}"
    r"\b(?:provide|enough|determine|specif|context|information|answer|clear|visual|image|possible|sure|able|valid|view)",
    re.IGNORECASE,
)
_NO_OPTION = re.compile(
    r"\bnone of the (?:\w{1,12} )?(?:options|choices)\b|(?:\bnot|n['’]t)\b[^.]{0,60}\b(?:options|choices)\b",
    re.IGNORECASE,
)
_LACKS = re.compile(r"\b(?:enough|necessary)\s(?:\w{1,12}\s)?information\b|\binformation needed\b", re.IGNORECASE)
_BRACKETED = re.compile(r"\s*\(([A-Z])\)")
_ASKS_YEAR = re.compile(r"\b(?:which|what)\s(?:\w{1,12}\s)?year\b", re.IGNORECASE)
_YEAR = re.compile(r"[12]\d{3}")
_FORMS = ("integer", "float", "list", "text")
_GROUPS = ("category", "task", "context", "grade", "language", "source")
_PLACES = {1: ("one", "place", "1.2, 1.3, 1.4"), 2: ("two", "places", "1.23, 1.34, 1.45")}


class MathVista(Benchmark):
    """See the module."""

    name = "mathvista"
    hub = "AI4Math/MathVista"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "offline rule in place of GPT-4 (94.9 % of unseen models' labels), then the official normalisation",
        "extracted": "the responses are answers already extracted; official normalisation and equality only",
        "vlmevalkit": "VLMEvalKit's rules without its judge: option words, int(), float(); all else is wrong",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """`testmini.json` of the repository, or the hub's Parquet."""
        found = []
        for row in files.rows(folder, "testmini.json", "testmini*.parquet"):
            multiple = row.one_of("question_type", ("multi_choice", "free_form")) == "multi_choice"
            options, form = row.texts("choices", least=int(multiple)), row.one_of("answer_type", _FORMS)
            kind = "choice" if multiple else form
            if kind in ("integer", "float"):
                row.finite("answer")
            metadata = row.inner("metadata")
            meta = {field: metadata.text(field) for field in _GROUPS} | {"skills": list(metadata.texts("skills"))}
            meta["precision"] = int(row.finite("precision")) if row["precision"] is not None else None
            found.append(
                Problem(
                    id=row.filled("pid"),
                    question=row.text("question"),
                    images=row.images("decoded_image", folder=folder, path=row.text("image")),
                    gold=row.filled("answer"),
                    kind=kind,
                    options=options if multiple else (),
                    meta=meta | {"unit": row.text("unit")},
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """Hint, question, unit, choices, in the official words."""
        unit = f" (Unit: {problem.meta['unit']})" if problem.meta["unit"] else ""
        lines = [f"Hint: {_hint(problem)}", f"Question: {problem.question}{unit}"]
        if problem.options:
            pairs = zip(problem.letters, problem.options, strict=True)
            lines += ["Choices:", *(f"({letter}) {option}" for letter, option in pairs)]
        return "\n".join(lines)

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        if mode == "extracted":
            return self._equal(problem, response)
        if mode == "vlmevalkit":
            return _vlmevalkit(problem, response)
        found = extract(problem, response)
        if found is None and problem.kind == "choice":
            guess = self._equal(problem, _stand_in(response))
            return Scored(guess.correct, None, f"no answer found; official guess by edit distance: {guess.parsed}")
        return verdict(False, None, "offline rule") if found is None else self._equal(problem, found)

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """A letter or an option's text; a number, rounded to the gold answer's places; a list."""
        if problem.kind == "choice":
            letter = choices.exact(content, problem.letters)
            text = problem.options[problem.letters.index(letter)] if letter else content
            known = text if text in problem.options else None
            return verdict(known == problem.gold, known, "strict")
        return self._equal(problem, content)

    def _equal(self, problem: Problem, extraction: str) -> Scored:
        answer = normalise(problem, extraction)
        return verdict(answer == problem.gold, answer, "official normalisation")

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by question type, answer type, task, skill and the other fields of the metadata."""
        groups = {"kind": self.by(items, lambda problem: problem.kind)}
        for field in (*_GROUPS, "skills"):
            groups[field] = self.by(items, lambda problem, field=field: problem.meta[field])
        return groups


def _hint(problem: Problem) -> str:
    if problem.kind == "choice":
        return "Please answer the question and provide the correct option letter, e.g., A, B, C, D, at the end."
    if problem.kind == "integer":
        kind, example = "an integer answer", "value, e.g., 1, 2, 3"
    elif problem.kind == "list":
        kind, example = "a Python list as an answer", "list, e.g., [1, 2, 3], [1.2, 1.3, 1.4]"
    else:
        count, noun, values = _PLACES[2 if problem.meta["precision"] == 2 else 1]
        kind, example = f"a floating-point number with {count} decimal {noun}", f"value, e.g., {values}"
    return f"Please answer the question requiring {kind} and provide the final {example}, at the end."


def normalise(problem: Problem, extraction: str) -> str | None:
    """Turn an extracted answer into the form of the gold answer, by the official rule; None if that fails."""
    if problem.kind == "choice":
        extraction = extraction.strip()
        letters = choices.lettered(extraction)
        letter = letters[0].upper() if letters else extraction
        if len(letter) == 1 and letter in problem.letters:
            return problem.options[problem.letters.index(letter)]
        return problem.options[choices.nearest(extraction, problem.options)]
    if problem.kind == "list":
        return extraction
    number = _float(extraction)
    if number is None:
        return None
    return str(int(number)) if problem.kind == "integer" else str(round(number, problem.meta["precision"] or 0))


def _float(text: str) -> float | None:
    """Python's float, without what is not finite."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def extract(problem: Problem, response: str) -> str | None:
    """Read the answer from a response: the offline rule in place of GPT-4; None if there is none."""
    text = reading.reply(response)
    if problem.kind == "choice":
        return choices.pick(text, problem.letters, problem.options) or _yes_or_no(problem, text)
    if problem.kind == "list":
        return _list(text)
    return _number(problem.question, text)


def _stand_in(response: str) -> str:
    """What GPT-4 writes as the extraction of a response that chooses nothing.

    The letter of an option that was not offered; a first sentence that says what information it lacks; `N/A` for any
    other refusal; else the first sentence. For an empty response an empty text, as the official code does.
    """
    head = next(iter(reading.sentences(response)), "")
    letter = _BRACKETED.match(head)
    if letter:
        return letter[1]
    return head if not _refuses(response) or _LACKS.search(head) else "N/A"


def _refuses(text: str) -> bool:
    """Whether a text says that it cannot answer or that no option is right."""
    return bool(_NO_ANSWER.search(text) or _NO_OPTION.search(text))


def _yes_or_no(problem: Problem, text: str) -> str | None:
    """The letter of yes or no that a statement without either word amounts to: a negated statement is no."""
    by_text = {choices.same(option): letter for option, letter in zip(problem.options, problem.letters, strict=True)}
    if set(by_text) != {"yes", "no"} or not text or _NO_ANSWER.search(text):
        return None
    if hedges.is_hedged(text, problem.letters):
        return None  # it speaks of letters, not of the matter
    return by_text["no" if _NEGATION.search(reading.sentences(text)[0]) else "yes"]


def _list(text: str) -> str | None:
    """The last [...] of numbers."""
    end = text.rfind("]")
    start = text.rfind("[", 0, end) if end >= 0 else -1
    found = numbers.find(text[start : end + 1]) if start >= 0 else []
    return f"[{', '.join(found)}]" if found else None


def _number(question: str, text: str) -> str | None:
    """The number that a text answers with: marked, after a phrase, in bold, or the last that the question lacks."""
    marked = reading.marked(text)
    if marked is not None and numbers.is_open(marked, listed=True):
        return None
    parts = [*([marked] if marked is not None else []), *reversed(reading.phrases(text)), *reading.bold(text)[-1:]]
    for part in parts:
        value = numbers.result(part)
        if value is not None:
            return str(value)
        if numbers.is_open(part) or (part is marked and "=" in part):
            return None
        found = numbers.find(part)
        if found:
            return found[0]
    asked = set(numbers.find(question))
    found = numbers.find(text)
    if _ASKS_YEAR.search(question):
        found = [number for number in found if _YEAR.fullmatch(number)] or found
    new = [number for number in found if number not in asked]
    if new:
        return new[-1]
    head = next(iter(reading.sentences(text)), "")
    if _NO_ANSWER.search(head):
        return None
    words = numbers.spelled(head)
    return words[0] if words else found[-1] if found else None


def _vlmevalkit(problem: Problem, response: str) -> Scored:
    """VLMEvalKit's `post_check` on the response itself. Quirk that is copied: a list is never right."""
    if problem.kind == "choice":
        letter = choices.token_rule(response, problem.letters, problem.options)
        known = letter if letter and letter in problem.letters else None
        text = problem.options[problem.letters.index(known)] if known else None
        return verdict(text == problem.gold, letter, "vlmevalkit")
    number = _float(response) if problem.kind in ("integer", "float") else None
    if number is None or (problem.kind == "integer" and not response.strip().lstrip("+-").isdecimal()):
        return verdict(False, None, "vlmevalkit")
    return verdict(number == float(problem.gold), response.strip(), "vlmevalkit")
