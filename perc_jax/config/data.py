"""What is drawn: pictures and prompts, a stage's mixture and its curriculum."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from perc_jax.config.rules import (
    Sound,
    Violation,
    anything,
    at_least,
    distinct,
    each,
    filled,
    unless,
    within,
)

REASONED = ("think_answer", "answer_think", "sections")  # answer forms with a part that an answer alone cannot fill
GLOBBED = re.compile(r"[*?\[\]]")  # of a file's name that stands for several


@dataclass(frozen=True)
class DataConfig:
    """Pictures, prompts and the worker processes that make them."""

    tokenizer: Annotated[str, filled]  # a SentencePiece file of the package's assets, or a Hugging Face folder
    image_px: Annotated[int, at_least(1)]  # side of the square pictures the engines draw
    max_prompt_tokens: Annotated[int, at_least(1)]  # S: the prompt bucket
    max_patches: Annotated[int, at_least(1)]  # N: the patch bucket, a multiple of the window's patches
    instruction: Annotated[str, anything]  # follows each question; says how to answer
    # Smaller shapes (prompt tokens, patch slots), ascending in both, for which training's programs are compiled beside
    # (max_prompt_tokens, max_patches), which is always there: what is computed together takes the smallest that holds
    # all of it. `perc_jax.inspect` proposes some. Changes no gradient but by rounding, and not what is drawn.
    buckets: Annotated[tuple[tuple[int, int], ...], each(each(at_least(1)))] = ()
    system: Annotated[str, anything] = ""  # the system line of chats that have none; empty: the template's own
    # Area of a table's pictures, which are made smaller or larger where they are not within.
    min_pixels: Annotated[int, at_least(1)] = 3136  # as published with Qwen2.5-VL-Instruct
    max_pixels: Annotated[int, at_least(1)] = 12_845_056  # of a table's picture; a larger one is made smaller
    workers: Annotated[int, at_least(0)] = 1  # Grain worker processes; 0 draws in the main process
    prefetch: Annotated[int, at_least(1)] = 4  # batches a worker may be ahead
    # Where a completion has its answer; all else is not well formed, and earns neither accuracy nor format. The
    # instruction must ask for it. strict: `<answer>\boxed{…}</answer>` at the end. answer: `<answer>…</answer>` alone.
    # think_answer, answer_think: that behind or before `<think>…</think>`. boxed: the last `\boxed{…}`. sections: what
    # follows the last of the headings. plain: the whole text.
    answer_form: Literal["strict", "answer", "think_answer", "answer_think", "boxed", "sections", "plain"] = "strict"
    # Headings that a completion must have, in this order, each once and at the beginning of a line.
    answer_sections: Annotated[tuple[str, ...], each(filled), distinct] = ()

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """All shapes (tokens, patch slots) of prompts, ascending."""
        return (*self.buckets, (self.max_prompt_tokens, self.max_patches))

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("buckets", "max_prompt_tokens", "max_patches"):
            rises = [a[0] <= b[0] and a[1] <= b[1] and a != b for a, b in itertools.pairwise(self.shapes)]
            rule = f"must be pairs of tokens and patches, ascending, below the largest {self.shapes[-1]}"
            yield from unless(all(rises), "buckets", rule, self.buckets)
        if sound("answer_form", "answer_sections"):
            wanted, given = self.answer_form == "sections", self.answer_sections
            rule = "must not be empty for sections" if wanted else f"must be empty for {self.answer_form}"
            yield from unless(bool(given) == wanted, "answer_sections", rule, given)
        if sound("min_pixels", "max_pixels"):
            least, most = self.min_pixels, self.max_pixels
            yield from unless(least <= most, "min_pixels", f"must be <= max_pixels ({most})", least)


@dataclass(frozen=True)
class CurriculumConfig:
    """How often each cell of a mixture (a question type at a level) is drawn; see `data/curriculum.py`."""

    kind: Literal["none", "stratified"] = "none"  # none: as the mixture says; stratified: by measured difficulty
    band: Annotated[tuple[float, float], each(within(0, 1))] = (0.2, 0.8)  # pass rates of the cells drawn most
    phase_steps: Annotated[int, at_least(3)] = 10  # batches between two looks at the pass rates
    rehearsal: Annotated[float, within(0, 1)] = 0.1  # share of the draws for cells above the band
    # Share of the draws for cells below the band and for those not measured yet.
    exploration: Annotated[float, within(0, 1)] = 0.2
    # File of `perc_jax.grade` that the first phase goes by; empty: it is drawn as by none.
    grade: Annotated[str, anything] = ""

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("band"):
            yield from unless(self.band[0] <= self.band[1], "band", "must be two pass rates in order", self.band)
        if sound("rehearsal", "exploration"):
            rest = self.rehearsal + self.exploration
            yield from unless(rest < 1, "rehearsal + exploration", "must be < 1", rest)
        if sound("kind"):
            yield from unless(
                self.kind == "stratified" or not self.grade, "grade", "must be empty for none", self.grade
            )


@dataclass(frozen=True)
class TableConfig:
    """A table of the user's own: rows of a question or a chat, its pictures and its answer.

    A column that is not named is recognised by its name and what is in it; see `data/tables/columns.py`.
    """

    # A file, a glob, a folder (files, or what `datasets` saved), a hub id (owner/name); several divided by commas.
    # Local or gs://.
    path: Annotated[str, filled]
    name: Annotated[str, anything] = ""  # what statistics call it; empty: the name of its first file or folder
    weight: Annotated[float, within(1e-6, 1e6)] = 1.0  # how often it is drawn, beside the stage's other sources
    split: Annotated[str, filled] = "train"  # which files of a folder or of the hub are read
    question: Annotated[str, anything] = ""  # column of one user turn, text
    messages: Annotated[str, anything] = ""  # column of a chat: a list of turns
    system: Annotated[str, anything] = ""  # column of a system line, text
    images: Annotated[str, anything] = ""  # column of one picture or a list of them
    answer: Annotated[str, anything] = ""  # column of the answer; a full stop goes into a field: reward_model.style
    # Column of what the assistant says then, text or a message, which supervised steps learn as it is.
    completion: Annotated[str, anything] = ""
    choices: Annotated[str, anything] = ""  # column of the texts to choose from, a list
    kind: Literal["auto", "choice", "number", "text", "math", "boxes", "none"] = "auto"  # of the answers
    # An answer that is a whole number, not text, beside texts to choose from: the place of one of them, counted so.
    # none: it is refused, as it may as well be one of the texts.
    index: Literal["none", "from_0", "from_1"] = "none"
    tolerance: Annotated[float, within(0, 1e9)] = 0.0  # of a number, in its own unit
    relative: Annotated[float, within(0, 0.99)] = 0.0  # of a number, a share of the right one
    root: Annotated[str, anything] = ""  # folder that pictures' paths begin at; empty: that of the file they stand in
    cache: Annotated[str, anything] = ""  # local folder for what is unpacked; empty: ~/.cache/perc_jax/tables
    limit: Annotated[int, at_least(0)] = 0  # rows, the first; 0: all
    # Only rows that a model finds easy (all of its answers right), medium, or hard (none right), as the file says that
    # `perc_jax.grade` wrote of this table.
    difficulty: Literal["all", "easy", "medium", "hard"] = "all"
    grade: Annotated[str, anything] = ""  # the file that `perc_jax.grade` wrote, for difficulty

    @property
    def label(self) -> str:
        """What statistics call it."""
        first = self.path.split(",")[0].strip().rstrip("/").rpartition("/")[2]
        return self.name or GLOBBED.sub("", first.partition(".")[0]).strip("-_") or "table"

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("question", "messages"):
            both = bool(self.question and self.messages)
            yield from unless(not both, "messages", "must be empty where question names a column", self.messages)
        if sound("kind", "tolerance", "relative") and self.kind not in ("auto", "number", "math"):
            rule = f"must be 0 for answers of kind {self.kind}: it is that of numbers"
            yield from unless(not self.tolerance, "tolerance", rule, self.tolerance)
            yield from unless(not self.relative, "relative", rule, self.relative)
        if sound("difficulty", "grade"):
            wanted, rule = self.difficulty != "all", f"must name a file of perc_jax.grade for {self.difficulty} rows"
            rule = rule if wanted else "must be empty for all rows"
            yield from unless(bool(self.grade) == wanted, "grade", rule, self.grade)


@dataclass(frozen=True)
class MixtureConfig:
    """What a stage draws: engines and tables by weight; of an engine a level and a question type, each uniformly, of a
    table its rows in an order that is new each epoch."""

    engines: Annotated[tuple[str, ...], each(filled), distinct] = (  # empty: tables only
        "grid",
        "cube",
        "chart",
        "sudoku",
        "function",
        "geometry",
    )
    # Relative: shares, or counts of up to a million.
    weights: Annotated[tuple[float, ...], each(within(0, 1e6))] = (1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    levels: Annotated[tuple[int, ...], filled, each(within(0, 9))] = (0, 1, 2)  # of difficulty, drawn evenly
    # As engine.type; an engine without an entry asks all of its trained types.
    types: Annotated[tuple[str, ...], each(filled)] = ()
    photo_share: Annotated[float, within(0, 1)] = 0.0  # share of the pictures that pass the photograph stage
    # Share of the engines' questions that ask for a point in the picture instead, of the types that can.
    pointing: Annotated[float, within(0, 1)] = 0.0
    curriculum: CurriculumConfig = CurriculumConfig()  # draws types and levels by pass rates
    # Of the engines only questions that a model finds easy (all of its answers right), medium, or hard (none right), as
    # the file says that `perc_jax.grade --source engines` wrote: each of them once an epoch.
    difficulty: Literal["all", "easy", "medium", "hard"] = "all"
    grade: Annotated[str, anything] = ""  # the file for difficulty
    tables: tuple[TableConfig, ...] = ()  # their weights stand beside those of the engines

    def spans(self, sound: Sound) -> Iterator[Violation]:
        """What spans fields."""
        if sound("engines", "weights"):
            count = len(self.engines)
            yield from unless(len(self.weights) == count, "weights", f"must have {count} entries", self.weights)
        if sound("weights") and self.engines:
            yield from unless(sum(self.weights) > 0, "weights", "must not all be 0", self.weights)
        if sound("engines", "tables"):
            names = [*self.engines, *(table.label for table in self.tables)]
            twice = sorted({name for name in names if names.count(name) > 1})
            yield from unless(not twice, "tables", "must have different names (give one of them a `name`)", twice)
            yield from unless(
                bool(self.engines or self.tables), "engines", "must not be empty without tables", self.engines
            )
        if sound("difficulty", "grade", "engines", "weights", "photo_share", "pointing", "curriculum"):
            yield from self._graded()
        if sound("curriculum") and not self.engines:
            kind, rule = self.curriculum.kind, "must be none without engines: tables are drawn by their weights"
            yield from unless(kind == "none", "curriculum.kind", rule, kind)

    def _graded(self) -> Iterator[Violation]:
        """What goes with questions of one difficulty: no more than a list of them."""
        wanted, rule = self.difficulty != "all", f"must name a file of perc_jax.grade for {self.difficulty} questions"
        yield from unless(
            bool(self.grade) == wanted, "grade", rule if wanted else "must be empty for all questions", self.grade
        )
        if not wanted:
            return
        graded = f"for {self.difficulty} questions"
        yield from unless(bool(self.engines), "difficulty", "must be all without engines", self.difficulty)
        yield from unless(
            len(set(self.weights)) <= 1,
            "weights",
            f"must be equal {graded}, which are drawn equally often",
            self.weights,
        )
        rule = f"must be 0 {graded}, which were asked without"
        yield from unless(not self.photo_share, "photo_share", rule, self.photo_share)
        yield from unless(not self.pointing, "pointing", rule, self.pointing)
        kind = self.curriculum.kind
        yield from unless(kind == "none", "curriculum.kind", f"must be none {graded}", kind)
