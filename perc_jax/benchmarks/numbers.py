r"""Numbers as models write them: signs, commas, percent, π, roots, fractions, powers of ten, units, degrees.

One grammar, linear time, floats out; nothing is evaluated as a program. `value` wants the whole text to be a number,
`find` lists the numbers in a text.
"""

import math
import re

MAX_CHARS = 80  # a longer text is no number
CHAIN_TOLERANCE = 0.01  # relative, between the exact and the rounded form of `x = 2/3 = 0.67`
_PLAIN = r"(?:\d{1,3}(?:,\d{3}){1,4}(?!\d)|\d{1,18})(?:\.\d{1,18})?|\.\d{1,18}"
_FIND = re.compile(rf"(?<![\w.])[-+−–]?(?:{_PLAIN})(?:[eE][-+]?\d{{1,3}})?(?!\d)")
_TERM = re.compile(
    rf"(?P<sign>[-+]?)(?P<number>(?:{_PLAIN})(?:[eE][-+]?\d{{1,3}})?)?"
    r"(?:\*?(?:10\^\{?(?P<ten>[-+]?\d{1,2})\}?))?"
    rf"\*?(?P<root>sqrt\(?\{{?(?P<under>{_PLAIN})\}}?\)?)?"
    r"\*?(?P<pi>π)?"
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
_ONE = r"[-−]?\d[\d,]{0,15}(?:\.\d{1,9})?[\s%°]{0,2}"
_OPEN = re.compile(rf"[\s:*$(]{{0,4}}(?:either\s|not\s|{_ONE}(?:\bor\b|或)\s{{0,2}}{_ONE})")
_LISTED = re.compile(rf"\s{{0,4}}[(\[]?{_ONE}\s{{0,2}}(?:,\s|;|\band\b|、)\s{{0,3}}{_ONE}")
_FRACTION = re.compile(r"[dt]?frac\{([^{}]{1,40}|[^{}]{0,20}\{[^{}]{1,20}\}[^{}]{0,20})\}\{([^{}]{1,40})\}")
_TWO = re.compile(r"\d\s+\d")  # numbers side by side
_UNIT = re.compile(r"(?:°|degrees?|deg|%|[a-z]{1,12}(?:[/^][a-z0-9]{1,6})?[²³]?)$", re.IGNORECASE)
_TEXT_UNIT = re.compile(r"(?:text|mathrm|mbox|operatorname)\{[^{}]{0,30}\}(?:\^\{?[23]\}?)?$")
_SPELLINGS = (
    *((mark, "-") for mark in "−–—"),
    *((mark, "*") for mark in "×·⋅"),
    *((mark, "") for mark in ("$", "\\,", "\\!", "\\;", "\\ ", "\\left", "\\right", "~", " ", "\u00a0", "\u2009")),
    ("^{\\circ}", "°"),
    ("^\\circ", "°"),
    ("\\degree", "°"),
    ("\\%", "%"),
    ("\\times", "*"),
    ("\\cdot", "*"),
    ("½", "\\frac{1}{2}"),
    ("¼", "\\frac{1}{4}"),
    ("¾", "\\frac{3}{4}"),
    ("⅓", "\\frac{1}{3}"),
    ("⅔", "\\frac{2}{3}"),
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


def value(text: str) -> float | None:
    r"""Read a text that is one number, or None.

    `-1,200.5`, `3/4`, `\frac{3}{4}`, `3 1/2`, `5π`, `2\sqrt{3}`, `3 × 10^{-2}`, `35°`, `12 cm²` (the unit is dropped),
    `x = 4` (the name is dropped, see `unnamed`), `50%` (50: the sign is a unit here). Several numbers, an equation or a
    list of assignments are no number, nor is what is not finite.
    """
    if len(text) > MAX_CHARS or _SEVERAL.search(text):
        return None
    *before, last = _SIGN.split(text.strip().rstrip("."))
    found = _alone(last)
    for place, part in enumerate(before):
        if found is None or (place == 0 and (not part.strip() or is_name(part))):
            continue
        same = _alone(part)  # `AB = 2\sqrt{3} ≈ 3.46`: what stands between must be the same number
        if same is None or abs(same - found) > CHAIN_TOLERANCE * abs(found):
            return None
    return found


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


def _alone(text: str) -> float | None:
    """A number without any name."""
    text = text.strip().strip("$").strip()
    mixed = _MIXED.match(text)
    if mixed:
        above, below = int(mixed[3]), int(mixed[4])
        if not 0 < above < below:
            return None
        rest = _alone("1" + text[mixed.end() :])  # a unit may follow, and nothing else
        sign = -1.0 if mixed[1] in ("-", "−", "–") and mixed[1] else 1.0
        return sign * (int(mixed[2]) + above / below) if rest == 1 else None
    if _TWO.search(text):
        return None
    for old, new in _SPELLINGS:
        text = text.replace(old, new)
    text = _TEXT_UNIT.sub("", text)
    found = _signed(text)
    if found is None:
        bare = _UNIT.sub("", text)
        found = _signed(bare) if bare != text and bare[-1:].isdigit() else None
    return found if found is not None and math.isfinite(found) else None


def _signed(text: str) -> float | None:
    """A term, or a fraction of two terms with a factor before it."""
    fraction = _FRACTION.search(text)
    if fraction is None:
        return _term(text)
    head, tail = text[: fraction.start()], text[fraction.end() :]
    above, below = _term(fraction[1]), _term(fraction[2])
    if above is None or not below or tail not in ("", "π", "°"):
        return None
    factor = {"": 1.0, "+": 1.0, "-": -1.0}.get(head)
    if factor is None:
        whole = _term(head)
        if whole is None or not head[-1:].isdigit() or above < 0:
            return None
        return whole + math.copysign(above / below, whole)  # a mixed number
    return factor * above / below * (math.pi if tail == "π" else 1)


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
