r"""BLINK (Fu et al. 2024, arXiv 2404.12390): 1,901 questions of the validation split in 14 tasks, up to four pictures.

The result is the mean of the tasks' accuracies, not the accuracy over questions; both are given. The authors match the
letter in brackets; lmms-eval takes whatever letter the response begins with.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, letters
from perc_jax.benchmarks.base import Item, Problem
from perc_jax.benchmarks.letters import Letters

PICTURES = ("image_1", "image_2", "image_3", "image_4")
_BRACKETS = re.compile(r"\(([A-E])\)")


def official(text: str, known: str, options: Sequence[str]) -> str | None:
    """Read the only letter in brackets, or a response that is a letter."""
    found = {letter for letter in _BRACKETS.findall(text) if letter in known}
    return found.pop() if len(found) == 1 else choices.exact(text, known)


class Blink(Letters):
    """See the module."""

    name = "blink"
    hub = "BLINK-Benchmark/BLINK"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the only letter in brackets, or a bare letter; unlike the authors' script, no judge for the rest",
        "vlmevalkit": "VLMEvalKit's option words and texts without its judge",
        "lmms": "the letter that the response begins with",
        "strict": base.STRICT,
    }
    rules: ClassVar[Mapping] = {"official": official, "vlmevalkit": choices.token_rule, "lmms": letters.leading}

    def problems(self, folder: Path) -> list[Problem]:
        """The hub's Parquet files of the validation splits; answers are like `(A)`."""
        return [
            Problem(
                id=row.filled("idx"),
                question=row.text("question"),
                images=row.images(*PICTURES),
                gold=row.filled("answer").strip("()"),
                kind="choice",
                options=row.texts("choices", least=1),
                meta={"task": row.text("sub_task"), "prompt": row.text("prompt")},
            )
            for row in files.rows(folder, "val*.parquet", "*.parquet")
        ]

    def ask(self, problem: Problem) -> str:
        """The data set's own prompt."""
        return problem.meta["prompt"]

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by task and the mean of the tasks."""
        tasks = self.by(items, lambda problem: problem.meta["task"])
        return {"mean_of_tasks": base.mean_of(tasks), "task": tasks}
