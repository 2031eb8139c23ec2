r"""MathVerse (Zhang et al. 2024, arXiv 2403.14624): 788 problems, each in five versions with more or less in the text.

Official: GPT-4 extracts, GPT-4 judges. `official` here is an offline rule, to be called rule-MathVerse: letters by
`choices.pick`, free answers by their types (`free`), formulas by math-verify, after the gold answers' spelling is
repaired (`35掳` is 35°, units and degrees are dropped). `strict` compares in the same way what stands in the box. No
responses with the judge's labels are public, so its agreement is not known; the 436 choice and the 352 free questions
are reported apart, and a comparison between papers should use the former. Most papers report the version "Vision Only"
alone; the five are given. Intervals over several versions draw problems, whose versions are not independent.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, free, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

LETTERS = base.letter_range("F")


class MathVerse(Benchmark):
    """See the module."""

    name = "mathverse"
    hub = "AI4Math/MathVerse"
    symbolic = True
    group = "problem"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "rule-MathVerse: offline rules in place of both GPT-4 steps (agreement not known)",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """The hub's `testmini.json` with its pictures, or its Parquet of testmini."""
        found = []
        for row in files.rows(folder, "testmini.json", "testmini-*.parquet", "testmini*.parquet"):
            multiple = row.one_of("question_type", ("multi-choice", "free-form")) == "multi-choice"
            picture = row.get("image")
            path = f"images/{picture}" if isinstance(picture, str) else ""
            found.append(
                Problem(
                    id=row.filled("sample_index"),
                    question=row.text("question"),
                    images=row.images("image", folder=folder, path=path),
                    gold=row.filled("answer").strip(),
                    kind="choice" if multiple else "free",
                    options=("",) * len(LETTERS) if multiple else (),
                    meta={
                        "version": row.text("problem_version"),
                        "problem": row.text("problem_index"),
                        "subject": row.inner("metadata").text("subject"),
                        "prompt": row.text("query_cot") or row.text("question"),
                    },
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """The data set's own prompt with reasoning (`query_cot`)."""
        return problem.meta["prompt"]

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        if problem.kind == "choice":
            letter = choices.pick(response, LETTERS, problem.options)
            return verdict(letter == problem.gold, letter, "offline rule")
        answer = _final(reading.reply(response))
        return _equal(problem.gold, answer, compare)

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """One letter; a free answer of the gold answer's type, and equal to it."""
        if problem.kind == "choice":
            letter = choices.exact(content, LETTERS)
            return verdict(letter == problem.gold, letter, "strict")
        return _equal(problem.gold, content, compare)

    def unit(self, problem: Problem) -> str:
        """The problem, in all its versions."""
        return f"problem {problem.meta['problem']}" if problem.meta.get("problem") else problem.id

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by version, each of its choice and free questions, and by subject."""
        return {
            "version": self.by(items, lambda problem: problem.meta["version"]),
            "version_kind": self.by(items, lambda problem: f"{problem.meta['version']} {problem.kind}"),
            "kind": self.by(items, lambda problem: problem.kind),
            "subject": self.by(items, lambda problem: problem.meta["subject"]),
        }


def _final(text: str) -> str | None:
    """The answer that a response ends with: marked, after the last phrase, a short last line."""
    marked = reading.marked(text)
    if marked is not None:
        return marked
    phrases = reading.phrases(text)
    last = phrases[-1] if phrases else text.rpartition("\n")[2]
    last = last.strip(" *:")
    return last.removesuffix(".") if 0 < len(last) <= 100 else None


def _equal(gold: str, answer: str | None, compare: Compare) -> Scored:
    """Compare a free answer by the gold answer's type, numbers within 1e-3 of it."""
    if answer is None:
        return verdict(False, None, "offline rule")
    outcome = free.same(gold, answer, compare)
    if outcome is None:
        return Scored(False, answer, "comparison ran past its deadline")
    return verdict(outcome, answer, free.read(gold).kind)
