"""What a stage draws: its batches, the curriculum that steers them, and the record of both in the workdir.

A `Supply` is the stage's stream of batches. After each rollout it is told what became of the groups; it decides the
shares of the phases to come, and writes each to `curriculum/<step>_<stage>_<phase>.json`. Its state is plain data
beside the data position in the checkpoint, so a run that is killed and resumed draws the same.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from etils import epath

from perc_jax.batch import WHOLE, Share
from perc_jax.config import Config, MixtureConfig, StageConfig, TableConfig
from perc_jax.data import batches, streams, table_prompts
from perc_jax.data.curriculum import Curriculum
from perc_jax.data.listed import of_mixture
from perc_jax.data.mixed import Drawn
from perc_jax.data.order import order_of
from perc_jax.data.tables.table import changes
from perc_jax.mesh import sharding
from perc_jax.records.files import to_json, write_whole
from perc_jax.rewards.verifier import TIMED_OUT
from perc_jax.run import groups, rewarded

FOLDER = "curriculum"
ORDER = "the order of its rows"


class Supply:
    """A context manager and an iterator over `data.Batch`es of this host."""

    def __init__(
        self,
        config: Config,
        stage: StageConfig,
        folder: epath.Path,
        step: int,
        stored: dict[str, Any],
        share: Share = WHOLE,
    ):
        """Open a stage's data.

        Args:
            config: the run's.
            stage: one of its stages.
            folder: the run's workdir.
            step: global steps done.
            stored: what `stored()` gave at that step, and `step`, the stage's own; empty at the stage's beginning. Its
                `shares` say how the mixture was drawn until then.
            share: which rows of every batch this host brings.

        Raises:
            ValueError, OSError: the mixture cannot be drawn, or its `grade` file cannot be read.
        """
        self._stage, self._folder = stage, folder
        self._tables = _digests(stage, config.data.image_px)
        _check_tables(stored.get("tables", {}), self._tables, stage)
        self.position = stored.get("data", 0)  # prompts drawn, over all hosts
        self.patience = groups.Patience(stage, stored.get("barren", 0))
        count = stage.prompts_per_step
        self.curriculum = Curriculum(
            stage.mixture, config.data.image_px, stage.group_size, self.position // count, stored.get("curriculum")
        )
        before = Drawn.of(stored["shares"]) if "shares" in stored else None
        self._drawn = streams.drawn_at(config, stage, self.position, before)
        with contextlib.ExitStack() as undo:
            undo.callback(self.curriculum.close)
            self._stream = streams.stream(
                config,
                stage,
                self.position,
                share=share,
                phases=self.curriculum.phases,
                steps=stage.steps - stored.get("step", 0),
                drawn=self._drawn,
            )
            undo.pop_all()
        if stage.kind == "grpo" and not self.curriculum.is_resumed:
            self._write(self.curriculum.record(), step)

    def __iter__(self) -> "Supply":
        return self

    def __next__(self) -> batches.Batch:
        batch = next(self._stream)
        self.position = batch.position
        return batch

    def count(self, done: groups.Round, step: int) -> dict[str, float]:
        """Tell the curriculum what became of a rollout of this global step; gives its metrics."""
        metrics, record = groups.count_round(self.curriculum, done)
        if record:
            self._write(record, step)
        return metrics

    def stored(self) -> dict[str, Any]:
        """The part of a checkpoint's position that belongs to the data."""
        state: dict[str, Any] = {"data": self.position}
        if self._tables or self._drawn.since:  # else all positions are the engines'
            state["shares"] = self._drawn.record()
        if self._tables:
            state["tables"] = self._tables
        if self._stage.kind == "grpo":
            state |= {"barren": self.patience.barren, "curriculum": self.curriculum.stored()}
        return state

    def _write(self, record: dict[str, Any], step: int) -> None:
        if jax.process_index() == 0:
            name = f"{step:06d}_{self._stage.name}_{record['phase']}.json"
            write_whole(self._folder / FOLDER / name, to_json({"step": step, "stage": self._stage.name} | record))

    def close(self) -> None:
        """End the workers. The curriculum ends first: a worker may be waiting for its next phase."""
        self.curriculum.close()
        self._stream.close()

    def __enter__(self) -> "Supply":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def shares_of(stage: Mapping[str, Any]) -> dict[str, Any]:
    """How a stored stage's mixture was drawn, for checkpoints of an earlier version, which do not say it."""
    mixture = stage["mixture"]
    tables = [TableConfig(one["path"], one["name"], one["weight"]) for one in mixture.get("tables", ())]
    engines = tuple(mixture["engines"]), tuple(mixture["weights"])
    weights = streams.weights_of(MixtureConfig(*engines, tables=tuple(tables)))
    return Drawn(weights).record()


def row_names(batch: batches.Batch) -> np.ndarray:
    """A number per prompt for its random key: its place in the stage's data."""
    total = batch.share.total(len(batch.samples))
    return np.array(batch.share.rows(total), np.uint32) + np.uint32(batch.position - total)


def _digests(stage: StageConfig, size_px: int) -> dict[str, dict[str, str]]:
    """The digests of the files of a stage's tables, by table and file, and of the engines' questions that it lists;
    and of the order in which each is drawn, which the files decide by a rule that may change as well."""
    opened = {table.label: table_prompts.opened(table) for table in stage.mixture.tables}
    found = {name: table.digests | _order(table.fingerprint, len(table)) for name, table in opened.items()}
    if stage.mixture.difficulty != "all":
        file = f"{stage.mixture.difficulty} questions of {stage.mixture.grade.rpartition('/')[2]}"
        listed = of_mixture(stage.mixture, size_px)
        found["of engines by difficulty"] = {file: listed.fingerprint} | _order(listed.fingerprint, len(listed.names))
    return found


def _order(fingerprint: str, length: int) -> dict[str, str]:
    return {ORDER: order_of(fingerprint, length)}


def _check_tables(
    before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]], stage: StageConfig
) -> None:
    """Raise `ValueError` that names the file if a table is not what it was when the stage began: its rows would be
    others, and come in another order."""
    for name, digests in before.items():
        if name in now and (changed := changes(digests, now[name])):
            changed = [line for line in changed if ORDER not in line] or changed  # it follows from the others
            raise ValueError(
                f"table {name} of stages[{stage.name}] must be as it was when the stage began, but {'; '.join(changed)}"
            )


def prepare(config: Config, share: Share = WHOLE) -> None:
    """Compile, on several hosts, what they exchange about each stage's groups; raise what opening a stage would."""
    for stage in config.stages:
        if stage.kind == "grpo":
            with Curriculum(stage.mixture, config.data.image_px, stage.group_size) as curriculum:
                sharding.sum_array_over_hosts(groups.tally(curriculum.places, [], [], []), share)
            shape = len(share.rows(stage.prompts_per_step)), stage.group_size
            nothing = rewarded.no_rewards(shape, stage.reward)
            rewarded.agreed(nothing, [TIMED_OUT] * nothing.total.size, share)
