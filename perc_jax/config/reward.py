"""What a stage rewards: terms with weights. What each term measures stands in `perc_jax/rewards/README.md`."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Annotated, Any, Literal

from perc_jax.config.rules import Sound, Violation, anything, at_least, distinct, each, filled, unless, within

MOST = 16  # terms, and parts of them: what several hosts add up has its bounds
FUNCTION = re.compile(r"(?P<file>.+\.py):(?P<function>[A-Za-z_]\w*)")  # a term of the user's own
OPTIONS = {  # which options each term reads
    "accuracy": (),
    "format": (),
    "length": ("free", "unit"),
    "keywords": ("column", "whole_words", "section", "most_listed"),
    "facts": ("column", "section"),
    "map": ("column",),
    "sections": ("headings", "anywhere"),
    "clip": ("section", "until", "threshold", "as_published"),
    "repetition": ("ngram",),
    "boxes": ("iou", "l1_px", "point_px", "most"),
    "boxes_form": ("most",),
    "ending": ("part",),
}
OF_FUNCTIONS = ("parts",)


def _term(value: str) -> str | None:
    """A term of ours, or a function in a file."""
    if value in OPTIONS or FUNCTION.fullmatch(value):
        return None
    return f"must be one of {', '.join(OPTIONS)}, or file.py:function"


def _label(value: str) -> str | None:
    """What can stand in the path of a metric."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]{0,39}|", value):
        return None
    return "must be empty or at most 40 letters, digits, '_' and '-', of which the first is a letter or '_'"


@dataclass(frozen=True)
class TermConfig:
    """One term of a reward: what is measured, and what it weighs. An option belongs to the terms that its line names;
    in all others it must stay as it is."""

    term: Annotated[str, _term]  # one of those above, or file.py:function
    weight: Annotated[float, within(-1000, 1000)] = 1.0  # 0: measured and logged only
    name: Annotated[str, _label] = ""  # under which it is logged; empty: the term's, or the function's
    free: Annotated[int, at_least(1)] = 512  # length: what costs nothing, in units
    unit: Literal["tokens", "characters"] = "tokens"  # length
    # keywords, facts, map: the row's column of key words, of all facts in words, or of a map in codes; empty: the one
    # that has the term's name. Engines' samples have one called facts and, where maps are written, one called map.
    column: Annotated[str, anything] = ""
    whole_words: bool = True  # keywords: False finds them within words too, as PeBR-R1 does
    # keywords, facts, clip: the heading below which the picture is described; empty: the whole text
    section: Annotated[str, anything] = ""
    # clip: heading that ends the description, as PeBR-R1 asks for it; empty: the next line that begins with `#`.
    until: Annotated[str, anything] = ""
    threshold: Annotated[float, within(1e-3, 1)] = 0.4  # clip: the cosine that earns all, and all above it
    # clip: True scores an empty description too, lets a written end mark end a text, and gives less than 0 for a
    # negative cosine, all as PeBR-R1 does.
    as_published: bool = False
    # keywords: more words than these in a row without one like "the", "of", "is" are a list, which does not count;
    # 0: it does, as in PeBR-R1.
    most_listed: Annotated[int, within(0, 1000)] = 16
    headings: Annotated[tuple[str, ...], each(filled), distinct] = ()  # sections: what the text is divided by
    anywhere: bool = False  # sections: True asks for the headings in any order and place, as PeBR-R1 does
    ngram: Annotated[int, within(0, 100)] = 0  # repetition: of so many words; 0: of sentences, as VisionReasoner does
    iou: Annotated[float, within(0, 0.99)] = 0.5  # boxes: two that overlap by more are the same
    l1_px: Annotated[float, within(0.01, 10_000)] = (
        10.0  # boxes: mean distance of the four sides below which they are the same
    )
    point_px: Annotated[float, within(0.01, 10_000)] = 30.0  # boxes: distance below which two points are the same
    most: Annotated[int, within(1, 1000)] = 120  # boxes, boxes_form: objects that are read; more are not
    # ending: what of its ending a stage's environment is asked for; see `config/environment.py`.
    part: Annotated[str, anything] = ""
    # file.py:function: the parts that it returns, by name, each logged apart; empty: a number.
    parts: Annotated[tuple[str, ...], each(_label), each(filled), distinct] = ()

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """No option of another term."""
        if not sound("term"):
            return
        if self.term == "clip" and sound("section", "until"):
            rule = "must be empty where section is"
            yield from unless(bool(self.section) or not self.until, "until", rule, self.until)
        if self.term == "ending" and sound("part"):
            yield from unless(bool(_label(self.part) is None and self.part), "part", "must name a part", self.part)
        if self.term == "sections" and sound("headings"):
            yield from unless(bool(self.headings), "headings", "must not be empty for sections", self.headings)
        options = {name for names in (*OPTIONS.values(), OF_FUNCTIONS) for name in names}
        others = options - set(OPTIONS.get(self.term, OF_FUNCTIONS))
        for field in fields(self):
            if field.name in others and sound(field.name):
                value, rule = getattr(self, field.name), f"must be left as it is for {self.term}"
                yield from unless(value == field.default, field.name, rule, value)

    @property
    def label(self) -> str:
        """The name under which it is logged."""
        found = FUNCTION.fullmatch(self.term)
        return self.name or (found["function"] if found else self.part or self.term)


@dataclass(frozen=True)
class RewardConfig:
    """The sum of weighted terms, each logged apart as `rollout/reward/<name>`; by default accuracy alone, 0 or 1."""

    terms: tuple[TermConfig, ...] = (TermConfig("accuracy"),)  # their weighted sum
    control: Literal["none", "random"] = "none"  # random: a coin per completion, the control arm of an experiment

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans terms."""
        if not sound("terms"):
            return
        labels = Counter(term.label for term in self.terms)
        twice = [label for label, count in labels.items() if count > 1]
        yield from unless(not twice, "terms", "must have different names (give one of them another `name`)", twice)
        counts = [len(self.terms), sum(len(term.parts) for term in self.terms)]
        rule = f"must be 1 to {MOST}, with at most {MOST} parts"
        yield from unless(counts[0] >= 1 and max(counts) <= MOST, "terms", rule, counts)
        weights = [term.weight for term in self.terms]
        yield from unless(any(weights) or not weights, "terms", "must have one whose weight is not 0", weights)

    @property
    def clip_terms(self) -> dict[int, TermConfig]:
        """The terms that ask a CLIP, by their place."""
        return {place: term for place, term in enumerate(self.terms) if term.term == "clip"}

    @staticmethod
    def upgraded(data: Mapping[str, Any]) -> dict[str, Any]:
        """The same settings as this version writes them, of those that an earlier one stored: accuracy and a
        `format_weight`."""
        data = dict(data)
        weight = data.pop("format_weight", None)
        if weight is not None and "terms" not in data:
            found = [("accuracy", 1.0)] + [("format", weight)] * (weight > 0)
            data["terms"] = [asdict(TermConfig(term, value)) for term, value in found]
        return data
