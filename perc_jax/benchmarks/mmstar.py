r"""MMStar (Chen et al. 2024, arXiv 2403.20330): 1,500 four-option questions that need the picture, in six areas.

Official rule (also lmms-eval's): the response begins with the letter, `(` and the letter, `option ` or `the answer is `
and the letter, in any case. Quirk that is copied: "a cat" chooses A. The areas are of one size, so their mean is the
accuracy.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files
from perc_jax.benchmarks.base import Item, Problem
from perc_jax.benchmarks.letters import Letters

_HEADS = ("", "(", "option ", "the answer is ")
_GROUPS = ("category", "l2_category")
_OPTION = re.compile(r"\b([A-D]): ?(.{0,300}?)(?=,? ?\b[B-D]: |$)", re.DOTALL)


def official(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the letter that one of the four heads is followed by."""
    text = text.lower().strip().replace("\n", " ")
    found = (text[len(head) :][:1].upper() for head in reversed(_HEADS) if text.startswith(head))
    return next((letter for letter in found if letter and letter in letters), None)


class MMStar(Letters):
    """See the module."""

    name = "mmstar"
    hub = "Lin-Chen/MMStar"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the letter at the beginning, after nothing, '(', 'option ' or 'the answer is '",
        "vlmevalkit": "VLMEvalKit's option words and texts without its judge",
        "strict": base.STRICT,
    }
    rules: ClassVar[Mapping] = {"official": official, "vlmevalkit": choices.token_rule}

    def problems(self, folder: Path) -> list[Problem]:
        """The hub's Parquet; the options stand in the question."""
        return [
            Problem(
                id=row.filled("index"),
                question=row.text("question"),
                images=row.images("image"),
                gold=row.filled("answer"),
                kind="choice",
                options=_options(row.text("question")),
                meta={field: row.text(field) for field in _GROUPS},
            )
            for row in files.rows(folder, "*.parquet")
        ]

    def prompt(self, problem: Problem, mode: str = "official") -> str:
        """The question has its options in it already."""
        self.check_mode(mode)
        return f"{problem.question}\n{base.STRICT_HINT}" if mode == "strict" else problem.question

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by area and by the eighteen finer ones."""
        return {field: self.by(items, lambda problem, field=field: problem.meta[field]) for field in _GROUPS}


def _options(question: str) -> tuple[str, ...]:
    """The texts of options written `A: …, B: …`, four in any case."""
    found = dict(_OPTION.findall(question.partition("Options:")[2]))
    return tuple(found.get(letter, "").strip() for letter in "ABCD")
