"""The device programs of a run, each compiled once before step 0, and their memory.

Everything the run calls on the device is built here from the config alone, for a closed set of shapes; calling one with
another shape is an error and not a recompile.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from perc_jax import sharding
from perc_jax.batch import Completions, PromptBatch, TokenIds, TrainBatch
from perc_jax.config import Config, StageConfig
from perc_jax.model import abstract_params, init_params
from perc_jax.optimizer import make_optimizer
from perc_jax.rollout import make_generate
from perc_jax.update import Metrics, TrainState, make_update


class Compiled(NamedTuple):
    """A compiled program and what it costs."""

    name: str
    call: Callable[..., Any]
    compile_s: float
    argument_bytes: int  # per device
    temporary_bytes: int  # per device


class Programs:
    """Builds and holds the programs of a run. `table` lists what was compiled."""

    def __init__(self, config: Config, ids: TokenIds):
        self.config, self.ids = config, ids
        self.mesh = sharding.make_mesh(config.mesh)
        self.rows = self.mesh.shape["replica"] * self.mesh.shape["fsdp"]
        self.table: list[Compiled] = []
        self._replicated = NamedSharding(self.mesh, PartitionSpec())
        params = abstract_params(config.model)
        self.params = _with_sharding(params, sharding.state_shardings(params, self.mesh))
        self.rollout_params = _with_sharding(params, sharding.rollout_shardings(params, self.mesh), config.model.dtype)
        self._check_rows("evaluation.batch", config.evaluation.batch)
        for stage in config.stages:
            self._check_rows(
                f"stages[{stage.name}].prompts_per_step / micro_batches", stage.prompts_per_step // stage.micro_batches
            )
        self._publish = self._compile("publish", self._cast, (self.params,), out=self.rollout_params)
        self._greedy = self._compile_generate("greedy", config.evaluation.batch, group_size=1, temperature=0.0)

    def _check_rows(self, field: str, prompts: int) -> None:
        if prompts % self.rows:
            raise ValueError(f"{field} must be a multiple of the {self.rows} data-parallel devices, got {prompts}")

    def _cast(self, params: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.astype(self.config.model.dtype), params)

    def _compile(
        self, name: str, function: Callable, args: tuple, *, out: Any = None, donate: tuple[int, ...] = ()
    ) -> Callable:
        shardings = None if out is None else jax.tree.map(lambda leaf: leaf.sharding, out)
        start = time.perf_counter()
        compiled = jax.jit(function, out_shardings=shardings, donate_argnums=donate).lower(*args).compile()
        memory = compiled.memory_analysis()
        seconds = time.perf_counter() - start
        self.table.append(Compiled(name, compiled, seconds, memory.argument_size_in_bytes, memory.temp_size_in_bytes))
        return compiled

    def _compile_generate(self, name: str, prompts: int, *, group_size: int, temperature: float) -> Callable:
        config = self.config
        generate = make_generate(
            config.model, self.ids, group_size=group_size, max_tokens=config.rollout.max_tokens, temperature=temperature
        )

        def keyed(params, prompts, rows, key, step):
            return generate(params, prompts, rows, jax.random.fold_in(key, step))

        rows = jax.ShapeDtypeStruct((prompts,), jnp.uint32, sharding=self._row_sharding)
        shape = (prompts, group_size, config.rollout.max_tokens)
        out = Completions(
            *[
                jax.ShapeDtypeStruct(shape[:n], dtype, sharding=self._row_sharding)
                for n, dtype in ((3, jnp.int32), (3, jnp.float32), (3, jnp.bool_), (2, jnp.bool_))
            ]
        )
        args = (
            self.rollout_params,
            self._abstract_prompts(prompts),
            rows,
            self._abstract((2,), jnp.uint32),
            self._abstract((), jnp.int32),
        )
        return self._compile(name, keyed, args, out=out)

    @property
    def _row_sharding(self) -> NamedSharding:
        return NamedSharding(self.mesh, sharding.ROWS)

    def _abstract(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=self._replicated)

    def _abstract_prompts(self, prompts: int) -> PromptBatch:
        tokens, patches = self.config.data.max_prompt_tokens, self.config.data.max_patches
        shapes = PromptBatch(
            tokens=((tokens,), jnp.int32),
            mask=((tokens,), jnp.bool_),
            positions=((3, tokens), jnp.int32),
            next_position=((), jnp.int32),
            image_slots=((tokens,), jnp.int32),
            patches=((patches, self.config.model.vision.patch_values), jnp.float32),
            patch_rowcol=((patches, 2), jnp.int32),
            patch_image=((patches,), jnp.int32),
        )
        return PromptBatch(
            *[jax.ShapeDtypeStruct((prompts, *shape), dtype, sharding=self._row_sharding) for shape, dtype in shapes]
        )

    def init_params(self) -> Any:
        """Random parameters from the run's seed, laid out for training."""
        seed = np.uint32(self.config.seed)

        def init(seed):
            return init_params(self.config.model, jax.random.PRNGKey(seed))

        return self._compile("init", init, (self._abstract((), jnp.uint32),), out=self.params)(seed)

    def publish(self, params: Any) -> Any:
        """The training parameters in the dtype and layout of decoding."""
        return self._publish(params)

    def greedy(self, params: Any, prompts: PromptBatch) -> Completions:
        """One greedy completion per prompt; host rows in, host rows out (G = 1)."""
        on_mesh = sharding.rows_to_mesh((prompts, np.zeros(len(prompts.tokens), np.uint32)), self.mesh)
        return sharding.rows_to_host(self._greedy(params, *on_mesh, np.zeros(2, np.uint32), np.int32(0)))

    def stage(self, stage: StageConfig) -> "StagePrograms":
        """Compile what one stage needs."""
        return StagePrograms(self, stage)


class StagePrograms:
    """The programs of one stage: fresh optimizer state, rollout, update."""

    def __init__(self, programs: Programs, stage: StageConfig):
        self._programs, self._stage = programs, stage
        config, mesh = programs.config, programs.mesh
        optimizer = make_optimizer(stage.optimizer, stage.steps, programs.params)
        opt_state = jax.eval_shape(optimizer.init, programs.params)
        opt_state = _with_sharding(opt_state, sharding.state_shardings(opt_state, mesh))
        self.state = TrainState(
            programs.params, opt_state, programs._abstract((), jnp.int32), programs._abstract((2,), jnp.uint32)
        )
        self.init_opt_state = programs._compile(
            f"{stage.name}: optimizer", optimizer.init, (programs.params,), out=opt_state
        )
        update = make_update(config.model, stage, programs.ids, optimizer, config.rollout.temperature)
        rows = (stage.prompts_per_step, stage.group_size, config.rollout.max_tokens)

        def leaf(shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct(shape, dtype, sharding=programs._row_sharding)

        batch = TrainBatch(
            programs._abstract_prompts(rows[0]),
            leaf(rows, jnp.int32),
            leaf(rows, jnp.bool_),
            leaf(rows, jnp.float32),
            leaf(rows[:2], jnp.float32),
        )
        _, metrics = jax.eval_shape(update, self.state, batch)
        metrics = _with_sharding(metrics, jax.tree.map(lambda _: programs._replicated, metrics))
        self._update = programs._compile(
            f"{stage.name}: update", update, (self.state, batch), out=(self.state, metrics), donate=(0,)
        )
        if stage.kind == "grpo":
            self._sample = programs._compile_generate(
                f"{stage.name}: rollout", rows[0], group_size=stage.group_size, temperature=config.rollout.temperature
            )

    def sample(self, params: Any, prompts: PromptBatch, rows: jax.Array, state: TrainState) -> Completions:
        """G completions per prompt: global device arrays in and out; `rows` (uint32) names the prompts."""
        return self._sample(params, prompts, rows, state.key, state.step)

    def update(self, state: TrainState, batch: TrainBatch) -> tuple[TrainState, Metrics]:
        """One optimizer step on global device arrays; consumes the state."""
        return self._update(state, batch)


def _with_sharding(tree: Any, shardings: Any, dtype: Any = None) -> Any:
    """Abstract arrays with a layout, and a dtype if given."""
    return jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, dtype or leaf.dtype, sharding=where), tree, shardings
    )
