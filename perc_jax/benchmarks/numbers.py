r"""Numbers as models write them: signs, commas, percent, π, roots, fractions, powers of ten, units, degrees.

One grammar, linear time, floats out; nothing is evaluated as a program. `read` and `value` want the whole text to be a
number, `find` lists the numbers in a text. Units are those of `units`: any other word or letter makes it no number.
"""

import math
import re
import unicodedata
from typing import NamedTuple

from perc_jax.benchmarks import names, units

MAX_CHARS = 80  # a longer text is no number
CHAIN_TOLERANCE = 0.01  # relative, between the exact and the rounded form of `x = 2/3 = 0.67`
_PLAIN = r"(?:\d{1,3}(?:,\d{3}){1,4}(?!\d)|\d{1,18})(?:\.\d{1,18})?|\.\d{1,18}"
_FIND = re.compile(rf"(?<![\w.])[-+−–]?(?:{_PLAIN})(?:[eE][-+]?\d{{1,3}})?(?!\d)")
_TERM = re.compile(  # `10^` only at the start or behind a sign of multiplication: `110^2` is no `1 × 10^2`
    rf"(?P<sign>[-+]?)(?!\*)(?P<number>(?:{_PLAIN})(?:[eE][-+]?\d{{1,3}})?)?"
    r"(?:(?:\*|(?<![\d.]))10\^\{?(?P<ten>[-+]?\d{1,2})\}?)?"
    rf"(?:\*?(?P<root>sqrt\(?\{{?(?P<under>{_PLAIN})\}}?\)?))?"
    r"(?:\*?(?P<pi>π))?"
    rf"(?:/(?P<below>{_PLAIN}))?"
)
_MIXED = re.compile(r"([-+−–]?)(\d{1,9})\s{1,3}(\d{1,4})\s{0,2}/\s{0,2}(\d{1,4})(?=\D|$)")
_SEVERAL = re.compile(r"\b(?:or|and)\b|,(?!\d{3}(?!\d))|[;、]", re.IGNORECASE)
_NAME = re.compile(
    r"(?:[^\W\d_]|[\\∠△])[\w\s\\∠△{}'′().]{0,60}"
)  # `x`, `AB`, `f(2)`, `S_{1}`, `\angle ABC`, `the area`
_NO_NAME = re.compile(r"\\?(?:[dt]?frac|sqrt|cdot|times|div|pm)\b|\\le|\\ge|\\ne|\\cup|\\in\b")
_SIGN = re.compile(r"=|≈|\\approx(?![a-z])")
_COMPUTATION = re.compile(r"(?:[\d\s.+\-−–*/×÷·()^%°]|\\(?:cdot|times|div)){1,80}")
_ONE = r"[-−]?\d[\d,]{0,15}(?:\.\d{1,9})?[\s%°º]{0,2}"
_OPEN = re.compile(rf"[\s:*$(]{{0,4}}(?:either\s|not\s|{_ONE}(?:\bor\b|或)\s{{0,2}}{_ONE})")
_LISTED = re.compile(rf"\s{{0,4}}[(\[]?{_ONE}\s{{0,2}}(?:,\s|;|\band\b|、)\s{{0,3}}{_ONE}")
_FRACTION = re.compile(r"[dt]?frac\{([^{}]{1,40}|[^{}]{0,20}\{[^{}]{1,20}\}[^{}]{0,20})\}\{([^{}]{1,40})\}")
_DIGITS = re.compile(r"[-+]?\d[\d,]*")  # of the whole part of a mixed number
_TWO = re.compile(r"\d\s+\d")  # numbers side by side
_UNIT_LETTERS = frozenset(("", *"mgshlL"))  # right behind the digits rather units than variables
_BLANKS = (
    *((mark, " ") for mark in ("\\,", "\\;", "\\ ", "~", "\u00a0", "\u2009", "\u202f")),
    ("\\!", ""),
    ("{,}", ","),
)
_GROUPS = re.compile(r"(?<![\d.,])\d{1,3}(?:\s\d{3}){1,4}(?!\s{0,3}[\d/])")  # thousands that blanks divide
_BARE_FRACTION = re.compile(r"frac\s{0,2}(?:(\d)|\{([^{}]{1,40})\})\s{0,2}(?:(\d)|\{([^{}]{1,40})\})")
_RAISED = re.compile(r"[⁺⁻]?[⁰¹²³⁴-⁹]{1,3}")
_PARTS = {char: unicodedata.normalize("NFKC", char).split("⁄") for char in "½¼¾⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
_SPELLINGS = (
    *((mark, "-") for mark in "−–—"),
    *((mark, "*") for mark in "×·⋅"),
    *((mark, "") for mark in ("$", "\\left", "\\right", " ")),
    ("^{\\circ}", "°"),
    ("^\\circ", "°"),
    ("\\degree", "°"),
    ("º", "°"),
    ("\\%", "%"),
    ("\\times", "*"),
    ("\\cdot", "*"),
    *((char, f"\\frac{{{above}}}{{{below}}}") for char, (above, below) in _PARTS.items()),
    ("\\pi", "π"),
    ("pi", "π"),
    ("√", "sqrt"),
    ("\\", ""),
)

_WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
)
_WORD = re.compile(rf"\b(?:{'|'.join(_WORDS)})\b", re.IGNORECASE)


class Number(NamedTuple):
    """A text that is one number."""

    value: float
    unit: str = ""  # canonical, see `units`; empty where there is none to compare
    name: str = ""  # canonical, see `names`; empty where there is none to compare
    letter: str = ""  # a unit of one letter right behind the digits, which may as well be a variable

    @property
    def is_plain(self) -> bool:
        """Whether no letter in it is rather a variable: `5 m` and `5m` are plain, `5A` and `5k` are not."""
        return self.letter in _UNIT_LETTERS

    def is_of(self, other: "Number") -> bool:
        """Whether two numbers may be of one thing: units and names are the same where both have one."""
        return units.are_same(self.unit, other.unit) and names.are_same(self.name, other.name)


def value(text: str) -> float | None:
    """The value of a text that is one number, as `read` finds it, or None."""
    found = read(text)
    return None if found is None else found.value


def read(text: str) -> Number | None:
    r"""Read a text that is one number, or None.

    `-1,200.5`, `1 200`, `3/4`, `\frac{3}{4}`, `3 1/2`, `5π`, `2\sqrt{3}`, `3 × 10^{-2}`, `10³`, `35°`, `12 cm²`,
    `5 million`, `x = 4` (see `unnamed`), `50%` (50: the sign is a unit here). Several numbers, an equation or a list of
    assignments are no number, nor is what is not finite, nor what has a letter or a word that is no known unit.
    """
    if len(text) > MAX_CHARS:
        return None
    for old, new in _BLANKS:
        text = text.replace(old, new)
    text = _GROUPS.sub(lambda found: "".join(found[0].split()), text)
    if _SEVERAL.search(text):
        return None
    *before, last = _SIGN.split(text.strip().rstrip("."))
    found = _alone(last)
    for place, part in enumerate(before):
        if found is None or (place == 0 and (not part.strip() or is_name(part))):
            continue
        same = _alone(part)  # `AB = 2\sqrt{3} ≈ 3.46`: what stands between must be the same number
        if same is None or abs(same.value - found.value) > CHAIN_TOLERANCE * abs(found.value):
            return None
    return None if found is None else found._replace(name=name_of(text))


def name_of(text: str) -> str:
    """The variable that a text gives a value to, as `names.canonical` writes it; empty for none and for words."""
    before, *rest = _SIGN.split(text, maxsplit=1)
    return names.canonical(before) if rest and is_name(before) else ""


def is_name(text: str) -> bool:
    """Whether a text is what one value is called: a variable, a segment, an angle, `f(2)`, "the area"."""
    text = text.strip().strip("$").strip()
    return bool(_NAME.fullmatch(text)) and not _SEVERAL.search(text) and not _NO_NAME.search(text)


def unnamed(text: str) -> str:
    """Give a text without the name and the only equals sign before its value; an equation is given as it is."""
    name, sign, rest = text.partition("=")
    return rest.strip() if sign and "=" not in rest and is_name(name) else text


def result(text: str) -> float | None:
    """Read a number as `value` does, or what a computation with numbers alone comes to: `2 + 3 = 5`."""
    found = value(text)
    if found is not None or len(text) > MAX_CHARS:
        return found
    before, sign, last = text.strip().rstrip(".").rpartition("=")
    is_computed = sign and all(_COMPUTATION.fullmatch(part) or is_name(part) for part in before.split("="))
    is_computed = is_computed and any(operator in before for operator in "+-−–*/×÷·\\")
    return value(last) if is_computed else None


def is_open(text: str, listed: bool = False) -> bool:
    """Whether a text begins with alternatives or a denial, `3 or 4`, `not 3`; if `listed`, also with a list, `3, 4`."""
    return bool(_OPEN.match(text) or (listed and _LISTED.match(text)))


def _alone(text: str) -> Number | None:
    """A number without any name."""
    rest, unit, times, letter = units.split(text.strip().strip("$").strip())
    found = _measure(rest)
    if found is None or not math.isfinite(found * times):
        return None
    return Number(found * times, unit, "", letter)


def _measure(text: str) -> float | None:
    """A number without name and unit, perhaps with degrees or percent."""
    text = text.strip().strip("$").strip()
    mixed = _MIXED.match(text)
    if mixed:
        above, below = int(mixed[3]), int(mixed[4])
        if not 0 < above < below or _measure("1" + text[mixed.end() :]) != 1:  # nothing else may follow
            return None
        sign = -1.0 if mixed[1] in ("-", "−", "–") and mixed[1] else 1.0
        return sign * (int(mixed[2]) + above / below)
    if _TWO.search(text):
        return None
    text = _BARE_FRACTION.sub(lambda found: f"frac{{{found[1] or found[2]}}}{{{found[3] or found[4]}}}", text)
    for old, new in _SPELLINGS:
        text = text.replace(old, new)
    text = _RAISED.sub(lambda found: f"^{{{unicodedata.normalize('NFKC', found[0])}}}", text).replace("−", "-")
    found = _signed(text)
    return _signed(text[:-1]) if found is None and text.endswith(("°", "%")) else found


def _signed(text: str) -> float | None:
    """A term, or a fraction of two, with a whole number (`2½`) or a factor (`3` times `π/4`) before it or none."""
    fraction = _FRACTION.search(text)
    if fraction is None:
        return _term(text)
    head, tail = text[: fraction.start()], text[fraction.end() :]
    above, below = _term(fraction[1]), _term(fraction[2])
    if above is None or not below or tail not in ("", "π", "°"):
        return None
    times = math.pi if tail == "π" else 1.0
    factor = {"": 1.0, "+": 1.0, "-": -1.0}.get(head)
    if factor is not None:
        return factor * above / below * times
    whole = _term(head.removesuffix("*"))
    if whole is None:
        return None
    if _DIGITS.fullmatch(head) and fraction[1].isdigit() and fraction[2].isdigit():
        return (whole + math.copysign(above / below, whole)) * times if above < below else None  # a mixed number
    is_product = any(mark in "".join((head, fraction[1], fraction[2])) for mark in ("*", "^", "sqrt", "π"))
    return whole * above / below * times if is_product else None


def _term(text: str) -> float | None:
    """[sign] number [10^k] [sqrt] [π] [/ number], at least one of them."""
    found = _TERM.fullmatch(text)
    if found is None or not any(found[part] for part in ("number", "ten", "root", "pi")):
        return None
    result = _float(found["number"] or "1")
    if found["ten"]:
        result *= 10.0 ** int(found["ten"])
    if found["root"]:
        result *= math.sqrt(_float(found["under"]))
    if found["pi"]:
        result *= math.pi
    if found["below"]:
        below = _float(found["below"])
        if below == 0:
            return None
        result /= below
    return -result if found["sign"] == "-" else result


def _float(text: str) -> float:
    return float(text.replace(",", ""))


def spelled(text: str) -> list[str]:
    """List the whole numbers from zero to twenty that a text writes as words, in digits."""
    return [str(_WORDS.index(word.lower())) for word in _WORD.findall(text)]


def find(text: str) -> list[str]:
    """List the numbers of a text as Python writes them: commas dropped, an ASCII minus sign."""
    return [_ascii(found) for found in _FIND.findall(text)]


def _ascii(text: str) -> str:
    return text.replace(",", "").replace("−", "-").replace("–", "-")
