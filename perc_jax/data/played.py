"""Questions put in an environment, as rows: its first turn as a prompt, or a conversation that it shows as a lesson.

A source gives questions by position (engines, tables); here they become prompts. In a stage of supervised steps the row
is a whole conversation that ends with the right answer: what the assistant says in it is learned, the environment's
turns are read. Where rewards teach, and in tests, the row is the first turn, and the state in which it begins goes with
it. A draft that does not serve (a picture without parts to tell apart, a conversation that does not fit) is replaced by
the next of its position, and named.
"""

import functools
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from engines.base import make_rng
from perc_jax.batch import PromptBatch
from perc_jax.config import Config, EnvironmentConfig, TableConfig
from perc_jax.data.engines import MAX_DRAFTS, Gold, Row, SampleInfo
from perc_jax.data.table_prompts import Lesson, Size, asked, opened, print_of
from perc_jax.data.tabled import Tabled
from perc_jax.environments.base import Observation, Picture, Question, State
from perc_jax.environments.conversation import Environment
from perc_jax.environments.make import make
from perc_jax.prompt.chat import Chat, Turn
from perc_jax.prompt.image import fit
from perc_jax.prompt.prompt import (
    CompletionTooLong,
    Prompt,
    PromptTooLong,
    chat_prompt,
    completion,
    in_row,
    lay_out,
    said_tokens,
)
from perc_jax.prompt.tokenizer import shared

environment_of = functools.cache(make)  # once in a process


@runtime_checkable
class Questions(Protocol):
    """A source of questions."""

    def question(self, position: int, draft: int) -> tuple[Question, SampleInfo]:
        """The question of a position's draft, and what is kept of it. Raises `ValueError` or `OSError` for one that
        cannot be had."""


def measure(config: Config, environment: EnvironmentConfig, table: TableConfig, number: int) -> tuple[SampleInfo, Size]:
    """Find what the first turn about a table's row takes. Raises `ValueError` or `OSError` for a row that does not
    serve or does not fit."""
    rows = Tabled(config, table, ("looked at", table.label), in_order=True)
    row = Played(config, environment, rows, is_whole=True).row(number)
    tokens, window = int(row.prompt.mask.sum()), config.model.vision.window_patches
    last = int(np.flatnonzero(row.prompt.patch_image[0] >= 0).max(initial=-1))  # every window has a patch
    patches = -(-(last + 1) // window) * window
    stored = opened(table)[number]
    asks = print_of(stored.chat, [picture.read() for picture in stored.pictures])
    return row.info, Size(tokens, patches, 0, asks, True)


@dataclass(frozen=True)
class Played:
    """A source's questions in an environment, as rows by position."""

    config: Config
    environment: EnvironmentConfig
    source: Questions
    lesson: Lesson | None = None  # what is to be learned of conversations that are shown; None: nothing
    is_whole: bool = False  # none may be left out

    def row(self, position: int) -> Row:
        """Make the row of a position: the first of its drafts that serves. Raises `ValueError` if none does."""
        dropped: list[str] = []
        for draft in range(1 if self.is_whole else MAX_DRAFTS):
            try:
                row = self._row(*self.source.question(position, draft))
            except (PromptTooLong, CompletionTooLong, ValueError, OSError) as error:
                dropped.append(str(error))
            else:
                return row._replace(dropped=tuple(dropped))
        drafts = "" if self.is_whole else f"one of {MAX_DRAFTS} drafts of position {position} must serve: "
        raise ValueError(f"{drafts}{dropped[-1]}")

    def _row(self, question: Question, info: SampleInfo) -> Row:
        environment = environment_of(self.environment, self.config.data, self.config.model.vision)
        state = environment.start(question)
        opening = environment.opening(state)
        chat: Chat = asked((Turn("user", opening.parts),), self.config.data)
        info = info._replace(question=chat[-1].text, answer=environment.game.gold(state.scene))
        if self.lesson is None:
            whole = self._prompt(chat, opening.pictures)
            return Row(self._laid(whole, info), None, info._replace(state=state), ())
        return self._shown(environment, state, chat, opening.pictures, info)

    def _shown(
        self, environment: Environment, state: State, chat: Chat, pictures: tuple[Picture, ...], info: SampleInfo
    ) -> Row:
        """A conversation that ends with the right answer, to be learned."""
        data, tokenizer, last = self.config.data, shared(self.config), ""
        for said, step in environment.solution(state, make_rng("shown", info.sample_id)):
            last = said
            if isinstance(step.outcome, Observation):
                chat = (*chat, Turn("assistant", (said,)), Turn("user", step.outcome.parts))
                pictures = (*pictures, *step.outcome.pictures)
        whole = self._prompt(chat, pictures)
        has_history = self.lesson.all_turns and len(chat) > 1
        said_before = said_tokens(chat, whole, tokenizer) if has_history else np.zeros(0, bool)
        gold = completion(last, tokenizer, self.lesson.max_tokens)
        return Row(self._laid(whole, info), Gold(*gold, in_row(said_before, data.max_prompt_tokens)), info, ())

    def _prompt(self, chat: Chat, pictures: tuple[Picture, ...]) -> Prompt:
        data, vision = self.config.data, self.config.model.vision
        fitted = [fit(picture, vision, data.min_pixels, data.max_pixels) for picture in pictures]
        return chat_prompt(chat, fitted, tokenizer=shared(self.config), vision=vision)

    def _laid(self, prompt: Prompt, info: SampleInfo) -> PromptBatch:
        data = self.config.data
        return lay_out(
            prompt,
            max_tokens=data.max_prompt_tokens,
            max_patches=data.max_patches,
            pad=shared(self.config).ids.pad,
            vision=self.config.model.vision,
            prompt_id=info.sample_id,
        )
