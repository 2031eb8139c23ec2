r"""Texts that name option letters without choosing one: alternatives, lists, negations. Linear time.

"B or C", "(A) yes or (B) no" and "B, C, D" choose nothing, nor does "not A"; "not A but B" chooses B, and so does
"B, not A". Letters are capital: "a cat or a dog" names none.
"""

import re
from collections.abc import Sequence

TAIL_CHARS = 200  # of a text, in which it says that no option is right
_OPEN = r"(?:(?:[Tt]he\s)?(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ll]etter|[选選][项項])s?\s{0,2})?[(\[{*\"'“$]{0,3}"
_LETTER = rf"{_OPEN}(?:\\(?:text|mathrm)\{{)?([A-Z])(?![A-Za-z0-9'’])[)\]}}*\"'”$]{{0,3}}"
_ITEM = _LETTER.replace("([A-Z])", "[A-Z]")
_OR = r"(?:\bor\b|\b(?:and/or)\b|或者?|還是|还是)\s{0,3}(?:(?:either|perhaps|maybe|possibly|else)\s)?"
_OR_ALONE = re.compile(_OR)
_SEPARATOR = rf"\s{{0,3}}(?:,\s{{0,3}}(?:and\b)?|;|/|&|、|\band\b|[和与與及]|,?\s{{0,3}}{_OR})\s{{0,3}}"
_START = r"[\s:,]{0,4}(?:(?:[Ee]ither|[Bb]oth|[Nn]either)\s)?"
_CHAIN = re.compile(rf"(?<![A-Za-z0-9_'’\\]){_ITEM}(?:{_SEPARATOR}{_ITEM}){{1,25}}")
_CHAIN_AT_START = re.compile(_START + _CHAIN.pattern)
_TWO = re.compile(rf"(?<![A-Za-z0-9_'’\\]){_LETTER}[.:]?[^.!?\n]{{0,80}}?{_OR}{_LETTER}")
_TWO_AT_START = re.compile(_START + _TWO.pattern)
_NOT = (
    r"(?:(?i:\b(?:not|neither|nor|never|rather than|instead of)\b|n['’]t\b|\bcannot\b)"
    r"|不是|不会是|不會是|不[选選]|[并並]?非)"
)
_NOT_BEFORE = re.compile(
    rf"{_NOT}\s{{0,3}}(?:(?:be|the|necessarily|simply|either)\s){{0,3}}{_ITEM}(?:{_SEPARATOR}{_ITEM}){{0,25}}"
)
_NOT_AFTER = re.compile(
    rf"(?<![A-Za-z0-9_'’\\]){_ITEM}\s{{0,3}}"
    r"(?:(?:is|are|was|seems|looks|would be|must be)\s{0,2}(?:(?:also|clearly|definitely)\s)?"
    r"(?:not\b|wrong\b|incorrect\b|false\b|excluded\b|eliminated\b|ruled out\b|out\b)"
    r"|(?:is|does|can|ca|would|was)n['’]t\b|cannot\b|不正[确確]|不[对對是]|[错錯])"
)
_LISTED = re.compile(r"(?:^|(?<=[\s,;]))\(?([A-Z])[).:](?=\s)")
_NONE = re.compile(
    r"\bnone of the (?:\w{1,12}\s)?(?:options|choices|answers)\b"
    r"|\bnot (?:in|among|one of|listed in|part of) (?:(?:any of )?the|these) (?:\w{1,12}\s)?"
    r"(?:options|choices|answers)\b",
    re.IGNORECASE,
)
_LETTERS = re.compile(rf"(?<![A-Za-z0-9_'’\\]){_LETTER}")


def named(text: str, letters: str) -> list[str]:
    """List the option letters that stand alone in a text, in order, each once."""
    return list(dict.fromkeys(letter for letter in _LETTERS.findall(text) if letter in letters))


def is_open(text: str, letters: str) -> bool:
    """Whether a text begins with several of the letters as a list or as alternatives."""
    text = without_negated(text)
    chain, two = _CHAIN_AT_START.match(text), _TWO_AT_START.match(text)
    return bool((chain and len(named(chain[0], letters)) > 1) or (two and _differ(two.groups(), letters)))


def _differ(pair: Sequence[str], letters: str) -> bool:
    return pair[0] != pair[1] and pair[0] in letters and pair[1] in letters


def is_listing(text: str, letters: str, count: int) -> bool:
    """Whether a text repeats the options one by one, `(A) … (B) …`: all `count` of them, or two at least if it is 0."""
    found = "".join(dict.fromkeys(letter for letter in _LISTED.findall(text) if letter in letters))
    return len(found) > 1 and found == letters[: count or len(found)]


def says_none(text: str) -> bool:
    """Whether a text ends with saying that none of the options is right."""
    return bool(_NONE.search(text[-TAIL_CHARS:]))


def without_negated(text: str) -> str:
    """Give a text without the letters that it says are not the answer."""
    return _NOT_AFTER.sub(" ", _NOT_BEFORE.sub(" ", text))


def without_open(text: str, letters: str) -> str:
    """Give a text without the lists and alternatives of several of the letters."""
    text = _CHAIN.sub(lambda found: found[0] if len(named(found[0], letters)) < 2 else " ", text)
    if not _OR_ALONE.search(text):
        return text  # most texts, and the search for two letters around it is the slowest
    return _TWO.sub(lambda found: " " if _differ(found.groups(), letters) else found[0], text)


def settled(text: str, letters: str) -> str:
    """Give a text with only those letters in it that it may choose."""
    return without_open(without_negated(text), letters)


def is_hedged(text: str, letters: str) -> bool:
    """Whether a text names letters that it does not choose."""
    return named(settled(text, letters), letters) != named(text, letters)
