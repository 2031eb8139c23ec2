r"""Typed answers: one ASCII grammar per kind, parsed in linear time, never evaluated.

An `Answer` is stored with its sample: kind, canonical value, and whatever its comparison needs. `parse` turns the
content of a box into a canonical value or `None`; nothing here raises on a model's text.

| kind | looks like | canonical value |
|---|---|---|
| integer | `-12`, `1,200` | int |
| decimal | `3.5`, `1,200.5` | Fraction, compared within `tolerance` (data units) |
| fraction | `3/4`, `\frac{3}{4}`, `0.75` | Fraction; a decimal must be equal to it, not rounded |
| word | `red` | one of `vocabulary`, read without regard to case |
| choice | `B` | one letter of `vocabulary` |
| pair | `(2, 5)` | (int, int) |
| list | `3, 1, 2` | tuple of ints or of words of `vocabulary`, in order |
| set | `A, C`, `none` | sorted tuple of the same, no repeats |
| permutation | `B, A, C` | tuple that uses every word of `vocabulary` once |
| name | `AB` | tuple of capital letters: two unordered (segment), or three with the middle fixed (angle) |
| grid | `1 0; 2 1` | rows of ints |
| point | `(120, 88)` | (int, int), in pixels, right within the box of `value`, or where `spans` are within these |

Around any of them: spaces, one `\text{…}` or `\mathrm{…}`, one final full stop; around lists: one pair of brackets.
"""

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

MAX_CHARS = 256  # a longer content is no answer; it also bounds the work of every parser
DECIMAL_PLACES = 6

_INTEGER = re.compile(r"[+-]?(\d{1,9}|\d{1,3}(,\d{3}){1,2})", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(\d{1,9}|\d{1,3}(,\d{3}){1,2})(\.\d{1,6})?", re.ASCII)
_ITEM = re.compile(r"[+-]?\d{1,9}", re.ASCII)
_FRACTION = re.compile(r"([+-]?)(?:(\d{1,6})(?:/(\d{1,6}))?|\\frac\{(\d{1,6})\}\{(\d{1,6})\})", re.ASCII)
_NAME = re.compile(r"[A-Z]{2,3}")
_WRAPPER = re.compile(r"\\(?:text|mathrm)\{([^{}\\]*)\}")
_WORD = re.compile(r"[A-Za-z0-9]+([ '&+-][A-Za-z0-9]+)*")
_BRACKETS = (("(", ")"), ("[", "]"), (r"\{", r"\}"))


@dataclass(frozen=True)
class Answer:
    """The answer of one question. Make it with the constructors below, which check that it can be written.

    `value` is canonical (table above; of a point the box, left, top, right, bottom, ends included), so equal answers
    are equal objects; hashable and picklable. Of a point on a thing that does not fill its box, `spans` are the thing's
    pixels, row by row, and `at` is a pixel of it.
    """

    kind: str
    value: Any
    vocabulary: tuple[str, ...] = ()
    tolerance: Fraction = Fraction(0)  # decimal only, in data units
    spans: tuple[tuple[int, int, int], ...] = ()  # point only: y, first x, last x, in pixels
    at: tuple[int, ...] = ()  # point with spans only: x, y

    def __post_init__(self):
        """Check that the gold answer passes its own parser."""
        if self.kind not in _KINDS:
            raise ValueError(f"answer.kind must be one of {', '.join(_KINDS)}, got {self.kind!r}")
        if not self.accepts(self.text()):
            raise ValueError(f"answer.value of kind {self.kind} must be writable in its grammar, got {self.value!r}")

    @classmethod
    def integer(cls, value: int) -> "Answer":
        """Make a whole number of at most nine digits."""
        return cls("integer", int(value))

    @classmethod
    def decimal(cls, value: float | Fraction, tolerance: float | Fraction = 0) -> "Answer":
        """Make a number with at most six decimals, right within `tolerance` (both in data units)."""
        return cls("decimal", _exact(value), tolerance=_exact(tolerance))

    @classmethod
    def fraction(cls, value: Fraction) -> "Answer":
        """Make an exact ratio; numerator and denominator of at most six digits."""
        return cls("fraction", Fraction(value))

    @classmethod
    def word(cls, value: str, vocabulary: Iterable[str]) -> "Answer":
        """Make one word of a closed vocabulary, read without regard to case."""
        return cls("word", value, _checked(vocabulary))

    @classmethod
    def choice(cls, value: str, letters: Iterable[str]) -> "Answer":
        """Make one option letter out of `letters`, read exactly."""
        return cls("choice", value, _checked(letters))

    @classmethod
    def pair(cls, first: int, second: int) -> "Answer":
        """Make an ordered pair such as (row, column)."""
        return cls("pair", (int(first), int(second)))

    @classmethod
    def listing(cls, values: Iterable[int | str], vocabulary: Iterable[str] = ()) -> "Answer":
        """Make an ordered list of integers, or of words of `vocabulary`."""
        return cls("list", _items(values, vocabulary), _checked(vocabulary))

    @classmethod
    def set_of(cls, values: Iterable[int | str], vocabulary: Iterable[str] = ()) -> "Answer":
        """Make an unordered set of integers, or of words of `vocabulary`; the empty set is written `none`."""
        return cls("set", tuple(sorted(_items(values, vocabulary))), _checked(vocabulary))

    @classmethod
    def permutation(cls, values: Iterable[str]) -> "Answer":
        """Make an order of labels, each used once."""
        values = _items(values, ("",))
        return cls("permutation", values, _checked(sorted(values)))

    @classmethod
    def name(cls, letters: str) -> "Answer":
        """Make the name of a segment ("AB" is "BA") or an angle ("ABC" is "CBA")."""
        return cls("name", _named(letters) or letters)

    @classmethod
    def grid(cls, rows: Iterable[Iterable[int]]) -> "Answer":
        """Make rows of integers, all of one length."""
        return cls("grid", tuple(tuple(int(cell) for cell in row) for row in rows))

    @classmethod
    def point(cls, box: Iterable[float]) -> "Answer":
        """Make a place in the picture: any whole pixel within the box (left, top, right, bottom)."""
        left, top, right, bottom = box
        return cls("point", (math.ceil(left), math.ceil(top), math.floor(right), math.floor(bottom)))

    @classmethod
    def point_on(cls, spans: Iterable[tuple[int, int, int]], at: tuple[int, int]) -> "Answer":
        """Make a place on a thing whose pixels are spans (y, first x, last x); `at` (x, y) is one of them, the gold."""
        spans = tuple((int(y), int(first), int(last)) for y, first, last in spans)
        if not spans:
            raise ValueError("answer.spans of kind point must not be empty, got ()")
        rows, firsts, lasts = zip(*spans, strict=True)
        box = (min(firsts), min(rows), max(lasts), max(rows))
        return cls("point", box, spans=spans, at=(int(at[0]), int(at[1])))

    def text(self) -> str:
        """Give the gold answer as a model should write it inside the box."""
        if self.at:
            return f"({self.at[0]}, {self.at[1]})"
        return _KINDS[self.kind][1](self.value)

    def to_json(self) -> dict[str, Any]:
        """Give the answer as JSON-ready data that `from_json` reads back: its text, and what its comparison needs."""
        data: dict[str, Any] = {"kind": self.kind, "text": self.text()}
        if self.vocabulary:
            data["vocabulary"] = list(self.vocabulary)
        if self.kind == "decimal":  # exact ratios, as a text of six decimals need not be
            data |= {"value": str(self.value), "tolerance": str(self.tolerance)}
        if self.kind == "point":
            data["box"] = list(self.value)
            data |= {"spans": [list(span) for span in self.spans]} if self.spans else {}
        return data

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Answer":
        """Read what `to_json` gave. Raises `ValueError` if the kind is unknown or the text outside its grammar."""
        kind, vocabulary = data["kind"], _checked(data.get("vocabulary", ()))
        if kind not in _KINDS:
            raise ValueError(f"answer.kind must be one of {', '.join(_KINDS)}, got {kind!r}")
        if kind == "point":
            if "spans" in data:
                return cls.point_on(data["spans"], _parse_pair(data["text"], ()))
            return cls(kind, tuple(data["box"]))
        value = Fraction(data["value"]) if kind == "decimal" else _KINDS[kind][0](data["text"], vocabulary)
        return cls(kind, value, vocabulary, Fraction(data.get("tolerance", 0)))

    def accepts(self, content: str) -> bool:
        """Say whether the content of a box is this answer. Linear time; never raises on a string."""
        found = parse(content, self)
        if found is None:
            return False
        if self.kind == "point":
            left, top, right, bottom = self.value
            if not (left <= found[0] <= right and top <= found[1] <= bottom):
                return False
            return not self.spans or any(y == found[1] and a <= found[0] <= b for y, a, b in self.spans)
        return abs(found - self.value) <= self.tolerance if self.kind == "decimal" else found == self.value


def parse(content: str, answer: Answer) -> Any | None:
    """Turn the content of a box into a canonical value of the answer's kind, or `None` if it is outside the grammar."""
    if len(content) > MAX_CHARS or not content.isascii():
        return None
    return _KINDS[answer.kind][0](unwrap(content), answer.vocabulary)


def unwrap(content: str) -> str:
    r"""Take off what may stand around any answer: spaces, one `\text{…}` or `\mathrm{…}`, one full stop at its end.

    The full stop may stand inside the wrapper or behind it, not both.
    """
    content = content.strip(" ")
    bare = content.removesuffix(".")
    wrapped = _WRAPPER.fullmatch(bare)
    if wrapped is None:
        return bare
    inner = wrapped[1].strip(" ")
    return inner if bare != content else inner.removesuffix(".")


def _exact(value: float | Fraction) -> Fraction:
    """The shortest decimal that a float stands for: 0.1 is 1/10."""
    return value if isinstance(value, Fraction) else Fraction(str(value))


def _checked(vocabulary: Iterable[str]) -> tuple[str, ...]:
    words = tuple(vocabulary)
    if len({word.lower() for word in words}) < len(words):
        raise ValueError(f"answer.vocabulary must have different words, got {words!r}")
    for word in words:
        if not _WORD.fullmatch(word) or word.lower() == "none":
            raise ValueError(f"answer.vocabulary must have words of ASCII letters and digits, got {word!r}")
    return words


def _items(values: Iterable[int | str], vocabulary: Iterable[str]) -> tuple[int | str, ...]:
    return tuple(str(value) for value in values) if tuple(vocabulary) else tuple(int(value) for value in values)


def _parse_integer(content: str, _: tuple[str, ...]) -> int | None:
    return int(content.replace(",", "")) if _INTEGER.fullmatch(content) else None


def _parse_decimal(content: str, _: tuple[str, ...]) -> Fraction | None:
    return Fraction(content.replace(",", "")) if _DECIMAL.fullmatch(content) else None


def _parse_fraction(content: str, vocabulary: tuple[str, ...]) -> Fraction | None:
    found = _FRACTION.fullmatch(content)
    if not found:
        return _parse_decimal(content, vocabulary) if "." in content else None
    above, below = int(found[2] or found[4]), int(found[3] or found[5] or 1)
    return Fraction(-above if found[1] == "-" else above, below) if below else None


def _parse_word(content: str, vocabulary: tuple[str, ...]) -> str | None:
    content = " ".join(content.lower().split())
    return next((word for word in vocabulary if word.lower() == content), None)


def _parse_choice(content: str, vocabulary: tuple[str, ...]) -> str | None:
    return content if content in vocabulary else None


def _parse_item(content: str, vocabulary: tuple[str, ...]) -> int | str | None:
    if vocabulary:
        return _parse_word(content, vocabulary)
    return int(content) if _ITEM.fullmatch(content) else None


def _parse_list(content: str, vocabulary: tuple[str, ...]) -> tuple[int | str, ...] | None:
    for opening, closing in _BRACKETS:
        if content.startswith(opening) and content.endswith(closing):
            content = content[len(opening) : -len(closing)]
            break
    items = tuple(_parse_item(part.strip(" "), vocabulary) for part in content.split(","))
    return None if None in items else items


def _parse_set(content: str, vocabulary: tuple[str, ...]) -> tuple[int | str, ...] | None:
    if content.lower() == "none":
        return ()
    items = _parse_list(content, vocabulary)
    return None if items is None or len(set(items)) < len(items) else tuple(sorted(items))


def _parse_permutation(content: str, vocabulary: tuple[str, ...]) -> tuple[int | str, ...] | None:
    items = _parse_list(content, vocabulary)
    return items if items is not None and sorted(items) == sorted(vocabulary) else None


def _parse_pair(content: str, _: tuple[str, ...]) -> tuple[int | str, ...] | None:
    items = _parse_list(content, ())
    return items if items is not None and len(items) == 2 else None


def _named(content: str) -> tuple[str, ...] | None:
    """Letters of a segment or angle in the order that makes equal names equal."""
    if not _NAME.fullmatch(content) or len(set(content)) < len(content):
        return None
    return tuple(content) if content[0] < content[-1] else tuple(reversed(content))


def _parse_grid(content: str, _: tuple[str, ...]) -> tuple[tuple[int, ...], ...] | None:
    rows = [row.split() for row in content.split(";")]
    if not rows[0] or any(len(row) != len(rows[0]) for row in rows):
        return None
    if not all(_ITEM.fullmatch(cell) for row in rows for cell in row):
        return None
    return tuple(tuple(int(cell) for cell in row) for row in rows)


def _decimal_text(value: Fraction) -> str:
    scaled = round(abs(value) * 10**DECIMAL_PLACES)
    whole, part = divmod(scaled, 10**DECIMAL_PLACES)
    digits = f"{part:0{DECIMAL_PLACES}}".rstrip("0")
    return f"{'-' if value < 0 else ''}{whole}{'.' if digits else ''}{digits}"


def _list_text(values: tuple[int | str, ...]) -> str:
    return ", ".join(map(str, values))


# kind -> (content, vocabulary -> canonical value or None), (canonical value -> text)
_KINDS: dict[str, tuple[Callable[[str, tuple[str, ...]], Any | None], Callable[[Any], str]]] = {
    "integer": (_parse_integer, str),
    "decimal": (_parse_decimal, _decimal_text),
    "fraction": (_parse_fraction, str),
    "word": (_parse_word, str),
    "choice": (_parse_choice, str),
    "pair": (_parse_pair, lambda value: f"({value[0]}, {value[1]})"),
    "list": (_parse_list, _list_text),
    "set": (_parse_set, lambda value: _list_text(value) or "none"),
    "permutation": (_parse_permutation, _list_text),
    "name": (lambda content, _: _named(content), "".join),
    "point": (_parse_pair, lambda box: f"({(box[0] + box[2]) // 2}, {(box[1] + box[3]) // 2})"),
    "grid": (_parse_grid, lambda rows: "; ".join(" ".join(map(str, row)) for row in rows)),
}
