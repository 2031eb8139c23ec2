r"""MMMU (Yue et al. 2024, arXiv 2311.16502): 900 questions of the validation split, 847 of choice and 53 open.

Two rules of the same authors. `official` is MMMU's own (mmmu/utils/eval_utils.py): a letter in brackets or between
spaces, `choices.mmmu_rule`. `mmmu_pro` is MMMU-Pro's (mmmu-pro/evaluate.py): also the only letter behind "Answer:", a
letter before a space or a full stop, `choices.mmmu_pro_rule`. Open answers by the parts of the response after
words like "is" or "answer", as texts and as numbers rounded to two decimals, one of which must be, or contain, the gold
answer. Deviation: where no option is found the authors choose one at random (seeded); here that is unparsed and wrong,
and `with_guessing` gives the accuracy that their guess has on average.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, letters, numbers
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

PICTURES = tuple(f"image_{i}" for i in range(1, 8))
MAX_PARTS = 64  # of an open response
_RULES = {"official": choices.mmmu_rule, "mmmu_pro": choices.mmmu_pro_rule, "vlmevalkit": choices.token_rule}
_KEYS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_COMMAS = re.compile(r"-?\b\d{1,3}(?:,\d{3}){1,9}\b")
_POWERS = re.compile(r"-?\d{1,30}(?:\.\d{1,30})?[eE][+-]?\d{1,3}")
_SIMPLE = re.compile(r"-?(?:\d{1,30}\.\d{1,30}|\.\d{1,30}|\d{1,30}\b)(?![eE][+-]?\d)(?![,\d])")


class MMMU(Benchmark):
    """See the module."""

    name = "mmmu"
    hub = "MMMU/MMMU"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "MMMU's own rule, but what it guesses at random is unparsed and wrong",
        "mmmu_pro": "MMMU-Pro's rule, but what it guesses at random is unparsed and wrong",
        "vlmevalkit": "VLMEvalKit's option words and texts without its judge; open questions as official",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """The hub's Parquet files of the validation split, one folder per subject."""
        found = []
        for row in files.rows(folder, "validation*.parquet", "*.parquet"):
            multiple = row.one_of("question_type", ("multiple-choice", "open")) == "multiple-choice"
            found.append(
                Problem(
                    id=row.filled("id"),
                    question=row.text("question"),
                    images=row.images(*PICTURES),
                    gold=row.filled("answer"),
                    kind="choice" if multiple else "open",
                    options=tuple(map(str, _list(row.text("options")))) if multiple else (),
                    meta={"subject": _subject(row.text("id")), "subfield": row.get("subfield")},
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """Question, options, and the hint by kind; `<image 1>` stays where it stands."""
        if problem.kind == "choice":
            hint = "Answer with the option's letter from the given choices directly."
            return f"{letters.listed(problem.question, problem.options)}\n\n{hint}"
        return f"{problem.question}\n\nAnswer the question using a single word or phrase."

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        if problem.kind == "open":
            return _open(problem.gold, response)
        letter = _RULES[mode](response, problem.letters, problem.options)
        return verdict(letter == problem.gold, letter, mode)

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """One letter; an open answer equal to a gold answer as text or as a number to two decimals."""
        if problem.kind == "choice":
            letter = choices.exact(content, problem.letters)
            return verdict(letter == problem.gold, letter, "strict")
        wanted = {_norm(gold) for gold in _golds(problem.gold)}
        value = numbers.value(content)
        right = _norm(content) in wanted or (value is not None and round(value, 2) in wanted)
        return verdict(right, content, "strict")

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by subject and kind, and with the authors' random choice for what was not parsed."""
        guessed = [
            1 / len(item.problem.options)
            for item in items
            if item.problem.kind == "choice" and item.scored.parsed is None and item.problem.options
        ]
        right = sum(item.scored.correct for item in items)
        return {
            "with_guessing": (right + sum(guessed)) / len(items),
            "kind": self.by(items, lambda problem: problem.kind),
            "subject": self.by(items, lambda problem: problem.meta["subject"]),
        }


def _subject(name: str) -> str:
    """`validation_Art_Theory_7` is of the subject Art_Theory."""
    found = re.fullmatch(r"[^_]+_(.+)_\d+", name)
    return found[1] if found else name


def _list(text: str) -> list[Any]:
    """A list written as Python does; only literals are read."""
    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return [text]
    return found if isinstance(found, list) else [text]


def _golds(gold: str) -> list[str]:
    """One gold answer, or several, stored as a list in text."""
    return [str(item) for item in _list(gold)] if gold.startswith("[") else [gold]


def _norm(text: str) -> float | str:
    """A number rounded to two decimals, or the text in lower case."""
    text = text.strip()
    try:
        return round(float(text.replace(",", "")), 2)
    except (ValueError, OverflowError):
        return text.lower()


def _open(gold: str, response: str) -> Scored:
    """Compare an open response. Copied quirk: a gold text counts wherever a part of the response contains it."""
    wanted = [_norm(answer) for answer in _golds(gold)]
    parts = _parts(response)
    found = {_norm(number) for part in parts for number in _numbers(part)} | {_norm(part) for part in parts}
    texts = [part for part in found if isinstance(part, str)]
    for answer in wanted:
        forms = (f" {answer}", f"{answer} ") if isinstance(answer, str) and len(answer) == 1 else (answer,)
        if isinstance(answer, float) and answer in found:
            return verdict(True, str(answer), "official, open")
        if isinstance(answer, str) and any(form in text for text in texts for form in forms):
            return verdict(True, answer, "official, open")
    return verdict(False, parts[-1] or None, "official, open")


def _parts(response: str) -> list[str]:
    """The shortest tail after a key word, of every line that has one; else the response."""
    text = response.strip().strip(".").lower()
    lines = text.split("\n")[-MAX_PARTS:]
    found = []
    for line in lines:
        keys = (*_KEYS, "=") if line is lines[-1] else _KEYS
        tails = [line.rsplit(key, 1)[-1].strip() for key in keys if key in line]
        if tails and min(tails, key=len) not in ("", ":", ",", ".", "!", "?", ";", "'"):
            found.append(min(tails, key=len))
    return found or [text]


def _numbers(text: str) -> list[str]:
    return [number for pattern in (_COMMAS, _POWERS, _SIMPLE) for number in pattern.findall(text)]
