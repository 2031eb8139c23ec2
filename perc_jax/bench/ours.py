"""Our side of the bench: the run's own programs, called as the loop calls them, with a clock around them.

A step is what `run/loop.py` does but for data, verification and checkpoints: pictures looked at (once per step where
the vision tower is left alone), parameters published for decoding, G completions per prompt sampled and brought to
the host, advantages (here of random rewards), the update, its end awaited.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from perc_jax.batch import Completions, PromptBatch, TokenIds, TrainBatch
from perc_jax.bench.peer_service import Clock, Spent
from perc_jax.config import Config
from perc_jax.mesh import sharding
from perc_jax.programs.compiled import Programs
from perc_jax.records.metrics import CompileCounter
from perc_jax.update.grpo import group_advantages
from perc_jax.update.update import TrainState

Seconds = dict[str, Spent]  # of "rollout", "update", "step": those that were run
CALM = 0.02  # of the final norm's scale


class Sampled(NamedTuple):
    """A rollout, as the update needs it."""

    prompts: PromptBatch  # on the mesh, with features where those are reused
    completions: Completions  # on the mesh
    on_host: Completions


class Ours:
    """The compiled programs of the case and its state. Every rollout draws by the same keys.

    `is_calm`: the head's input is made so small that all tokens are almost equally likely.
    """

    def __init__(self, config: Config, ids: TokenIds, prompts: PromptBatch, seed: int, *, is_calm: bool = False):
        self.config, self.stage, self.ids = config, config.stages[0], ids
        self.compiles = CompileCounter()
        self.programs = Programs(config, ids, greedy=False)
        self.compiled = self.programs.stage(self.stage)
        mesh = self.programs.mesh
        params = self.programs.init_params()
        if is_calm:
            params["text"]["norm"]["scale"] *= CALM
        self._drawn_at = sharding.same_to_mesh(np.int32(0), mesh)
        step, key = sharding.same_to_mesh((np.int32(0), np.array([0, seed], np.uint32)), mesh)
        self.state = self.compiled.begin(TrainState(params, (), step, key))
        self.prompts, self.prompt_mask = sharding.rows_to_mesh(prompts, mesh), prompts.mask
        self.names = sharding.rows_to_mesh(np.arange(self.stage.prompts_per_step, dtype=np.uint32), mesh)
        rewards = np.random.default_rng(seed).random((self.stage.prompts_per_step, self.stage.group_size), np.float32)
        self.advantages = group_advantages(rewards).advantages
        self._prefill: Any = None

    def rollout(self) -> tuple[Sampled, Seconds]:
        """Look at the pictures, publish and sample; the completions are on the mesh and known to the host."""
        clock = Clock()
        prompts = self.compiled.look(self.state.params, self.prompts)
        weights = self.programs.publish_for_sampling(self.state.params)
        completions = self.compiled.sample(weights, prompts, self.names, self.state._replace(step=self._drawn_at))
        sampled = Sampled(prompts, completions, sharding.rows_to_host(completions))
        return sampled, {"rollout": clock.spent()}

    def update(self, sampled: Sampled) -> Seconds:
        """One step's updates on what was sampled."""
        clock = Clock()
        advantages = sharding.rows_to_mesh(self.advantages, self.programs.mesh)
        tokens, logprobs, mask = sampled.completions[:3]
        plan = self.compiled.plan(self.prompt_mask, sampled.on_host.mask, prompts=sampled.prompts)
        batch = TrainBatch(sampled.prompts, tokens, mask, logprobs, advantages)
        self.state, metrics = self.compiled.update(self.state, batch, plan)
        jax.block_until_ready((self.state, metrics))
        return {"update": clock.spent()}

    def step(self) -> Seconds:
        """A rollout and the updates on it."""
        clock = Clock()
        sampled, parts = self.rollout()
        parts |= self.update(sampled)
        return parts | {"step": clock.spent()}

    def prefill_s(self) -> float | None:
        """Seconds of a rollout up to the first token; None where prompts or completions take turns.

        The first call compiles it a second time.
        """
        plan = self.programs.blueprints.rollout(self.stage)
        if plan.pool is not None or plan.rows < plan.group_size:
            return None
        weights = self.programs.publish_for_sampling(self.state.params)
        if self._prefill is None:
            self._prefill = plan.prefill.compile()
            self._run_prefill(weights)
        clock = Clock()
        self._run_prefill(weights)
        return clock.spent()[0]

    def _run_prefill(self, weights: Any) -> None:
        prompts = self.compiled.look(self.state.params, self.prompts)
        jax.block_until_ready(self._prefill(weights, prompts, self.names, self.state.key, self.state.step))
