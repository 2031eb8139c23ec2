"""The terms of a reward that are ours: pure functions of one completion, each a number or named parts.

`measure` is called in the verifier's processes with what a term needs of a completion. accuracy and format come from
the verdict (`verifier.py`), ending from the environment (`endings.py`), clip from the device (`fits.py`), a user's
functions from `functions.py`. Each runs in linear time; none raises on a text.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engines.answer import Answer
from perc_jax.config import TermConfig
from perc_jax.config.reward import FUNCTION
from perc_jax.rewards import boxes, codes, descriptions, facts
from perc_jax.rewards.answers import Gold
from perc_jax.rewards.endings import Ending
from perc_jax.rewards.forms import STRICT, Form, read

FROM_VERDICT = ("accuracy", "format")
PARTS = {  # of our terms that have some
    "boxes": boxes.Match._fields,
    "keywords": descriptions.Told._fields[1:],
    "facts": facts.Facts._fields[1:],
    "sections": descriptions.Headings._fields[1:],
    "clip": ("cosine",),
}
LACKS = ("missing", "empty")  # of a completion: its row has nothing to measure by; nothing is said below the heading
MAX_DUPLICATES = 2  # sentences said before, from which on a text is repetitive (VisionReasoner)


class Case(NamedTuple):
    """A completion and what it is judged by."""

    text: str
    answer: Answer | Gold
    tokens: int = 0  # of the completion, its end token counted
    row: Mapping[str, Any] = {}  # further columns of a table's row
    ending: Ending | None = None  # of a conversation with an environment; then it is the verdict


def is_function(term: TermConfig) -> bool:
    """Whether a term is a user's function."""
    return FUNCTION.fullmatch(term.term) is not None


def parts_of(term: TermConfig) -> tuple[str, ...]:
    """The names of a term's parts, each logged beside it."""
    return term.parts if is_function(term) else PARTS.get(term.term, ())


def measure(case: Case, term: TermConfig, form: Form = STRICT) -> tuple[float, ...]:
    """Give a term's value and then its parts."""
    given = case.row.get(by_column(term))
    if term.term == "length":
        length = case.tokens if term.unit == "tokens" else len(case.text)
        return (min(1.0, term.free / max(1, length)),)
    if term.term == "keywords":
        how = {"heading": term.section, "whole_words": term.whole_words, "most_listed": term.most_listed}
        return tuple(descriptions.told(case.text, given, **how))
    if term.term == "facts":
        said = descriptions.below(case.text, term.section) if term.section else case.text
        return tuple(facts.judge(said, given if isinstance(given, str) else ""))
    if term.term == "map":
        return (codes.right(case.text, given if isinstance(given, str) else ""),)
    if term.term == "sections":
        return tuple(descriptions.divided(case.text, term.headings, anywhere=term.anywhere))
    if term.term == "ending":
        return (case.ending.parts[term.part] if case.ending else 0.0,)
    if term.term == "repetition":
        return (novelty(case.text, term.ngram) if term.ngram else not_repeated(case.text),)
    content = read(case.text, form)
    if term.term == "boxes_form":
        return (boxes.form(content, term.most) if content else 0.0,)
    if term.term == "boxes":
        rules = boxes.Rules(term.iou, term.l1_px, term.point_px, term.most)
        found = _matched(content, case.answer, rules)
        return (found.total, *found)
    raise ValueError(f"reward.terms must be measured here, got {term.term!r}")


def by_column(term: TermConfig) -> str:
    """The column of a table's row that a term of ours reads; empty for one that reads none."""
    return (term.column or term.term) if term.term in ("keywords", "facts", "map") else ""


def may_lack(term: TermConfig) -> tuple[str, ...]:
    """What of `LACKS` is counted of a term: of those that read a column, and of boxes, which only some answers are."""
    return LACKS if by_column(term) else LACKS[:1] if term.term == "boxes" else ()


def lacks(cases: Sequence[Case], term: TermConfig) -> dict[str, int]:
    """How many completions a term had nothing to measure by, by what of `LACKS` it may lack; they earn 0 of it."""
    missing = sum(not _wants(case, term) for case in cases)
    empty = sum(not descriptions.below(case.text, term.section) for case in cases) if term.section else 0
    return dict(zip(may_lack(term), (missing, empty), strict=False))


def _wants(case: Case, term: TermConfig) -> bool:
    """Whether a row has something that a term measures by: entries of another type have nothing."""
    given = case.row.get(by_column(term))
    if term.term == "keywords":
        return bool(descriptions.key_words(given, whole_words=term.whole_words))
    if term.term == "boxes":
        return isinstance(case.answer, Gold) and case.answer.kind == "boxes"
    return isinstance(given, str) and bool((facts if term.term == "facts" else codes).read(given))


def not_repeated(text: str) -> float:
    """1, or 0 for a text with two sentences or more that it has said before; sentences end at full stops."""
    sentences = [found for sentence in text.split(".") if (found := sentence.strip())]
    return float(len(sentences) - len(set(sentences)) < MAX_DUPLICATES)


def novelty(text: str, ngram: int) -> float:
    """The share of a text's runs of `ngram` words that are the first of their kind; 1 for a text too short for two."""
    words = text.casefold().split()
    runs = [tuple(words[place : place + ngram]) for place in range(len(words) - ngram + 1)]
    return len(set(runs)) / len(runs) if runs else 1.0


def _matched(content: str | None, answer: Answer | Gold, rules: boxes.Rules) -> boxes.Match:
    """How well the objects in an answer's text are the gold ones; nothing where the row asks for none."""
    nothing = boxes.Match(0.0, 0.0, 0.0)
    if content is None or not isinstance(answer, Gold) or answer.kind != "boxes":
        return nothing
    found, gold = (boxes.parse(text, rules.most) for text in (content, answer.value))
    return nothing if found is None or gold is None else boxes.match(found, gold, rules)
