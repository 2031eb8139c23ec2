r"""ChartQA (Masry et al. 2022, arXiv 2203.10244): 2,500 questions of the test split, half by people, half by machine.

Official relaxed accuracy, the same in both kits: numbers within 5 % of the gold answer, everything else equal without
regard to case. Copied quirks: a percent sign divides by a hundred, on either side; a gold answer of 0 is compared as
text; the whole response is the answer, so a sentence is wrong; there is no room for units. The paper's number is over
all questions; the kits show the two halves as well.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, files, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

TOLERANCE = 0.05  # relative


class ChartQA(Benchmark):
    """See the module."""

    name = "chartqa"
    hub = "lmms-lab/ChartQA"
    group = "picture"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "relaxed accuracy of the whole response",
        "vlmevalkit": "relaxed accuracy of what stands in a box or answer block, else of the whole response",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """`test_human.json` and `test_augmented.json` of the repository, or the hub's Parquet; ids are made of rows."""
        found = []
        for number, row in enumerate(files.rows(folder, "test_*.json", "test*.parquet")):
            named = row.file.suffix == ".json"
            gold = row.either("label", "answer")
            listed = isinstance(row[gold], list)  # the hub's Parquet: a list of one
            kind = row.file.stem.removeprefix("test_") if named else row.text("type").removesuffix("_test")
            found.append(
                Problem(
                    id=f"{kind}_{row.number}" if named else str(number),
                    question=row.text(row.either("query", "question")),
                    images=row.images("image", folder=folder, path=f"png/{row.get('imgname', '')}"),
                    gold=row.texts(gold, least=1)[0] if listed else row.filled(gold),
                    kind="relaxed",
                    meta={"half": kind},
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """The question with the kits' hint."""
        return f"{problem.question}\nAnswer the question with a single word."

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        marked = reading.marked(response) if mode == "vlmevalkit" else None
        answer = (response if marked is None else marked).strip()
        return verdict(relaxed(answer, problem.gold), answer or None, "relaxed accuracy")

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """Relaxed accuracy of the box; a thousands comma is allowed."""
        right = relaxed(content, problem.gold) or relaxed(content.replace(",", ""), problem.gold.replace(",", ""))
        return verdict(right, content, "relaxed accuracy")

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy of the two halves."""
        return {"half": self.by(items, lambda problem: problem.meta["half"])}


def relaxed(answer: str, gold: str) -> bool:
    """Compare by the official rule."""
    found, wanted = _float(answer), _float(gold)
    if found is not None and wanted:
        return abs(found - wanted) / abs(wanted) <= TOLERANCE
    return answer.lower() == gold.lower()


def _float(text: str) -> float | None:
    """Python's float; a percent sign at the end divides by a hundred; what is not finite is text."""
    try:
        value = float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
