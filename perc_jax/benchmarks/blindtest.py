r"""BlindTest (Rahmanzadehgervi et al. 2024, arXiv 2407.06581): seven tasks on plain shapes that people find trivial.

The patterns are those of lmms-eval for the hub's copy, which are the only published rule: the first number, the first
letter, yes or no alone, rows and columns in braces or brackets. Copied quirks: "yes." with a full stop is unparsed; the
first number is taken even if it belongs to the question ("of the 2 circles, 1 …"). The result is the accuracy over
pictures; the mean of the seven tasks is given too (both counting grids are one task, both Olympic ones are two).
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, files, numbers, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

_GRIDS = (
    re.compile(r"\{(\d{1,4})\}\s{0,4}\{(\d{1,4})\}"),
    re.compile(r"\((\d{1,4})\s{0,4},\s{0,4}(\d{1,4})\)"),
    re.compile(r"rows=\{(\d{1,4})\}\scolumns=\{(\d{1,4})\}"),
)
_NUMBER, _LETTER = re.compile(r"\d{1,9}"), re.compile(r"[a-z]")
_BETWEEN = r"(?:[)}]?\s{0,4}[,x×]\s{0,4}[({]?|[)}]\s{0,4}[({]|\s{1,4})"  # two numbers: something must
_PAIR = re.compile(rf"[({{]?(\d{{1,4}}){_BETWEEN}(\d{{1,4}})[)}}]?")


class BlindTest(Benchmark):
    """See the module."""

    name = "blindtest"
    hub = "XAI/vlmsareblind"
    group = "picture"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the patterns by task that lmms-eval publishes, the answer anywhere in the response",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """The hub's Parquet; an id is the number of a row."""
        return [
            Problem(
                id=str(number),
                question=row.text("prompt"),
                images=row.images("image"),
                gold=row.filled("groundtruth").strip().lower(),
                kind=_kind(row.text("task").lower()),
                meta={"task": row.text("task").lower()},
            )
            for number, row in enumerate(files.rows(folder, "*.parquet"))
        ]

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        answer = _parse(problem.kind, reading.after_thought(response).strip().lower())
        return verdict(answer == problem.gold, answer, "official")

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """A whole number, one letter, yes or no, or `rows,columns`."""
        text = content.lower().strip(" .")
        if problem.kind == "grid":
            pair = _PAIR.fullmatch(text)
            answer = f"{pair[1]},{pair[2]}" if pair else None
        elif problem.kind == "number":
            value = numbers.value(text)
            answer = str(int(value)) if value is not None and value == int(value) else None
        else:
            answer = text if text in ("yes", "no") or _LETTER.fullmatch(text) else None
        return verdict(answer == problem.gold, answer, "strict")

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by task, the two counting grids as one, and the mean of the tasks."""
        tasks = self.by(items, lambda problem: problem.meta["task"].partition(" - word")[0].partition(" - blank")[0])
        return {"mean_of_tasks": base.mean_of(tasks), "task": tasks}


def _kind(task: str) -> str:
    if task.startswith("counting grid"):
        return "grid"
    return {"touching circles": "yes_no", "circled letter": "letter"}.get(task, "number")


def _parse(kind: str, text: str) -> str | None:
    """Read an answer in lower case."""
    if kind == "yes_no":
        return text if text in ("yes", "no") else None
    if kind == "grid":
        found = next((match for pattern in _GRIDS if (match := pattern.search(text))), None)
        return f"{found[1]},{found[2]}" if found else None
    found = (_NUMBER if kind == "number" else _LETTER).search(text)
    return found[0] if found else None
