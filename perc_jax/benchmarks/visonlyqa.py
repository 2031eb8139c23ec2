r"""VisOnlyQA (Kamoi et al. 2024, arXiv 2412.00947): shapes, angles, charts and molecules, no knowledge needed.

Official: of a question with one answer, the option that occurs in the response alone, in brackets or bare; everything
else goes to GPT-4o. Here what is left for GPT is read by a rule (the agreement is not known): the box or the text after
"the answer is" for one answer, the letters in it for several, which must all be right.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, files, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

_LETTERS = re.compile(r"(?<![\w'])\(?([a-e])\)?(?![\w'])")


class VisOnlyQA(Benchmark):
    """See the module."""

    name = "visonlyqa"
    hub = "ryokamoi/VisOnlyQA_Eval_Real"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the only option that occurs; an offline rule in place of GPT-4o (agreement not known)",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """The repository's JSON lines (dataset/test/real) or the hub's Parquet."""
        found = []
        for row in files.rows(folder, "*.jsonl", "*.parquet"):
            several = row.one_of("question_type", ("single_answer", "multiple_answers")) == "multiple_answers"
            found.append(
                Problem(
                    id=row.filled("id"),
                    question=row.text("question"),
                    images=row.images("decoded_image", folder=folder, path=row.text("image_path")),
                    gold=row.filled("answer").replace(" ", ""),
                    kind="several" if several else "one",
                    meta={
                        "known": list(row.texts("response_options", least=1)),
                        "task": f"{row.text('image_category')}__{row.text('task_category')}",
                        "prompt": row.text("prompt_no_reasoning"),
                    },
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """The data set's own prompt without reasoning."""
        return problem.meta["prompt"]

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        found = _one(problem, response) if problem.kind == "one" else None
        if found is None:
            found = _rest(problem, response)
        return verdict(found == problem.gold, found, "official")

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """One option, or several with commas between them, in any order."""
        parts = [part.strip() for part in content.split(",")]
        known = set(problem.meta["known"])
        parsed = ",".join(sorted(parts)) if set(parts) <= known and len(set(parts)) == len(parts) else None
        single = problem.kind == "several" or len(parts) == 1
        return verdict(single and parsed == _ordered(problem.gold), parsed, "strict")

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by task and the mean of the tasks."""
        tasks = self.by(items, lambda problem: problem.meta["task"])
        return {"mean_of_tasks": base.mean_of(tasks), "task": tasks}


def _ordered(text: str) -> str:
    return ",".join(sorted(text.split(",")))


def _one(problem: Problem, text: str) -> str | None:
    """The only option that occurs, in brackets, else anywhere. Quirk that is copied: `a` occurs in "angle"."""
    for form in ("({})", "{}"):
        found = [option for option in problem.meta["known"] if form.format(option) in text]
        if len(found) == 1:
            return found[0]
    return None


def _rest(problem: Problem, response: str) -> str | None:
    """What would go to GPT-4o: the marked answer, else the text after the last phrase, else the last line."""
    text = reading.reply(response)
    marked = reading.marked(text)
    part = marked if marked is not None else next(reversed(reading.phrases(text)), text.rpartition("\n")[2])
    words = [word for word in problem.meta["known"] if len(word) > 1 and re.search(rf"\b{re.escape(word)}\b", part)]
    letters = sorted(set(_LETTERS.findall(part)) & set(problem.meta["known"]))
    found = words or letters
    if problem.kind == "one":
        return found[0] if len(found) == 1 else None
    return ",".join(found) or None
