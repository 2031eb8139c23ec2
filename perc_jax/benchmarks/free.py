r"""Free answers by type: what the gold answer is decides how an answer is read and compared.

| type | looks like | equal means |
|---|---|---|
| number | `3.5`, `3 1/2`, `2\sqrt{3}`, `x = 35°`, `12 cm` | within the tolerance; no two names, no two units |
| colon | `9:15`, `3 : 4`, `9:15 pm` | the same numbers in the same order, and the same half of the day |
| range | `3-4`, `3 to 4` | the same two ends |
| assignments | `x=5, y=2` | the same names with equal values, in any order |
| solutions | `x = 2 or x = 3` | each equal to one of the other's, in any order |
| text | `left`, `ACBD`, `7 8`, "domain x > 0" | the same characters, without regard to case and spaces |
| formula | `3x-y+13=0`, `(1, 2)`, `[1, \infty)`, `2, 3` | equal as mathematics, by `compare` |

Only two formulas, or a formula and a number, are handed to `compare`, unless they are of two variables, `x = a` and
`y = a`; different types are unequal. Linear time.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from perc_jax.benchmarks import choices, numbers, reading
from perc_jax.benchmarks.base import Compare

MAX_SOLUTIONS = 8
_PARTS = re.compile(r",|;|\band\b|\bor\b|\\quad|\\text\{\s?(?:and|or),?\s?\}", re.IGNORECASE)
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_COLON = re.compile(r"(\d{1,9})\s?:\s?(\d{1,9})(?:\s?:\s?(\d{1,9}))?\s?(am|pm|a\.m|p\.m)?\.?", re.IGNORECASE)
_END = r"([-+−]?\d{1,15}(?:\.\d{1,15})?)\s?(?:°|%)?"
_RANGE = re.compile(rf"{_END}\s?(?:-|−|–|—|~|\bto\b)\s?{_END}")
_COMMAND = re.compile(r"\\[A-Za-z]+|\b(?:sin|cos|tan|cot|sec|csc|log|ln|lg|sqrt|pi)(?![A-Za-z])", re.IGNORECASE)
_WORDS = re.compile(r"°\s?[A-Za-z]|[^\W\d_]{3,}|[^\W\d_]+\s+[^\W\d_]+|[^\x00-\x7fα-ωΑ-Ω°√≤≥≠≈×÷·−∞∪∩±²³]")
_EQUATION = re.compile(r"(?<![<>!])=")
_BESIDE = re.compile(r"\d\s+\d")
_MATHS = re.compile(r"\d\s?,\s?[-−\d\\]|[-+*/^=<>|()\[\]\\√≤≥∪∩±²³]|\d[A-Za-zα-ω]|[A-Za-zα-ω]\d")
_ABOUT = re.compile(r"(?:about|approximately|approx\.?|around|≈|~|\\approx)\s?", re.IGNORECASE)
_SIZES = re.compile(r"\\(?:left|right|displaystyle)(?![A-Za-z])|\\[,!;]|\$")
_WRAPPED = re.compile(r"\\(?:text|mathrm|mbox)\{([^{}]*)\}")
_BLANKS = re.compile(r"(?<!\d)\s+|\s+(?!\d)")  # not those between two digits
_DEGREES = re.compile(r"\^\s?\{?\\circ\s?\}?|\\degree|\s?\bdegrees?\b|掳|潞|º", re.IGNORECASE)


class Read(NamedTuple):
    """An answer with its type; `value` is canonical, and for a formula the text."""

    kind: str
    value: Any
    of: numbers.Number = numbers.Number(0.0)  # of a number and a formula: name and unit

    def is_of(self, other: "Read") -> bool:
        """Whether both may be of one thing: of variables and units that both name the same."""
        return self.of.is_of(other.of)


def read(text: str) -> Read:
    """Read a free answer; whatever is none of the other types is text. Never raises."""
    text = _plain(text)
    found = _COLON.fullmatch(text)
    if found:
        half = (found[4] or "").lower().replace(".", "")
        return Read("colon", (*(int(part) for part in found.groups()[:3] if part), half))
    number = numbers.read(text)
    if number is not None and number.is_plain:
        return Read("number", number.value, number._replace(value=0.0))
    found = _RANGE.fullmatch(text)
    if found:
        return Read("range", (numbers.value(found[1]), numbers.value(found[2])))
    pairs = _assignments(text)
    if pairs is not None:
        return Read("assignments", pairs)
    if _OR.search(text):
        found = [read(part) for part in _OR.split(text)[: MAX_SOLUTIONS + 1]]
        if len(found) <= MAX_SOLUTIONS and all(part.kind in ("number", "formula") for part in found):
            return Read("solutions", tuple(found))
    bare = numbers.unnamed(text)
    rest = _COMMAND.sub(" ", bare)
    if (_MATHS.search(bare) or _COMMAND.search(bare)) and not _WORDS.search(rest) and not _BESIDE.search(rest):
        return Read("formula", bare, numbers.Number(0.0, "", numbers.name_of(text)))
    return Read("text", _BLANKS.sub("", choices.same(_WRAPPED.sub(r"\1", text))))


def same(gold: str, answer: str, compare: Compare, tolerance: float = 1e-3) -> bool | None:
    """Compare two free answers by their types; None where `compare` ran past its deadline.

    Args:
        gold: the gold answer, whose type decides.
        answer: the answer.
        compare: symbolic comparison, see `symbolic.Comparer`.
        tolerance: of numbers, relative to the gold answer.
    """
    return _equal(read(gold), read(answer), compare, tolerance)


def _equal(gold: Read, answer: Read, compare: Compare, tolerance: float) -> bool | None:
    if not gold.is_of(answer):
        return False
    if gold.kind == answer.kind == "number":
        return abs(gold.value - answer.value) <= tolerance * max(abs(gold.value), 1e-6)
    if {gold.kind, answer.kind} in ({"formula"}, {"formula", "number"}):
        if len({bool(_EQUATION.search(str(one.value))) for one in (gold, answer)}) > 1:
            return False  # math-verify would take the right side of an equation for its value
        return _text(gold) == _text(answer) or compare(str(gold.value), str(answer.value), "exact")
    if gold.kind != answer.kind:
        return False
    if gold.kind == "colon":
        halves = {gold.value[-1], answer.value[-1]} - {""}
        return gold.value[:-1] == answer.value[:-1] and len(halves) < 2
    if gold.kind == "assignments":
        outcomes = [
            same(value, answer.value[name], compare, tolerance) if name in answer.value else False
            for name, value in gold.value.items()
        ]
        return len(gold.value) == len(answer.value) and _all(outcomes)
    if gold.kind == "solutions":
        rows = [[_equal(one, other, compare, tolerance) for other in answer.value] for one in gold.value]
        columns = list(zip(*rows, strict=True))
        return len(gold.value) == len(answer.value) and _all([_any(line) for line in (*rows, *columns)])
    return gold.value == answer.value


def _all(outcomes: Sequence[bool | None]) -> bool | None:
    return False if False in outcomes else None if None in outcomes else True


def _any(outcomes: Sequence[bool | None]) -> bool | None:
    return True if True in outcomes else None if None in outcomes else False


def _text(read: Read) -> str:
    return "".join(str(read.value).split())


def _plain(text: str) -> str:
    """A text without dollar signs, sizes of brackets, a final full stop; degrees, also as mojibake (`35掳`), as °."""
    text = _DEGREES.sub("°", reading.fold(text)).replace("\x0crac", "\\frac")
    text = _SIZES.sub("", text).strip().removesuffix(".").strip()
    about = _ABOUT.match(text)
    return text[about.end() :] if about else text


def _assignments(text: str) -> Mapping[str, str] | None:
    """The values by name of `x=5, y=2`; of `x = 2 or x = 3` and of anything else none."""
    parts = [part.strip() for part in _PARTS.split(text)]
    if len(parts) < 2 or _OR.search(text):
        return None
    pairs = [part.split("=") for part in parts]
    if any(len(pair) != 2 or not numbers.is_name(pair[0]) for pair in pairs):
        return None
    found = {"".join(name.split()): value.strip() for name, value in pairs}
    return found if len(found) == len(pairs) else None
