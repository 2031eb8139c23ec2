"""Every device program of a run before it is compiled: what it computes, on which arrays, laid out how.

A blueprint needs a config, token ids and a mesh; no data, no parameters, and no devices that run: the mesh may be that
of a machine that is not here. `programs.py` compiles them for a run, `planning.py` to say what they will cost.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from perc_jax import sharding
from perc_jax.batch import PromptBatch, TokenIds, TrainBatch
from perc_jax.config import Config, StageConfig
from perc_jax.model import abstract_params, init_params
from perc_jax.optimizer import make_optimizer
from perc_jax.rollout import make_rollout
from perc_jax.update import TrainState, make_score, make_update


class Blueprint(NamedTuple):
    """A program to compile. Arguments and outputs are trees of `jax.ShapeDtypeStruct` that carry their layout."""

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]  # in order; the names say what each one is
    outputs: Any
    mesh: Mesh
    donated: tuple[int, ...] = ()

    def compile(self) -> jax.stages.Compiled:
        """Lower and compile it for the mesh; with the mesh set, so that the model can place activations on it."""
        layout = jax.tree.map(lambda leaf: leaf.sharding, self.outputs)
        jitted = jax.jit(self.function, out_shardings=layout, donate_argnums=self.donated)
        with jax.set_mesh(self.mesh):
            return jitted.lower(*self.arguments.values()).compile()


class Blueprints:
    """The blueprints of a run's programs on a mesh (default: all devices of this machine)."""

    def __init__(self, config: Config, ids: TokenIds, mesh: Mesh | None = None):
        self.config, self.ids = config, ids
        self.mesh = sharding.make_mesh(config.mesh) if mesh is None else mesh
        sharding.check_heads(self.mesh, config.model.text.num_key_value_heads)
        self.rows = self.mesh.shape["replica"] * self.mesh.shape["fsdp"]
        params = abstract_params(config.model)
        self.params = _laid_out(params, sharding.state_shardings(params, self.mesh))
        self.rollout_params = _laid_out(params, sharding.rollout_shardings(params, self.mesh), config.model.dtype)
        self._check_rows("evaluation.batch", config.evaluation.batch)
        for stage in config.stages:
            parts = stage.micro_batches * stage.updates_per_rollout
            field = f"stages[{stage.name}].prompts_per_step / micro_batches"
            field += " / updates_per_rollout" * (stage.updates_per_rollout > 1)
            self._check_rows(field, stage.prompts_per_step // parts)

    def init(self) -> Blueprint:
        """`seed -> params`, random, laid out for training."""

        def init(seed):
            return init_params(self.config.model, jax.random.PRNGKey(seed))

        return Blueprint("init", init, {"seed": self._same((), jnp.uint32)}, self.params, self.mesh)

    def publish(self) -> Blueprint:
        """`params -> rollout params`: the training parameters in the dtype and layout of decoding."""

        def move(leaf, target):
            def one(weight):
                placed = PartitionSpec(*target.sharding.spec[-weight.ndim :]) if weight.ndim else PartitionSpec()
                return jax.lax.with_sharding_constraint(weight.astype(target.dtype), placed)

            # Layer by layer: gathering a whole stack at once would need its memory twice.
            return jax.lax.map(one, leaf) if leaf.ndim == 3 else one(leaf)

        def publish(params):
            return jax.tree.map(move, params, self.rollout_params)

        return Blueprint("publish", publish, {"params": self.params}, self.rollout_params, self.mesh)

    def optimizer(self, stage: StageConfig) -> Blueprint:
        """`params -> fresh optimizer state` of a stage."""
        optimizer = self._optimizer(stage)
        state = self._opt_state(stage)
        return Blueprint(f"{stage.name}: optimizer", optimizer.init, {"params": self.params}, state, self.mesh)

    def update(self, stage: StageConfig) -> Blueprint:
        """`state, batch -> state, metrics`: one optimizer step of a stage; consumes the state."""
        optimizer = self._optimizer(stage)
        update = make_update(self.config.model, stage, self.ids, optimizer, self.config.rollout.temperature)
        state, batch = self.train_state(stage), self.train_batch(stage.prompts_per_step, stage.group_size)
        _, metrics = jax.eval_shape(update, state, batch)
        metrics = jax.tree.map(lambda leaf: self._same(leaf.shape, leaf.dtype), metrics)
        arguments = {"state": state, "batch": batch}
        return Blueprint(f"{stage.name}: update", update, arguments, (state, metrics), self.mesh, donated=(0,))

    def score(self) -> Blueprint:
        """`params, prompts, tokens -> logprobs [P, 1, C]`: the trainer's forward pass over given completions."""
        score = make_score(self.config.model, self.ids, self.config.rollout.temperature)
        batch = self.train_batch(self.config.evaluation.batch, 1)
        arguments = {"params": self.params, "prompts": batch.prompts, "tokens": batch.tokens}
        return Blueprint("score", score, arguments, batch.logprobs, self.mesh)

    def rollout(self, stage: StageConfig | None) -> tuple[Blueprint, Blueprint]:
        """The two programs that sample a stage's rollouts; for None the greedy ones of evaluation, with G = 1.

        `rollout params, prompts, row names, key, step -> context, state` and
        `rollout params, context, state -> state, whether all rows are done`; the second consumes the state.
        """
        if stage is None:
            return self.sampling("greedy", self.config.evaluation.batch, 1, 0.0)
        return self.sampling(stage.name, stage.prompts_per_step, stage.group_size, self.config.rollout.temperature)

    def sampling(self, name: str, count: int, group: int, temperature: float) -> tuple[Blueprint, Blueprint]:
        """The two programs of `rollout` for any number of prompts and completions of each; temperature 0 is greedy."""
        prefill, decode = make_rollout(
            self.config.model,
            self.ids,
            group_size=group,
            max_tokens=self.config.rollout.max_tokens,
            temperature=temperature,
            segment_tokens=self.config.rollout.segment_tokens,
        )

        def keyed(params, prompts, rows, key, step):
            return prefill(params, prompts, rows, jax.random.fold_in(key, step))

        layout = sharding.rollout_specs()
        if self.mesh.shape["tensor"] == 1:
            # Every device decodes its own rows on its own: nothing is exchanged, and none waits for another's rows.
            whole = jax.tree.map(lambda _: PartitionSpec(), self.rollout_params)
            decode = jax.shard_map(
                decode, mesh=self.mesh, in_specs=(whole, *layout), out_specs=layout[1], check_vma=False
            )

        def segment(params, context, state):
            state = decode(params, context, state)
            return state, jnp.all(state.done)

        arguments = {
            "rollout_params": self.rollout_params,
            "prompts": self.prompts(count),
            "rows": self._rows((count,), jnp.uint32),
            "key": self._same((2,), jnp.uint32),
            "step": self._same((), jnp.int32),
        }
        made = jax.eval_shape(keyed, *arguments.values())
        context, state = (_laid_out(tree, self._named(specs)) for tree, specs in zip(made, layout, strict=True))
        further = {"rollout_params": self.rollout_params, "context": context, "state": state}
        outputs = (state, self._same((), jnp.bool_))
        return (
            Blueprint(f"{name}: prefill", keyed, arguments, (context, state), self.mesh),
            Blueprint(f"{name}: decode", segment, further, outputs, self.mesh, donated=(2,)),
        )

    def train_state(self, stage: StageConfig) -> TrainState:
        """The layout of everything that training changes."""
        return TrainState(self.params, self._opt_state(stage), self._same((), jnp.int32), self._same((2,), jnp.uint32))

    def train_batch(self, count: int, group: int) -> TrainBatch:
        """The layout of `count` prompts with `group` completions each."""
        shape = (count, group, self.config.rollout.max_tokens)
        return TrainBatch(
            self.prompts(count),
            self._rows(shape, jnp.int32),
            self._rows(shape, jnp.bool_),
            self._rows(shape, jnp.float32),
            self._rows(shape[:2], jnp.float32),
        )

    def prompts(self, count: int) -> PromptBatch:
        """The layout of `count` prompts in the config's bucket."""
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
        return PromptBatch(*[self._rows((count, *shape), dtype) for shape, dtype in shapes])

    def _optimizer(self, stage: StageConfig) -> optax.GradientTransformation:
        return make_optimizer(stage.optimizer, stage.steps, self.params, stage.updates_per_rollout)

    def _opt_state(self, stage: StageConfig) -> Any:
        optimizer = self._optimizer(stage)
        state = jax.eval_shape(optimizer.init, self.params)
        return _laid_out(state, sharding.state_shardings(state, self.mesh))

    def _check_rows(self, field: str, prompts: int) -> None:
        if prompts % self.rows:
            raise ValueError(f"{field} must be a multiple of the {self.rows} data-parallel devices, got {prompts}")

    def _named(self, specs: Any) -> Any:
        return jax.tree.map(lambda spec: NamedSharding(self.mesh, spec), specs)

    def _rows(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(self.mesh, sharding.ROWS))

    def _same(self, shape: tuple[int, ...], dtype: Any) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=NamedSharding(self.mesh, PartitionSpec()))


def _laid_out(tree: Any, shardings: Any, dtype: Any = None) -> Any:
    """Abstract arrays with a layout, and a dtype if given."""
    return jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, dtype or leaf.dtype, sharding=where), tree, shardings
    )
