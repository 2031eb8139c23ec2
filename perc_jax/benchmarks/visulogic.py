r"""VisuLogic (Xu et al. 2025, arXiv 2504.15279): 1,000 picture puzzles, four options.

Official rule: the last balanced box of at most two characters, else one of the authors' phrases ("the answer is") with
one letter after it, else GPT. Here what is left for GPT is unparsed and wrong; the count of unparsed tells its share.
Quirk that is copied: a box that holds "or" or the word LETTER is not read.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from perc_jax.benchmarks import base, files, reading
from perc_jax.benchmarks.base import Item, Problem
from perc_jax.benchmarks.letters import Letters

_PHRASES = (
    "answer:",
    "the final answer is:",
    "the answer is option:",
    "the answer is:",
    "the correct answer is option:",
)
_PHRASES += ("the correct answer is:", "the answer should be:", "the final answer is", "the answer is option")
_PHRASES += ("the answer is", "the correct answer is option", "the correct answer is", "the answer should be")
_DECORATION = re.compile(r"\\(?:text|rm|mathbf)\{|[$}]")
_LMMS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"<answer>\s{0,9}\(?([A-D])\)?\s{0,9}</answer>",
        r"\\boxed\{\s{0,9}([A-D])\s{0,9}\}",
        r"answer\s{0,9}(?:is|:|-)\s{0,9}\(?([A-D])\)?\b",
        r"option\s{0,9}([A-D])\b",
        r"\(([A-D])\)",
    )
)


def official(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the box, then the phrases."""
    box = reading.last_box(text)
    content = _DECORATION.sub("", box).strip() if box is not None else text.strip()
    if (box is not None or len(text) < 3) and len(content) == 1 and content in letters:
        return content
    for letter in letters:
        heads = (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if text.endswith((f" {letter}.", f" ({letter}).")) or text.startswith(heads):
            return letter
    lowered = text.lower()
    for phrase in _PHRASES:
        if phrase in lowered:
            lowered = lowered.rsplit(phrase, 1)[-1].strip().split("\n", 1)[0].split(".", 1)[0]
            if len(lowered) == 1 and lowered.upper() in letters:
                return lowered.upper()
    return None


def lmms_rule(text: str, letters: str, options: Sequence[str]) -> str | None:
    """Read the last letter of the first of five patterns that occurs."""
    text = text.strip()
    found = next((all_of[-1].upper() for pattern in _LMMS if (all_of := pattern.findall(text))), None)
    if found is None and 0 < len(text) <= 3 and text[0].upper() in letters:
        return text[0].upper()
    return found


class VisuLogic(Letters):
    """See the module."""

    name = "visulogic"
    hub = "VisuLogic/VisuLogic"
    modes: ClassVar[Mapping[str, str]] = {
        "official": "the authors' box and phrases; what they leave to GPT is unparsed (agreement not known)",
        "lmms": "the last letter of the first of five patterns",
        "strict": base.STRICT,
    }
    rules: ClassVar[Mapping] = {"official": official, "lmms": lmms_rule}

    def problems(self, folder: Path) -> list[Problem]:
        """`data.jsonl` and its pictures (unpack images.zip beside it)."""
        return [
            Problem(
                id=row.filled("id"),
                question=row.text("question"),
                images=row.images(folder=folder, path=row.text("image_path")),
                gold=row.filled("label").strip().upper()[:1],
                kind="choice",
                options=("",) * 4,
                meta={"tag": row.text("tag")},
            )
            for row in files.rows(folder, "data.jsonl")
        ]

    def ask(self, problem: Problem) -> str:
        """The question, then the authors' request for reasoning and a box."""
        return (
            f"{problem.question}\nSolve the complex visual logical reasoning problem through step-by-step reasoning. "
            "Think about the reasoning process first and answer the question following this format: "
            r"Answer: \boxed{$LETTER}."
        )

    def summary(self, items: Sequence[Item], mode: str = "official") -> dict[str, Any]:
        """Accuracy by kind of reasoning."""
        return {"tag": self.by(items, lambda problem: problem.meta["tag"])}
