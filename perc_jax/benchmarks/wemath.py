r"""We-Math (Qiao et al. 2024, arXiv 2407.01284): 1,740 questions of testmini: problems of two or three steps, and the
steps asked one by one.

Official scores over the 525 problems that have steps: insufficient knowledge (IK: a step wrong, the whole wrong),
inadequate generalisation (IG: all steps right, the whole wrong), complete mastery (CM) and rote memorisation (RM) when
the whole is right: strictly, CM needs all steps right; loosely, one. Score = 1 - (0.5 IG + RM + IK) / problems, which
is CM + 0.5 IG. It is half of the plain accuracy (36 against 68 for one model), so say which. Copied: the answer is what
follows the last "Answer", without `<>:.`, its first character if that is A to H.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, lmms
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict

LETTERS = base.letter_range("H")
_MARKS = re.compile(r"[><:.]")
_KEY = re.compile(r"([23])steps_(multi|[123])")


class WeMath(Benchmark):
    """See the module."""

    name = "wemath"
    hub = "We-Math/We-Math"
    symbolic = True
    group = "problem"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the first letter after the last 'Answer'",
        "lmms": "lmms-eval's reasoning score without its optional judge",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """`testmini.json` of the repository with its pictures, or the hub's Parquet."""
        found = []
        for row in files.rows(folder, "testmini.json", "testmini*.parquet"):
            key = row.text("key")
            if not _KEY.fullmatch(key):
                raise ValueError(f"{row.where}: key must be like 2steps_1 or 3steps_multi, got {key!r}")
            path = row.get("image_path")  # a column of pictures in Parquet, a name in JSON
            found.append(
                Problem(
                    id=f"{row.filled('ID')}_{key}",
                    question=row.text("question"),
                    images=row.images("image_path", folder=folder, path=path if isinstance(path, str) else ""),
                    gold=row.filled("answer").strip(),
                    kind="choice",
                    options=("",) * len(LETTERS),
                    meta={
                        "problem": row.text("ID"),
                        "key": key,
                        "options": row.text("option"),
                        "concept": row.text("knowledge concept"),
                    },
                )
            )
        return found

    def ask(self, problem: Problem) -> str:
        """Question, options and the official request for a letter after "Answer"."""
        return (
            "Now, we require you to solve a multiple-choice math question. "
            "Please briefly describe your thought process and provide the final answer(option).\n"
            f"Question: {problem.question}\nOption: {problem.meta['options']}\n"
            "Regarding the format, please answer following the template below, and be sure to include two <> symbols:\n"
            "<Thought process>: <<your thought process>> <Answer>: <<your option>>"
        )

    def prompt(self, problem: Problem, mode: str = "official") -> str:
        """As `Benchmark.prompt`, with the options as the data set writes them."""
        self.check_mode(mode)
        if mode != "strict":
            return self.ask(problem)
        return f"{problem.question}\n{problem.meta['options']}\n{base.STRICT_HINT}"

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        if mode == "lmms":
            return lmms.score(problem.gold, response, compare)
        tail = _MARKS.sub("", response.rsplit("Answer", 1)[-1].strip()).strip()
        letter = tail[0] if tail and tail[0] in LETTERS else None
        return verdict(letter == problem.gold, letter, "official")

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """One letter."""
        letter = choices.exact(content, LETTERS)
        return verdict(letter == problem.gold, letter, "strict")

    def unit(self, problem: Problem) -> str:
        """The problem, whole and in its steps."""
        return f"problem {problem.meta['problem']}" if problem.meta.get("problem") else problem.id

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Strict and loose score, the four kinds, accuracy by number of steps."""
        whole = {item.problem.meta["problem"]: item for item in items if item.problem.meta["key"].endswith("multi")}
        steps: dict[str, list[bool]] = defaultdict(list)
        for item in items:
            if not item.problem.meta["key"].endswith("multi"):
                steps[item.problem.meta["problem"]].append(item.scored.correct)
        pairs = [(item.scored.correct, steps[name]) for name, item in whole.items() if steps[name]]
        return {
            "strict": four(pairs, strict=True),
            "loose": four(pairs, strict=False),
            "steps": self.by(items, lambda problem: _step(problem.meta["key"])),
        }


def _step(key: str) -> str:
    """One step, or two or three at once."""
    return f"{key[0]}-step" if key.endswith("multi") else "1-step"


def four(pairs: Sequence[tuple[bool, Sequence[bool]]], strict: bool) -> dict[str, Any]:
    """Count the four kinds and the score over (whole right, each step right)."""
    counts = dict.fromkeys(("IK", "IG", "CM", "RM"), 0)
    for whole, steps in pairs:
        mastered = all(steps) if strict else any(steps)
        counts[("CM" if mastered else "RM") if whole else ("IG" if all(steps) else "IK")] += 1
    score = (counts["CM"] + 0.5 * counts["IG"]) / len(pairs) if pairs else 0.0
    return {"n": len(pairs), "score": score, **counts}
