r"""Gold answers of tables: a kind, a text, and what their comparison needs. The engines' own are `engines.answer`'s.

A `Gold` says of the text of an answer whether it is right; where that text stands in a completion is `forms.py`'s part.
All but `math` compare in linear time; nothing is evaluated, nothing raises on a model's text.

| kind | value | right is |
|---|---|---|
| choice | a letter, or an option's text | the letter (`B`, `(b)`) or, of known options, the text or both (`B. red`) |
| number | `1,200.5`, `3/4`, `12 cm` | the same number, or within `tolerance` or `relative` of it; not another unit |
| text | any | the same but for case, runs of blanks, width of letters, `\text{…}`, one final full stop |
| math | LaTeX | the same number or text, else equal by math-verify (the extra `eval`); `R` is not `r` |
| boxes | JSON of `bbox_2d`, `point_2d` | as many objects, at most 120, each one of those (`boxes.is_same`) |
| none | empty | nothing: such rows are rewarded by other terms |
"""

import importlib.util
import json
import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

from engines.answer import Answer, unwrap
from perc_jax.benchmarks import numbers, reading, symbolic
from perc_jax.rewards import boxes, forms

KINDS = ("choice", "number", "text", "math", "boxes", "none")
MAX_CHARS = 4096  # of a text that is compared as one
SLACK = Fraction(1, 10**12)  # relative, between numbers that are rounded to float64 on the way
_PLAIN = re.compile(r"[+-]?(\d{1,3}(?:,\d{3}){1,6}|\d{1,18})(\.\d{1,18})?", re.ASCII)
_NUMBER = re.compile(r"[-+−–]?[\d.,]{1,40}(?:\s?/\s?\d{1,18})?\s?[%°º]?", re.ASCII)
_LETTER = re.compile(r"\(?([A-J])\)?\.?")
_BELOW = re.compile(r"(?<=[A-Za-z)])[₀-₉]+(?![0-9])")  # H₂O is H2O; 10₂ is not 102
_FORMULA = re.compile(r"[\\^$=√π]")


@dataclass(frozen=True)
class Gold:
    """The right answer of a table's row. Raises `ValueError` where it could not be recognised itself."""

    kind: str
    value: str
    choices: tuple[str, ...] = ()  # the options' texts by letter; empty texts where there are none
    tolerance: float = 0.0  # of numbers, in their own unit
    relative: float = 0.0  # of numbers, a share of the right one

    def __post_init__(self):
        """Check that the answer can be given."""
        if self.kind not in KINDS:
            raise ValueError(f"answer kind must be one of {', '.join(KINDS)}, got {self.kind!r}")
        if not 0 <= self.tolerance < float("inf") or not 0 <= self.relative < 1:
            rule = "answer tolerance must be >= 0, and relative within [0, 1)"
            raise ValueError(f"{rule}, got {self.tolerance} and {self.relative}")
        if rule := self._broken():
            raise ValueError(f"answer of kind {self.kind} {rule}, got {_short(self.value)}")

    def _broken(self) -> str | None:
        """What the value must be, if it is not."""
        if self.kind == "none":
            return None if not self.value else "must be empty"
        if not self.value.strip():
            return "must not be empty"
        if self.kind == "choice":
            if len(self.choices) > len(string.ascii_uppercase):
                return f"must have at most {len(string.ascii_uppercase)} options"
            what = "the letter or the text of one option" if self.choices else "a letter"
            return None if _chosen(self.value, self.choices) is not None else f"must be {what} and nothing else"
        if self.kind == "number":
            return None if _number(self.value) is not None else "must be a number"
        if self.kind == "boxes":
            found = boxes.parse(self.value)
            if found is None:
                return "must be JSON of bbox_2d and point_2d"
            return None if len(found) <= boxes.MOST else f"must have at most {boxes.MOST} objects, it has {len(found)}"
        most = symbolic.MAX_CHARS if self.kind == "math" else MAX_CHARS
        return None if len(self.value) <= most else f"must have at most {most} characters"

    def text(self) -> str:
        """Give the answer as a model should write it: of a choice the letter."""
        found = _chosen(self.value, self.choices) if self.kind == "choice" else None
        return self.value.strip() if found is None else string.ascii_uppercase[found]

    def accepts(self, content: str) -> bool:
        """Say whether a text is this answer. One of kind math may take long: call it in the verifier's processes."""
        if not content.strip() or self.kind == "none":
            return False
        if self.kind == "choice":
            return _chosen(content, self.choices) == _chosen(self.value, self.choices)
        if self.kind == "number":
            return self._is_near(content)
        if self.kind == "boxes":
            found, wanted = boxes.parse(content), boxes.parse(self.value)
            return found is not None and wanted is not None and boxes.is_same(found, wanted)
        if len(content) > MAX_CHARS:
            return False
        if self.kind == "text":
            return same(content) == same(self.value)
        if _bare(content) == _bare(self.value):
            return True
        found, wanted = (numbers.read(_folded(text)) for text in (content, self.value))
        if found and wanted:
            is_product = (found.letter and not wanted.unit) or (wanted.letter and not found.unit)  # `5m` is not 5
            if is_product or not found.is_of(wanted):
                return False
        are_numbers = found and wanted and not found.letter and not wanted.letter
        return bool(are_numbers and self._is_near(content)) or symbolic.are_equal(self.value, content)

    def _is_near(self, content: str) -> bool:
        """Whether a text is a number, near enough and of no other unit or variable."""
        found, wanted = _number(content), _number(self.value)
        if found is None or wanted is None or not found.of.is_of(wanted.of):
            return False
        found, wanted = found.value, wanted.value
        room = max(Fraction(self.tolerance), Fraction(self.relative) * abs(wanted))
        is_exact = _PLAIN.fullmatch(unwrap(content).strip()) and _PLAIN.fullmatch(unwrap(self.value).strip())
        return abs(found - wanted) <= room + (0 if is_exact else SLACK * abs(wanted))


def guess(value: Any, choices: Sequence[str] = (), tolerance: float = 0.0, relative: float = 0.0) -> Gold:
    """Make the gold answer of a column's value whose kind nobody named: with options a choice, boxes if it is JSON of
    them, a number, one letter a choice, LaTeX by math-verify, else a text; nothing (None, empty) is no answer.

    Of a completion it takes what its answer block or its last box holds, or what follows its thoughts; dollar signs
    around all of it fall away. `tolerance` and `relative` are those of numbers, in formulas too; other kinds have none.
    Raises `ValueError` as `Gold` does.
    """
    if isinstance(value, dict | list | tuple):
        value = json.dumps(value)
    text = "" if value is None else str(value).strip()
    text = _answered(text)
    if len(text) > 2 and text[0] == text[-1] == "$" and text.count("$") == 2:
        text = text[1:-1].strip()
    if not text:
        return Gold("none", "")
    if any(choices):
        return Gold("choice", text, tuple(choices))
    if text[0] in "[{" and boxes.parse(text) is not None:
        return Gold("boxes", text)
    if _NUMBER.fullmatch(text) and _number(text) is not None:
        return Gold("number", text, (), tolerance, relative)
    if letter := _LETTER.fullmatch(text):
        return Gold("choice", letter[1])
    is_formula = _FORMULA.search(text) and len(text) <= symbolic.MAX_CHARS
    return Gold("math", text, (), tolerance, relative) if is_formula else Gold("text", text)


def _answered(text: str) -> str:
    """What a text gives as its answer, where it is a whole completion; else the text."""
    for part in (text, reading.after_thought(text)):
        if part.count(forms.ANSWER[0]) == part.count(forms.ANSWER[1]) == 1:
            text = reading.answer_block(part) or text
            break
    else:
        text = reading.after_thought(text).strip() or text
    return (forms.read(text, forms.Form("boxed")) or text).strip()


def needs_symbols(answer: "Answer | Gold") -> bool:
    """Whether comparing with an answer may ask math-verify."""
    return isinstance(answer, Gold) and answer.kind == "math"


def symbols_missing() -> str:
    """Why formulas cannot be compared here, in one line; empty if they can."""
    if importlib.util.find_spec("math_verify") is None:
        return "answers of kind math need math-verify: pip install 'perc_jax[eval]'"
    return ""


def same(text: str) -> str:
    r"""Give a text without what does not count: case, runs of blanks, width, `\text{…}` around it, one final full stop.

    Blanks stay where they are: `[1,2]` is not `[1, 2]`. So do superscripts and fractions: `3²` is not `32`.
    """
    return _bare(text).casefold()


def _bare(text: str) -> str:
    """As `same`, in the case in which it is written."""
    text = _BELOW.sub(lambda found: unicodedata.normalize("NFKC", found[0]), reading.fold(text)).replace("\u200b", "")
    return unwrap(" ".join(text.split())).strip()


def _chosen(text: str, choices: tuple[str, ...]) -> int | None:
    """The number of the option that a text chooses: by letter, by its text, or both; None where they disagree."""
    if len(text) > MAX_CHARS:
        return None
    whole = same(text)
    letter, rest = _lettered(whole, len(choices) or len(string.ascii_uppercase))
    named = [number for number, option in enumerate(choices) if option.strip() and same(option) == whole]
    if named:
        return named[0] if letter is None or (not rest and letter in named) else None
    if letter is not None and rest and (letter >= len(choices) or same(choices[letter]) != rest):
        return None
    return letter


def _lettered(text: str, count: int) -> tuple[int | None, str]:
    """The number of the option whose letter a folded text begins with, `b`, `(b)`, `b.`, `b) red`, and what follows."""
    found = re.match(r"(?:\(([a-z])\)|([a-z])(?=[).:]|\Z))[).:]?\s*", text)
    number = ord(found[1] or found[2]) - ord("a") if found else count
    return (number, text[found.end() :].removesuffix(".")) if found and number < count else (None, "")


class _Exact(NamedTuple):
    """A number as it was read."""

    value: Fraction
    of: numbers.Number


def _folded(text: str) -> str:
    """The text of a number in plain characters; superscripts and fractions stay."""
    return unwrap(reading.fold(text[: numbers.MAX_CHARS + 1])).strip()


def _number(text: str) -> _Exact | None:
    """The exact value of a plain number; of other forms (`benchmarks.numbers`) the float."""
    text = _folded(text)
    if _PLAIN.fullmatch(text):
        return _Exact(Fraction(text.replace(",", "")), numbers.Number(0.0))
    found = numbers.read(text)
    return None if found is None else _Exact(Fraction(found.value), found)


def _short(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")
