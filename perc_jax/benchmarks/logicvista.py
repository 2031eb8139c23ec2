r"""LogicVista (Xiao et al. 2024, arXiv 2407.04973): 448 questions, one or several letters (or numbers) each.

Official: GPT extracts the letters, which must be the gold set. `official` here extracts them by rule: the letters of
the box, else those after the last "the answer is", else the one that free text chooses; the agreement with GPT is not
known (no labelled responses are public). VLMEvalKit has 447 of the questions and asks a model too, so it is no mode
here. The hub has no copy; the data are at github.com/Yijia-Xiao/LogicVista.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, hedges, lmms, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

LETTERS = base.letter_range("I")
_GROUP = re.compile(
    r"[\s\"'*:]{0,4}(?:options?|choices?)?[\s(\[]{0,3}([A-I1-9](?:[\s)\](*]{0,3}(?:,|and|&)[\s(\[*]{0,4}(?:and\s)?"
    r"[A-I1-9]){0,8})(?![A-Za-z0-9'])"
)
_OPEN = re.compile(_GROUP.pattern + r"[\s)\](*,]{0,3}(?:or\b|或)")  # alternatives, not several answers
_SYMBOL = re.compile(r"[A-I1-9]")


class LogicVista(Benchmark):
    """See the module."""

    name = "logicvista"
    hub = ""
    symbolic = True
    modes: ClassVar[Mapping[str, str]] = {
        "official": "letters by an offline rule in place of the GPT extraction (agreement not known), equal as sets",
        "lmms": "lmms-eval's reasoning score without its optional judge",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """`dataset.json` of the repository's `data` folder with its `images`."""
        return [
            Problem(
                id=row.filled("key"),
                question=row.text("question"),
                images=row.images(folder=folder, path=f"images/{row.text('imagename')}"),
                gold=row.filled("answer"),
                kind="letters",
                meta={"skill": list(row.texts("skill")), "capability": list(row.texts("capability"))},
            )
            for row in files.rows(folder, "dataset.json")
        ]

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        if mode == "lmms":
            return lmms.score(problem.gold, response, compare)
        found = extract(response)
        return verdict(found == symbols(problem.gold), ", ".join(sorted(found)) or None, "offline rule, sets")

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """Letters with commas between them."""
        found = _GROUP.fullmatch(content)
        parsed = symbols(found[1]) if found else frozenset()
        return verdict(parsed == symbols(problem.gold), ", ".join(sorted(parsed)) or None, "strict, sets")

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by skill and by capability; a question may have several."""
        return {
            "skill": self.by(items, lambda problem: problem.meta["skill"]),
            "capability": self.by(items, lambda problem: problem.meta["capability"]),
        }


def symbols(text: str) -> frozenset[str]:
    """List the letters and digits that stand for options in a text of nothing else (`A, C`)."""
    return frozenset(_SYMBOL.findall(text.upper().replace("AND", ",")))


def extract(response: str) -> frozenset[str]:
    """Read the chosen letters from a response; empty if there are none."""
    text = reading.reply(response)
    marked = reading.marked(text)
    for part in [*([marked] if marked is not None else []), *reversed(reading.phrases(text))]:
        if _OPEN.match(part):
            return frozenset()
        found = _GROUP.match(hedges.without_negated(part))
        if found:
            return symbols(found[1])
        if part is marked and choices.alone(part, LETTERS):
            return frozenset(choices.alone(part, LETTERS) or "")
    whole = _GROUP.fullmatch(text.rstrip(".) "))
    if whole:
        return symbols(whole[1])
    letter = choices.pick(text, LETTERS, ("",) * len(LETTERS))
    return frozenset(letter or "")
