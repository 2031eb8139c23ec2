"""What a completion says of its picture: the text below a heading, the key words in it, and headings in order.

Pure functions of texts, in linear time. They approximate what an exact reading of facts would say: words are found and
not understood, so those that stand in lists instead of sentences can be left out.
"""

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from perc_jax.rewards.forms import BLANKS, below_last, standing

_WORDS = re.compile(r"\w+")
_HEADING = re.compile(r"^#", re.MULTILINE)
# The commonest words of English that join others. A sentence of a description seldom has sixteen words without one.
_JOINING = """a about above across after again against all along also although an and any are around as at be because
been before behind being below beneath beside between both but by can could do does down each either every for from had
has have he her here his how i if in inside into is it its just may more most near neither no nor not of off on one only
onto or other out outside over per she should since so some still such than that the their them then there these they
this those through to toward towards under until up upon very was we were what when where which while who whose will
with within without would you your"""
JOINING = frozenset(_JOINING.split())


class Told(NamedTuple):
    """What the key words of a description come to."""

    share: float  # of the key words that count, 0 to 1
    listed: float  # share of them that stand in lists only, and do not count
    words: float  # of the description


def told(text: str, wanted: Any, *, heading: str = "", whole_words: bool = True, most_listed: int = 0) -> Told:
    """Find key words in a text, or in what stands below a heading of it.

    Args:
        text: a completion.
        wanted: a row's entry: a list of texts, or one text with commas; anything else wants none.
        heading: below which the description stands; empty: it is the whole text.
        whole_words: "art" is not in "cart" and "new  york" is "New York"; else whatever stands within words counts too.
        most_listed: words in a row without one that joins them, from which on they are a list; 0: lists count too.
    """
    description = below(text, heading) if heading else text
    words = key_words(wanted, whole_words=whole_words)
    length = float(len(_WORDS.findall(description)))
    if not words:
        return Told(0.0, 0.0, length)
    every = _found(words, [description], whole_words)
    counted = _found(words, sentences(description, most_listed), whole_words) if most_listed else every
    return Told(counted, every - counted, length)


def key_words(wanted: Any, *, whole_words: bool = True) -> tuple[str, ...]:
    """The key words of a row's entry as `told` looks for them, each once; none of what is no list and no text, or has
    none."""
    if isinstance(wanted, str):
        wanted = wanted.split(",")
    texts = [str(word) for word in wanted] if isinstance(wanted, Sequence) else []
    nothing = _folded("", whole_words)
    return tuple(word for word in dict.fromkeys(_folded(text, whole_words) for text in texts) if word != nothing)


def _found(words: Sequence[str], parts: Sequence[str], whole_words: bool) -> float:
    """The share of words that stand in one of a text's parts."""
    said = [_folded(part, whole_words) for part in parts]
    return sum(any(word in part for part in said) for word in words) / len(words)


def _folded(text: str, whole_words: bool) -> str:
    """A text without case; its words alone, each between spaces, or as it is."""
    return f" {' '.join(_WORDS.findall(text.casefold()))} " if whole_words else text.lower().strip()


def sentences(text: str, most_listed: int) -> list[str]:
    """What stands before, between and behind a text's lists: more than `most_listed` words in a row of which none joins
    others.

    It is a rule for English. It does not see a list whose words are joined one by one.
    """
    by_kind = itertools.groupby(_WORDS.finditer(text), lambda word: word[0].casefold() in JOINING)
    runs = (list(run) for joins, run in by_kind if not joins)
    lists = [(run[0].start(), run[-1].end()) for run in runs if len(run) > most_listed]
    ends, begins = [0, *(end for _, end in lists)], [*(begin for begin, _ in lists), len(text)]
    return [text[end:begin] for end, begin in zip(ends, begins, strict=True)]


def below(text: str, heading: str) -> str:
    """What stands below a heading, up to the next line that begins with `#`; nothing if the heading is not there once,
    at the beginning of a line."""
    before, found, rest = text.partition(heading)
    if not found or heading in rest or (before and before[-1] != "\n"):
        return ""
    following = _HEADING.search(rest)
    return rest[: following.start() if following else len(rest)].strip(BLANKS)


class Headings(NamedTuple):
    """How a text is divided."""

    value: float  # 1 if it has all headings
    repeated: float  # share of them that it has more than once


def divided(text: str, headings: Sequence[str], *, anywhere: bool = False) -> Headings:
    """Look for headings: each once, at the beginning of a line, in order, with a text below it; or `anywhere`, as often
    as it likes."""
    counts = Counter(one[0] for one in standing(text, headings))
    repeated = sum(counts[heading] > 1 for heading in headings) / max(1, len(headings))
    has_all = all(heading in text for heading in headings) if anywhere else below_last(text, headings) is not None
    return Headings(float(has_all), repeated)
