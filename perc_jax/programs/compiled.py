"""The device programs of a run, each compiled once before step 0, and their memory.

Everything the run calls on the device is built here from its blueprint, for a closed set of shapes; calling one with
another shape is an error and not a recompile.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh

from perc_jax.batch import Completions, PromptBatch, TokenIds, TrainBatch
from perc_jax.config import Config, StageConfig
from perc_jax.mesh import sharding, shares
from perc_jax.model import lora
from perc_jax.programs.blueprint import Blueprint
from perc_jax.programs.blueprints import Blueprints
from perc_jax.programs.clip import ClipPrograms
from perc_jax.programs.compiling import Around, Compiled, Compiler
from perc_jax.programs.conversing import Conversed, Conversing
from perc_jax.programs.generation import Generation
from perc_jax.programs.moment import Talking
from perc_jax.programs.rollout import RolloutBlueprints
from perc_jax.update import packing
from perc_jax.update.progress import Progress
from perc_jax.update.update import FIRST, LATER, NOTE, Metrics, TrainState

Score = Callable[[Any, PromptBatch, np.ndarray], np.ndarray]


class Programs:
    """Builds and holds the programs of a run.

    `greedy=False` leaves out the program behind `greedy`, for those who bring samplers of their own. `around` is what
    each is compiled within.
    """

    def __init__(
        self,
        config: Config,
        ids: TokenIds,
        mesh: Mesh | None = None,
        *,
        greedy: bool = True,
        around: Around = contextlib.nullcontext,
    ):
        self._compiler = Compiler(around)
        self.blueprints = Blueprints(config, ids, mesh)
        self.mesh, self.params = self.blueprints.mesh, self.blueprints.params
        self.share = shares.own(self.mesh)  # of every batch, this host's
        self._seed = np.uint32(config.seed)
        self._publish = self.compile(self.blueprints.publish())
        apart = self.blueprints.publish_for_sampling()
        self._publish_for_sampling = self.compile(apart) if apart else self._publish
        self._greedy = Sampler(self, self.blueprints.rollout(None)) if greedy else None

    def compile(self, blueprint: Blueprint) -> Callable[..., Any]:
        """Begin to compile a program and enter it in the table."""
        return self._compiler(blueprint)

    @property
    def table(self) -> list[Compiled]:
        """What was compiled, when all is."""
        return self._compiler.table()

    def init_params(self) -> Any:
        """Random parameters from the run's seed, laid out for training."""
        return self.compile(self.blueprints.init())(self._seed)

    def with_adapters(self, base: Any) -> Any:
        """Parameters that were read from a folder, with the adapters of `init_params` where the config has them."""
        if not self.blueprints.config.model.lora.rank:
            return base
        return lora.join(base, self.compile(self.blueprints.adapters())(self._seed))

    def publish(self, params: Any) -> Any:
        """The training parameters in the dtype and layout of decoding."""
        return self._publish(params)

    def publish_for_sampling(self, params: Any) -> Any:
        """The same as training's rollouts keep them, for `StagePrograms.sample`."""
        return self._publish_for_sampling(params)

    def greedy(self, params: Any, prompts: PromptBatch) -> Completions:
        """One greedy completion per prompt; host rows in, host rows out (G = 1)."""
        return self._greedy(params, prompts, np.zeros(len(prompts.tokens), np.uint32), seed=0)

    def converse(self, params: Any, prompts: PromptBatch, talking: Talking) -> Completions:
        """`greedy` where the run's suites are asked in an environment."""
        return self._greedy.converse(params, prompts, np.zeros(len(prompts.tokens), np.uint32), talking, seed=0)

    @property
    def agree(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """Makes of numbers the largest that any of the hosts with this one's rows has; None: no other has them."""
        if self.share.sharers == 1:
            return None
        return functools.partial(sharding.largest_of_sharers, mesh=self.mesh)

    def scorer(self) -> Score:
        """Compile and return `score(params, prompts, tokens)`: the log-probabilities that training parameters give to
        completions [P, 1, C]; host rows in, host rows out."""
        compiled = self.compile(self.blueprints.score())

        def score(params: Any, prompts: PromptBatch, tokens: np.ndarray) -> np.ndarray:
            return sharding.rows_to_host(compiled(params, *sharding.rows_to_mesh((prompts, tokens), self.mesh)))

        return score

    def stage(self, stage: StageConfig) -> "StagePrograms":
        """Compile what one stage needs."""
        return StagePrograms(self, stage)


class Sampler:
    """G completions per prompt for prompts of one shape; compiled when it is made. Host rows in, host rows out."""

    def __init__(self, programs: Programs, blueprints: RolloutBlueprints):
        self._programs = programs
        self._generation = (Conversing if blueprints.talk else Generation)(blueprints, programs.compile)

    def __call__(self, params: Any, prompts: PromptBatch, rows: np.ndarray, *, seed: int) -> Completions:
        """Sample; what a prompt gets depends on its name in `rows` (uint32 [P]) and the seed, not on its place."""
        return sharding.rows_to_host(self._generation(*self._inputs(params, prompts, rows, seed)))

    def converse(
        self, params: Any, prompts: PromptBatch, rows: np.ndarray, talking: Talking, *, seed: int
    ) -> Completions:
        """The same in turns, where something replies."""
        given = self._inputs(params, prompts, rows, seed)
        return self._generation.converse(given, talking).completions

    def first_logprobs(self, params: Any, prompts: PromptBatch) -> np.ndarray:
        """The log-probability [P] of each prompt's first token, by the prefill alone."""
        inputs = self._inputs(params, prompts, np.zeros(len(prompts.tokens), np.uint32), 0)
        _, state = self._generation.prefill(*inputs)
        return sharding.rows_to_host(state.groups.logprobs)[:, 0, 0]

    def _inputs(self, params: Any, prompts: PromptBatch, rows: np.ndarray, seed: int) -> tuple[Any, ...]:
        on_mesh = sharding.rows_to_mesh((prompts, rows), self._programs.mesh)
        return params, *on_mesh, np.array([0, seed], np.uint32), np.int32(0)


class StagePrograms:
    """The programs of one stage: fresh optimizer state, rollout, update; with a KL term also its reference policy."""

    def __init__(self, programs: Programs, stage: StageConfig):
        self._programs, self._stage, blueprints = programs, stage, programs.blueprints
        self.state = blueprints.train_state(stage)
        self.init_opt_state = programs.compile(blueprints.optimizer(stage))
        self._begin, gradients, self._finish, smaller = blueprints.update(stage)
        self._begin, self._finish = programs.compile(self._begin), programs.compile(self._finish)
        self._gradients = {width: programs.compile(blueprint) for width, blueprint in gradients.items()}
        self._smaller = {which: programs.compile(blueprint) for which, blueprint in smaller.items()}
        self._buckets = Buckets(programs, stage)
        encode, self._encode_some = blueprints.encode(stage), ()
        if encode and (some := blueprints.encode_some(stage)):
            self._encode_some = tuple(map(programs.compile, some))
        self._encode = encode and not self._encode_some and programs.compile(encode)
        keep = blueprints.reference(stage)
        self._keep = keep and programs.compile(keep)
        count, group = len(programs.share.rows(stage.prompts_per_step)), stage.group_size
        shapes = (blueprints.config.data.max_prompt_tokens,), (group, blueprints.config.completion_tokens(stage))
        self.plan(*(np.zeros((count, *shape), bool) for shape in shapes))  # the hosts' exchange is compiled now
        if stage.kind == "grpo":
            makes = Conversing if stage.plays else Generation
            self._rollout = makes(blueprints.rollout(stage), programs.compile)
        clip = blueprints.clip(stage)
        self.clip = clip and ClipPrograms(clip, programs.compile)  # of a stage whose reward asks one

    @property
    def learns_history(self) -> bool:
        """Whether `update` reads which tokens of prompts carry loss."""
        return self._stage.learns_history

    def begin(self, state: TrainState) -> TrainState:
        """The state at the stage's start: parameters, step and key as they are, all else fresh."""
        reference = self._keep(state.params) if self._keep else ()
        return state._replace(opt_state=self.init_opt_state(state.params), reference=reference)

    def look(self, params: Any, prompts: PromptBatch) -> PromptBatch:
        """Prompts for `sample` and `update`: where the stage leaves the vision tower alone, with what it makes of their
        pictures, so that each picture passes through it once in a step."""
        if self._encode:
            return prompts._replace(features=self._encode(params, prompts))
        if not self._encode_some:
            return prompts
        nothing, *encode = self._encode_some
        features, plain = nothing(), prompts._replace(features=None)
        parts = self._programs.blueprints.parts(self._stage)
        for _, rows, bucket in packing.in_turn(self._buckets(prompts), self._programs.blueprints.rows, parts):
            features = encode[bucket](params, plain, features, self._mine(rows))
        return prompts._replace(features=features)

    def sample(self, params: Any, prompts: PromptBatch, rows: jax.Array, state: TrainState) -> Completions:
        """G completions per prompt: global device arrays in and out; `rows` (uint32) names the prompts."""
        return self._rollout(params, prompts, rows, state.key, state.step, self._buckets(prompts))

    def roll(self, prompts: PromptBatch, rows: jax.Array, state: TrainState, talking: Talking | None) -> Conversed:
        """A rollout of the state's policy, with replies where the stage has an environment; on this host and on the
        mesh."""
        # No name for the published parameters: they are gone before the update needs the memory.
        publish = self._programs.publish_for_sampling
        if talking is None:
            on_mesh = self.sample(publish(state.params), prompts, rows, state)
            return Conversed(sharding.rows_to_host(on_mesh), on_mesh)
        given = prompts, rows, state.key, state.step
        found = self._rollout.converse((publish(state.params), *given), talking, self._buckets(prompts))
        if self._stage.max_rounds == 1 or found.on_mesh.observed.features is None:
            return found
        # Of several rounds some groups are chosen: what the tower made of their pictures must be at hand.
        features = sharding.rows_to_host(found.on_mesh.observed.features)
        observed = found.completions.observed._replace(features=features)
        return found._replace(completions=found.completions._replace(observed=observed))

    def occupancy(self) -> dict[str, float]:
        """How much of what the last `sample` decoded was of use, by the metrics' paths."""
        return self._rollout.occupancy()

    def plan(
        self,
        prompt_mask: np.ndarray,
        mask: np.ndarray,
        advantages: np.ndarray | None = None,
        prompts: PromptBatch | None = None,
    ) -> packing.Plan:
        """How a step's updates are cut, from this host's rows: masks of prompts [P, S] and of completions [P, G, C].

        Groups whose advantages [P, G] are all zero need not be computed. By `prompts`, those of all hosts on the mesh,
        each part takes the smallest bucket that holds its own; without them the largest.
        """
        has_signal = np.ones(len(mask), bool) if advantages is None else advantages.any(axis=1)
        facts = [prompt_mask.sum(axis=1), packing.lengths(mask).sum(axis=1), has_signal]
        tokens, completions, has_signal = sharding.rows_of_all_hosts(
            np.stack(facts, axis=1).astype(np.int32), self._programs.mesh
        ).T
        return packing.plan(
            tokens,
            completions,
            has_signal.astype(bool),
            None if prompts is None else self._buckets(prompts),
            devices=self._programs.blueprints.rows,
            prompt_width=prompt_mask.shape[1] if prompts is None else self._buckets.widths,
            widths=tuple(self._gradients),
            micro_batches=self._stage.micro_batches,
            updates=self._stage.updates_per_rollout,
        )

    def update(self, state: TrainState, batch: TrainBatch, plan: packing.Plan) -> tuple[TrainState, list[Metrics]]:
        """The optimizer updates of one step on global device arrays, with the metrics of each; consumes the state."""
        metrics, old = [], None
        for part, micro_batches in enumerate(plan.updates):
            said = () if batch.said is None else (batch.said,)
            progress = self._begin(state.params, batch.mask, batch.advantages, np.int32(part), *said)
            if part:
                progress = progress._replace(old=old)
            else:  # what the policy that sampled says of the parts that it will have left behind
                for later in plan.updates[1:]:
                    progress = self._run(later, state, progress, batch, NOTE)
            progress = self._run(micro_batches, state, progress, batch, LATER if part else FIRST)
            old = progress.old
            state, found = self._finish(state, progress, np.int32(part == len(plan.updates) - 1))
            metrics.append(found)
        return state, metrics

    def _run(
        self,
        micro_batches: tuple[packing.MicroBatch, ...],
        state: TrainState,
        progress: Progress,
        batch: TrainBatch,
        phase: int,
    ) -> Progress:
        """An update's micro-batches, in a phase where a rollout serves several updates."""
        phases = (np.int32(phase),) if self._stage.updates_per_rollout > 1 else ()
        for width, rows, bucket in micro_batches:
            gradient = self._smaller.get((bucket, width), self._gradients[width])
            progress = gradient(state.params, state.reference, progress, batch, self._mine(rows), *phases)
        return progress

    def _mine(self, rows: np.ndarray) -> jax.Array:
        """Rows [D, n] of all devices on the mesh."""
        return sharding.rows_to_mesh(rows[list(self._programs.share.units)].astype(np.int32), self._programs.mesh)


class Buckets:
    """Which of the run's buckets each prompt of a step needs, by its place; all hosts get the same answer."""

    def __init__(self, programs: Programs, stage: StageConfig):
        self.widths = tuple(tokens for tokens, _ in programs.blueprints.config.data.shapes)
        blueprint, self._count = programs.blueprints.bucketing(stage), stage.prompts_per_step
        self._places = blueprint and programs.compile(blueprint)

    def __call__(self, prompts: PromptBatch) -> np.ndarray:
        """Of global device arrays, the places int32 [P] of all prompts on the host."""
        if self._places is None:
            return np.zeros(self._count, np.int32)
        return np.asarray(jax.device_get(self._places(prompts.mask, prompts.patch_image)))
