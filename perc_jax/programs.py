"""The device programs of a run, each compiled once before step 0, and their memory.

Everything the run calls on the device is built here from its blueprint, for a closed set of shapes; calling one with
another shape is an error and not a recompile.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from perc_jax import sharding
from perc_jax.batch import Completions, PromptBatch, TokenIds, TrainBatch
from perc_jax.blueprints import Blueprint, Blueprints
from perc_jax.config import Config, StageConfig
from perc_jax.update import Metrics, TrainState

Score = Callable[[Any, PromptBatch, np.ndarray], np.ndarray]


class Compiled(NamedTuple):
    """A compiled program and what it costs."""

    name: str
    call: Callable[..., Any]
    compile_s: float
    argument_bytes: int  # per device
    temporary_bytes: int  # per device


class Programs:
    """Builds and holds the programs of a run. `table` lists what was compiled.

    `greedy=False` leaves out the program behind `greedy`, for those who bring samplers of their own.
    """

    def __init__(self, config: Config, ids: TokenIds, mesh: Mesh | None = None, *, greedy: bool = True):
        self.blueprints = Blueprints(config, ids, mesh)
        self.mesh, self.params = self.blueprints.mesh, self.blueprints.params
        self.table: list[Compiled] = []
        self._max_tokens, self._segment_tokens = config.rollout.max_tokens, config.rollout.segment_tokens
        self._seed = np.uint32(config.seed)
        self._publish = self.compile(self.blueprints.publish())
        self._greedy = Sampler(self, self.blueprints.rollout(None)) if greedy else None

    def compile(self, blueprint: Blueprint) -> Callable[..., Any]:
        """Compile a program and enter it in the table."""
        start = time.perf_counter()
        compiled = blueprint.compile()
        memory, seconds = compiled.memory_analysis(), time.perf_counter() - start
        sizes = memory.argument_size_in_bytes, memory.temp_size_in_bytes
        self.table.append(Compiled(blueprint.name, compiled, seconds, *sizes))
        return compiled

    def init_params(self) -> Any:
        """Random parameters from the run's seed, laid out for training."""
        return self.compile(self.blueprints.init())(self._seed)

    def publish(self, params: Any) -> Any:
        """The training parameters in the dtype and layout of decoding."""
        return self._publish(params)

    def greedy(self, params: Any, prompts: PromptBatch) -> Completions:
        """One greedy completion per prompt; host rows in, host rows out (G = 1)."""
        return self._greedy(params, prompts, np.zeros(len(prompts.tokens), np.uint32), seed=0)

    def generate(
        self, programs: tuple[Callable, Callable], params: Any, prompts: PromptBatch, rows: Any, key: Any, step: Any
    ) -> Completions:
        """Prefill, then decode segment after segment until all rows are done."""
        prefill, decode = programs
        context, state = prefill(params, prompts, rows, key, step)
        # Each segment is dispatched before the one before it is known to be the last, so that the device never waits
        # for the host; a segment that finds all rows done does nothing.
        done = [np.False_]
        for _ in range(-(-(self._max_tokens - 1) // self._segment_tokens)):
            if done[0]:
                break
            state, finished = decode(params, context, state)
            done = [*done[-1:], finished]
        return state.completions()

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

    def __init__(self, programs: Programs, blueprints: tuple[Blueprint, Blueprint]):
        self._programs = programs
        self._pair = tuple(programs.compile(blueprint) for blueprint in blueprints)

    def __call__(self, params: Any, prompts: PromptBatch, rows: np.ndarray, *, seed: int) -> Completions:
        """Sample; what a prompt gets depends on its name in `rows` (uint32 [P]) and the seed, not on its place."""
        return sharding.rows_to_host(self._programs.generate(self._pair, *self._inputs(params, prompts, rows, seed)))

    def first_logprobs(self, params: Any, prompts: PromptBatch) -> np.ndarray:
        """The log-probability [P] of each prompt's first token, by the prefill alone."""
        prefill, _ = self._pair
        _, state = prefill(*self._inputs(params, prompts, np.zeros(len(prompts.tokens), np.uint32), 0))
        return sharding.rows_to_host(state.logprobs)[:, 0, 0]

    def _inputs(self, params: Any, prompts: PromptBatch, rows: np.ndarray, seed: int) -> tuple[Any, ...]:
        on_mesh = sharding.rows_to_mesh((prompts, rows), self._programs.mesh)
        return params, *on_mesh, np.array([0, seed], np.uint32), np.int32(0)


class StagePrograms:
    """The programs of one stage: fresh optimizer state, rollout, update."""

    def __init__(self, programs: Programs, stage: StageConfig):
        self._programs, blueprints = programs, programs.blueprints
        self.state = blueprints.train_state(stage)
        self.init_opt_state = programs.compile(blueprints.optimizer(stage))
        self._update = programs.compile(blueprints.update(stage))
        if stage.kind == "grpo":
            self._rollout = tuple(programs.compile(program) for program in blueprints.rollout(stage))

    def sample(self, params: Any, prompts: PromptBatch, rows: jax.Array, state: TrainState) -> Completions:
        """G completions per prompt: global device arrays in and out; `rows` (uint32) names the prompts."""
        return self._programs.generate(self._rollout, params, prompts, rows, state.key, state.step)

    def update(self, state: TrainState, batch: TrainBatch) -> tuple[TrainState, Metrics]:
        """One optimizer step on global device arrays; consumes the state."""
        return self._update(state, batch)
