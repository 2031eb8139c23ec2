"""Which groups of a step's rollouts go into its update, and why the others do not.

Dynamic sampling (DAPO, arXiv 2503.14476, section 3.2): a group whose completions are all worth the same carries no
gradient, so a step draws further prompts until it has P groups that do, for at most `stage.max_rounds` rollouts.
Deviations:
1. What a completion is worth is its whole reward: a group that is all right still learns length and format from the
   terms for them. DAPO asks for right *and* wrong ones.
2. What is lacking after the last round is filled with groups of that round that carry none: shapes stay closed, their
   advantages are 0, and they do not count in the loss.
3. Groups beyond P are dropped and not kept for the next step, whose policy did not sample them.
4. With `stage.accuracy_band` those whose mean accuracy is not within it are left out as well.
5. A group stays on its host, so with several hosts each fills its own part of P, and all draw until the last is full.
   Hosts that share rows choose the same groups.

A run whose steps find nothing to learn from ends: `Patience`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Bool

from perc_jax.batch import Completions, PromptBatch
from perc_jax.config import StageConfig
from perc_jax.data.batches import Batch
from perc_jax.data.curriculum import COLUMNS, Cell, Curriculum, tally
from perc_jax.mesh import sharding
from perc_jax.run import rewarded
from perc_jax.run.rewarded import Graded

MAX_BARREN_STEPS = 20  # steps in a row without one group whose rewards differ, after which a run stops
MIXED, ALL_RIGHT, ALL_WRONG, CUT = "mixed", *COLUMNS[2:]


class Round(NamedTuple):
    """One rollout of this host's prompts, graded."""

    batch: Batch
    completions: Completions
    graded: Graded
    outcomes: tuple[str, ...]  # of each group


class Chosen(NamedTuple):
    """What the update gets, this host's rows."""

    prompts: PromptBatch
    completions: Completions
    advantages: np.ndarray


def outcomes(graded: Graded, ended: Bool[np.ndarray, "P G"], control: str) -> tuple[str, ...]:
    """What became of each group: `mixed`, `all_right`, `all_wrong`, or `cut` if none is right and most of the
    completions were cut at C tokens or timed out in verification. In a control run the coins decide."""
    count, group = graded.rewards.shape
    right = (graded.rewards if control == "random" else graded.accuracy).sum(axis=1)
    timed_out = np.array([verdict.timed_out for verdict in graded.verdicts], bool).reshape(count, group)
    is_cut = 2 * (timed_out | ~ended).sum(axis=1) > group
    found = np.where(right == 0, np.where(is_cut, CUT, ALL_WRONG), np.where(right == group, ALL_RIGHT, MIXED))
    return tuple(found.tolist())


class Rounds:
    """The rollouts of one step."""

    def __init__(self, stage: StageConfig):
        self._stage = stage
        self.done: list[Round] = []

    def add(self, batch: Batch, completions: Completions, graded: Graded) -> Round:
        """Note a rollout."""
        found = outcomes(graded, completions.ended, self._stage.reward.control)
        self.done.append(Round(batch, completions, graded, found))
        return self.done[-1]

    def is_over(self) -> bool:
        """Whether every host has its part of P groups, or the last round is done; all hosts must ask."""
        if not self.done or len(self.done) >= self._stage.max_rounds:
            return bool(self.done)
        lacking = max(0, len(self.done[0].outcomes) - len(self._telling()))
        return sharding.sum_over_hosts({"lacking": float(lacking)}, self.done[0].batch.share)["lacking"] == 0

    def chosen(self) -> Chosen:
        """The rows of the update; after more rounds than one, groups with signal in the order drawn, then filling."""
        if len(self.done) == 1:
            only = self.done[0]
            return Chosen(only.batch.prompts, only.completions, only.graded.advantages)
        count = len(self.done[0].outcomes)
        kept = self._telling()[:count]
        last = len(self.done) - 1
        spare = [(last, row) for row, tells in enumerate(self.done[last].graded.has_signal) if not tells]
        places = kept + spare[: count - len(kept)]

        def rows(trees: Sequence[Any]) -> Any:
            return jax.tree.map(lambda *leaves: np.stack([leaves[number][row] for number, row in places]), *trees)

        parts = [rewarded.rewards_of(done.graded) for done in self.done]
        overlong = [done.graded.overlong for done in self.done]
        compared = rewarded.compare(rows(parts), None if overlong[0] is None else rows(overlong), self._stage)
        carries = np.arange(count)[:, None] < len(kept)
        advantages = np.where(carries, compared.advantages, 0).astype(np.float32)
        return Chosen(
            rows([done.batch.prompts for done in self.done]), rows([done.completions for done in self.done]), advantages
        )

    def _telling(self) -> list[tuple[int, int]]:
        """(round, row) of the groups that carry signal, in the order drawn."""
        return [(n, row) for n, done in enumerate(self.done) for row in np.flatnonzero(done.graded.has_signal).tolist()]

    def metrics(self) -> dict[str, float]:
        """Metrics of all that the step drew, over all hosts."""
        sampled = (done.completions[:4] for done in self.done)
        completions = Completions(*map(np.concatenate, zip(*sampled, strict=True)))
        share = self.done[0].batch.share
        infos = [info for done in self.done for info in done.batch.samples]
        graded = rewarded.join([done.graded for done in self.done])
        tables = [table.label for table in self._stage.mixture.tables]
        values = rewarded.summarise(graded, completions, infos, share, self._stage.reward, tables)
        found = [what for done in self.done for what in done.outcomes]
        spilled = max(0, len(self._telling()) - len(self.done[0].outcomes))
        counts = {f"groups/{what}": float(found.count(what)) for what in (MIXED, ALL_RIGHT, ALL_WRONG, CUT)}
        counts |= {
            "groups/spilled": float(spilled),
            "data/dropped": float(sum(len(d.batch.dropped) for d in self.done)),
        }
        return values | sharding.sum_over_hosts(counts, share) | {"groups/rounds": float(len(self.done))}


def count_round(curriculum: Curriculum, done: Round) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Tell the curriculum a round, summed over all hosts: its metrics, and the record of a phase that it decides."""
    cells = [Cell(info.engine, info.question_type, info.level) for info in done.batch.samples]
    right = done.graded.accuracy.sum(axis=1).astype(int).tolist()
    counts = sharding.sum_array_over_hosts(tally(curriculum.places, cells, right, done.outcomes), done.batch.share)
    return curriculum.metrics(counts), curriculum.add(counts)


class Patience:
    """Counts the steps of a stage in which nothing could be learnt, and ends a run of dynamic sampling that has only
    such steps."""

    def __init__(self, stage: StageConfig, barren: int = 0):
        self._stage, self.barren = stage, barren

    def check(self, metrics: dict[str, float], step: int) -> None:
        """Note a step's metrics; raises `RuntimeError` with what the groups were."""
        self.barren = 0 if metrics["groups/no_signal_share"] < 1 else self.barren + 1
        if self._stage.max_rounds == 1 or self.barren < MAX_BARREN_STEPS:
            return
        drawn = sum(metrics[f"groups/{what}"] for what in WORDS)
        shares = ", ".join(f"{100 * metrics[f'groups/{what}'] / drawn:.0f} % {words}" for what, words in WORDS.items())
        raise RuntimeError(
            f"no group {self._wanted()}had answers of different reward for {self.barren} steps up to step {step}, in "
            f"{int(metrics['groups/rounds'])} rounds each: of the last step's {int(drawn)} groups {shares}; "
            f"{self._advice(metrics)}"
        )

    def _advice(self, metrics: dict[str, float]) -> str:
        """What must change, by what became of most groups."""
        most = max(WORDS, key=lambda what: metrics[f"groups/{what}"])
        low, high = self._stage.accuracy_band
        if most == CUT:
            return "rollout.max_tokens must be larger (verifier_deadline_s, where it was late), or the answers shorter"
        if most == MIXED and (low, high) == (0, 1):
            return f"stages[{self._stage.name}].reward must tell right answers from wrong ones"
        word = "harder" if metrics["rollout/accuracy"] > (low + high) / 2 else "easier"
        return f"the mixture of stages[{self._stage.name}] must be {word} for this model"

    def _wanted(self) -> str:
        """Which groups count, if not all."""
        low, high = self._stage.accuracy_band
        return f"with an accuracy of {low:g} to {high:g} " if (low, high) != (0, 1) else ""


WORDS = {ALL_RIGHT: "were all right", ALL_WRONG: "all wrong", CUT: "cut or timed out", MIXED: "partly right"}
