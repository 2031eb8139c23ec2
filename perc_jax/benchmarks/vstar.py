r"""V*Bench (Wu & Xie 2023, arXiv 2312.14135): 191 questions about small things in large pictures.

The authors compare the likelihoods of the options; a text has none, so `official` is missing here on purpose and the
default of other benchmarks is an error. `vlmevalkit` and `lmms` are the letter matches of the two kits.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files
from perc_jax.benchmarks.base import Item, Problem
from perc_jax.benchmarks.letters import Letters

_OPTION = re.compile(r"\(([A-D])\)([^\n(]*)")
_LMMS = (
    re.compile(r"^([A-D])"),
    re.compile(r"(?:ANSWER|CHOICE|OPTION)(?: IS)?[\s:]{1,9}([A-D])"),
    re.compile(r"\(([A-D])\)"),
    re.compile(r"([A-D])\s{0,9}[.)\]]"),
    re.compile(r"(?:^|\s)([A-D])(?:\s|$)"),
)


def lmms_rule(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the letter by the first of lmms-eval's five patterns that matches; in upper case, so "a cat" is A."""
    text = text.strip().upper()
    found = next((match[1] for pattern in _LMMS if (match := pattern.search(text))), None)
    only = [char for char in text if char in "ABCD"]
    return found or (only[0] if len(only) == 1 else None)


class VStar(Letters):
    """See the module."""

    name = "vstar"
    hub = "craigwu/vstar_bench"
    modes: ClassVar[Mapping[str, str]] = {
        "vlmevalkit": "VLMEvalKit's option words and texts without its judge",
        "lmms": "the first of five patterns for a letter",
        "strict": base.STRICT,
    }
    rules: ClassVar[Mapping] = {"vlmevalkit": choices.token_rule, "lmms": lmms_rule}

    def problems(self, folder: Path) -> list[Problem]:
        """`test_questions.jsonl` and its picture folders, or lmms-lab's Parquet copy."""
        found = []
        for row in files.rows(folder, "test_questions.jsonl", "*.parquet"):
            question = row.text("text")
            found.append(
                Problem(
                    id=f"{row.filled('category')}_{row.filled('question_id')}",
                    question=question,
                    images=row.images("image", folder=folder, path=row.text("image") if "image" in row.values else ""),
                    gold=row.filled("label").strip().upper(),
                    kind="choice",
                    options=tuple(text.strip() for _, text in _OPTION.findall(question)),
                    meta={"category": row.text("category")},
                )
            )
        return found

    def prompt(self, problem: Problem, mode: str = "vlmevalkit") -> str:
        """The data set's own prompt, which has the options; in strict mode without its own hint."""
        self.check_mode(mode)
        if mode != "strict":
            return problem.question
        return f"{problem.question.partition('Answer with the option')[0].strip()}\n{base.STRICT_HINT}"

    def summary(self, items: Sequence[Item], mode: str = "vlmevalkit") -> dict[str, Any]:
        """Accuracy of the two kinds of questions and their mean."""
        kinds = self.by(items, lambda problem: problem.meta["category"])
        return {"mean_of_categories": base.mean_of(kinds), "category": kinds}
