r"""CV-Bench (Tong et al. 2024, arXiv 2406.16860): 2,638 questions, 2D (from ADE20K and COCO) and 3D (from Omni3D).

Official: 2D is the mean of its two sources, 3D is its one, the result is the mean of 2D and 3D; the letter is the one
that the response begins with. lmms-eval does the same.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, choices, files, letters
from perc_jax.benchmarks.base import Item, Problem
from perc_jax.benchmarks.letters import Letters


class CVBench(Letters):
    """See the module."""

    name = "cv_bench"
    hub = "nyu-visionx/CV-Bench"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the letter that the response begins with",
        "vlmevalkit": "VLMEvalKit's option words and texts without its judge",
        "strict": base.STRICT,
    }
    rules: ClassVar[Mapping] = {"official": letters.leading, "vlmevalkit": choices.token_rule}

    def problems(self, folder: Path) -> list[Problem]:
        """The hub's Parquet files; answers are like `(A)`, ids like `2D_17`."""
        return [
            Problem(
                id=f"{row.filled('type')}_{row.filled('idx')}",
                question=row.text("question"),
                images=row.images("image"),
                gold=row.filled("answer").strip("()"),
                kind="choice",
                options=row.texts("choices", least=1),
                meta={field: row.text(field) for field in ("type", "task", "source", "prompt")},
            )
            for row in files.rows(folder, "test*.parquet", "*.parquet")
        ]

    def ask(self, problem: Problem) -> str:
        """The data set's own prompt, which has the options."""
        return problem.meta["prompt"]

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """The official mean where all three sources are there; accuracy by source, task and type."""
        source = self.by(items, lambda problem: problem.meta["source"])
        groups: dict[str, Any] = {"source": source, "task": self.by(items, lambda problem: problem.meta["task"])}
        if {"ADE20K", "COCO", "Omni3D"} <= set(source):
            flat = (source["ADE20K"]["accuracy"] + source["COCO"]["accuracy"]) / 2
            groups |= {"2d": flat, "3d": source["Omni3D"]["accuracy"]}
            groups["official_mean"] = (flat + source["Omni3D"]["accuracy"]) / 2
        return groups
