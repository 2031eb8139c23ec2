"""A sample by its position: drawn, made by its engine, put into a prompt.

The name of a position (run seed, stage, position, draft) is hashed into a Philox key which draws engine, level,
question type, photograph and a 62-bit engine index. A draft that does not fit is replaced by the next of the position.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Int

import engines
from engines.answer import Answer
from engines.base import make_rng
from perc_jax.batch import PromptBatch
from perc_jax.config import AuxiliaryConfig, Config, EnvironmentConfig
from perc_jax.data import auxiliary
from perc_jax.data.curriculum import InTurn, Phases
from perc_jax.data.listed import Listed
from perc_jax.environments.base import Picture, Question, State
from perc_jax.environments.detail import hidden_types
from perc_jax.prompt.prompt import CompletionTooLong, PromptTooLong, completion, make_row
from perc_jax.prompt.tokenizer import Tokenizer, shared
from perc_jax.rewards import answers
from perc_jax.rewards.forms import Form, shortest

MAX_DRAFTS = 50  # of one position, before the bucket is called too small
INDEX_BITS = 62


class SampleInfo(NamedTuple):
    """What is kept of a sample beside its prompt; `image.unpatchify` gives the picture back."""

    sample_id: str  # split/engine/type/level/index; of a further scene of that question with +number behind
    engine: str
    question_type: str
    split: str
    level: int
    index: int
    photographed: bool
    question: str
    answer: Answer | answers.Gold
    row: dict[str, Any] = {}  # noqa: RUF012 - further columns of a table's row, for a reward's terms; only read
    state: State | None = None  # where a conversation about it begins; None: there is none

    @property
    def given(self) -> dict[str, Any]:
        """What a reward's terms can ask of it: the row's columns, and below them what every row has."""
        return {"id": self.sample_id, "question": self.question, "gold": self.answer.text()} | self.row


@dataclass(frozen=True)
class Draw:
    """The samples of a stage, a suite or a grading, by position."""

    config: Config
    key: tuple[str | int, ...]
    split: str
    engines: tuple[str, ...]
    weights: tuple[float, ...]
    levels: tuple[tuple[int, ...], ...]  # of each entry of `engines`, which may name one several times
    types: tuple[tuple[str, ...], ...]  # of each entry; empty: all that the split may ask
    photo_share: float
    max_gold: int  # tokens that the gold completion must fit; 0: none is made
    batch: int  # prompts, over all hosts
    chooser: Phases | InTurn | None = None  # of cells, instead of engines, weights, levels and types
    listed: Listed | None = None  # of scenes, instead of all of these; then a position is a count of rows
    # What is talked with about the samples, if anything.
    played: EnvironmentConfig = field(default=EnvironmentConfig())
    # What gold completions write before their answers, and at how many positions of the stage.
    written: AuxiliaryConfig = field(default=AuxiliaryConfig())
    positions: int = 1
    pointing: float = 0.0  # share of the questions that are asked for a point where they can be
    scenes: int = 1  # that a question is asked about, at positions that follow each other

    def sample(self, position: int, draft: int) -> engines.Sample:
        """Give the engine sample of a position's draft.

        Raises `ValueError` if a question that is asked about several scenes has too few.
        """
        question, place = divmod(position, self.scenes)
        found = self._drawn(position, draft) if self.scenes == 1 else self._again(question, place, draft)
        if self.pointing and make_rng("pointing", *self.key, question).random() < self.pointing:
            return engines.pointing(found) or found
        return found

    def _again(self, question: int, place: int, draft: int) -> engines.Sample:
        """One of the scenes that a question is asked about."""
        for number in range(MAX_DRAFTS):
            first = _Name.of(self._drawn(question, number))
            if found := _scenes(first, self.scenes):  # drafts that do not fit give way to further scenes of it
                found = _scenes(first, self.scenes * (draft + 1)) or found
                return found[(place + draft * self.scenes) % len(found)]
        raise ValueError(f"a question of {self.key} must have {self.scenes} scenes, got {MAX_DRAFTS} with fewer")

    def _drawn(self, position: int, draft: int) -> engines.Sample:
        """A question about one scene."""
        if self.listed:
            name = self.listed.name(self.key, position, draft)
            return self._made(name.engine, name.level, name.index, name.question_type, photo=False)
        rng = make_rng(*self.key, position, draft)
        if self.chooser:
            cell = self.chooser.cell(rng, position, self.batch)
            photo, index = self._look(rng)
            return self._made(cell.engine, cell.level, index, cell.question_type, photo)
        chosen = int(rng.choice(len(self.engines), p=np.array(self.weights) / sum(self.weights)))
        level = self.levels[chosen][int(rng.integers(len(self.levels[chosen])))]
        photo, index = self._look(rng)
        asks_held_out = self.split == "test_d" and index % 2 == 0  # see `engines.sample`
        types = () if asks_held_out else self.types[chosen]
        if self.played.name == "inspect":
            types = self.hidden(self.engines[chosen], level, types)
        question_type = types[int(rng.integers(len(types)))] if types else None
        return self._made(self.engines[chosen], level, index, question_type, photo)

    def hidden(self, engine: str, level: int, types: tuple[str, ...]) -> tuple[str, ...]:
        """Those of an engine's types, all or some, that can be read in the detail of a sheet only.

        Raises `ValueError` if none can.
        """
        cell_px, shown_px = self.config.data.image_px, self.played.view_px // self.played.side
        found = hidden_types(engine, split=self.split, level=level, cell_px=cell_px, shown_px=shown_px)
        wanted = tuple(name for name in found if not types or name in types)
        if not wanted:
            raise ValueError(
                f"{engine} must have a type at level {level} that is legible at {cell_px} px and not at {shown_px}"
            )
        return wanted

    def question(self, position: int, draft: int) -> tuple[Question, SampleInfo]:
        """The sample of a position's draft as a question to talk about, with the pictures beside it on a sheet."""
        sample = self.sample(position, draft)
        info = _describe(sample)
        others = self.played.side**2 - 1 if self.played.name == "inspect" else 0
        pictures = (sample.image, *self._beside(sample, others))
        return Question(info.sample_id, pictures, sample.question, sample.answer), info

    def _beside(self, sample: engines.Sample, count: int) -> Iterator[Picture]:
        """Pictures of other scenes of a sample's engine, level and split."""
        rng = make_rng("beside", sample.split, sample.engine, sample.question_type, sample.level, sample.index)
        for _ in range(count):
            index = int(rng.integers(2**INDEX_BITS))
            yield self._made(sample.engine, sample.level, index, None, photo=False).image

    def _look(self, rng: np.random.Generator) -> tuple[bool, int]:
        """Whether a sample is photographed, and its index."""
        return bool(rng.random() < self.photo_share), int(rng.integers(2**INDEX_BITS))

    def _made(self, engine: str, level: int, index: int, question_type: str | None, photo: bool) -> engines.Sample:
        return engines.sample(
            engine,
            split=self.split,
            index=index,
            level=level,
            question_type=question_type,
            size_px=self.config.data.image_px,
            photo=photo,
        )

    def row(self, position: int) -> "Row":
        """Make the prompt of a position: the first of its drafts that fits.

        Raises `ValueError` if none does.
        """
        tokenizer, data, dropped = shared(self.config), self.config.data, []
        for draft in range(MAX_DRAFTS):
            sample = self.sample(position, draft)
            info, text = self._described(sample), self._written(sample, position, draft)
            is_alone = bool(text) and self._is_alone(position)
            asked = auxiliary.alone(self._kind(sample), self.config.codes) if is_alone else sample.question
            try:
                prompt = make_row(
                    info.sample_id,
                    [sample.image],
                    asked,
                    tokenizer=tokenizer,
                    data=replace(data, instruction="") if is_alone else data,
                    vision=self.config.model.vision,
                )
                said = text if is_alone else text + shortest(sample.answer.text(), Form.of(data))
                gold = self._gold(said, tokenizer) if self.max_gold else None
            except (PromptTooLong, CompletionTooLong) as error:
                dropped.append(f"{info.sample_id}: {error}")
                continue
            return Row(prompt, gold, info, tuple(dropped))
        raise ValueError(
            f"data buckets must fit one of {MAX_DRAFTS} drafts of {self.key} {position}, got {dropped[-1]}"
        )

    def _is_alone(self, position: int) -> bool:
        """Whether what is written before answers is asked for alone at a position: with a share that changes linearly
        from the stage's first position to its last."""
        first, last = self.written.alone
        share = first + (last - first) * position / max(1, self.positions - 1)
        return bool(make_rng("alone", *self.key, position).random() < share)

    def _written(self, sample: engines.Sample, position: int, draft: int) -> str:
        """What a gold completion writes before a sample's answer."""
        if self._kind(sample) == "none" or not self.max_gold:
            return ""
        shown = sample
        if self.written.shuffled:
            index = int(make_rng("shuffled", *self.key, position, draft).integers(2**INDEX_BITS))
            shown = self._made(sample.engine, sample.level, index, sample.question_type, sample.photographed)
        return auxiliary.written(shown, self._kind(sample), self.config.codes)

    def _kind(self, sample: engines.Sample) -> str:
        """Which of both precedes the answer of a sample, if any."""
        return self.written.of(f"{sample.engine}.{sample.question_type}")

    def _described(self, sample: engines.Sample) -> SampleInfo:
        """What is kept of a sample, with its map in codes where a reward may ask for it."""
        info, codes = _describe(sample), self.config.codes
        found = {"map": auxiliary.map_of(sample, codes)} if codes.has_map else {}
        return info._replace(row=info.row | found)

    def _gold(self, text: str, tokenizer: Tokenizer) -> "Gold":
        """A text as a completion to learn. Raises `CompletionTooLong`."""
        made = completion(text, tokenizer, self.max_gold)
        return Gold(*made, np.zeros(self.config.data.max_prompt_tokens, bool))


class _Name(NamedTuple):
    """What makes a sample again."""

    engine: str
    split: str
    index: int
    level: int
    question_type: str
    size_px: int
    photo: bool

    @classmethod
    def of(cls, sample: engines.Sample) -> "_Name":
        """That of a sample."""
        named = (sample.engine, sample.split, sample.index, sample.level, sample.question_type)
        return cls(*named, sample.size_px, sample.photographed)


@functools.lru_cache(maxsize=4)  # for positions that follow each other
def _scenes(name: _Name, count: int) -> tuple[engines.Sample, ...]:
    """A sample and its variants, so many together; empty where its question has too few scenes."""
    fields = name._asdict()
    sample = engines.sample(fields.pop("engine"), **fields)
    try:
        return sample, *engines.variants(sample, count - 1)
    except RuntimeError:
        return ()


class Gold(NamedTuple):
    """What supervised steps learn of a row."""

    tokens: Int[np.ndarray, " C"]
    mask: Bool[np.ndarray, " C"]
    said: Bool[np.ndarray, " S"]  # tokens of the prompt that carry loss too


class Row(NamedTuple):
    """A prompt with its gold completion, and why earlier drafts of its position did not fit."""

    prompt: PromptBatch
    gold: Gold | None
    info: SampleInfo
    dropped: tuple[str, ...]


def _describe(sample: engines.Sample) -> SampleInfo:
    name = f"{sample.split}/{sample.engine}/{sample.question_type}/{sample.level}/{sample.index}"
    name += f"+{sample.variant}" if sample.variant else ""
    return SampleInfo(
        sample_id=name,
        engine=sample.engine,
        question_type=sample.question_type,
        split=sample.split,
        level=sample.level,
        index=sample.index,
        photographed=sample.photographed,
        question=sample.question,
        answer=sample.answer,
        row={"facts": sample.scene_text},
    )
