r"""AI2D (Kembhavi et al. 2016, arXiv 1603.07396): 3,088 questions of the test split about diagrams, four options.

The authors give no rule for generated text; `official` is the exact letter and nothing else. The hub's copy has the
labels drawn in the diagrams ("with mask"); which copy was used is worth stating beside a result.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from perc_jax.benchmarks import base, choices, files, letters
from perc_jax.benchmarks.base import Problem
from perc_jax.benchmarks.letters import Letters


class AI2D(Letters):
    """See the module."""

    name = "ai2d"
    hub = "lmms-lab/ai2d"
    group = "picture"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the response is the letter and nothing else",
        "vlmevalkit": "VLMEvalKit's option words and texts without its judge",
        "strict": base.STRICT,
    }
    rules: ClassVar[Mapping] = {"official": letters.bare, "vlmevalkit": choices.token_rule}

    def problems(self, folder: Path) -> list[Problem]:
        """The hub's Parquet; an answer is the number of an option, an id the number of a row."""
        found = []
        for number, row in enumerate(files.rows(folder, "test*.parquet", "*.parquet")):
            options = row.texts("options", least=1)
            gold = row.one_of("answer", tuple(map(str, range(len(options)))), "numbers of options")
            found.append(
                Problem(
                    id=str(number),
                    question=row.text("question"),
                    images=row.images("image"),
                    gold=chr(ord("A") + int(gold)),
                    kind="choice",
                    options=options,
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """Question, options, and the hint of both kits."""
        hint = "Answer with the option's letter from the given choices directly."
        return f"{letters.listed(problem.question, problem.options)}\n{hint}"
