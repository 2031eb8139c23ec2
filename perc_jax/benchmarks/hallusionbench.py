r"""HallusionBench (Guan et al. 2024, arXiv 2310.14566): 1,129 yes/no questions, 951 of them with a picture.

aAcc: over questions. fAcc: a figure counts if all questions about it are right. qAcc: a question counts if it is right
for all figures of its set. Papers report aAcc (65 to 72 for a 7B model) or the mean of the three (about 53): both are
given here. The official script asks GPT-4 whether the response contradicts the reference; `official` reads yes or no as
VLMEvalKit does, by words, one of which must be there without the other (agreement with GPT-4 not known), and groups as
the script: figures without a picture (figure 0 of the visual-supplement part) count in no fAcc. `vlmevalkit` asks and
counts the questions with a picture only. Intervals draw sets: a figure, its edited copies and the questions about them.
Not offered: "yes" anywhere in the response, which takes "yesterday" for yes.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, files, reading
from perc_jax.benchmarks.base import Benchmark, Compare, Item, Problem, Scored, verdict
from perc_jax.benchmarks.files import Image

_WORD = re.compile(r"[a-z]+")
_FIELDS = ("category", "subcategory", "visual_input", "set_id", "figure_id", "question_id")


class HallusionBench(Benchmark):
    """See the module."""

    name = "hallusionbench"
    hub = "lmms-lab/HallusionBench"
    group = "set"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "yes or no by words in place of the GPT-4 judge (agreement not known); official groups",
        "vlmevalkit": "yes or no by words without its judge; aggregates over questions with a picture",
        "strict": base.STRICT,
    }

    def problems(self, folder: Path) -> list[Problem]:
        """`HallusionBench.json` with its picture folders, or the hub's Parquet."""
        found = []
        for row in files.rows(folder, "HallusionBench.json", "*.parquet"):
            meta = {field: row.filled(field) for field in _FIELDS}
            gold = row.one_of("gt_answer", ("0", "1"))
            found.append(
                Problem(
                    id="_".join(meta[field] for field in _FIELDS if field != "visual_input"),
                    question=row.text("question"),
                    images=row.images("image") or _picture(folder, meta),
                    gold="yes" if gold == "1" else "no",
                    kind="yes_no",
                    meta=meta,
                )
            )
        return found

    def is_seen(self, problem: Problem) -> bool:
        """Questions of visual input 0 are asked without a picture."""
        return problem.meta["visual_input"] != "0"

    def unit(self, problem: Problem) -> str:
        """The set: a figure, its edited copies and all that is asked about them."""
        return "_".join(("set", *_key(problem.meta))) if "set_id" in problem.meta else problem.id

    def counts(self, problem: Problem, mode: str) -> bool:
        """`vlmevalkit` leaves out what is asked without a picture."""
        return mode != "vlmevalkit" or self.is_seen(problem)

    def ask(self, problem: Problem) -> str:
        """The question with the kits' hint."""
        return f"{problem.question}\nPlease answer yes or no."

    def judge(self, problem: Problem, response: str, mode: str, compare: Compare) -> Scored:
        """See `modes`."""
        words = set(_WORD.findall(reading.after_thought(response).lower())) & {"yes", "no"}
        answer = words.pop() if len(words) == 1 else None
        return verdict(answer == problem.gold, answer, "words")

    def accept(self, problem: Problem, content: str, compare: Compare) -> Scored:
        """Yes or no, in any case."""
        answer = content.lower().strip(" .")
        return verdict(answer == problem.gold, answer if answer in ("yes", "no") else None, "strict")

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """aAcc, fAcc, qAcc with intervals, their mean, and aAcc by subcategory."""
        items = [item for item in items if self.counts(item.problem, mode)]
        figures = [
            item
            for item in items
            if item.problem.meta["category"] != "VS" or item.problem.meta["figure_id"] != "0" or mode == "vlmevalkit"
        ]
        scores = {
            "aAcc": self.share(items),
            "fAcc": _all_right(figures, "figure_id"),
            "qAcc": _all_right(items, "question_id"),
        }
        return {
            **scores,
            "mean_of_three": base.mean_of(scores),
            "subcategory": self.by(items, lambda problem: f"{problem.meta['category']}_{problem.meta['subcategory']}"),
        }


def _key(meta: Mapping[str, str], *fields: str) -> tuple[str, ...]:
    return tuple(meta[name] for name in ("category", "subcategory", "set_id", *fields))


def _all_right(items: Sequence[Item], field: str) -> dict[str, Any]:
    """The share of a set's figures or questions all of which is right; independent are sets."""
    right: dict[tuple[str, ...], bool] = defaultdict(lambda: True)
    for item in items:
        right[_key(item.problem.meta, field)] &= item.scored.correct
    return base.share_of_units(list(right.values()), ["_".join(key[:-1]) for key in right])


def _picture(folder: Path, meta: Mapping[str, str]) -> tuple[Image, ...]:
    """The picture of a question in the authors' archive; questions of visual input 0 have none."""
    file = folder / meta["category"] / meta["subcategory"] / f"{meta['set_id']}_{meta['figure_id']}.png"
    return (Image(file),) if meta["visual_input"] != "0" and file.is_file() else ()
